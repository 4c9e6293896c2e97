"""The self-checks tell right from wrong, and the solutions in the notebooks are right."""

import itertools
import json
import re
import sys

import numpy as np
import pandas as pd
import pytest

from bfo_utils.book import CHAPTERS, CODING, Features, check_answers, judge_answer
from bfo_utils.book import coding as coding_exercises
from bfo_utils.book.exercises import _noise, _turn
from bfo_utils.compute import resource_path
from bfo_utils.descriptors import crop_windows
from bfo_utils.errors import InputError
from bfo_utils.results import Analysis, Judgment
from bfo_utils.rewards import Segmentation, score_map
from bfo_utils.search import Outcome, SharedWork, Trial, cell_descriptors, default_parameters
from bfo_utils.smbfo import coherent_length


def trial(number, total, source="search", **more):
    scores = {"continuity": total, "straightness": total, "evidence": total, "total": total}
    return Trial(number, source, default_parameters(), scores | more, 0.1)


@pytest.fixture(scope="module")
def sources(prepared, truth_map):
    """What the notebooks hand to their checks, from small data."""
    segmentation = Segmentation(np.where(prepared.mask, truth_map, -1), prepared.reference)
    windows = crop_windows(SharedWork(prepared).patches("A"), 1.54, 1.54)
    features = Features(cell_descriptors(prepared, default_parameters()), windows)
    trials = [
        trial(k, t, "rung 1", explained=e)
        for k, (t, e) in enumerate([(0.1, 0.2), (0.58, 0.9), (0.3, 0.4), (0.6, 0.7)])
    ]
    outcome = Outcome(default_parameters(), segmentation.labels, score_map(segmentation), 0.1)
    judgment = Judgment("domains", "", outcome.labels)
    done = Analysis(prepared, trials, outcome, outcome, judgment, 0, {})
    map_rewards = [{"continuity": c, "straightness": 1.0} for c in (0.8, 0.9, 0.7, 0.95)]
    table = pd.DataFrame(
        {
            "samarium": [0, 0, 20, 20],
            "order": [0.8, 0.7, 0.1, 0.2],
            "total_joint": [0.5, 0.6, 0.1, 0.1],
            "total_own": [0.4, 0.7, 0.1, 0.0],
        }
    )
    return {
        "01_data": prepared,
        "02_descriptors": features,
        "03_clustering": features,
        "04_rewards": segmentation,
        "06_vae": trials,
        "05_optimization": trials,
        "09_report": done,
        "07_judgment": map_rewards,
        "10_composition": table,
        "08_paper": prepared,
    }


RIGHT = {
    "01_data": {"single_domain": "closed", "farther": "smaller"},
    "02_descriptors": {"blind": {"minmax", "zscore"}, "b_columns": (0, 4, 4)},
    "03_clustering": {"from_noise": 4, "after_permutation": "shares"},
    "04_rewards": {"not_fooled": "evidence", "speckle_costs": 0.82},
    "06_vae": {"latents": (3, 6), "unlearned": 2},
    "05_optimization": {"reached": 2, "best_on_front": True},
    "09_report": {"more_domains": 0},
    "07_judgment": {"regret": 0.2, "rank": 0.5, "fooling": 2},
    "10_composition": {"noise": (1.25, 0.0), "lost": 20, "joint_wins": 2},
    "08_paper": {"pieces": 0.5, "needed": 8},
}
WRONG = {
    "01_data": {"single_domain": "open", "farther": "larger", "displacement": 30.0},
    "02_descriptors": {"blind": {"none"}, "b_columns": (4, 4, 16)},
    "03_clustering": {"from_noise": 1, "after_permutation": "regions"},
    "04_rewards": {"not_fooled": "straightness", "speckle_costs": 0.97},
    "06_vae": {"latents": (3, 3), "unlearned": 0},
    "05_optimization": {"reached": 4, "best_on_front": False},
    "09_report": {"turn": 1.0, "more_domains": 7},
    "07_judgment": {"regret": 0.7, "rank": 1.0, "fooling": 0},
    "10_composition": {"noise": (0.0, 0.0), "lost": 0, "joint_wins": 0},
    "08_paper": {"pieces": 1.0, "needed": 4},
}


def share(labels, values):
    """Share of the variance of values between groups."""
    means = np.array([values[labels == k].mean() for k in (0, 1)])
    return 1 - ((values - means[labels]) ** 2).mean() / values.var()


def straight(roughness, extent, length):
    bend = np.exp(-((np.maximum(roughness - 0.45, 0) / 0.6) ** 2))
    return np.average(bend * np.minimum(extent / 8, 1), weights=length)


WRITTEN = {
    "shift": lambda corners, b: b - corners.mean(axis=0),
    "standardize": lambda w: (w - w.mean()) / w.std(),
    "nearest": lambda v, c: np.linalg.norm(v[:, None] - c, axis=-1).argmin(axis=1),
    "straight": straight,
    "decoy": lambda labels: np.arange(labels.shape[1]) // 6 % 2 + np.zeros(labels.shape, int),
    "pareto": lambda p: [k for k, q in enumerate(p) if not (p > q).all(axis=1).any()],
    "cross_fit": lambda one, two: (share((one > 0) * 1, two) + share((two > 0) * 1, one)) / 2,
}
BADLY = {
    "shift": lambda corners, b: corners.mean(axis=0) - b,
    "standardize": lambda w: w - w.mean(),
    "nearest": lambda v, c: v.argmin(axis=1),
    "straight": lambda roughness, extent, length: roughness.mean(),
    "decoy": lambda labels: np.random.default_rng(0).integers(0, 2, labels.shape),
    "pareto": lambda p: [int(p.sum(axis=1).argmax())],
    "cross_fit": lambda one, two: share((one > 0) * 1, one),
}


def coding():
    return [(chapter, name) for chapter, asked in CODING.items() for name in asked]


@pytest.mark.parametrize(("chapter", "name"), coding())
def test_functions_are_run_beside_ours(sources, chapter, name):
    source = sources[chapter]
    assert judge_answer(chapter, source, {name: WRITTEN[name]})[name].state == "right"
    wrong = judge_answer(chapter, source, {name: BADLY[name]})[name]
    assert wrong.state == "wrong" and wrong.text.endswith(CODING[chapter][name].hint)


@pytest.mark.parametrize(("chapter", "name"), coding())
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (3, "Give the function itself"),
        (lambda *_: 1 / 0, "It raises ZeroDivisionError: division by zero."),
        (lambda: 1, "It raises TypeError"),
        (lambda *_: None, "It returns nothing; is `return` missing?"),
        (lambda *_: {}, "It returns {}"),
        (lambda *_: "a", "It returns 'a'"),
        (lambda *_: [[1, 2], [3]], "It returns [[1, 2], [3]]"),
        (lambda *_: itertools.count(), "It returns count(0)"),
        (lambda *_: sys.exit("two\nlines"), "It raises SystemExit: two lines."),
    ],
    ids=[
        "no function",
        "stops",
        "takes nothing",
        "gives nothing",
        "gives a dict",
        "gives a word",
        "gives lists of several lengths",
        "gives an endless iterator",
        "leaves",
    ],
)
def test_functions_that_fail_never_stop_the_check(sources, chapter, name, answer, said):
    mark = judge_answer(chapter, sources[chapter], {name: answer})[name]
    assert mark.state == "wrong" and mark.text.startswith(said)


def test_an_endless_loop_is_stopped(sources, monkeypatch):
    def endless(*_):
        while True:
            pass

    monkeypatch.setattr(coding_exercises, "_PATIENCE", 0.1)
    mark = judge_answer("01_data", sources["01_data"], {"shift": endless})["shift"]
    assert mark.text.startswith("It raises TimeoutError: no result after 0.1 s")


@pytest.mark.parametrize("factor", [1, 10**12, -1])
def test_a_decoy_may_use_any_numbers(sources, factor):
    def decoy(labels):
        labels[:] = np.arange(labels.shape[1]) // 6 % 2 * factor  # into the argument
        return labels

    before = sources["04_rewards"].labels.copy()
    mark = judge_answer("04_rewards", sources["04_rewards"], {"decoy": decoy})["decoy"]
    assert mark.state == "right" and (sources["04_rewards"].labels == before).all()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_name_that_the_reader_gave_to_something_else_is_told(chapter):
    for name, exercise in CHAPTERS[chapter].items():
        answer = exercise.choices[0] if exercise.choices else 0.5
        assert judge_answer(chapter, "no result", {name: answer})[name].text


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize(
    "answer",
    [
        *({}, [], [[1, 2], [3]], float("nan"), (1, 2, 3, 4, 5), object(), b"x", 10**400, [None]),
        *(1j, np.array(np.nan), "x\n" * 9999, pd.Series([1.0, 2.0])),
    ],
    ids=[
        *("dict", "empty", "nested", "nan", "many", "object", "bytes", "huge", "none", "complex"),
        *("array of no dimension", "long", "series"),
    ],
)
def test_any_answer_at_all_gets_a_line(sources, chapter, answer):
    for name in CHAPTERS[chapter]:
        mark = judge_answer(chapter, sources[chapter], {name: answer})[name]
        assert mark.state in ("wrong", "void") and mark.text, name
        assert len(mark.text) < 320 and "\n" not in mark.text


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_right_answers_are_right_and_wrong_ones_get_a_hint(sources, chapter):
    right = judge_answer(chapter, sources[chapter], RIGHT[chapter])
    right = {name: mark for name, mark in right.items() if name in CHAPTERS[chapter]}
    assert {n: m.state for n, m in right.items()} == {
        n: "right" if n in RIGHT[chapter] else "open" for n in right
    }
    for name, mark in judge_answer(chapter, sources[chapter], WRONG[chapter]).items():
        if name not in WRONG[chapter]:
            continue
        assert mark.state == "wrong" and mark.text.endswith(CHAPTERS[chapter][name].hint), name


def test_measured_answers_follow_the_data(sources, prepared):
    lengths = np.hypot(*prepared.lattice.cells.polar[prepared.mask].T)
    marks = judge_answer("01_data", prepared, {"displacement": float(np.nanmedian(lengths))})
    assert marks["displacement"].state == "right"
    assert (
        judge_answer("09_report", sources["09_report"], {"turn": _turn(sources["09_report"])})[
            "turn"
        ].state
        == "right"
    )
    assert 60 < _turn(sources["09_report"]) <= 180


def test_a_question_that_the_image_does_not_allow_is_void(sources):
    prepared = sources["09_report"].prepared
    one = Outcome({}, np.where(prepared.mask, 0, -1), {}, 0.1)
    done = Analysis(prepared, [], one, one, Judgment("domains", "", one.labels), 0, {})
    assert judge_answer("09_report", done, {"turn": 90})["turn"].state == "void"


def test_nothing_is_computed_for_open_questions():
    for chapter, asked in CHAPTERS.items():
        assert {m.state for m in judge_answer(chapter, None, dict.fromkeys(asked)).values()} == {
            "open"
        }


@pytest.mark.parametrize(
    ("answer", "text"),
    [("zscor", "Did you mean 'zscore'?"), ({"bright"}, "'bright' is not one of")],
)
def test_words_that_are_no_choice_are_told_so(sources, answer, text):
    assert (
        text
        in judge_answer("02_descriptors", sources["02_descriptors"], {"blind": answer})[
            "blind"
        ].text
    )


def test_a_word_in_the_place_of_a_number_is_told_so(sources):
    assert (
        "Give a number"
        in judge_answer("06_vae", sources["06_vae"], {"unlearned": "two"})["unlearned"].text
    )
    assert judge_answer("06_vae", sources["06_vae"], {"latents": 3})["latents"].state == "wrong"


def test_hints_say_what_of_the_answer_is_wrong(sources):
    def hint(chapter, **answer):
        return judge_answer(chapter, sources[chapter], answer)[next(iter(answer))].text

    assert "not nan. Leave out what has no value" in hint("01_data", displacement=np.nan)
    assert "as the exercise asks, not '2'." in hint("06_vae", unlearned="2")
    assert hint("02_descriptors", b_columns=(0, 4, 16)).startswith("2 of 3 are right. ")
    assert hint("05_optimization", best_on_front="True").endswith("Did you mean True?")


def test_numpy_values_are_answers(sources):
    marks = judge_answer(
        "06_vae", sources["06_vae"], {"unlearned": np.int64(2), "latents": np.array([3, 6])}
    )
    assert {m.state for m in marks.values()} == {"right"}


def test_unknown_chapters_are_refused_and_other_names_told(capsys):
    with pytest.raises(
        InputError, match="chapter '10_end': has no self-check; choose one of 01_data"
    ):
        check_answers("10_end", None)
    check_answers("06_vae", None, color="red")
    assert "✗ color: Is not asked in 06_vae; it asks for latents, unlearned." in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_notebook_asks_what_its_check_knows(chapter):
    cells = json.loads((resource_path("notebooks") / f"{chapter}.ipynb").read_text())["cells"]
    tagged = {
        tag: "".join("".join(c["source"]) for c in cells if tag in c["metadata"].get("tags", []))
        for tag in ("exercise", "solution")
    }
    for name in CHAPTERS[chapter] | CODING.get(chapter, {}):
        assert f"{name}=None" in tagged["exercise"] and f"`{name}`" in tagged["exercise"], name
        assert f"{name}=" in tagged["solution"], name
    for source in tagged.values():
        assert re.search(rf'check_answers\(\s*"{chapter}"', source)


def test_coherent_noise_is_small_and_its_length_is_not():
    length, coherent = _noise(None)
    assert length == pytest.approx(np.sqrt(np.pi / 2), rel=0.01) and coherent < 0.1
    assert coherent_length(np.ones((9, 9, 2))) == pytest.approx(np.sqrt(2))
