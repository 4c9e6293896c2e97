"""The exercises of the notebooks, and how their right answers are computed.

Each answer is computed from the notebook's own results or from a small experiment, so it is right
for any image and agrees with the code.
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
    """The same crystal with a map unrelated to it: stripes along the lattice.

    Parameters
    ----------
    segmentation : rewards.Segmentation
    width : int
        Width of a stripe in cells.
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
    """A map of two halves in which single cells have the label of the other half.

    Parameters
    ----------
    segmentation : rewards.Segmentation
    share : float
        Exact share of the cells with a wrong label.
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
            "After its mean is subtracted, the field of a single domain is noise, which is"
            " uncorrelated beyond three cells.",
            choices=("open", "closed"),
        ),
        "farther": Exercise(
            _farther,
            "How many pairs of cells lie on two sides of a wall, if they are 12 apart instead"
            " of 3?",
            "The farther apart two cells are, the more often a wall lies between them. The decay of"
            " the correlation shows the size of the domains.",
            choices=("larger", "smaller"),
        ),
        "displacement": Exercise(
            _displacement,
            "Take the length of every vector of `grid.polar[prepared.mask]` (in px), then their"
            " median.",
            "A few per cent of the cell edge. Everything else is derived from this small signal.",
            tolerance=0.03,
        ),
    },
    "02_descriptors": {
        "blind": Exercise(
            _blind,
            "Compare a window w with 1.5 w + 0.1. Which normalization makes them equal? Try"
            " `descriptors.normalize_windows`.",
            "Both remove offset and gain from every window, and uneven illumination is little more"
            " than an offset and a gain.",
            choices=NORMALIZATIONS,
        ),
        "b_columns": Exercise(
            lambda features: tuple(map(b_columns, (0.5, 1.54, 2.5))),
            "The nearest B columns are half a cell away along both axes, the next ones one and a"
            " half. How far from its center does the window reach?",
            "Between 1 and 3 cells it is always four: a larger window adds A columns, but no"
            " further B column.",
        ),
    },
    "03_clustering": {
        "from_noise": Exercise(
            _from_noise,
            "Can the algorithm return fewer clusters than it was asked for?",
            "It divides any data, so clusters alone prove nothing.",
        ),
        "after_permutation": Exercise(
            _after_permutation,
            "Does the clustering use the position of a cell?",
            "The clustering does not use positions, so regions in the map come from the image.",
            choices=("shares", "regions"),
        ),
    },
    "04_rewards": {
        "not_fooled": Exercise(
            _not_fooled,
            "Two of them depend only on the map, and stripes have perfect walls. Which one depends"
            " on the crystal?",
            "Stripes have perfect walls. Only a measured field contradicts them.",
            choices=GEOMETRY_AND_EVIDENCE,
        ),
        "speckle_costs": Exercise(
            _speckle_costs,
            "Evaluate the factor that contains f in the equation of continuity, with f = 0.03.",
            "Three wrong cells in a hundred cost a fifth: speckle is penalized strongly, because"
            " boundaries around single cells are not walls.",
            tolerance=0.02,
        ),
    },
    "06_vae": {
        "latents": Exercise(
            _poses,
            "Count three numbers for the content, one for a separate angle, and two for a separate"
            " shift.",
            "Angle and shift are latents too. Without them, the clustering would merge variants"
            " that are rotated copies.",
        ),
        "unlearned": Exercise(
            _unlearned,
            "Count the trials with source `rung 1` and `explained` below `vae.MIN_EXPLAINED`.",
            "The latents of such networks are not shown and their total is reduced: a map from an"
            " untrained network can be good only by chance.",
        ),
    },
    "05_optimization": {
        "reached": Exercise(
            _reached,
            "Find the first trial at which `table['total'].cummax()` is at least 0.95 of its last"
            " value. Count from 1.",
            "The rest of the budget gained the last 5 % and showed that little more was to be"
            " gained.",
        ),
        "best_on_front": Exercise(
            _best_on_front,
            "The front depends on three rewards, the total also on the guards. Look at"
            " `front['number']`.",
            "Total and front summarize the same table. They can disagree when a guard is low.",
            choices=(True, False),
        ),
    },
    "09_report": {
        "turn": Exercise(
            _turn,
            "Compute the mean of `cells.polar` for each of the two labels with the most cells, then"
            " the angle between the two means, in degrees.",
            "The image hides the third component. In projection a 71° wall looks like a rotation by"
            " 90° or none, a 109° wall like 90° or 180°.",
            tolerance=0.05,
        ),
        "more_domains": Exercise(
            _more_domains,
            "Subtract the number of labels in the map from `n_domains` in `result`.",
            "A variant may occur in several places. Domains are regions of the map, variants are"
            " directions.",
        ),
    },
    "07_judgment": {
        "regret": Exercise(
            _regret,
            "Regret compares the ARI of the best map and of the map with the highest score.",
            "The score picks the second map. The order of the other maps does not affect regret.",
            tolerance=0.005,
        ),
        "rank": Exercise(
            _rank,
            "Replace the values in both rows by their ranks, 1 to 3, and correlate the ranks.",
            "One swap among three maps reduces the correlation to one half.",
            tolerance=0.005,
        ),
        "fooling": Exercise(
            _fooling,
            "`map_rewards[0]` is the truth. Compare its `r['continuity'] * r['straightness']` with"
            " that of the others.",
            "If geometry alone decided, each of them would be picked before the truth.",
        ),
    },
    "10_composition": {
        "noise": Exercise(
            _noise,
            "Draw an array of shape (200, 200, 2) with `numpy.random`. Compute the mean of the"
            " lengths and `smbfo.coherent_length`.",
            "A length cannot be negative, so noise alone has a mean length. The coherent"
            " displacement is nearly free of this bias.",
            tolerance=0.1,
        ),
        "lost": Exercise(
            _lost,
            "Compare the mean of the column `order` for each samarium content.",
            "If the displacement is uncorrelated beyond three cells, there is no ferroelectric"
            " order, however long the arrows are.",
        ),
        "joint_wins": Exercise(
            _joint_wins,
            "Count the rows of `table` in which `total_joint` is larger than `total_own`.",
            "The search of a composition raises the sum over its images with a small budget. On one"
            " of them the joint parameters may be better by chance.",
        ),
    },
    "08_paper": {
        "pieces": Exercise(
            _pieces,
            "Count the pieces of each label: its own, and the cell inside the other.",
            "Two wrong cells halve the reward, because it counts every speck as a piece.",
            tolerance=0.005,
        ),
        "needed": Exercise(
            lambda prepared: 2 * 4,
            "Windows on A and B columns look very different. Can one cluster contain both?",
            "Half of the clusters only distinguish the sublattices.",
        ),
    },
}
