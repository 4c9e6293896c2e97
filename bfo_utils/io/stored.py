"""Arrays as they lie in a file: what is told of each before it is read, which is the image, and
dataclasses of arrays as ``.npz`` files, without pickle.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from ..compute import atomic
from ..errors import InputError
from .calibration import PixelSize, Statement, pixel_size
from .headers import check_archive

MIN_SIDE = 32  # px: below, there is no lattice to see
# names that win where a file holds several images, best first
PREFERRED = ("MainImage", "image", "HAADF")
CHANNELS = {2: "gray image with transparency", 3: "RGB image", 4: "RGBA image"}
_LISTED = 8  # names that a message lists


@dataclass(frozen=True, eq=False)
class StoredArray:
    """One array of a file that is open.

    Rows are the first axis and run downwards; frames come before them, colors are the last axis.

    Attributes
    ----------
    name : str
        Name by which it is chosen: a path in the file, or a title.
    shape : tuple of int
    dtype : numpy.dtype
        As stored.
    load : callable
        Returns the array.
    statements : sequence
        What the file states about scale and unit of its rows and columns, see
        :func:`bfo_utils.io.pixel_size`.
    detector : str
        Name of the detector, where the file tells.
    unread : str
        What of the file is never read that may hold the scale; a clause, mostly empty.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray] = field(repr=False)
    statements: Sequence[Statement] = ()
    detector: str = ""
    unread: str = ""

    @property
    def stated_size(self) -> PixelSize:
        """Its pixel size; see :func:`bfo_utils.io.pixel_size`."""
        found = pixel_size(self.statements)
        return found if found.nm or found.unused else PixelSize(None, self.unread)

    @property
    def is_image(self) -> bool:
        """Whether it holds numbers, or colors, on a plane large enough for a lattice."""
        plane = squeezed(self.shape)
        flat = len(plane) == 2 or (
            len(plane) == 3 and self.dtype.names is None and plane[-1] in CHANNELS
        )
        return is_number(self.dtype) and flat and min(plane[:2]) >= MIN_SIDE


def is_stack(one: StoredArray) -> bool:
    """Whether an array is a stack of images: frames first, and no axis of energies."""
    shape = squeezed(one.shape)
    units = [str(unit).strip().lower() for axes in one.statements for _, unit in axes]
    return (
        len(shape) == 3
        and one.dtype.names is None
        and shape[-1] not in CHANNELS
        and min(shape[1:]) >= MIN_SIDE
        and not {"ev", "kev", "channel", "channels"} & set(units)
    )


def is_number(dtype: np.dtype) -> bool:
    """Whether values are numbers, or colors packed into records."""
    return dtype.kind in "iufc" or (dtype.names is not None and set(dtype.names) <= set("RGBA"))


def squeezed(shape):
    """Return a shape without the axes of length 1 that come on top of two axes."""
    return tuple(n for n in shape if n != 1) if len(shape) > 2 else tuple(shape)


def check_axes(shape):
    """Refuse shapes that are neither a plane nor a plane with color channels."""
    if len(shape) < 2:
        raise InputError(f"{len(shape)}-D data of shape {shape}; give a 2-D image")
    if len(shape) > 3 or (len(shape) == 3 and shape[-1] not in CHANNELS):
        raise InputError(
            f"{len(shape)}-D data of shape {shape} are neither an image nor a stack of frames; give"
            f" a 2-D image, or frames of at least {MIN_SIDE} px on each side"
        )


def check_kind(dtype):
    """Refuse values that are no numbers."""
    if dtype.kind not in "iuf":
        raise InputError(
            f"values of type {dtype}; give integers or floats (for complex values, the modulus)"
        )


def choose(arrays: Sequence[StoredArray], dataset: str | None = None) -> StoredArray:
    """The image among the arrays of a file.

    Parameters
    ----------
    arrays : sequence of StoredArray
    dataset : str, optional
        The name asked for, or one part of it that no other shares. Default: the only image, or the
        only one that is called MainImage, image or HAADF.

    Returns
    -------
    StoredArray

    Raises
    ------
    InputError
        If none is clearly meant; the message lists names and shapes.
    """
    if dataset is not None:
        return _named(arrays, dataset)
    numbers = [a for a in arrays if is_number(a.dtype)] or list(arrays)
    planes = [a for a in numbers if len(squeezed(a.shape)) == 2]
    names = [a for a in numbers if a.is_image] or planes or numbers
    if not names:
        raise InputError("contains no array; give a file with a 2-D image")
    best = next(
        (
            found
            for wanted in PREFERRED
            if (found := [a for a in names if wanted in a.name.split("/")])
        ),
        names,
    )
    if len(best) > 1:
        raise InputError(f"holds several arrays ({_listing(best)}); choose one with --dataset NAME")
    return best[0]


def others(arrays: Sequence[StoredArray], chosen: StoredArray) -> str:
    """Names of the images of a file that have the shape of the chosen one, for a note."""
    return ", ".join(
        a.name
        for a in arrays
        if a is not chosen and a.is_image and squeezed(a.shape) == squeezed(chosen.shape)
    )


def _named(arrays, dataset):
    """The array called `dataset`: its full name, or one part of a path that no other shares."""
    wanted = dataset.strip("/")
    matches = [a for a in arrays if a.name == wanted] or [
        a for a in arrays if wanted in a.name.split("/")
    ]
    if len(matches) != 1:
        count = len(matches) or "no"
        raise InputError(
            f"{count} datasets are called {dataset!r}; choose one of {_listing(matches or arrays)}"
        )
    return matches[0]


def _listing(arrays):
    """Return names with their shapes for a message, eight at most."""
    shown = ", ".join(f"{a.name} {tuple(a.shape)}" for a in arrays[:_LISTED])
    return (
        shown
        if len(arrays) <= _LISTED
        else f"{shown} and {len(arrays) - _LISTED} more (bfo info lists them)"
    )


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
    for one in dataclasses.fields(item):
        value, name = getattr(item, one.name), prefix + one.name
        if dataclasses.is_dataclass(value):
            _flatten(name + ".", value, arrays, plain)
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            plain[name] = value.item() if isinstance(value, np.generic) else value


def _build(prefix: str, kind: type, arrays: dict, plain: dict) -> Any:
    hints = get_type_hints(kind)
    values = {}
    for one in dataclasses.fields(kind):
        name, hint = prefix + one.name, hints[one.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            values[one.name] = _build(name + ".", hint, arrays, plain)
        else:
            values[one.name] = arrays[name] if name in arrays else plain[name]
    return kind(**values)
