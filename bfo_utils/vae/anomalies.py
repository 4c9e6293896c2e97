"""Cells that an autoencoder does not fit: defects, contamination, interfaces."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..lattice import Cells
from .model import VAE

_NEIGHBORS = 12
ANOMALY_LIMIT = 6.0  # robust deviations


@dataclass(frozen=True)
class Anomalies:
    """Scores on the grid of cells, (R, C), NaN outside the analyzed mask, in robust deviations from
    the median.

    Attributes
    ----------
    error : ndarray
        Reconstruction error of the window of the cell.
    distance : ndarray
        Distance of its latents from those of other cells.
    """

    error: np.ndarray
    distance: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """Cells beyond six deviations in either score."""
        with np.errstate(invalid="ignore"):
            return (self.error > ANOMALY_LIMIT) | (self.distance > ANOMALY_LIMIT)


def find_anomalies(network: VAE, windows: np.ndarray, mask: np.ndarray) -> Anomalies:
    """Score every analyzed cell by its reconstruction error and by the distance of its latents.

    Parameters
    ----------
    network : VAE
        A trained autoencoder.
    windows : ndarray, shape (N, H, W)
        Windows that it was trained on, one per analyzed cell.
    mask : ndarray of bool, shape (R, C)
        The N analyzed cells.

    Returns
    -------
    Anomalies
    """
    latents = network.encode(windows)
    error = ((windows - network.decode(latents)) ** 2).mean(axis=(1, 2))
    spread = latents / np.maximum(latents.std(axis=0), 1e-12)
    distance = cKDTree(spread).query(spread, min(_NEIGHBORS, len(spread)))[0][:, 1:].mean(axis=1)
    return Anomalies(*(_on_grid(is_anomalous(np.log(v + 1e-12)), mask) for v in (error, distance)))


def anomaly_table(scores: Anomalies, cells: Cells) -> pd.DataFrame:
    """The places of the anomalies, the strongest first.

    Parameters
    ----------
    scores : Anomalies
    cells : Cells

    Returns
    -------
    pandas.DataFrame
        One row per cell beyond six deviations: indices ``i``, ``j``, center ``x_px``, ``y_px``,
        ``error`` and ``distance`` in robust deviations, ``why``: "window", "latents" or "both".
    """
    at = np.argwhere(scores.found)
    error, distance = scores.error[scores.found], scores.distance[scores.found]
    why = np.where(error <= ANOMALY_LIMIT, "latents", "window").astype(object)
    why[(error > ANOMALY_LIMIT) & (distance > ANOMALY_LIMIT)] = "both"
    x, y = cells.xy[scores.found].T
    table = {"i": at[:, 0], "j": at[:, 1], "x_px": x, "y_px": y}
    table |= {"error": error, "distance": distance, "why": why}
    order = np.argsort(-np.fmax(error, distance), kind="stable")
    return pd.DataFrame(table).iloc[order].reset_index(drop=True)


def is_anomalous(values: np.ndarray) -> np.ndarray:
    """Distance above the median in robust deviations (median absolute deviation / 0.6745).

    Examples
    --------
    >>> is_anomalous(np.array([1.0, 2.0, 3.0, 4.0, 50.0])).round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 31.7]
    """
    center = np.median(values)
    return (values - center) / max(float(np.median(np.abs(values - center))) / 0.6745, 1e-12)


def _on_grid(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    grid = np.full(mask.shape, np.nan)
    grid[mask] = values
    return grid
