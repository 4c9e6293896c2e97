"""The cell of the crystal, from a json file or a CIF."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, as_input_error
from .cif import projected_cell

_CELL = '{"a": [16, 0.4], "b": [-0.4, 16], "sites": [[0, 0], [0.5, 0.5]]}'


@dataclass(frozen=True, eq=False)
class GivenCell:
    """A cell given by the user.

    Attributes
    ----------
    vectors : ndarray, shape (2, 2)
        Vectors a and b (rows; x to the right, y down) of the A columns, in px or nm.
    has_b : bool
        Whether a B column lies at the center of their parallelogram.
    in_nm : bool
        Whether the unit is nm.
    placed : bool
        Whether the vectors lie as in the image; else only their lengths and angle are known.
    """

    vectors: np.ndarray
    has_b: bool
    in_nm: bool
    placed: bool = True


def read_cell(path: str | Path) -> GivenCell:
    """A cell from a CIF, or from a json file: ``{"a": [16, 1], "b": [-1, 16], "sites": [[0, 0],
    [0.5, 0.5]]}``.

    Parameters
    ----------
    path : str or Path
        ``a`` and ``b`` in px, or in nm with ``"unit": "nm"``; ``sites`` are the places of an A and,
        where there is one, of a B column in fractions of the cell: B at the center, or in the
        middle of an edge. Of a CIF the columns along [001], or along what an item
        ``_bfo_zone_axis '1 1 0'`` says; how they are rotated in the image is found there.

    Returns
    -------
    GivenCell
        With B at an edge, the parallelogram of the A columns whose center it is.

    Raises
    ------
    InputError
        For a file that does not say this.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise InputError("no such file; give a CIF, or a json file of a cell")
        if file.suffix.lower() == ".cif":
            return replace(_cell(projected_cell(file.read_text(errors="replace"))), placed=False)
        return _cell(json.loads(file.read_text()))
    except Exception as error:
        raise as_input_error(file, error, f"a cell such as {_CELL}") from error


def _cell(stated: Any) -> GivenCell:
    """The cell of a json object."""
    if not isinstance(stated, dict) or not {"a", "b"} <= set(stated):
        raise InputError(f"has no vectors a and b; give a cell such as {_CELL}")
    vectors = np.array([stated["a"], stated["b"]], dtype=float)
    sites = np.array(stated.get("sites", [[0, 0], [0.5, 0.5]]), dtype=float)
    unit = stated.get("unit", "px")
    flat = vectors.shape != (2, 2) or abs(np.linalg.det(vectors)) < 0.1 * (vectors**2).max()
    if flat or not np.isfinite(vectors).all() or unit not in ("px", "nm"):
        raise InputError(f"its vectors do not span a cell in px or nm; give one such as {_CELL}")
    if sites.ndim != 2 or sites.shape[1] != 2 or len(sites) not in (1, 2):
        raise InputError("sites: give one position for A, or one each for A and B, as fractions")
    a, b = vectors
    at = tuple(((sites[-1] - sites[0]) % 1).round(3).tolist())
    known = {(0.5, 0.5): (a, b), (0.0, 0.5): (a, b - a), (0.5, 0.0): (b, a - b)}
    if len(sites) == 2 and at not in known:
        raise InputError(
            f"sites: B lies {at} of the cell from A; only B at the center (0.5, 0.5) or in the"
            " middle of an edge can be analyzed"
        )
    return GivenCell(
        np.array(known[at]) if len(sites) == 2 else vectors, len(sites) == 2, unit == "nm"
    )
