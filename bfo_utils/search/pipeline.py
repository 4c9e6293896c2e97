"""One configuration from end to end: descriptors, label map, rewards."""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..compute import one_thread
from ..descriptors import round_window, window_samples
from ..errors import InputError
from ..lattice import Lattice
from ..rewards import DEFAULT_TOTAL, DESCRIPTOR_REWARDS, Segmentation, score_map
from ..segmentation import (
    N_VARIANTS,
    cluster_vectors,
    mean_displacements,
    number_by_value,
    predict_labels,
    variant_numbers,
)
from .preparation import (
    _DESCRIBES,
    PreparedImage,
    SharedWork,
    _windows_of,
    cell_descriptors,
    transfer_to_cells,
)
from .space import PARAMETERS, Value, complete_parameters, default_parameters

_AUTOENCODER = [p.name for p in PARAMETERS if p.stage == "autoencoder"]


@dataclass(frozen=True)
class Outcome:
    """One evaluated configuration: label map on the grid of cells (-1 outside), rewards, wall
    time in s.
    """

    parameters: Mapping[str, Value]
    labels: np.ndarray
    rewards: Mapping[str, float]
    seconds: float


def resampling_stability(
    prepared: PreparedImage,
    parameters: Mapping[str, Value],
    seed: int = 0,
    work: SharedWork | None = None,
) -> float:
    """Stability under resampling: agreement of the maps from two random halves of the cells.

    A mixture is fitted to each half and labels all cells; the adjusted Rand index of the two maps
    is returned (0 by chance, 1 if the choice of cells does not matter).

    Parameters
    ----------
    prepared : PreparedImage
    parameters : mapping
        Any of the parameters; the others take their defaults.
    seed : int
    work : SharedWork, optional

    Returns
    -------
    float
    """
    p = complete_parameters(parameters)
    own = (work or SharedWork(prepared)).found_with(p["detection_scale"], p["refinement_radius"])
    values = cell_descriptors(own.prepared, p, own)
    if len(values) < 4 * p["n_clusters"]:
        return 0.0
    from sklearn.metrics import adjusted_rand_score  # takes a second

    half = np.random.default_rng(seed).permutation(len(values)) < len(values) // 2
    maps = [
        predict_labels(
            values[part], values, p["n_clusters"], p["method"], p["covariance"], seed + k
        )
        for k, part in enumerate((half, ~half))
    ]
    return float(max(0.0, adjusted_rand_score(*maps)))


def cluster_cells(
    prepared: PreparedImage, values: np.ndarray, parameters: Mapping[str, Value], seed: int = 0
) -> np.ndarray:
    """Cluster descriptors and put the labels on the grid of cells.

    Parameters
    ----------
    prepared : PreparedImage
    values : ndarray, shape (N, K) or (2 N, K)
        Descriptors of the analyzed cells, from :func:`cell_descriptors`. With all columns, a cell
        has the label of its A column.
    parameters : mapping
        ``n_clusters``, ``method``, ``covariance``; those not given take their defaults.
    seed : int

    Returns
    -------
    ndarray of int, shape (R, C)
        Labels by size, -1 outside the analyzed mask.
    """
    p = complete_parameters(parameters)
    labels = np.full(prepared.mask.shape, -1)
    found = cluster_vectors(values, p["n_clusters"], p["method"], p["covariance"], seed)
    labels[prepared.mask] = found[: int(prepared.mask.sum())]
    return labels


def column_labels(
    work: SharedWork, outcome: Outcome, seed: int = 0, shown: np.ndarray | None = None
) -> np.ndarray:
    """Labels of all columns with ``site`` "columns"; otherwise a column has the label of its cell.

    Parameters
    ----------
    work : SharedWork
    outcome : Outcome
    seed : int
        Seed of the clustering.
    shown : ndarray of int, shape (R, C), optional
        The map that names the clusters, by the majority of their A columns; by default the
        outcome's. Clusters of B columns alone have names of their own, unless the map has only one
        label.

    Returns
    -------
    ndarray of int, shape (M,)
        One per column of the lattice, -1 outside the analyzed cells.
    """
    prepared, p = work.prepared, outcome.parameters
    own = work.found_with(p["detection_scale"], p["refinement_radius"])
    several = shown is None or len(np.unique(shown[prepared.mask])) > 1
    shown = outcome.labels if shown is None else shown
    grids = {"A": shown, "B": shown}
    if _windows_of(own.prepared, p) > 1 and several:
        fit = (p["n_clusters"], p["method"], p["covariance"], seed)
        with one_thread():
            found = cluster_vectors(cell_descriptors(own.prepared, p, own), *fit)
        a, b = (
            transfer_to_cells(half, own.prepared, prepared)
            for half in np.split(found, [int(own.prepared.mask.sum())])
        )
        grids["B"] = np.full(shown.shape, -1)
        grids["B"][prepared.mask] = _named_like(a, shown[prepared.mask])[b]
    return _on_columns(prepared.lattice, grids)


def _named_like(clusters: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Name of every cluster: that of most of its members, else the next number that is free."""
    free = itertools.count(int(names.max()) + 1)
    members = [names[clusters == k] for k in range(int(clusters.max()) + 20)]
    return np.array([np.bincount(m).argmax() if len(m) else next(free) for m in members])


def _on_columns(lattice: Lattice, grids: Mapping[str, np.ndarray]) -> np.ndarray:
    """What is known of cells at their columns: A at the upper left corner, B inside."""
    out = np.full(len(lattice.ij), -1)
    for name, grid in grids.items():
        own = np.flatnonzero(lattice.sublattice == name)
        i, j = (lattice.ij[own] - (name == "B")).T
        inside = (i >= 0) & (j >= 0) & (i < grid.shape[0]) & (j < grid.shape[1])
        out[own[inside]] = grid[i[inside], j[inside]]
    return out


def evaluate_configuration(
    prepared: PreparedImage,
    parameters: Mapping[str, Value],
    seed: int = 0,
    total: Mapping[str, float] = DEFAULT_TOTAL,
    work: SharedWork | None = None,
) -> Outcome:
    """Run one configuration from descriptors to rewards.

    The rewards are biased if the reference field comes from the same pixels as the map.
    :func:`cross_fitted_outcome` and the search use different pixels.

    Linear algebra runs on one thread: at this size a second one costs more than it saves, and
    configurations are distributed over the cores instead.

    Parameters
    ----------
    prepared : PreparedImage
    parameters : mapping
        Any of the parameters of :mod:`bfo_utils.search`; the others take their defaults.
    seed : int
    total : mapping of str to float
        Rewards that make the total, see :func:`bfo_utils.rewards.score_map`.
    work : SharedWork, optional
        Keeps intermediate results that this configuration shares with others.

    Returns
    -------
    Outcome
    """
    start = time.perf_counter()
    parameters, work = complete_parameters(parameters), work or SharedWork(prepared)
    with one_thread():
        labels = label_map(work, parameters, seed)
        rewards = score_map(judged_map(work, parameters, labels, total), total)
        if parameters["descriptor"] == "vae":
            rewards["explained"] = max(0.0, work.autoencoder(parameters).explained)
    return Outcome(parameters, labels, rewards, time.perf_counter() - start)


def label_map(work: SharedWork, parameters: Mapping[str, Value], seed: int = 0) -> np.ndarray:
    """The label map of a configuration, from a cache of recent maps if it is there.

    Parameters
    ----------
    work : SharedWork
    parameters : mapping
        Any of the parameters; the others take their defaults.
    seed : int

    Returns
    -------
    ndarray of int, shape (R, C)
    """
    p = complete_parameters(parameters)
    weight = 8 * work.prepared.mask.size
    return work.maps.once((seed, *p.values()), lambda: _labels(work, p, seed), weight)


def judged_map(
    work: SharedWork,
    parameters: Mapping[str, Value],
    labels: np.ndarray,
    total: Mapping[str, float] = DEFAULT_TOTAL,
) -> Segmentation:
    """A map with everything that the rewards of a total need.

    Parameters
    ----------
    work : SharedWork
    parameters : mapping
        The complete parameters that the map was made with.
    labels : ndarray of int, shape (R, C)
    total : mapping of str to float
        The rewards; descriptors are computed only if one of them needs them.

    Returns
    -------
    Segmentation
    """
    prepared, found = work.prepared, None
    if set(total) & set(DESCRIPTOR_REWARDS) and len(np.unique(labels[prepared.mask])) > 1:
        own = work.found_with(parameters["detection_scale"], parameters["refinement_radius"])
        values = transfer_to_cells(
            cell_descriptors(own.prepared, parameters, own), own.prepared, prepared
        )
        found = np.full((*labels.shape, values.shape[1]), np.nan)
        found[prepared.mask] = values
    return Segmentation(labels, prepared.reference, found)


def cross_fitted_outcome(
    work: SharedWork,
    parameters: Mapping[str, Value],
    seed: int = 0,
    total: Mapping[str, float] = DEFAULT_TOTAL,
) -> Outcome:
    """The map of a configuration from all pixels, with rewards from cross-fitting: the maps of
    either half are rewarded with the other half.

    Parameters
    ----------
    work : SharedWork
    parameters, seed, total
        As for :func:`evaluate_configuration`.

    Returns
    -------
    Outcome
    """
    outcome, one, two = (
        evaluate_configuration(w.prepared, parameters, seed, total, w)
        for w in (work, *work.cross_fitted)
    )
    rewards = {name: (value + two.rewards[name]) / 2 for name, value in one.rewards.items()}
    return replace(outcome, rewards=rewards)


def _labels(work: SharedWork, parameters: Mapping[str, Value], seed: int) -> np.ndarray:
    """Label map of a configuration; one label for all where its column settings find no lattice."""
    prepared = work.prepared
    settings = parameters["detection_scale"], parameters["refinement_radius"]
    try:
        own = work.found_with(*settings)
        values = cell_descriptors(own.prepared, parameters, own)
        found = cluster_cells(own.prepared, values, parameters, seed)[own.prepared.mask]
        labels = np.full(prepared.mask.shape, -1)
        labels[prepared.mask] = transfer_to_cells(found, own.prepared, prepared)
        return labels
    except InputError:
        if settings == (prepared.detection_scale, prepared.refinement_radius):
            raise
        return np.where(prepared.mask, 0, -1)


def effective_parameters(
    prepared: PreparedImage, parameters: Mapping[str, Value]
) -> dict[str, Value]:
    """Parameters in a canonical form, so that equivalent configurations are recognized.

    Windows are rounded to whole samples, column settings to a step of 0.05; and the number of
    components is limited to the samples of a binned window. The covariance is irrelevant for
    k-means, and the window for measured quantities.

    Parameters
    ----------
    prepared : PreparedImage
    parameters : mapping
        Any of the parameters; the others take the values the crystal was prepared with, or their
        defaults.

    Returns
    -------
    dict
        Complete parameters.
    """
    made = {
        "detection_scale": prepared.detection_scale,
        "refinement_radius": prepared.refinement_radius,
    }
    p = complete_parameters(made | dict(parameters))
    for name in made:
        p[name] = p[name] if p[name] == made[name] else round(round(p[name] / 0.05) * 0.05, 2)
    p["window_height"], p["window_width"] = (
        round_window(p[n]) for n in ("window_height", "window_width")
    )
    if p["site"] == "columns" and not prepared.lattice.cells.has_b:
        p["site"] = "A"
    if p["method"] == "kmeans":
        p["covariance"] = "full"
    if p["site"] != "columns":
        p["condition"] = "none"
    if p["descriptor"] != "vae":
        p |= {name: default_parameters()[name] for name in _AUTOENCODER}
    if p["descriptor"] not in ("windows", "vae"):  # it knows no window
        p |= {name: default_parameters()[name] for name in _DESCRIBES if name != "descriptor"}
    elif p["descriptor"] == "windows":
        rows, cols = (
            window_samples(p[n]) // p["binning"] for n in ("window_height", "window_width")
        )
        p["n_components"] = min(p["n_components"], rows * cols)
    return p


def name_labels(prepared: PreparedImage, labels: np.ndarray) -> np.ndarray:
    """Labels renumbered by their meaning, so that a variant keeps its number and color in every
    map.

    If the polar displacement can be measured, a cluster is numbered by the direction of its mean: 0
    to 3 along the diagonals of the cell (right-down, left-down, left-up, right-up), 4 to 7 along
    its axes. Clusters without a direction of their own (unpolarized, or in the sector of a larger
    cluster) take the next free numbers. Otherwise clusters are numbered by their mean a/b.

    Parameters
    ----------
    prepared : PreparedImage
    labels : ndarray of int, shape (R, C)

    Returns
    -------
    ndarray of int, shape (R, C)
    """
    cells = prepared.lattice.cells
    if not cells.has_b:
        return number_by_value(labels, cells.a / cells.b)
    names, means = mean_displacements(cells.polar, labels)
    sizes = np.array([(labels == name).sum() for name in names])
    wanted = variant_numbers(means, cells.basis.vectors[0])
    number = dict(zip(names.tolist(), _distinct(np.where(wanted < 0, N_VARIANTS, wanted), sizes)))
    return np.vectorize(lambda label: number.get(label, label), otypes=[int])(labels)


def _distinct(wanted: np.ndarray, sizes: np.ndarray) -> list[int]:
    """A number for every cluster: the wanted one for the largest, else the next free one."""
    numbers = np.full(len(wanted), -1)
    for k in np.argsort(-sizes, kind="stable"):
        free = [n for n in range(len(wanted) + 8) if n not in numbers]
        numbers[k] = wanted[k] if wanted[k] in free else next(n for n in free if n >= N_VARIANTS)
    return numbers.tolist()
