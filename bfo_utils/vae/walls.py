"""Walls from latents: where the angle, or another latent, changes sign."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import ndimage

_ROUNDS = 20  # of the middle between two levels
_TURN = 360.0  # degrees


def sign_maps(latents: np.ndarray, names: Sequence[str], mask: np.ndarray) -> dict[str, np.ndarray]:
    """Side of its midpoint on which every latent lies, averaged over three by three cells.

    The zero of a latent is arbitrary, so the midpoint is that between the two levels that separate
    its values best. For an angle the circular mean is subtracted first.

    Parameters
    ----------
    latents : ndarray, shape (N, K)
        Angle in degrees.
    names : sequence of str
        K names; that of the angle is "angle".
    mask : ndarray of bool, shape (R, C)
        The N analyzed cells.

    Returns
    -------
    dict of ndarray of int, shape (R, C)
        1 above the midpoint, 0 below, -1 outside the mask.

    Examples
    --------
    >>> steps = np.repeat([-170.0, -170.0, 175.0, -150.0, -150.0, -150.0], 6)[:, None]
    >>> sign_maps(steps, ["angle"], np.ones((6, 6), bool))["angle"][:, 0]
    array([0, 0, 0, 1, 1, 1])
    """
    weight = ndimage.uniform_filter(mask * 1.0, 3, mode="constant")
    maps = {}
    for name, values in zip(names, latents.T):
        if name == "angle":
            turned = np.exp(1j * np.deg2rad(values))
            values = np.rad2deg(np.angle(turned / turned.mean()))
        grid = np.zeros(mask.shape)
        grid[mask] = values - _middle(values)
        near = ndimage.uniform_filter(grid, 3, mode="constant") / np.maximum(weight, 1e-9)
        maps[name] = np.where(mask, (near > 0).astype(int), -1)
    return maps


def _middle(values: np.ndarray) -> float:
    """The middle between the means of the values above and below it."""
    middle = float(np.median(values))
    for _ in range(_ROUNDS):
        above = values > middle
        if above.all() or not above.any():
            break
        middle = float(values[above].mean() + values[~above].mean()) / 2
    return middle


def sign_walls(signs: Mapping[str, np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """How well walls from the sign of latents agree with the walls of a map.

    Parameters
    ----------
    signs : mapping of str to ndarray of int, shape (R, C)
        From :func:`sign_maps`.
    labels : ndarray of int, shape (R, C)
        The map; -1 outside.

    Returns
    -------
    pandas.DataFrame
        One row per latent: ``wall cells``, how many cells lie at its walls; ``on the map's walls``,
        the share of them within one cell of a wall of the map; ``of the map's walls``, the share of
        the map's wall cells that the latent finds.

    Examples
    --------
    >>> labels = np.repeat([[0, 0, 0, 1, 1, 1]], 6, axis=0)
    >>> sign_walls({"latent 1": labels}, labels).loc["latent 1"].tolist()
    [12.0, 1.0, 1.0]
    """
    true = _at_walls(labels)
    rows = {}
    for name, map_ in signs.items():
        own = _at_walls(map_)
        rows[name] = [own.sum(), _near(own, true), _near(true, own)]
    columns = ["wall cells", "on the map's walls", "of the map's walls"]
    return pd.DataFrame.from_dict(rows, "index", dtype=float, columns=columns)


def _at_walls(labels: np.ndarray) -> np.ndarray:
    """The cells with a neighbor of another label, none outside of the map."""
    at = np.zeros(labels.shape, bool)
    for step in ((slice(None), slice(1, None)), (slice(1, None), slice(None))):
        back = tuple(slice(0, -1) if part.start else part for part in step)
        differ = (labels[step] != labels[back]) & (labels[step] >= 0) & (labels[back] >= 0)
        at[step] |= differ
        at[back] |= differ
    return at


def _near(cells: np.ndarray, others: np.ndarray) -> float:
    """Share of some cells that lie within one cell of others; NaN without any."""
    beside = ndimage.binary_dilation(others, np.ones((3, 3)))
    return float(beside[cells].mean()) if cells.any() else np.nan
