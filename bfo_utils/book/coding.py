"""Exercises in which the reader writes a function, which is compared with ours on test cases."""

import copy
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..descriptors import normalize_windows
from ..rewards import Segmentation, score_map
from ..segmentation import adjusted_eta_squared

_ONE_PERCENT = 0.01
_NEAT = 0.8  # continuity x straightness of a map that fools both
_PATIENCE = 5  # s, for one call of a function
_EMPTY = 0.2  # evidence of a map unrelated to the crystal


@dataclass(frozen=True)
class CodingExercise:
    """An exercise whose answer is a function.

    Attributes
    ----------
    judge : callable
        Takes that function and the chapter's result. Returns what is wrong, an empty string if all
        is right, or None if the exercise is impossible with this image.
    hint : str
        Shown after a wrong answer.
    then : str
        Shown after the right one.
    """

    judge: Callable[[Callable, Any], str | None]
    hint: str
    then: str


def compared(function: Callable, cases: Iterable[tuple[tuple, Any]]) -> str:
    """Describe the first case in which a function is wrong; empty if all are right.

    Parameters
    ----------
    function : callable
    cases : iterable of (arguments, right value)
        Values are compared to one per cent, and to 0.01 about zero.

    Returns
    -------
    str

    Examples
    --------
    >>> compared(lambda x: x + 1, [((1,), 2)])
    ''
    >>> compared(lambda x: x + 1, [((1,), 3)])
    'It returns 2, ours returns 3.'
    """
    for arguments, right in cases:
        found, wrong = _tried(function, arguments)
        if wrong or not _alike(found, right):
            return wrong or f"It returns {_short(found)}, ours returns {_short(right)}."
    return ""


def _tried(function: Callable, arguments: Iterable) -> tuple[Any, str]:
    """What a function returns for copies of the arguments, and what is wrong if it returns nothing.

    An endless loop is stopped: it would hold the notebook.
    """
    end = time.monotonic() + _PATIENCE

    def watch(*_: Any) -> Callable:
        if time.monotonic() > end:
            raise TimeoutError(f"no result after {_PATIENCE} s; does a loop never end?")
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        found = function(*map(copy.copy, arguments))
    except (Exception, SystemExit) as error:  # of the reader's code, whatever it is
        return None, f"It raises {type(error).__name__}: {_cut(str(error)).rstrip('.')}."
    finally:
        sys.settrace(before)
    return found, "It returns nothing; is `return` missing?" if found is None else ""


def _alike(found: Any, right: Any) -> bool:
    """Whether a result is the right one, in shape and value."""
    try:
        values = np.asarray(found, float)
        wanted = np.asarray(right, float)
        return values.shape == wanted.shape and bool(
            np.allclose(values, wanted, rtol=_ONE_PERCENT, atol=_ONE_PERCENT, equal_nan=True)
        )
    except Exception:  # of the reader's value, whatever it is
        return False


def _short(value: Any) -> str:
    """A value in a few words."""
    try:
        numbers = np.asarray(value, float)
    except Exception:  # a word, lists of several lengths
        return _cut(repr(value))
    with np.printoptions(precision=3, threshold=6, edgeitems=2):
        if numbers.ndim:
            return _cut(repr(np.asarray(value)))
        return f"{numbers:.4g}"


def _cut(text: str) -> str:
    """One line of at most 120 characters."""
    text = " ".join(text[:1000].split())
    return text if len(text) < 120 else text[:117] + "..."


# 01 data: a PreparedImage


def _shift(function: Callable, _: Any) -> str:
    rng = np.random.default_rng(1)
    square = np.array([[0, 0], [26, 1], [-1, 25], [25, 26]])
    cases = []
    for _ in range(3):
        corners, b = square + rng.normal(0, 1, (4, 2)), np.array([13.0, 13.0]) + rng.normal(0, 1, 2)
        cases.append(((corners, b), b - corners.mean(axis=0)))
    return compared(function, cases)


# 02 descriptors: Features


def _zscored(function: Callable, features: Any) -> str:
    windows = features.windows[:3]
    right = normalize_windows(windows, "zscore").reshape(windows.shape)
    return compared(function, [((w,), r) for w, r in zip(windows, right)])


# 03 clustering: Features


def _nearest(function: Callable, features: Any) -> str:
    values = np.asarray(features.values[:50], float)
    centers = values[[0, 10, 20]]
    distance = np.linalg.norm(values[:, None] - centers, axis=-1)
    return compared(function, [((values, centers), distance.argmin(axis=1))])


# 04 rewards: a Segmentation


def _straight(function: Callable, segmentation: Segmentation) -> str | None:
    walls = segmentation.walls
    if not walls.n_segments:
        return None
    right = score_map(segmentation)["straightness"]
    return compared(function, [((walls.roughness, walls.extent, walls.length), right)])


def _decoy(function: Callable, segmentation: Segmentation) -> str:
    found, wrong = _tried(function, [segmentation.labels])
    if wrong:
        return wrong
    try:
        drawn = np.asarray(found)
    except Exception:  # lists of several lengths
        drawn = np.empty(0)
    if drawn.shape != segmentation.labels.shape or not np.issubdtype(drawn.dtype, np.integer):
        return f"It returns {_short(found)}; return integers in the shape of the argument."
    numbered = np.unique(drawn, return_inverse=True)[1].reshape(drawn.shape)  # any labels, small
    labels = np.where(segmentation.labels >= 0, numbered, -1)
    scores = score_map(Segmentation(labels, segmentation.reference))
    neat = scores["continuity"] * scores["straightness"]
    if neat < _NEAT or scores["evidence"] > _EMPTY:
        return (
            f"Continuity x straightness is {neat:.2f}, evidence {scores['evidence']:.2f};"
            f" the exercise asks for at least {_NEAT} and at most {_EMPTY}."
        )
    return ""


# 05 optimization: list of Trial


def _front(function: Callable, _: Any) -> str:
    points = np.random.default_rng(2).random((30, 2))
    beaten = [((points > p).all(axis=1)).any() for p in points]
    return compared(function, [((points,), np.flatnonzero(~np.array(beaten)))])


# 07 judgment: list of the rewards of maps


def _cross_fit(function: Callable, _: Any) -> str:
    rng = np.random.default_rng(3)
    one, two = rng.normal(size=(2, 2000))
    right = [adjusted_eta_squared(a > 0, b[:, None]) for a, b in ((one, two), (two, one))]
    return compared(function, [((one, two), float(np.mean(right)))])


#: Chapter -> name of the answer -> exercise; the functions are described in the notebooks.
#:
#: :meta hide-value:
CODING: dict[str, dict[str, CodingExercise]] = {
    "01_data": {
        "shift": CodingExercise(
            _shift,
            "The middle of the cell is the mean of its four corners.",
            "This is the polar displacement in px, from which the domains are determined.",
        )
    },
    "02_descriptors": {
        "standardize": CodingExercise(
            _zscored,
            "Subtract the mean of the window and divide by its standard deviation.",
            "This removes brightness and contrast and keeps the positions of the columns.",
        )
    },
    "03_clustering": {
        "nearest": CodingExercise(
            _nearest,
            "`numpy.linalg.norm(values[:, None] - centers, axis=-1)` gives all distances.",
            "k-means alternates this step with the computation of the mean of every group.",
        )
    },
    "04_rewards": {
        "straight": CodingExercise(
            _straight,
            "Roughness above 0.45 lowers the reward, walls shorter than 8 cells count less, and the"
            " lengths are the weights.",
            "Five lines make a reward. The search can use any other reward in the same way.",
        ),
        "decoy": CodingExercise(
            _decoy,
            "Draw long straight walls at places unrelated to the crystal.",
            "Your map fools two rewards. Evidence is not fooled, so the total rejects the map.",
        ),
    },
    "05_optimization": {
        "pareto": CodingExercise(
            _front,
            "A point is not on the front if another point is larger in both columns.",
            "This is the Pareto front, from which you may choose for yourself.",
        )
    },
    "07_judgment": {
        "cross_fit": CodingExercise(
            _cross_fit,
            "Take `one > 0` as labels and compute the share of the variance of `two`. Exchange the"
            " two, and return the mean.",
            "The reward of pure noise is 0.64 from the same half, and 0 from the other half.",
        )
    },
}
