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
_NO_SOURCE = (
    "The second argument of the check is not the result of this notebook. Run the notebook again"
    " from its first cell."
)
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

    No answer stops the notebook, and the right value is not shown. A function is compared with
    ours.

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
        If there is no such chapter.

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
        Exercises that are not in it count as not answered, other names as wrong.

    Returns
    -------
    dict of str to Mark

    Raises
    ------
    InputError
        If there is no such chapter.
    """
    if chapter not in CHAPTERS:
        raise InputError(
            f"chapter '{chapter}': has no self-check; choose one of {', '.join(CHAPTERS)}"
        )
    exercises = CHAPTERS[chapter] | CODING.get(chapter, {})
    asked = ", ".join(exercises)
    return {
        name: _mark(exercise, answers.get(name), source) for name, exercise in exercises.items()
    } | {
        name: Mark("wrong", f"Is not asked in {chapter}; it asks for {asked}.")
        for name in answers
        if name not in exercises
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
    try:
        right = exercise.right(source)
    except Exception as error:  # the reader has given the name of the result to something else
        return Mark("void", f"{_NO_SOURCE} ({type(error).__name__})")
    if right is None:
        return Mark("void", _NOT_HERE)
    given, wanted = _listed(answer), _listed(right)
    if not isinstance(right, (set, frozenset)) and len(given) != len(wanted):
        return Mark("wrong", f"Give {_counted(wanted)}, not {len(given)}. {exercise.hint}")
    if _agree(answer, right, exercise.tolerance):
        return Mark("right", exercise.then)
    return Mark("wrong", _direction(given, right, exercise.tolerance) + exercise.hint)


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
        unknown = sorted(_named(a) for a in given if not _is_one_of(a, exercise.choices))
        if unknown or not given:
            word = unknown[0] if unknown else "nothing"
            known = [repr(choice) for choice in exercise.choices]
            near = difflib.get_close_matches(word, known, 1)
            meant = f" Did you mean {near[0]}?" if near else ""
            return f"{word} is not one of {', '.join(known)}.{meant}"
    elif not given or not all(map(_is_number, given)):
        bad = next((_named(a) for a in given if not _is_number(a)), "nothing")
        missing = " Leave out what has no value, as `numpy.nanmedian` does." if bad == "nan" else ""
        return f"Give a number or a tuple of numbers, as the exercise asks, not {bad}.{missing}"
    return ""


def _named(value: Any) -> str:
    """A value in one short line."""
    text = " ".join((str(value) if isinstance(value, np.generic) else repr(value))[:200].split())
    return text if len(text) <= 40 else f"{text[:37]}..."


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


def _listed(answer: Any) -> list:
    if isinstance(answer, np.ndarray):
        return list(np.atleast_1d(answer))
    return list(answer) if isinstance(answer, (list, tuple, set, frozenset)) else [answer]


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


def _direction(given: list, right: GivenAnswer, tolerance: float) -> str:
    """Whether a wrong number is too large or too small; for several, how many are right."""
    if isinstance(right, tuple):
        found = sum(_agree(g, r, tolerance) for g, r in zip(given, right))
        return f"{found} of {len(right)} are right. "
    if isinstance(right, (str, bool, set, frozenset)):
        return ""
    return "Too large. " if given[0] > right else "Too small. "
