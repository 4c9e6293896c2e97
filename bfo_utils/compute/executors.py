"""Where tasks run: on processes of this machine, or on a Dask cluster. Chosen here and nowhere
else.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import lru_cache, partial, wraps
from importlib import import_module
from multiprocessing import Lock
from typing import Any, ParamSpec, Protocol, TypeVar

from joblib import cpu_count
from threadpoolctl import ThreadpoolController

from ..errors import InputError
from .installation import require_extra

ATTEMPTS = 3  # a task that has lost its process as often is given up
P = ParamSpec("P")
R = TypeVar("R")
CONNECT_S = 10  # seconds to wait for the answer of a scheduler


class WorkerDied(InputError):
    """Error of a task whose worker process was killed every time."""

    def __init__(self):
        super().__init__(
            "its worker process was killed every time (out of memory?); use more memory, fewer"
            " workers, or a smaller image"
        )


class Pool(Protocol):
    """Runs a function on many tasks, each in a worker process."""

    @property
    def size(self) -> int:
        """Tasks that can run at a time."""

    def run(self, function: Callable[[Any], Any], tasks: Sequence) -> Iterator[tuple[int, Any]]:
        """Position and result of every task as it ends; the result is a `WorkerDied` where there
        can be none.

        A worker that dies costs its running task, which is run again; other tasks do not notice.
        Exceptions of the function are raised.
        """


def n_cores() -> int:
    """Cores that this process may use."""
    return cpu_count()


def one_thread():
    """Context in which linear algebra runs on one thread.

    As :func:`threadpoolctl.threadpool_limits`, which looks for loaded libraries at every call and
    takes 10 ms for it; here they are looked for where a module was imported since the last call.

    Examples
    --------
    >>> with one_thread():
    ...     pass
    """
    return _libraries(len(sys.modules)).limit(limits=1)


def on_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: linear algebra runs on one thread. On matrices as small as ours more of them cost
    time, beside another busy program up to a hundred times as much, and rounding depends on them.
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with one_thread():
            return function(*args, **kwargs)

    return alone


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def connect_pool(workers: int = 1, scheduler: str | None = None) -> Iterator[Pool]:
    """A pool of processes of this machine or, given a scheduler's address, the workers of a Dask
    cluster.

    Parameters
    ----------
    workers : int
        Number of local processes.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``. The workers are those that it
        has.

    Yields
    ------
    Pool

    Raises
    ------
    InputError
        If the scheduler does not answer, or ``distributed`` is not installed.

    Examples
    --------
    >>> with connect_pool(workers=2) as pool:
    ...     sorted(pool.run(abs, [-1, -2, -3]))
    [(0, 1), (1, 2), (2, 3)]
    """
    if scheduler is None and (hindrance := _hindrance()):
        print(
            f"warning: no worker process can be started ({hindrance}); continuing in the main"
            " process",
            file=sys.stderr,
        )
        yield ThisProcess()
    elif scheduler is None:
        pool = Processes(workers)
        try:
            yield pool
        finally:
            pool.close()
    else:
        with _client(scheduler) as client:
            yield Dask(client, scheduler)


def _hindrance() -> str:
    """Why no process can be started: their semaphores lie in shared memory, which may be full."""
    try:
        Lock()
    except (OSError, ImportError) as error:
        return f"/dev/shm: {getattr(error, 'strerror', None) or error}"
    return ""


class ThisProcess:
    """No other process: one task after another, in this one."""

    size = 1

    def run(self, function, tasks):
        """See :class:`Pool`."""
        for k, task in enumerate(tasks):
            yield k, function(task)


def in_order(pairs: Iterator[tuple[int, Any]]) -> Generator[Any, None, None]:
    """Results by position, each as soon as all before it are there.

    Raises
    ------
    WorkerDied
        In place of the result that it stands for.

    Examples
    --------
    >>> list(in_order(iter([(1, "b"), (0, "a"), (2, "c")])))
    ['a', 'b', 'c']
    """
    early: dict[int, Any] = {}
    due = 0
    for k, result in pairs:
        early[k] = result
        while due in early:
            result, due = early.pop(due), due + 1
            if isinstance(result, WorkerDied):
                raise result
            yield result


class Processes:
    """Processes of this machine, each a pool of its own: one that dies takes no other's task with
    it.

    (In one pool of several processes, the death of one breaks the pool and costs all running
    tasks.) They are started when there is work for them, as fresh interpreters on every system: a
    script that uses them does so under ``if __name__ == "__main__":``.

    Parameters
    ----------
    workers : int
    """

    def __init__(self, workers: int):
        self.size = workers
        self._idle: list[ProcessPoolExecutor] = []
        self._all: dict[ProcessPoolExecutor, Future[int]] = {}

    def run(self, function, tasks):
        """See :class:`Pool`."""
        waiting = deque((k, 1) for k in range(len(tasks)))
        running: dict[Future, tuple[int, int, ProcessPoolExecutor]] = {}
        while waiting or running:
            while waiting and len(running) < self.size:
                (k, attempt), process = waiting.popleft(), self._process()
                running[process.submit(function, tasks[k])] = k, attempt, process
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                k, attempt, process = running.pop(future)
                if not isinstance(future.exception(), BrokenProcessPool):
                    self._idle.append(process)
                    yield k, future.result()
                    continue
                del self._all[process]  # nothing of it is left to be ended
                if attempt < ATTEMPTS:
                    waiting.append((k, attempt + 1))
                else:
                    yield k, WorkerDied()

    def close(self) -> None:
        """End all processes: those at work at once, idle ones as soon as they have left in good
        order.
        """
        for process, number in self._all.items():
            if process not in self._idle and number.exception() is None:
                with suppress(OSError):  # it has ended
                    os.kill(number.result(), signal.SIGTERM)
            process.shutdown(cancel_futures=True)

    def _process(self) -> ProcessPoolExecutor:
        if not self._idle:
            process, number = _fresh_process()
            self._all[process] = number
            self._idle.append(process)
        return self._idle.pop()


class Beside:
    """One process beside this one, for work that nothing waits for yet.

    It is started with the block, as a fresh interpreter (a script that uses it does so under ``if
    __name__ == "__main__":``), and imports modules while this process is busy. Where none can be
    started, or it was killed, this process does the work itself when it is asked for.

    Parameters
    ----------
    modules : sequence of str
        What the work will need, by absolute names.

    Examples
    --------
    >>> with Beside() as beside:
    ...     later = beside.submit(sum, [1, 2])
    ...     later()
    3
    """

    def __init__(self, modules: Sequence[str] = ()):
        self._modules = modules
        self._process: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Beside":
        if not _hindrance():
            with suppress(OSError, BrokenProcessPool):  # no room for another process
                process, self._number = _fresh_process()
                for module in self._modules:
                    process.submit(import_module, module)
                self._process = process
        return self

    def __exit__(self, *error) -> None:
        if self._process:
            with suppress(OSError, BrokenProcessPool):  # it has ended
                self._process.submit(os.getpid)  # raises where the number may be another's by now
                os.kill(self._number.result(), signal.SIGTERM)
            self._process.shutdown(cancel_futures=True)

    def submit(self, function: Callable[..., R], *arguments: Any) -> Callable[[], R]:
        """Start a function; what is returned waits for its result."""
        here = partial(function, *arguments)
        if not self._process:
            return here
        try:
            # of a copy: a thread of the pool sends it, while the arguments may change
            future = self._process.submit(function, *deepcopy(arguments))
        except BrokenProcessPool:
            return here

        def result() -> R:
            try:
                return future.result()
            except (BrokenProcessPool, CancelledError):
                return here()

        return result


def _fresh_process() -> tuple[ProcessPoolExecutor, Future[int]]:
    """A pool of one fresh interpreter, which ends with this process, and its number.

    It begins without heed of Ctrl-C, which is for this process to answer.
    """
    fresh = multiprocessing.get_context("spawn")
    process = ProcessPoolExecutor(1, mp_context=fresh, initializer=_follow)
    here = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if here else None
    try:
        return process, process.submit(os.getpid)
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _follow() -> None:
    """End this process with its parent, so that a killed call leaves no worker behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # workers have one

    def watch():
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Dask:
    """The workers of a Dask cluster; a lost task is run again by its scheduler, as often as that
    allows failures.

    Parameters
    ----------
    client : distributed.Client
    address : str
        Address of the scheduler, for messages.
    """

    def __init__(self, client, address: str):
        self._client, self._address = client, address

    @property
    def size(self) -> int:
        """Threads of all workers that the cluster has now."""
        return sum(self._client.nthreads().values())

    def run(self, function, tasks):
        """See :class:`Pool`."""
        from distributed import as_completed

        submit = partial(self._client.submit, function, pure=False)
        position = {submit(task): k for k, task in enumerate(tasks)}
        for future in as_completed(list(position), loop=self._client.loop):
            yield position.pop(future), self._result(future)

    def _result(self, future):
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker:
            return WorkerDied()
        except InputError:
            raise
        except (CancelledError, OSError) as error:
            raise InputError(
                f"{self._address}: the connection to the scheduler was lost; start the cluster"
                " again and repeat the command; finished images are skipped"
            ) from error
        except Exception as error:
            raise InputError(
                f"{self._address}: the cluster cannot run the analysis ({type(error).__name__}:"
                f" {error}); start scheduler and workers with the same Python and packages as on"
                " this machine"
            ) from error


def _client(scheduler: str):
    """A client connected to a scheduler."""
    require_extra("--scheduler", "cluster", "distributed")
    from distributed import Client

    try:
        return Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{scheduler}: no Dask scheduler answers at this address; give the address that `dask"
            " scheduler` prints, such as tcp://10.0.0.1:8786"
        ) from error
