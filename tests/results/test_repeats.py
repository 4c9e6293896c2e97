"""What searches with other seeds say."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.cli import main
from bfo_utils.results import Repeat, checked_analysis, read_result
from bfo_utils.results.repeats import is_repeated
from bfo_utils.results.warnings import find_warnings
from bfo_utils.search import SearchPlan

PLAN = SearchPlan(12, 1, check=2)


@pytest.fixture(scope="module")
def checked(answer):
    return checked_analysis(answer, PLAN)


def test_a_clear_map_is_found_again(answer, checked):
    assert [r.seed for r in checked.repeats] == [2, 3] and not answer.repeats
    names = set(np.unique(answer.labels[answer.labels >= 0]).tolist())
    for repeat in checked.repeats:
        assert repeat.verdict == "domains" and repeat.agreement > 0.95
        assert set(repeat.recurrence) == names and min(repeat.recurrence.values()) > 0.9
    assert "depends_on_seed" not in {w["code"] for w in find_warnings(checked)}


def test_a_clear_map_recurs_in_maps_that_are_nearly_as_good(answer):
    near, labels = answer.near_best, answer.labels
    best = max(t.rewards["total"] for t in answer.trials)
    wanted = [t for t in answer.trials if t.rewards["total"] >= 0.8 * best]
    assert 1 <= near.n_maps <= min(16, len(wanted))
    assert near.verdict == near.same == 1 and set(near.of_labels.values()) == {1.0}
    assert (np.isfinite(near.of_cells) == (labels >= 0)).all() and np.nanmean(near.of_cells) > 0.98


def test_without_domains_the_verdict_only_recurs(answer):
    undecided = replace(answer, judgment=replace(answer.judgment, verdict="undecided"))
    near = undecided.near_best
    assert near.verdict == 1 and near.same == 0 and near.of_labels == {}
    assert not np.isfinite(near.of_cells).any()


def test_nothing_is_repeated_unless_asked(answer):
    assert checked_analysis(answer, SearchPlan(12, 1)) is answer


@pytest.mark.parametrize(
    ("repeat", "same"),
    [
        (Repeat(1, "domains", 0.5, 0.98, {0: 0.99, 1: 0.9}), True),
        (Repeat(1, "domains", 0.5, 0.5, {0: 0.99, 1: 0.9}), False),
        (Repeat(1, "domains", 0.5, 0.95, {0: 0.99, 1: 0.3}), False),
        (Repeat(1, "undecided", 0.5, 0.98, {0: 0.99}), False),
    ],
    ids=["the same", "another map", "a label lost", "another verdict"],
)
def test_what_changes_is_a_warning(answer, repeat, same):
    assert is_repeated("domains", repeat) == same
    warned = find_warnings(replace(answer, repeats=[repeat]))
    said = [w["message"] for w in warned if w["code"] == "depends_on_seed"]
    assert bool(said) != same and (same or "seed 1" in said[0])


def test_the_option_is_kept_for_rerun(junction, tmp_path, capsys):
    np.save(tmp_path / "image.npy", junction.image.data)
    out = tmp_path / "out"
    call = ["analyze", str(tmp_path / "image.npy"), "--out", str(out), "--budget", "4", "--check"]
    with pytest.raises(SystemExit) as end:
        main(call)
    assert not end.value.code
    assert "check: seed 1: domains" in capsys.readouterr().out
    result = json.loads((out / "result.json").read_text())
    assert [r["seed"] for r in result["check"]] == [1, 2]
    assert read_result(out).provenance.plan.check == 2
