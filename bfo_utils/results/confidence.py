"""Confidence in the label of every cell.

The posterior is the probability of a label among the others, given the judged field around the
cell, or its descriptor. The stability is the share of resampled data sets for which the cell has
the same label in the map. A model can be confident and wrong, so both are given. Neither shows that
the domains are real; rewards and verdict test that.
"""

from dataclasses import dataclass

import numpy as np

from ..compute import one_thread
from ..rewards import Segmentation
from ..search import Outcome, PreparedImage, SharedWork, cell_descriptors, transfer_to_cells
from ..segmentation import label_probabilities, match_labels, predict_labels

N_REFITS = 16
# cells: larger crystals are resampled to this many, which makes them look less stable than they are
_DRAWN = 2000


@dataclass(frozen=True)
class Confidence:
    """Confidence in the label of every cell on the grid (R, C): numbers from 0 to 1, NaN outside
    the analyzed mask.

    Attributes
    ----------
    posterior : ndarray, shape (R, C)
        Probability of the shown label: of an analysis whose verdict rests on a measured field, from
        that field in the cell and around it (:func:`bfo_utils.segmentation.label_posterior`); else
        under the mixture that made the map, from the cell's own descriptor alone. Low at walls.
    stability : ndarray, shape (R, C)
        Share of the clusterings of resampled cells in which the cell bears the shown label.
    """

    posterior: np.ndarray
    stability: np.ndarray


def unknown_confidence(mask: np.ndarray) -> Confidence:
    """The confidence of a map with a single label: undefined, because there is no choice."""
    nothing = np.full(mask.shape, np.nan)
    return Confidence(nothing, nothing)


def measure_confidence(
    prepared: PreparedImage,
    outcome: Outcome,
    seed: int = 0,
    refits: int = N_REFITS,
    work: SharedWork | None = None,
    shown: np.ndarray | None = None,
) -> Confidence:
    """Posterior and bootstrap stability of every label of a map.

    For the stability the mixture is fitted anew, from another start, to cells drawn with
    replacement; it labels all cells, speckle is removed, and its clusters take the names of the map
    by the largest overlap. Descriptors, and the network where they are learned, stay as they are:
    what is tested is the clustering.

    Parameters
    ----------
    prepared : PreparedImage
    outcome : Outcome
        The map, of :func:`bfo_utils.search.evaluate_configuration`; its labels may have been
        renumbered.
    seed : int
        Seed that the map was made with.
    refits : int
        Number of clusterings.
    work : SharedWork, optional
    shown : ndarray of int, shape (R, C), optional
        The map that is asked about; without, that of the outcome without its speckle. Clusters
        beyond its labels count as part of the label that most of their cells bear.

    Returns
    -------
    Confidence

    Examples
    --------
    >>> from bfo_utils.search import evaluate_configuration, prepare_image
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> prepared = prepare_image(simulate_phantom(Specimen("halves", cells=12, cell_px=16)).image)
    >>> outcome = evaluate_configuration(prepared, {"n_clusters": 2, "n_components": 2})
    >>> sure = measure_confidence(prepared, outcome)
    >>> bool(np.nanmin(sure.stability) >= 0), bool(np.nanmax(sure.posterior) <= 1)
    (True, True)
    """
    p = outcome.parameters
    work = (work or SharedWork(prepared)).found_with(p["detection_scale"], p["refinement_radius"])
    own = work.prepared
    fit = {name: p[name] for name in ("n_clusters", "method", "covariance")}
    grid = Segmentation(outcome.labels, prepared.reference).clean if shown is None else shown
    named = grid[prepared.mask]
    with one_thread():
        values = cell_descriptors(own, p, work)
        posterior = transfer_to_cells(label_probabilities(values, seed=seed, **fit), own, prepared)
        same = np.zeros(len(named))
        for k in range(refits):
            again = predict_labels(
                values[_drawn(len(values), seed, k)], values, seed=seed + k, **fit
            )
            same += _map(prepared, transfer_to_cells(again, own, prepared), named) == named
    return Confidence(
        _on_grid(_of_shown(posterior, named), prepared.mask),
        _on_grid(same / refits, prepared.mask),
    )


def _drawn(n: int, seed: int, k: int) -> np.ndarray:
    """Cells of one bootstrap sample."""
    return np.random.default_rng([seed, k]).integers(n, size=min(n, _DRAWN))


def _map(prepared: PreparedImage, labels: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Labels of another clustering without their speckle, under the names of the shown map."""
    clean = Segmentation(_on_grid(labels, prepared.mask, -1), prepared.reference).clean[
        prepared.mask
    ]
    return _names(clean, shown)[clean]


def _names(clusters: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Name in the shown map of every cluster: one to one, else the label of most cells."""
    names = match_labels(clusters, shown)
    for cluster in np.nonzero(names < 0)[0]:
        own = shown[clusters == cluster]
        names[cluster] = np.bincount(own).argmax() if len(own) else -1
    return names


def same_labels(clusters: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Cells that have the shown label in another map, whose clusters are named after the shown ones
    by largest overlap.

    Parameters
    ----------
    clusters, shown : ndarray of int, shape (N,)
        Labels of both maps, all at least 0.

    Returns
    -------
    ndarray of bool, shape (N,)

    Examples
    --------
    >>> same_labels(np.array([1, 1, 1, 0]), np.array([3, 3, 7, 7])).tolist()
    [True, True, False, True]
    """
    return _names(clusters, shown)[clusters] == shown


def _of_shown(posterior: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Probability (N,) of the shown label, from those (N, K) of the clusters."""
    out = np.zeros(len(shown))
    for cluster, name in enumerate(_names(posterior.argmax(axis=1), shown)):
        out += np.where(shown == name, posterior[:, cluster], 0)
    return out


def _on_grid(values: np.ndarray, mask: np.ndarray, outside: float = np.nan) -> np.ndarray:
    out = np.full(mask.shape, outside, dtype=values.dtype)
    out[mask] = values
    return out
