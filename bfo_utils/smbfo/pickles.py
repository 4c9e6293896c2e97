"""Careful reading of a pickled dictionary of arrays: a pickle can run any code of its author.

Record 4876786 holds the series as one such file. It is read only after an explicit opt-in and only
if its MD5 sum is the record's. Even then, anything but NumPy arrays is rejected.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..compute import atomic
from ..errors import InputError, as_input_error
from .registry import file_md5

#: Names in a pickle of plain arrays; NumPy renamed its core between versions 1 and 2.
_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that refuses every name but those of arrays."""

    def find_class(self, module: str, name: str):
        module = re.sub(r"^numpy\.core\b", "numpy._core", module)
        if (module, name) not in _HARMLESS:
            raise InputError(f"holds {module}.{name}, which is not an array; it is not read")
        return super().find_class(module, name)


def read_trusted_pickle(
    path: str | Path, md5: str, trust: bool = False
) -> dict[str, dict[str, np.ndarray]]:
    """Read a pickled dictionary of dictionaries of arrays, if it is the file that the record lists.

    Parameters
    ----------
    path : str or Path
        An ``.npy`` file with a pickled object.
    md5 : str
        MD5 sum from the record.
    trust : bool
        Explicit opt-in. Without it nothing is read, because a pickle can run code with the rights
        of its reader.

    Returns
    -------
    dict of str to dict of str to ndarray

    Raises
    ------
    InputError
        Without ``trust``, if the MD5 sum differs, or if the file contains anything but arrays.

    Examples
    --------
    >>> read_trusted_pickle("composition_series_dict_full.npy", "0" * 32)
    Traceback (most recent call last):
    bfo_utils.errors.InputError: composition_series_dict_full.npy: is a pickle, ...
    """
    if not trust:
        raise InputError(
            f"{path}: is a pickle, and reading it can run code of its author; download the same"
            " data without a pickle with: bfo fetch smbfo"
        )
    try:
        if file_md5(Path(path)) != md5:
            raise InputError(
                f"does not have the MD5 sum {md5} of the record and is not read; download it again"
            )
        content = _unpickled(Path(path))
    except Exception as error:
        raise as_input_error(path, error, "a pickled dictionary of arrays") from error
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise InputError(f"{path}: does not hold a dictionary of dictionaries; nothing was read")
    return {
        str(k): {str(name): np.asarray(value) for name, value in v.items()}
        for k, v in content.items()
    }


def _unpickled(path: Path):
    """The object in an ``.npy`` file."""
    with open(path, "rb") as file:
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, _, kind = header[np.lib.format.read_magic(file)](file)
        if kind != np.dtype(object) or shape != ():
            raise InputError("holds no pickled object")
        return _ArraysOnly(file, encoding="latin1").load()[()]


def unpack_series(content: dict[str, dict[str, np.ndarray]], folder: str | Path) -> list[Path]:
    """Write the arrays of every image to an ``.npz`` file, so that the pickle need not be read
    again.

    Parameters
    ----------
    content : dict of str to dict of str to ndarray
        From :func:`read_trusted_pickle`.
    folder : str or Path
        Created if missing.

    Returns
    -------
    list of Path
        One file per image, named by its key. Entries other than arrays of numbers or text are left
        out.
    """
    odd = [key for key in content if not re.fullmatch(r"[A-Za-z0-9_-]+", key)]
    if odd:
        raise InputError(f"key {odd[0]!r}: is not a valid file name; nothing was written")
    paths = [Path(folder, f"{key}.npz") for key in content]
    for path, arrays in zip(paths, content.values()):
        plain: dict[str, Any] = {name: a for name, a in arrays.items() if a.dtype.kind in "iufbcUS"}
        with atomic(path) as part, open(part, "wb") as file:
            np.savez(file, **plain)
    return paths
