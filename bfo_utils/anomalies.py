"""Cells that a model of the others does not fit: defects, contamination, interfaces."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .space import Value
from .workflow import Crystal, windows

_NEIGHBOURS = 12
LIMIT = 6.0  # robust deviations


@dataclass(frozen=True)
class Anomalies:
    """Scores on the grid of cells, (R, C), NaN outside the analysed mask, in robust deviations from the median.

    Attributes
    ----------
    error : ndarray
        How badly the window of the cell is drawn again.
    distance : ndarray
        How far its latents lie from those of other cells.
    """

    error: np.ndarray
    distance: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """Cells beyond six deviations in either score."""
        with np.errstate(invalid="ignore"):
            return (self.error > LIMIT) | (self.distance > LIMIT)


def measure(crystal: Crystal, parameters: Mapping[str, Value]) -> Anomalies:
    """Score every analysed cell by its reconstruction and by its place among the latents.

    Parameters
    ----------
    crystal : Crystal
    parameters : mapping
        Complete parameters with descriptor "vae".

    Returns
    -------
    Anomalies
    """
    network, cut_out = crystal.network(parameters), windows(crystal, parameters)
    latents = network.encode(cut_out)
    error = ((cut_out - network.decode(latents)) ** 2).mean(axis=(1, 2))
    spread = latents / np.maximum(latents.std(axis=0), 1e-12)
    distance = cKDTree(spread).query(spread, min(_NEIGHBOURS, len(spread)))[0][:, 1:].mean(axis=1)
    return Anomalies(*(_on_grid(standing_out(np.log(v + 1e-12)), crystal.mask) for v in (error, distance)))


def standing_out(values: np.ndarray) -> np.ndarray:
    """Distance above the median in robust deviations (median absolute deviation / 0.6745).

    Examples
    --------
    >>> standing_out(np.array([1.0, 2.0, 3.0, 4.0, 50.0])).round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 31.7]
    """
    centre = np.median(values)
    return (values - centre) / max(float(np.median(np.abs(values - centre))) / 0.6745, 1e-12)


def _on_grid(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    grid = np.full(mask.shape, np.nan)
    grid[mask] = values
    return grid
