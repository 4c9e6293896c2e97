"""What passes between notebooks: dataclasses of arrays as ``.npz`` files, without pickle."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from ..compute import atomic
from ..errors import InputError
from .headers import check_archive


def save_arrays(path: str | Path, item: Any) -> None:
    """Write a (nested) dataclass of arrays, numbers, strings and None to one file.

    Parameters
    ----------
    path : str or Path
    item : dataclass instance
        Its fields become entries ``name`` or ``name.name``.
    """
    arrays: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    _flatten("", item, arrays, plain)
    with atomic(path) as part, open(part, "wb") as file:
        np.savez(file, __plain__=json.dumps(plain), **arrays)


def load_arrays(path: str | Path, kind: type) -> Any:
    """Read back what :func:`save_arrays` wrote.

    Parameters
    ----------
    path : str or Path
    kind : type
        The dataclass that was saved.

    Returns
    -------
    instance of ``kind``

    Raises
    ------
    InputError
        If the file is missing or of another kind.
    """
    try:
        check_archive(Path(path))
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            plain = json.loads(str(file["__plain__"]))
            return _build("", kind, {k: file[k] for k in file.files}, plain)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the notebook that writes it first") from None
    except Exception as error:  # of what a damaged archive, or another one, makes NumPy do
        raise InputError(
            f"{path}: not a stored {kind.__name__} ({error}); run the notebook that writes it again"
        ) from error


def _flatten(prefix: str, item: Any, arrays: dict, plain: dict) -> None:
    for field in dataclasses.fields(item):
        value, name = getattr(item, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            _flatten(name + ".", value, arrays, plain)
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            plain[name] = value.item() if isinstance(value, np.generic) else value


def _build(prefix: str, kind: type, arrays: dict, plain: dict) -> Any:
    hints = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            values[field.name] = _build(name + ".", hint, arrays, plain)
        else:
            values[field.name] = arrays[name] if name in arrays else plain[name]
    return kind(**values)
