"""Contents of a file and the image to be analyzed, read from its header if it has one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, as_input_error
from ..io import (
    CHANNELS,
    StoredArray,
    check_axes,
    choose,
    is_stack,
    open_arrays,
    squeezed,
    unit_text,
    without_reader_warnings,
)


def describe_file(path: str | Path) -> dict[str, Any]:
    """Contents of a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        ``path``, ``format`` (the suffix), ``size_bytes``; ``images``: of every image ``name, shape,
        dtype, frames, channels, pixel_size_nm, stated`` (scale and unit of rows and columns as the
        file has them), ``note`` (what of it could not be used) and ``detector``; ``others``: name,
        shape and type of arrays that are no images; ``analyzed``: the name of the image that is
        taken without ``--dataset``, else None and the ``reason``.

    Raises
    ------
    InputError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/two.npz", HAADF=np.zeros((64, 80)), BF=np.ones((64, 80)))
    ...     told = describe_file(f"{folder}/two.npz")
    >>> told["analyzed"], [image["name"] for image in told["images"]]
    ('HAADF', ['HAADF', 'BF'])
    """
    file = Path(path)
    with without_reader_warnings():
        try:
            with open_arrays(file) as arrays:
                known = [one for one in arrays if _shows(one)]
                analyzed, reason = _meant(arrays)
                return {
                    "path": str(path),
                    "format": file.suffix.lower(),
                    "size_bytes": file.stat().st_size,
                    "images": [_image(one) for one in known],
                    "others": [_array(one) for one in arrays if one not in known],
                    "analyzed": analyzed,
                    "reason": reason,
                }
        except Exception as error:
            raise as_input_error(path, error, f"an intact {file.suffix} file") from error


def _shows(one: StoredArray) -> bool:
    """Whether an array is an image, or a stack of images."""
    return one.is_image or is_stack(one)


def _meant(arrays: Sequence[StoredArray]) -> tuple[str | None, str]:
    """Name of the array that would be analyzed, or why there is none."""
    try:
        one = choose(arrays)
        if is_stack(one):
            return one.name, ""
        check_axes(squeezed(one.shape))
    except InputError as error:
        return None, str(error)
    return one.name, ""


def _array(one: StoredArray) -> dict[str, Any]:
    return {"name": one.name, "shape": list(one.shape), "dtype": str(one.dtype)}


def _image(one: StoredArray) -> dict[str, Any]:
    """What is told of an image."""
    shape = squeezed(one.shape)
    colors = len(shape) == 3 and shape[-1] in CHANNELS
    try:
        size, note = one.stated_size.nm, one.stated_size.unused
    except InputError as error:  # pixels that are not square
        size, note = None, str(error)
    stated = next(
        (
            [[_scale(scale), unit_text(unit)] for scale, unit in axes]
            for axes in one.statements
            if axes
        ),
        [],
    )
    return _array(one) | {
        "frames": shape[0] if len(shape) == 3 and not colors else 1,
        "channels": shape[-1] if colors else 1,
        "pixel_size_nm": size,
        "stated": stated,
        "note": note,
        "detector": one.detector or None,
    }


def _scale(value: Any) -> float | str | None:
    """A scale of a header for JSON."""
    try:
        return None if value is None else float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        return str(value)


def as_text(told: dict[str, Any]) -> str:
    """The description of a file as lines of text.

    Parameters
    ----------
    told : dict
        From :func:`describe_file`.

    Returns
    -------
    str
    """
    count = len(told["images"])
    size = told["size_bytes"] / 2**20
    lines = [f"{told['path']}: {count} image{'s' * (count != 1)}, {size:.1f} MiB"]
    lines += [
        f"{'*' if image['name'] == told['analyzed'] else ' '} {_line(image)}"
        for image in told["images"]
    ]
    if told["others"]:
        lines += [
            f"  and {len(told['others'])} arrays that are not images: "
            + ", ".join(one["name"] for one in told["others"][:8])
        ]
    if told["analyzed"] is None:
        return "\n".join([*lines, f"analyzed: none, because the file {told['reason']}"])
    choice = "; choose another with --dataset NAME" if len(told["images"]) > 1 else ""
    return "\n".join([*lines, f"analyzed: {told['analyzed']}{choice}"])


def _line(image: dict[str, Any]) -> str:
    """One image of a file in a line."""
    shape, size = image["shape"], image["pixel_size_nm"]
    height, width = [n for n in shape if n != 1][-3:-1] if image["channels"] > 1 else shape[-2:]
    parts = [image["name"], f"{height} x {width} px", image["dtype"]]
    parts += [f"{image['frames']} frames"] if image["frames"] > 1 else []
    parts += [f"{image['channels']} channels"] if image["channels"] > 1 else []
    parts += [
        f"{size:.5g} nm per pixel ({height * size:.1f} x {width * size:.1f} nm)"
        if size
        else "pixel size unknown"
    ]
    parts += [f"detector {image['detector']}"] if image["detector"] else []
    return ", ".join(parts) + (f"; warning: {image['note']}" if image["note"] else "")
