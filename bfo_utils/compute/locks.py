"""One process at a time in a folder: locks that the operating system releases
when the process ends, however it ends.
"""

import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock, FileLock, Timeout, UnixFileLock, WindowsFileLock

from ..errors import InputError
from .files import sweep, writing

OWNER, HELPERS = ".lock", ".lock-helpers"  # files in the folder; absent when no process works there
_ORPHANS_S = (
    60.0  # s in which processes that a killed run has started notice that it is gone; most need one
)
_FOREVER = -1.0  # s, in filelock's words
_WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}  # of file systems
_NATIVE = (UnixFileLock, WindowsFileLock)  # released by the operating system
_joined: set[BaseFileLock] = (
    set()
)  # runs that this process helps: a lock without reference is released


@contextmanager
def locked_folder(folder: str | Path, wait: bool = False) -> Iterator[None]:
    """Be the only one that writes to a folder; what a killed process left half-written there is
    removed first.

    The folder is made where missing, and taken away again if the block leaves it empty.

    Parameters
    ----------
    folder : str or Path
    wait : bool
        Wait for another process to end, with a note on stderr, instead of refusing.

    Raises
    ------
    InputError
        If another process, or a helper of a killed one, works there; if the folder cannot be
        written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with locked_folder(folder), locked_folder(folder):
    ...     pass
    Traceback (most recent call last):
    bfo_utils.errors.InputError: ...: in use by process ... on ... since ...; wait for it to
    end, or give another folder
    """
    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with hold_lock(folder / OWNER, wait):
            _await_helpers(folder, _ORPHANS_S)
            sweep(folder)
            try:
                yield
            finally:
                with suppress(InputError):  # one that is still ending leaves its file
                    _await_helpers(folder, 0.0)
    finally:
        for path in made:
            with suppress(OSError):  # it holds something, as it should
                path.rmdir()


@contextmanager
def hold_lock(path: str | Path, wait: bool = False, seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock file, which is removed at the end.

    Parameters
    ----------
    path : str or Path
        Its folder is made where missing.
    wait : bool
        Wait for another holder, as long as it takes, with a note on stderr.
    seconds : float
        Wait as long at most, and say nothing.

    Raises
    ------
    InputError
        If another process holds it; if it cannot be written.
    """
    path = Path(path).absolute()
    with writing(path.parent):
        lock = _acquired(path, _FOREVER if wait else seconds, wait)
    try:
        if isinstance(lock, _NATIVE):  # the file of any other kind says it in filelock's own words
            with writing(path.parent):
                _sign(path)
        yield
    finally:
        _give_back(lock)


@contextmanager
def helper_processes(folder: str | Path) -> Iterator[None]:
    """Write to a folder on behalf of the process that holds it, which may be killed before this one
    notices.

    The next process waits for the helpers of the one before.
    """
    lock = join_run(folder)
    try:
        yield
    finally:
        _joined.discard(lock)
        _give_back(lock)


def join_run(folder: str | Path) -> BaseFileLock:
    """Help, see :func:`helper_processes`, until this process ends or releases the lock that is
    returned.
    """
    path = Path(folder, f"{HELPERS}-{uuid4().hex}").absolute()  # threads help, and other machines
    with writing(folder):
        lock = _acquired(path, _ORPHANS_S)
    _joined.add(lock)
    return lock


def _await_helpers(folder: Path, seconds: float) -> None:
    """Wait until the helpers of an earlier run have ended; their files go."""
    end = time.monotonic() + seconds
    for path in folder.glob(f"{HELPERS}-*"):
        with hold_lock(path, seconds=max(0.0, end - time.monotonic())):
            pass


def _acquired(path: Path, seconds: float, aloud: bool = False) -> BaseFileLock:
    """The lock of a file, held; without it on a file system that knows no locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0 if aloud else seconds)
    except Timeout:
        holder = f"{path.parent}: in use by {_holder(path)}"
        if not aloud:
            raise InputError(f"{holder}; wait for it to end, or give another folder") from None
        _print(f"note: {holder}; waiting for it to end")
        lock.acquire(timeout=seconds)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        _print(
            f"warning: this file system has no locks ({error.strerror}); do not start a second run"
            " in this folder"
        )
    return lock


def _give_back(lock: BaseFileLock) -> None:
    """Release a lock, its file removed: on POSIX while it is held, as whoever waits looks whether
    what it gets is still the file of that name; elsewhere filelock does it.
    """
    if isinstance(lock, UnixFileLock):
        with suppress(OSError):
            os.unlink(lock.lock_file)
    lock.release()


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _sign(path: Path) -> None:
    """Say in the file who holds it, behind the byte that Windows locks."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    with open(path, "r+b", buffering=0) as file:
        file.seek(1)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode())


def _holder(path: Path) -> str:
    """Who holds a lock, if its file tells."""
    with suppress(OSError), open(path, "rb", buffering=0) as file:
        file.seek(1)
        line = (file.read(200) or b"").decode(errors="replace").split("\n")[0]
        if line.startswith("process "):
            return line
    return "another process"
