"""Named arrangements of ferroelectric variants, for simulated crystals.

A layout is a function of the normalized position ``(x, y)`` in the image (x to the right, y down,
both 0 to 1 inside the frame) that returns the variant at that position: an integer index into
:data:`VARIANTS`.
"""

from collections.abc import Callable

import numpy as np

from ..errors import InputError

#: In-plane signs (x, y) of the polarization of each variant, the four <111> directions seen along
#: [001].
VARIANTS = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=float)

Layout = Callable[[np.ndarray, np.ndarray], np.ndarray]
_LAYOUTS: dict[str, Layout] = {}


def _register(function: Layout) -> Layout:
    _LAYOUTS[function.__name__.strip("_")] = function
    return function


def layout_names() -> list[str]:
    """Names of all layouts, sorted.

    Examples
    --------
    >>> "single" in layout_names() and "junction" in layout_names()
    True
    """
    return sorted(_LAYOUTS)


def layout_variants(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Evaluate the layout ``name`` at normalized positions.

    Parameters
    ----------
    name : str
        One of :func:`layout_names`.
    x, y : ndarray
        Positions as fractions of the frame. Values outside 0..1 are allowed; the crystal continues
        there.

    Returns
    -------
    ndarray of int
        Variant index at every position.

    Raises
    ------
    InputError
        If there is no layout of that name.

    Examples
    --------
    >>> layout_variants("halves", np.array([0.2, 0.8]), np.array([0.5, 0.5]))
    array([0, 2])
    """
    if name not in _LAYOUTS:
        raise InputError(
            f"layout '{name}': no such layout; choose one of {', '.join(layout_names())}"
        )
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    return _LAYOUTS[name](x, y).astype(int)


@_register
def _single(x, y):
    """One variant everywhere: the null case, in which no domain may be found."""
    return np.zeros(x.shape)


@_register
def _halves(x, y):
    """Two 180-degree domains with a straight vertical wall."""
    return np.where(x < 0.52, 0, 2)


@_register
def _junction(x, y):
    """Three variants that meet at one point: walls of the 109-, 71- and 180-degree kind."""
    right = np.where(y < 0.95 - 0.75 * x, 1, 2)
    return np.where(x < 0.45, 0, right)


@_register
def _stripes(x, y):
    """Vertical stripes with 109-degree-like walls."""
    return np.digitize(x, (0.2, 0.38, 0.63, 0.8)) % 2


@_register
def _diagonal(x, y):
    """One broad diagonal band with 71-degree-like walls."""
    return np.where(np.abs(x - y + 0.05) < 0.27, 3, 0)


@_register
def _quadrants(x, y):
    """All four variants around one point, on slightly tilted walls."""
    right, low = x > 0.48 + 0.1 * (y - 0.5), y > 0.54 - 0.1 * (x - 0.5)
    return np.where(low, np.where(right, 2, 1), np.where(right, 3, 0))


@_register
def _island(x, y):
    """A rectangular 180-degree domain inside a matrix: walls that never reach the frame."""
    inside = (np.abs(x - 0.52) < 0.27) & (np.abs(y - 0.47) < 0.22)
    return np.where(inside, 2, 0)


@_register
def _unequal(x, y):
    """A narrow domain beside a wide one, and a third across the bottom."""
    return np.where(y > 0.72, 3, np.where(x < 0.24, 1, 0))


@_register
def _curved(x, y):
    """A 180-degree wall that bends through the whole field."""
    return np.where(x < 0.5 + 0.14 * np.sin(2 * np.pi * y), 0, 2)


@_register
def _closure(x, y):
    """Flux closure: four variants divided by the diagonals of a square."""
    u, v = x - 0.5, y - 0.48
    return np.where(np.abs(u) > np.abs(v), np.where(u > 0, 1, 3), np.where(v > 0, 2, 0))


@_register
def _needles(x, y):
    """Needle domains that enter from the left and taper off inside the crystal."""
    tip = np.clip(0.75 - x, 0, None)
    needles = [np.abs(y - center) < 0.11 * tip / 0.75 for center in (0.2, 0.5, 0.8)]
    return np.where(np.any(needles, axis=0), 1, 0)


@_register
def _array71(x, y):
    """A regular array of diagonal 71-degree stripes."""
    return np.floor((x + y) / 0.26) % 2 * 3


@_register
def _misfit(x, y):
    """Two variants in a wide film beside a relaxed substrate: stripes on one side only."""
    return np.where(x < 0.5, 0, np.where((y - 0.4 * x) % 0.5 < 0.22, 1, 0))


@_register
def _zigzag(x, y):
    """A charged 180-degree wall that runs in zigzag."""
    return np.where(x < 0.45 + 0.2 * np.abs((2.5 * y) % 1 - 0.5) * 2, 0, 2)


@_register
def _lens(x, y):
    """A lens-shaped domain inside a matrix, its tips on the diagonal."""
    u, v = (x - 0.5 + y - 0.5) / np.sqrt(2), (x - 0.5 - y + 0.5) / np.sqrt(2)
    return np.where(np.abs(v) < 0.22 * (1 - (u / 0.45) ** 2), 3, 0)


@_register
def _fan(x, y):
    """Four sectors that open from a point on the left edge."""
    return np.digitize(np.arctan2(y - 0.45, x + 0.05), (-0.35, 0.05, 0.45)) % 4
