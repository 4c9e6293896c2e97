"""The exercises of the notebooks, and how their right answers are computed from the results of a
notebook.

No answer is written down here: each is computed from the notebook's own results or from a small
experiment, so that it holds for any image and agrees with the code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ..descriptors import NORMALIZATIONS, normalize_windows
from ..results import Analysis
from ..rewards import (
    CORRELATION_LAG,
    MIN_CORRELATION,
    Segmentation,
    autocorrelation,
    component_continuity,
    score_map,
)
from ..search import PreparedImage, Trial, best_trial, pareto_front, prepare_image, trials_table
from ..segmentation import cluster_vectors, connected_domains
from ..simulation import Specimen, simulate_phantom
from ..smbfo import coherent_length
from ..vae import MIN_EXPLAINED, VAESettings
from .artifacts import Features

#: Types of an answer.
GivenAnswer = bool | int | float | str | tuple | set

# of three maps, in the exercise on regret
EXERCISE_MAPS = {"ari": (0.9, 0.7, 0.2), "score": (0.4, 0.8, 0.1)}


@dataclass(frozen=True)
class Exercise:
    """One exercise of a self-check.

    Attributes
    ----------
    right : callable
        The right answer from the chapter's result; None where the image does not allow the
        exercise.
    hint : str
        Shown after a wrong answer.
    then : str
        Shown after the right one.
    choices : tuple
        Values that the answer is one of, or a set of; empty for numbers.
    tolerance : float
        Relative error that a number may have (absolute, for numbers below 1).
    """

    right: Callable[[Any], GivenAnswer | None]
    hint: str
    then: str
    choices: tuple = ()
    tolerance: float = 0.0


# 01 data: a PreparedImage


def _single_domain(prepared: PreparedImage) -> str:
    alone = prepare_image(simulate_phantom(Specimen(layout="single", cells=24, cell_px=16)).image)
    return "open" if autocorrelation(alone.reference.field) >= MIN_CORRELATION else "closed"


def _farther(prepared: PreparedImage) -> str | None:
    near, far = (
        autocorrelation(prepared.reference.field, lag)
        for lag in (CORRELATION_LAG, 4 * CORRELATION_LAG)
    )
    if near < MIN_CORRELATION:
        return None  # no regions: both are noise
    return "larger" if far > near else "smaller"


def _displacement(prepared: PreparedImage) -> float | None:
    if not prepared.lattice.cells.has_b:
        return None
    return float(np.nanmedian(np.hypot(*prepared.lattice.cells.polar[prepared.mask].T)))


# 02 descriptors: Features


def _blind(features: Features) -> set[str]:
    bright = 1.5 * features.windows + 0.1
    return {
        how
        for how in NORMALIZATIONS
        if np.allclose(
            normalize_windows(bright, how), normalize_windows(features.windows, how), atol=1e-4
        )
    }


def b_columns(size: float) -> int:
    """Number of B columns in a square window that is centered on an A column.

    Parameters
    ----------
    size : float
        Side of the window in cells.

    Examples
    --------
    >>> b_columns(1.54)
    4
    """
    offsets = np.arange(-10, 10) + 0.5  # of the B columns from the A column, in cells
    return int((np.abs(offsets) <= size / 2).sum() ** 2)


# 03 clustering: Features


def _from_noise(features: Features) -> int:
    noise = np.random.default_rng(0).normal(size=features.values.shape)
    return len(np.unique(_labels(noise)))


def _after_permutation(features: Features) -> str:
    order = np.random.default_rng(0).permutation(len(features.values))
    before, after = (
        np.bincount(_labels(values, 3)) / len(order)  # more: several optima
        for values in (features.values, features.values[order])
    )
    return "shares" if np.allclose(np.sort(before), np.sort(after), atol=0.05) else "regions"


def _labels(values: np.ndarray, n_clusters: int = 4) -> np.ndarray:
    return cluster_vectors(values, n_clusters, "kmeans", "full", 0)


# 04 rewards: a Segmentation

GEOMETRY_AND_EVIDENCE = ("continuity", "straightness", "evidence")


def striped_map(segmentation: Segmentation, width: int = 6) -> Segmentation:
    """The same crystal under a map that has nothing to do with it: stripes along the lattice.

    Parameters
    ----------
    segmentation : rewards.Segmentation
    width : int
        Of a stripe, in cells.
    """
    stripes = np.broadcast_to(
        np.arange(segmentation.labels.shape[1]) // width % 2, segmentation.labels.shape
    )
    return Segmentation(np.where(segmentation.labels >= 0, stripes, -1), segmentation.reference)


def _not_fooled(segmentation: Segmentation) -> str:
    scores = score_map(striped_map(segmentation))
    return min(GEOMETRY_AND_EVIDENCE, key=lambda name: scores[name])


def _speckle_costs(segmentation: Segmentation) -> float:
    with_speckle, without = (speckled_map(segmentation, share) for share in (0.03, 0.0))
    return score_map(with_speckle)["continuity"] / score_map(without)["continuity"]


def speckled_map(segmentation: Segmentation, share: float) -> Segmentation:
    """A map of two halves in which single cells carry the label of the other half.

    Parameters
    ----------
    segmentation : rewards.Segmentation
    share : float
        Of the cells, exactly.
    """
    rows, columns = np.nonzero(segmentation.labels >= 0)
    labels = np.full(segmentation.labels.shape, -1)
    labels[rows, columns] = rows > np.median(rows)
    apart = np.flatnonzero(
        (rows % 3 == 0) & (columns % 3 == 0) & (np.abs(rows - np.median(rows)) > 3)
    )
    wrong = np.random.default_rng(0).permutation(apart)[: round(share * len(rows))]
    labels[rows[wrong], columns[wrong]] = 1 - labels[rows[wrong], columns[wrong]]
    return Segmentation(labels, segmentation.reference)


# 06 autoencoders: list of Trial


def _poses(trials: list[Trial]) -> tuple[int, int]:
    return VAESettings("none").poses + 3, VAESettings("both").poses + 3


def _unlearned(trials: list[Trial]) -> int:
    return sum(t.rewards["explained"] < MIN_EXPLAINED for t in trials if t.source == "rung 1")


# 05 optimization: list of Trial


def _reached(trials: list[Trial]) -> int:
    course = np.maximum.accumulate([t.rewards["total"] for t in trials])
    return int(np.argmax(course >= 0.95 * course[-1])) + 1


def _best_on_front(trials: list[Trial]) -> bool:
    front = pareto_front(trials_table(trials))
    return best_trial(trials).number in set(front["number"])


# 09 report: an Analysis


def _turn(done: Analysis) -> float | None:
    cells, labels = done.prepared.lattice.cells, done.labels
    numbers, sizes = np.unique(labels[labels >= 0], return_counts=True)
    if len(numbers) < 2 or not cells.has_b:
        return None
    first, second = (
        np.nanmean(cells.polar[labels == n], axis=0) for n in numbers[np.argsort(-sizes)][:2]
    )
    return float(
        np.degrees(np.arccos(first @ second / np.linalg.norm(first) / np.linalg.norm(second)))
    )


def _more_domains(done: Analysis) -> int:
    return len(connected_domains(done.labels)) - len(np.unique(done.labels[done.labels >= 0]))


# 07 judgment: list of the rewards of maps, the true one first


def _regret(map_rewards: list[dict]) -> float:
    return max(EXERCISE_MAPS["ari"]) - EXERCISE_MAPS["ari"][int(np.argmax(EXERCISE_MAPS["score"]))]


def _rank(map_rewards: list[dict]) -> float:
    return float(spearmanr(EXERCISE_MAPS["score"], EXERCISE_MAPS["ari"]).statistic)


def _fooling(map_rewards: list[dict]) -> int:
    truth, *decoys = [r["continuity"] * r["straightness"] for r in map_rewards]
    return sum(value > truth for value in decoys)


# 10 composition: the table of bfo_utils.smbfo


def _noise(table: pd.DataFrame) -> tuple[float, float]:
    field = np.random.default_rng(0).normal(size=(200, 200, 2))
    return float(np.hypot(*field.T).mean()), coherent_length(field)


def _lost(table: pd.DataFrame) -> int:
    return int(table.groupby("samarium")["order"].mean().idxmin())


def _joint_wins(table: pd.DataFrame) -> int:
    return int((table["total_joint"] > table["total_own"]).sum())


# 08 paper: a PreparedImage


def _pieces(prepared: PreparedImage) -> float:
    labels = np.repeat([[0] * 10 + [1] * 10], 20, axis=0)
    labels[10, 4], labels[10, 15] = 1, 0
    return component_continuity(Segmentation(labels, prepared.reference))


#: Chapter -> name of the answer -> exercise. The comment above each group of functions says what
#: `source` is.
#:
#: :meta hide-value:
CHAPTERS: dict[str, dict[str, Exercise]] = {
    "01_data": {
        "single_domain": Exercise(
            _single_domain,
            "The mean of the field is subtracted first. What is left of a crystal that is"
            " everywhere the same?",
            "Mean-centered, the field of a single domain is noise, and noise is uncorrelated beyond"
            " three cells.",
            choices=("open", "closed"),
        ),
        "farther": Exercise(
            _farther,
            "How many pairs of cells lie on two sides of a wall, if they are 12 apart instead"
            " of 3?",
            "The farther apart two cells are, the more often a wall runs between them. How fast it"
            " falls tells the size of domains.",
            choices=("larger", "smaller"),
        ),
        "displacement": Exercise(
            _displacement,
            "Take the length of every vector of `grid.polar[prepared.mask]` (in px), then their"
            " median.",
            "A few per cent of the cell's edge: that small is the signal that everything else"
            " rests on.",
            tolerance=0.03,
        ),
    },
    "02_descriptors": {
        "blind": Exercise(
            _blind,
            "Put a window w beside 1.5 w + 0.1. Which rule turns both into the same numbers? Try"
            " `descriptors.normalize_windows`.",
            "Both take offset and gain out of every window by itself, and illumination is little"
            " more than that.",
            choices=NORMALIZATIONS,
        ),
        "b_columns": Exercise(
            lambda features: tuple(map(b_columns, (0.5, 1.54, 2.5))),
            "The B columns are half a cell away along both axes, the next ones one and a half. How"
            " far does the window reach?",
            "Between 1 and 3 cells it is always four: a larger window adds A columns and cut-off"
            " pieces, no further B column.",
        ),
    },
    "03_clustering": {
        "from_noise": Exercise(
            _from_noise,
            "Does the algorithm have any way to return fewer clusters than it was asked for?",
            "It divides any data. That there are clusters proves nothing.",
        ),
        "after_permutation": Exercise(
            _after_permutation,
            "What does the clustering know about the place of a cell?",
            "It does not use positions: the regions of the map come from the image, and so they are"
            " information.",
            choices=("shares", "regions"),
        ),
    },
    "04_rewards": {
        "not_fooled": Exercise(
            _not_fooled,
            "Two of them depend on the map alone, and stripes are perfect walls. Which one depends"
            " on the crystal?",
            "Stripes have perfect walls. Only a measured field contradicts them.",
            choices=GEOMETRY_AND_EVIDENCE,
        ),
        "speckle_costs": Exercise(
            _speckle_costs,
            "Equation of continuity: the factor that has f in it, with f = 0.03.",
            "A fifth is lost for three cells in a hundred: speckle is penalized strongly, as walls"
            " around single cells are not walls.",
            tolerance=0.02,
        ),
    },
    "06_vae": {
        "latents": Exercise(
            _poses,
            "Three numbers of content, and in front of them one for an angle and two for a shift,"
            " where they are kept apart.",
            "Angle and shift are latents as well. Leave them out of the clustering, and variants"
            " that are rotated copies merge.",
        ),
        "unlearned": Exercise(
            _unlearned,
            "Trials of the source `rung 1` whose `explained` is below `vae.MIN_EXPLAINED`.",
            "Such networks are not shown, and their total is discounted: a map from an untrained"
            " network is good by chance only.",
        ),
    },
    "05_optimization": {
        "reached": Exercise(
            _reached,
            "`table['total'].cummax()`; the first place where it is at least 0.95 of its last"
            " value. Count from 1.",
            "The rest of the budget gave the last twentieth, and the assurance that there was not"
            " more.",
        ),
        "best_on_front": Exercise(
            _best_on_front,
            "The front depends on three rewards, the total also on the guards. Look at"
            " `front['number']`.",
            "Total and front are two readings of one table; where guards decide, the two can"
            " disagree.",
            choices=(True, False),
        ),
    },
    "09_report": {
        "turn": Exercise(
            _turn,
            "Mean vector of `cells.polar` under each of the two labels with most cells, and the"
            " angle between the two.",
            "Seen along one axis, a 71° wall looks like a rotation by 90° or none, a 109° wall"
            " like 90° or 180°: the third component is hidden.",
            tolerance=0.05,
        ),
        "more_domains": Exercise(
            _more_domains,
            "`n_domains` of `result`, and the number of labels in the map.",
            "A variant may occur in several places: domains are pieces of the map, variants are"
            " directions.",
        ),
    },
    "07_judgment": {
        "regret": Exercise(
            _regret,
            "Regret looks at the ARI of two maps: the best one, and the one that the score likes"
            " best.",
            "The score's pick is the second map. How it orders the others does not matter for"
            " regret.",
            tolerance=0.005,
        ),
        "rank": Exercise(
            _rank,
            "Replace both rows by ranks, 1 to 3, and correlate the ranks.",
            "One swap among three maps costs half of the correlation.",
            tolerance=0.005,
        ),
        "fooling": Exercise(
            _fooling,
            "`map_rewards[0]` is the truth. Compare `r['continuity'] * r['straightness']` of the"
            " others with it.",
            "Every one of them would be picked before the truth if geometry alone decided.",
        ),
    },
    "10_composition": {
        "noise": Exercise(
            _noise,
            "Draw an array of shape (200, 200, 2) with `numpy.random`; mean of the lengths, then"
            " `smbfo.coherent_length`.",
            "A length cannot be negative, so noise alone has a mean length. The coherent"
            " displacement is nearly free of this bias.",
            tolerance=0.1,
        ),
        "lost": Exercise(
            _lost,
            "Mean of the column `order` for every content of samarium.",
            "Where cells are uncorrelated beyond three cells, there is no ferroelectric order,"
            " however long the arrows.",
        ),
        "joint_wins": Exercise(
            _joint_wins,
            "Count the rows of `table` in which `total_joint` is larger than `total_own`.",
            "A composition's own search raises the sum over its images with a small budget; on one"
            " of them the joint one may be better by chance.",
        ),
    },
    "08_paper": {
        "pieces": Exercise(
            _pieces,
            "Count the pieces of each label: its own, and the cell inside the other.",
            "Two cells halve it. A reward that counts pieces counts specks.",
            tolerance=0.005,
        ),
        "needed": Exercise(
            lambda prepared: 2 * 4,
            "May one cluster hold windows on A and on B columns, different as they look?",
            "Half of the clusters say nothing but which sublattice a column belongs to.",
        ),
    },
}
