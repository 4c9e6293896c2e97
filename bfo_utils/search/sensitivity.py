"""Sensitivity of the reward: permutation importance over the trials of a search, and the landscape
of the total.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.inspection import permutation_importance

from ..columns import find_columns
from .pipeline import evaluate_configuration
from .preparation import PreparedImage, SharedWork
from .space import PARAMETERS, Value


def parameter_importance(trials: pd.DataFrame, reward: str = "total", seed: int = 0) -> pd.Series:
    """Loss of explained variance of the reward when the values of one parameter are permuted among
    the trials.

    A random forest predicts the reward from the parameters. The loss of its R2 when a parameter is
    permuted is the importance of that parameter (Breiman 2001, doi 10.1023/A:1010933404324). The
    trials of a search concentrate where the reward is high, and the values describe that region.

    Parameters
    ----------
    trials : DataFrame
        Rows of ``trials.csv``.
    reward : str
        Column to explain.
    seed : int

    Returns
    -------
    Series
        Importance by parameter, largest first, only of parameters that vary; sums to at most about
        2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> t = pd.DataFrame({"n_clusters": rng.integers(2, 9, 80), "binning": rng.integers(1, 4, 80)})
    >>> parameter_importance(t.assign(total=t["n_clusters"] / 8)).index[0]
    'n_clusters'
    """
    varied = [p.name for p in PARAMETERS if p.name in trials and trials[p.name].nunique() > 1]
    if not varied or trials[reward].nunique() < 2:
        return pd.Series(dtype=float)
    codes = pd.DataFrame({name: _coded(trials[name]) for name in varied})
    forest = ExtraTreesRegressor(100, random_state=seed).fit(codes, trials[reward])
    found = permutation_importance(forest, codes, trials[reward], n_repeats=10, random_state=seed)
    return pd.Series(np.maximum(found.importances_mean, 0), varied).sort_values(
        ascending=False, kind="stable"
    )


def _coded(values: pd.Series) -> pd.Series:
    """Numbers as they are, words by the order of their first appearance."""
    return (
        values
        if pd.api.types.is_numeric_dtype(values)
        else pd.Series(pd.factorize(values)[0], values.index)
    )


def total_landscape(
    prepared: PreparedImage,
    windows: Sequence[float],
    clusters: Sequence[int],
    fixed: Mapping[str, Value] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """The total as a function of window size and number of clusters, everything else fixed.

    Parameters
    ----------
    prepared : PreparedImage
    windows : sequence of float
        Edges of the square window, in cells.
    clusters : sequence of int
        Numbers of clusters.
    fixed : mapping, optional
        The other parameters; those not given take their defaults.
    seed : int
        Seed of the clustering.

    Returns
    -------
    ndarray, shape (windows, clusters)

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> from bfo_utils.search import prepare_image
    >>> prepared = prepare_image(simulate_phantom(Specimen(cells=16, cell_px=16)).image)
    >>> total_landscape(prepared, [1.0, 1.5], [2, 3, 4]).shape
    (2, 3)
    """
    work = SharedWork(prepared)

    def total(window: float, k: int) -> float:
        square = {"window_height": window, "window_width": window, "n_clusters": k}
        parameters = {**(fixed or {}), **square}
        return evaluate_configuration(prepared, parameters, seed, work=work).rewards["total"]

    return np.array([[total(window, k) for k in clusters] for window in windows])


def window_landscape(
    work: SharedWork,
    sizes: Sequence[float],
    fixed: Mapping[str, Value] | None = None,
    seed: int = 0,
    reward: str = "total",
) -> np.ndarray:
    """A reward as a function of window height and width, everything else fixed.

    The map comes from one half of the pixels, the reward from the other.

    Parameters
    ----------
    work : SharedWork
    sizes : sequence of float
        Heights, and widths, in cells.
    fixed : mapping, optional
        The other parameters, the site among them; those not given take their defaults.
    seed : int
        Seed of the clustering.
    reward : str
        One of the default total, or "total".

    Returns
    -------
    ndarray, shape (heights, widths)

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> from bfo_utils.search import prepare_image
    >>> prepared = prepare_image(simulate_phantom(Specimen(cells=16, cell_px=16)).image)
    >>> window_landscape(SharedWork(prepared), [1.0, 1.5], {"site": "B"}).shape
    (2, 2)
    """
    half = work.cross_fitted[0]

    def value(height: float, width: float) -> float:
        parameters = {**(fixed or {}), "window_height": height, "window_width": width}
        return evaluate_configuration(half.prepared, parameters, seed, work=half).rewards[reward]

    return np.array([[value(height, width) for width in sizes] for height in sizes])


def column_landscape(
    work: SharedWork,
    scales: Sequence[float],
    fixed: Mapping[str, Value] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Column finding with several filter widths: two rewards for the columns, and the total of the
    resulting map.

    After Barakati et al. (Digital Discovery 2024, doi 10.1039/D4DD00132J), who reward the number of
    columns and their spacing; the formulas are ours.

    Parameters
    ----------
    work : SharedWork
    scales : sequence of float
        Values of ``detection_scale``.
    fixed : mapping, optional
        The other parameters; those not given take their defaults.
    seed : int
        Seed of the clustering.

    Returns
    -------
    DataFrame
        One row per scale: ``columns`` found; ``density``, the smaller of found / expected and its
        inverse; ``spacing``, the share of columns whose nearest-neighbor distance agrees with the
        lattice within a fifth; ``total``.

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> from bfo_utils.search import prepare_image
    >>> prepared = prepare_image(simulate_phantom(Specimen(cells=16, cell_px=16)).image)
    >>> bool(column_landscape(SharedWork(prepared), [1.0])["spacing"].min() > 0.9)
    True
    """
    prepared = work.prepared
    basis = prepared.lattice.cells.basis
    kinds = 2 if prepared.lattice.cells.has_b else 1
    expected = kinds * prepared.image.valid.sum() / basis.cell_px**2
    nearest = basis.cell_px / np.sqrt(kinds)
    rows = []
    for scale in scales:
        given = {**(fixed or {}), "detection_scale": scale}
        found = find_columns(prepared.image, scale, prepared.refinement_radius).xy
        distance = cKDTree(found).query(found, 2)[0][:, 1]
        outcome = evaluate_configuration(prepared, given, seed, work=work)
        rows.append(
            {
                "scale": scale,
                "columns": len(found),
                "density": min(len(found) / expected, expected / len(found)),
                "spacing": float((np.abs(distance / nearest - 1) < 0.2).mean()),
                "total": outcome.rewards["total"],
            }
        )
    return pd.DataFrame(rows)
