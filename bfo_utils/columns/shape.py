"""The shape of columns beyond a round peak: asymmetry and elongation, which tilt, coma, astigmatism
and the scan cause.
"""

from dataclasses import dataclass

import numpy as np

from ..io import Image
from .detection import Columns
from .precision import FittedWindows, fitted_windows

_SAMPLE = 2000  # columns that are looked at


@dataclass(frozen=True)
class ColumnShape:
    """Medians over the columns of one sublattice, each with its standard error.

    Attributes
    ----------
    asymmetry, se_asymmetry : ndarray, shape (2,)
        Skewness of the peak along x and y, in units of its width; it points toward the tail.
    elongation, se_elongation : ndarray, shape (2,)
        Difference of the widths along x and y, and along the diagonals, divided by the width.
    """

    asymmetry: np.ndarray
    se_asymmetry: np.ndarray
    elongation: np.ndarray
    se_elongation: np.ndarray


def column_shapes(
    image: Image, columns: Columns, sublattice: np.ndarray, radius: float
) -> dict[str, ColumnShape]:
    """Asymmetry and elongation of the columns of every sublattice, from the residuals of a round
    peak.

    Parameters
    ----------
    image : Image
        The image that they were fitted to.
    columns : Columns
    sublattice : ndarray of str, shape (N,)
    radius : float
        Half width of the window that they were fitted in, in px.

    Returns
    -------
    dict of str to ColumnShape

    Examples
    --------
    >>> from ..simulation import Specimen, simulate_phantom
    >>> from .detection import find_columns
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16, dose=100))
    >>> found, radius = find_columns(p.image), 3.0
    >>> shape = column_shapes(p.image, found, np.full(len(found), "A"), radius)["A"]
    >>> bool(np.all(np.abs(shape.asymmetry) < 4 * shape.se_asymmetry + 0.02))
    True
    """
    every = max(1, len(columns) // _SAMPLE)
    terms = np.full((len(columns), 4), np.nan)
    for part in fitted_windows(image, columns, radius, every):
        terms[part.group] = _terms(part, columns.take(part.group))
    terms[~columns.ok] = np.nan
    shapes = {}
    for name in np.unique(sublattice).tolist():
        own = terms[sublattice == name]
        middle = np.nanmedian(own, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(own - middle), axis=0)
        error = 1.2533 * spread / np.sqrt(max(1, np.isfinite(own[:, 0]).sum()))
        shapes[name] = ColumnShape(middle[:2], error[:2], middle[2:], error[2:])
    return shapes


def _terms(part: FittedWindows, own: Columns) -> np.ndarray:
    """Skewness along x and y, and elongation along the axes and the diagonals, of every column
    (N, 4).

    Each is the coefficient of a Hermite function of the peak in the residual, of which the fit has
    taken what its own parameters can make.
    """
    x = (part.col - own.xy[:, :1]) / own.sigma_px[:, None]
    y = (part.row - own.xy[:, 1:]) / own.sigma_px[:, None]
    peak = own.intensity[:, None] * part.design[:, 1]
    shown = (x**3 - 3 * x) / 6, (y**3 - 3 * y) / 6, (x**2 - y**2) / 2, x * y
    found = []
    for term in shown:
        image = peak * term
        taken = np.matmul(part.pulled, image[..., None])
        left = image - np.matmul(part.design.transpose(0, 2, 1), taken)[..., 0]
        found.append((part.residual * left).sum(axis=1) / np.maximum((left**2).sum(axis=1), 1e-30))
    return np.stack(found, axis=1)
