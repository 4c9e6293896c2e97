"""Reference field: a measured field that was not used in a clustering and judges its map.

A map of domains is credible if it agrees with a field that was not used to make it. This field is
the polar displacement if both sublattices are visible, otherwise the strain of the cells. The
option without physics uses image patches in one fixed window.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..descriptors import (
    crop_windows,
    cut_windows,
    measured_fields,
    normalize_windows,
    project_in_parts,
)
from ..errors import InputError
from ..io import Image
from ..lattice import Cells
from ..segmentation import bridge_gaps

REFERENCE_KINDS = ("polar", "lattice", "patch", "order")
CORRELATION_LAG = 3  # cells: beyond the reach of the averaging in the cell edges
MIN_CORRELATION = 0.1  # autocorrelation below which a field holds no domains


@dataclass(frozen=True)
class ReferenceField:
    """A vector field on the grid of cells: ``field`` (R, C, K), NaN outside the analyzed mask."""

    field: np.ndarray
    kind: str


def best_reference_kind(cells: Cells) -> str:
    """The kind of reference field of an image: "polar" if both sublattices are visible, otherwise
    "lattice".
    """
    return "polar" if cells.has_b else "lattice"


def measure_reference(
    image: Image, cells: Cells, mask: np.ndarray, kind: str = "auto"
) -> ReferenceField:
    """The reference field of an image.

    Parameters
    ----------
    image : Image
    cells : Cells
    mask : ndarray of bool, shape (R, C)
        Analyzed cells.
    kind : {"auto", "polar", "lattice", "patch", "order"}
        ``polar``: polar displacement (px). ``lattice``: ln(a/b), shear angle and rotation
        (radians), the three strains that share one unit. ``patch``: four principal components of
        windows of one cell. ``order``: local amplitude of an ordered displacement (px).

    Returns
    -------
    ReferenceField

    Raises
    ------
    InputError
        If the kind is unknown, "polar" is given without a visible second sublattice, or "order"
        without ordered displacements.
    """
    kind = best_reference_kind(cells) if kind == "auto" else kind
    if kind not in REFERENCE_KINDS:
        raise InputError(
            f"evidence '{kind}': unknown; choose one of auto, {', '.join(REFERENCE_KINDS)}"
        )
    if kind == "polar" and not cells.has_b:
        raise InputError(
            "evidence 'polar': the second sublattice is not seen in this image; use 'lattice'"
        )
    if kind == "order" and cells.order is None:
        raise InputError(
            "evidence 'order': no ordered displacements are seen in this image; use auto, polar or"
            " lattice"
        )
    values = {"polar": _polar, "lattice": _lattice, "patch": _patch, "order": _order}[kind](
        image, cells, mask
    )
    return ReferenceField(np.where(mask[..., None], values, np.nan), kind)


def _polar(image, cells, mask):
    return cells.polar


def _lattice(image, cells, mask):
    return measured_fields(cells)["strain"]


def _order(image, cells, mask):
    return cells.order


def _patch(image, cells, mask):
    patches = cut_windows(image, cells, mask, "cell")
    field = np.full((*mask.shape, 4), np.nan)
    field[mask] = project_in_parts(
        lambda part: normalize_windows(crop_windows(patches, 1.0, 1.0, part=part), "zscore"),
        len(patches.data),
        4,
    )
    return field


def autocorrelation(field: np.ndarray, lag: int = CORRELATION_LAG) -> float:
    """Correlation of a field with itself ``lag`` cells away, along both axes together.

    Domains make it large. Measurement noise does not, because cells share only their common corners
    with their neighbors.

    Parameters
    ----------
    field : ndarray, shape (R, C, K)
        NaN where unknown.
    lag : int
        Distance in cells.

    Returns
    -------
    float
        -1 .. 1; 0 where nothing is known.

    Examples
    --------
    >>> stripes = np.repeat([[1.0] * 8 + [-1.0] * 8], 16, axis=0)[..., None]
    >>> autocorrelation(stripes) > 0.7
    True
    """
    centered = field - np.nanmean(field, axis=(0, 1)) if np.isfinite(field).any() else field
    pairs = [(centered[:, :-lag], centered[:, lag:]), (centered[:-lag], centered[lag:])]
    product = np.concatenate([(p * q).sum(-1).ravel() for p, q in pairs])
    power = np.concatenate([((p**2 + q**2) / 2).sum(-1).ravel() for p, q in pairs])
    known = np.isfinite(product)
    return (
        float(product[known].sum() / power[known].sum())
        if known.any() and power[known].sum() > 0
        else 0.0
    )


def analyzed_mask(cells: Cells) -> np.ndarray:
    """Cells far enough from the edge of the crystal to be analyzed: two cells, or one in a small
    crystal.

    The mask depends on the crystal only, so that all configurations are judged on the same cells.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    ndarray of bool, shape (R, C)
    """
    bridged = bridge_gaps(np.where(cells.valid, 0, -1))[0] >= 0  # neither is a narrow gap an edge,
    # nor a missing column
    closed = ndimage.binary_closing(np.pad(bridged, 2), iterations=2)[2:-2, 2:-2]
    for depth in (2, 1):
        mask = ndimage.binary_erosion(closed, np.ones((3, 3)), depth) & cells.valid
        if mask.sum() > 0.6 * cells.n:
            return mask
    return mask if mask.sum() > 0.3 * cells.n else cells.valid.copy()
