"""The self-check of a chapter: marks answers as right or wrong, and gives hints.

The exercises, and how the right answer is computed, are in :mod:`bfo_utils.book`.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .coding import CODING, CodingExercise
from .exercises import CHAPTERS, Exercise, GivenAnswer

_NOT_HERE = "not possible with this image"
MARKS = {"open": "…", "right": "✓", "wrong": "✗", "void": "–"}


@dataclass(frozen=True)
class Mark:
    """What the check says about one answer.

    Attributes
    ----------
    state : {"open", "right", "wrong", "void"}
        Not answered yet, right, wrong, or an exercise that is impossible with this image.
    text : str
        What a right answer implies, or a hint after a wrong one.
    """

    state: str
    text: str


def check_answers(chapter: str, source: Any, **answers: GivenAnswer | Callable | None) -> None:
    """Print one line per answer of a chapter: right, with a comment, or wrong, with a hint. A last
    line lists the exercises that are not answered yet.

    A wrong answer never stops the notebook, and the right one is not shown. A function is compared
    with ours.

    Parameters
    ----------
    chapter : str
        Name of the notebook, such as ``"01_data"``.
    source : object
        What the right answers are computed from: the result of the notebook that
        :data:`bfo_utils.book.CHAPTERS` names.
    **answers
        One per exercise; None for those that are left open.

    Raises
    ------
    InputError
        If there is no such chapter, or no such exercise in it.

    Examples
    --------
    >>> check_answers("07_judgment", [], regret=0.9)
    ✗ regret: Too large. Regret compares the ARI of the best map and of the map with the
    highest score. … not answered yet: rank, fooling, cross_fit
    """
    marks = judge_answer(chapter, source, answers)
    for name, mark in marks.items():
        if mark.state != "open":
            print(f"{MARKS[mark.state]} {name}: {mark.text}")
    if waiting := [name for name, mark in marks.items() if mark.state == "open"]:
        print(f"{MARKS['open']} {marks[waiting[0]].text}: {', '.join(waiting)}")


def judge_answer(
    chapter: str, source: Any, answers: Mapping[str, GivenAnswer | Callable | None]
) -> dict[str, Mark]:
    """The mark of every answer of a chapter.

    Parameters
    ----------
    chapter, source
        As for :func:`check_answers`.
    answers : dict
        Exercises that are not in it count as not answered.

    Returns
    -------
    dict of str to Mark

    Raises
    ------
    InputError
        If there is no such chapter, or no such exercise in it.
    """
    if chapter not in CHAPTERS:
        raise InputError(
            f"chapter '{chapter}': has no self-check; choose one of {', '.join(CHAPTERS)}"
        )
    exercises = CHAPTERS[chapter] | CODING.get(chapter, {})
    for name in answers:
        if name not in exercises:
            raise InputError(
                f"answer '{name}': is not asked in {chapter}; it asks for {', '.join(exercises)}"
            )
    return {
        name: _mark(exercise, answers.get(name), source) for name, exercise in exercises.items()
    }


def _mark(exercise: Exercise | CodingExercise, answer: Any, source: Any) -> Mark:
    """The mark of one answer; the right answer is computed only if one was given."""
    if answer is None:
        return Mark("open", "not answered yet")
    if isinstance(exercise, CodingExercise):
        return _mark_function(exercise, answer, source)
    kind = _misfit(exercise, answer)
    if kind:
        return Mark("wrong", kind)
    right = exercise.right(source)
    if right is None:
        return Mark("void", _NOT_HERE)
    given, wanted = _listed(answer), _listed(right)
    if not isinstance(right, (set, frozenset)) and len(given) != len(wanted):
        return Mark("wrong", f"Give {_counted(wanted)}, not {len(given)}. {exercise.hint}")
    if _agree(answer, right, exercise.tolerance):
        return Mark("right", exercise.then)
    return Mark("wrong", _direction(answer, right) + exercise.hint)


def _mark_function(exercise: CodingExercise, answer: Any, source: Any) -> Mark:
    """The mark of a function that the reader wrote."""
    if not callable(answer):
        return Mark("wrong", "Give the function itself: its name without parentheses.")
    wrong = exercise.judge(answer, source)
    if wrong is None:
        return Mark("void", _NOT_HERE)
    return Mark("wrong", f"{wrong} {exercise.hint}") if wrong else Mark("right", exercise.then)


def _counted(values: list) -> str:
    return f"{len(values)} value{'s' * (len(values) != 1)}"


def _misfit(exercise: Exercise, answer: GivenAnswer) -> str:
    """What is wrong with the form of an answer, empty if nothing."""
    given = _listed(answer)
    if exercise.choices:
        unknown = sorted(str(a) for a in given if not _is_one_of(a, exercise.choices))
        if unknown or not given:
            word = unknown[0] if unknown else "nothing"
            near = difflib.get_close_matches(word, map(str, exercise.choices), 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            return f"{word!r} is not one of {', '.join(map(repr, exercise.choices))}.{meant}"
    elif not given or not all(map(_is_number, given)):
        return "Give a number or a tuple of numbers, as the exercise asks."
    return ""


def _is_one_of(value: Any, choices: tuple) -> bool:
    """Whether a value is among the choices, whatever it is."""
    try:
        return value in set(choices)
    except TypeError:  # a list, a dict: no value
        return False


def _is_number(value: Any) -> bool:
    """Whether a value is one finite number."""
    try:
        return not isinstance(value, (str, bytes)) and math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _listed(answer: GivenAnswer) -> list:
    return (
        list(answer) if isinstance(answer, (list, tuple, set, frozenset, np.ndarray)) else [answer]
    )


def _agree(answer: GivenAnswer, right: GivenAnswer, tolerance: float) -> bool:
    """Whether an answer is right; the tolerance is relative, and absolute about zero."""
    if isinstance(right, (set, frozenset)):
        return set(_listed(answer)) == set(right)
    given, wanted = _listed(answer), _listed(right)
    return all(
        (
            a == r
            if isinstance(r, (str, bool))
            else math.isclose(a, r, rel_tol=tolerance, abs_tol=tolerance)
        )
        for a, r in zip(given, wanted)
    )


def _direction(answer: GivenAnswer, right: GivenAnswer) -> str:
    """Whether a wrong number is too large or too small."""
    if isinstance(right, (str, bool, set, frozenset, tuple)) or len(_listed(answer)) != 1:
        return ""
    return "Too large. " if _listed(answer)[0] > right else "Too small. "
