"""Files that are either whole or not there."""

import csv
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DiskError, InputError

if TYPE_CHECKING:  # who writes a table has imported them
    import numpy as np
    import pandas as pd

# Name of what is being written, and by which process.
_PART = re.compile(r"\..+\.\d+\.part(\.\w+)?")
_LONGEST = 200  # bytes of a name that leave room for what is added to it; file systems allow 255
# What Python says where it finds no place for temporary files.
_NO_TEMPORARY = "temporary directory"


@contextmanager
def writable_names() -> Iterator[None]:
    """Say in one line where a name is too long for the file system, or no folder for temporary
    files can be used.

    Raises
    ------
    DiskError

    Examples
    --------
    >>> with writable_names():
    ...     _ = Path("n" * 300).exists()
    Traceback (most recent call last):
    bfo_utils.errors.DiskError: nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...: this name is too long;
    give one of 255 bytes at most
    """
    try:
        yield
    except OSError as error:
        if _NO_TEMPORARY in str(error):
            raise DiskError(
                "temporary files: no folder is writable; set TMPDIR to a writable folder with free"
                " space"
            ) from error
        if error.errno != errno.ENAMETOOLONG:
            raise
        name = Path(os.fsdecode(error.filename or "")).name[:40]
        raise DiskError(
            f"{name}...: this name is too long; give one of 255 bytes at most"
        ) from error


def _part(path: Path, suffix: str = "") -> Path:
    suffix = suffix if len(suffix) < 10 else ""
    return path.with_name(f".{_short(path.name)}.{os.getpid()}.part{suffix}")


def _short(name: str) -> str:
    """A name to which something can be added."""
    return (
        name
        if len(os.fsencode(name)) <= _LONGEST
        else hashlib.sha256(os.fsencode(name)).hexdigest()
    )


@contextmanager
def writing(what: str | Path) -> Iterator[None]:
    """Turn an error of the file system into one clear line.

    Parameters
    ----------
    what : str or Path
        File or folder to name.

    Raises
    ------
    DiskError
        If the disk is full, the folder read-only, and the like.

    Examples
    --------
    >>> with writing("results"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    bfo_utils.errors.DiskError: results: cannot be written (No space left on device); give a
    writable folder with free space
    """
    try:
        with writable_names():
            yield
    except OSError as error:
        # not the file system: a kernel that died, say
        if error.errno is None and not isinstance(error, shutil.Error):
            raise
        reason = (
            error.args[0][0][-1] if isinstance(error, shutil.Error) else error.strerror or error
        )
        raise DiskError(
            f"{what}: cannot be written ({reason}); give a writable folder with free space"
        ) from error


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes ``path`` once the block has ended well.

    The content is on the disk before the name is, so that not even a power cut leaves half a file.

    Parameters
    ----------
    path : str or Path
        File to write; its folder is made where missing.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    DiskError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with atomic(Path(folder, "a.txt")) as part:
    ...     _ = part.write_text("whole")
    >>> os.listdir(folder)
    ['a.txt']
    """
    path = Path(os.path.realpath(path))  # a link stays, what it leads to is replaced
    part = _part(path, path.suffix)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield part
            to_disk(part)
            os.replace(part, path)
            to_disk(path.parent)
    finally:
        with suppress(OSError):  # not there, or on a name that cannot be
            part.unlink()


@contextmanager
def atomic_folder(path: str | Path, first: str) -> Iterator[Path]:
    """A new folder beside ``path`` that takes its place once the block has ended well.

    Parameters
    ----------
    path : str or Path
        Folder to write; what it held is removed then. An empty one stays, and is filled. A link
        stays a link.
    first : str
        Name of the file that such a folder gets first: who finds it knows where the others come
        from.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    DiskError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "new")
    >>> with atomic_folder(folder, "a.txt") as part:
    ...     _ = (part / "a.txt").write_text("whole")
    >>> os.listdir(folder)
    ['a.txt']
    """
    path = Path(os.path.realpath(path))
    with writing(path):
        put_back(path)
    empty = path.is_dir() and not any(path.iterdir())
    part = _part(path / first if empty else path)
    try:
        with writing(path):
            part.mkdir(parents=True)
            yield part
            _fill(path, part, first) if empty else take_place(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(folder: Path, new: Path, first: str) -> None:
    """Move the content of a folder into an empty one, which may be a mount or have own rights."""
    for name in [first, *sorted(p.name for p in new.iterdir() if p.name != first)]:
        os.replace(new / name, folder / name)


def take_place(new: Path, folder: Path) -> None:
    """Put a new folder where an earlier one is; :func:`put_back` undoes what a process that was
    killed has half done.
    """
    old = _earlier(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        shutil.copymode(folder, new)
        os.rename(folder, old)
    os.rename(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Put an earlier folder back in its place, where :func:`take_place` was killed before the
    new one was there.
    """
    if _earlier(folder).exists() and not folder.exists():
        os.rename(_earlier(folder), folder)


def _earlier(folder: Path) -> Path:
    return folder.with_name(f".{_short(folder.name)}.old")


@contextmanager
def together(folder: str | Path, last: str) -> Iterator[Path]:
    """A temporary folder whose files take their places, replacing older ones, once the block has
    ended well.

    Until then older files stay as they are; should the disk run full they are still there. Whoever
    finds ``last`` finds all files of the same making: the older ``last`` goes before the first file
    comes, and the new one comes after all others.

    Parameters
    ----------
    folder : str or Path
        Made where missing.
    last : str
        Name of the file that stands for all; the block must write it.

    Yields
    ------
    Path
        Folder to write to.

    Raises
    ------
    DiskError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with together(folder, "b.txt") as stage:
    ...     for name in ("a.txt", "b.txt"):
    ...         _ = (stage / name).write_text("new")
    >>> sorted(os.listdir(folder))
    ['a.txt', 'b.txt']
    """
    folder = Path(folder)
    stage = _part(folder / last)
    try:
        with writing(folder):
            stage.mkdir(parents=True)
            yield stage
            sweep(stage)  # of another process that wrote there and was killed
            (folder / last).unlink(missing_ok=True)
            for name in [*sorted(p.name for p in stage.iterdir() if p.name != last), last]:
                os.replace(stage / name, folder / name)
            to_disk(folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def to_disk(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows has no descriptors of folders
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        # not every file system does it for folders
        with suppress(OSError) if path.is_dir() else writing(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: str | Path, deep: bool = False) -> None:
    """Remove the temporary files of processes that were killed as they wrote; no process may be
    writing there now.

    Parameters
    ----------
    folder : str or Path
    deep : bool
        All folders below it, too.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / ".a.csv.123.part.csv").touch()
    >>> sweep(folder)
    >>> os.listdir(folder)
    []
    """
    for part in list(Path(folder).glob("**/.*.part*" if deep else ".*.part*")):
        if not _PART.fullmatch(part.name):
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def write_json(path: str | Path, content, sort: bool = True) -> None:
    """Write JSON, with sorted keys unless told otherwise, so that equal content gives equal
    bytes.
    """
    with atomic(path) as part:
        part.write_text(json.dumps(content, indent=2, sort_keys=sort, allow_nan=False) + "\n")


def read_json(path: str | Path):
    """Read JSON.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or is no JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the notebook that writes it first") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not valid JSON; move it away and run again") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); move it away and run again"
        ) from error


def refuse_foreign(paths: Iterable[str | Path], own: bool, what: str) -> None:
    """Refuse to write over files that are there and were not written by the same command.

    Parameters
    ----------
    paths : iterable of str or Path
        What would be written.
    own : bool
        Whether an earlier call of the command has written there.
    what : str
        What to give instead.

    Raises
    ------
    InputError
        It names the first of them; nothing is touched.

    Examples
    --------
    >>> refuse_foreign([__file__], False, "give another folder with --out")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: ...files.py: already exists and was not written by an earlier call;
    give another folder with --out
    """
    found = next((path for path in paths if os.path.lexists(path)), None)
    if found is not None and not own:
        raise InputError(f"{found}: already exists and was not written by an earlier call; {what}")


def write_csv(path: str | Path, table: "pd.DataFrame") -> None:
    """Write a table as CSV without index, eight digits a number; names of files that are no valid
    text keep their bytes as ``\\udcff``. (``DataFrame.to_csv`` takes ten times as long.)
    """
    columns = [_texts(table.iloc[:, k].to_numpy()) for k in range(table.shape[1])]
    with (
        atomic(path) as part,
        open(part, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(zip(*columns, strict=True))


def _texts(values: "np.ndarray") -> list:
    """Values of a column as they are written, nothing for what is unknown."""
    if values.dtype.kind == "f":
        return [f"{v:.8g}" if v == v else "" for v in values.tolist()]
    return ["" if v is None or v != v else v for v in values.tolist()]
