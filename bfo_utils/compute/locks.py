"""One process at a time in a folder: locks that the operating system takes back when their
holder ends, however it ends.
"""

import fcntl
import math
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from .files import sweep, writing

OWNER, HELPERS = ".lock", ".lock-helpers"  # files in the folder; gone when nobody works there
_ORPHANS_S = (
    60.0  # s in which processes that a killed run has started notice that it is gone; most need one
)
_LOOK_S = 0.05  # s between two looks at a lock that is waited for


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
    bfo_utils.errors.InputError: ...: in use by process ... on ... since ...; wait until it has
    ended, or give another folder
    """
    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with hold_lock(folder / OWNER, wait):
            with hold_lock(folder / HELPERS, seconds=_ORPHANS_S):
                sweep(folder)
            try:
                yield
            finally:
                with suppress(InputError), hold_lock(folder / HELPERS):  # its file goes, too
                    pass
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
    path = Path(path)
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(path, fcntl.LOCK_EX, math.inf if wait else seconds, wait)
    try:
        with writing(path.parent):
            _sign(descriptor)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def helper_processes(folder: str | Path) -> Iterator[None]:
    """Write to a folder on behalf of the process that holds it, which may be killed before this one
    notices.

    The next process waits for the helpers of the one before.
    """
    descriptor = join_run(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def join_run(folder: str | Path) -> int:
    """Help, see :func:`helping`, until this process ends or closes the file descriptor that is
    returned.
    """
    with writing(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        return _lock(Path(folder, HELPERS), fcntl.LOCK_SH, _ORPHANS_S)


def _lock(path: Path, kind: int, seconds: float, aloud: bool = False) -> int:
    """A descriptor of a lock file that is locked, and is still the file of that name."""
    end = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if _locked(descriptor, kind):
            if _is_still(path, descriptor):
                return descriptor
            os.close(descriptor)  # its holder has removed it meanwhile
            continue
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        os.close(descriptor)
        if time.monotonic() >= end:
            raise InputError(
                f"{path.parent}: in use by {holder}; wait until it has ended, or give another"
                " folder"
            )
        if aloud:
            print(
                f"note: {path.parent}: in use by {holder}; waiting until it has ended",
                file=sys.stderr,
                flush=True,
            )
            aloud = False
        time.sleep(_LOOK_S)


def _locked(descriptor: int, kind: int) -> bool:
    """Whether a descriptor could be locked; a file system that knows no locks leaves it to the
    user to be alone.
    """
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        print(
            f"note: this file system has no locks ({error.strerror}); let no second run write to"
            " the same folder",
            file=sys.stderr,
        )
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    return False


def _sign(descriptor: int) -> None:
    """Say in the file who holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(
        descriptor,
        f"process {os.getpid()} on {socket.gethostname()} since"
        f" {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(),
        0,
    )
