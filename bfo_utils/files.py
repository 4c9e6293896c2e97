"""Files that are either whole or not there."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from .errors import InputError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes ``path`` once the block has ended well.

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
    InputError
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
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if error.errno is None:  # not the file system: a kernel that died, say
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); give a folder with room and access") from error
    finally:
        if part.exists():
            part.unlink()


def write_json(path: str | Path, content) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes."""
    with atomic(path) as part:
        part.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path):
    """Read JSON.

    Raises
    ------
    InputError
        If the file is missing or no JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the notebook that writes it first") from None
    except ValueError:
        raise InputError(f"{path}: not valid JSON; remove it and run again") from None


def write_csv(path: str | Path, table: pd.DataFrame, float_format: str | None = "%.8g") -> None:
    """Write a table as CSV without index."""
    with atomic(path) as part:
        table.to_csv(part, index=False, float_format=float_format, lineterminator="\n")
