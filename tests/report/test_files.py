"""The report's tables: what a colleague reads is what was computed."""

from dataclasses import replace

import pytest

from bfo_utils.report import choices_table, facts_table, grounds_table, origin_table, write_results
from bfo_utils.results import DOMAINS, alternative_maps, maps_over_windows
from bfo_utils.search import OBJECTIVES


@pytest.fixture(scope="module")
def result(answer, tmp_path_factory):
    return write_results(answer, tmp_path_factory.mktemp("report"))


def test_the_grounds_are_those_of_the_verdict(answer, result):
    table = grounds_table(answer, result)
    assert answer.verdict == DOMAINS
    for gate in ("polar displacement: other half of the data", "polar displacement: clearest wall"):
        assert float(table.loc[gate, "measured"]) >= float(
            table.loc[gate, "needed"].removeprefix("≥ ")
        )
    assert table.loc["stability", "measured"] == f"{result['stability']:.2f}"
    assert f"{answer.default.rewards['total']:.3f} before" in table.loc["total", "means"]


def test_further_grounds_are_shown_where_there_are_any(answer, result):
    more = {
        "confidence": {"posterior": {"mean": 0.951, "unsure": 0.04}},
        "surrogates": {
            "total": 0.9,
            "permuted": {"n": 99, "p": 0.01, "largest": 0.21},
            "shifted": {"n": 0, "p": 1.0},
        },
    }
    table = grounds_table(answer, result | more)
    assert table.loc["posterior of the cells"].tolist() == [
        "0.95",
        "",
        "mean; 4% of the cells are uncertain",
    ]
    assert (
        table.loc["surrogates, permuted", "measured"] == "0.21"
        and "p = 0.01" in table.loc["surrogates, permuted", "means"]
    )
    assert "surrogates, shifted" not in table.index
    none = {"shifted": {"n": 0}, "permuted": {"n": 0}}
    assert (
        len(table)
        == len(grounds_table(answer, result | {"confidence": None, "surrogates": none})) + 2
    )


def test_the_choices_name_default_tuned_and_what_mattered(answer):
    table = choices_table(answer)
    assert table.loc["n_clusters", ["default", "tuned"]].tolist() == [
        "5",
        str(answer.tuned.parameters["n_clusters"]),
    ]
    assert float(table.loc["n_clusters", "mattered"]) >= 0 and table.loc["method", "mattered"] == ""
    assert (
        table.loc["window_width", "means"].endswith("(cells)") and "latent_dim" not in table.index
    )


def test_facts_and_origin_say_where_it_comes_from(answer, result):
    facts, origin = facts_table(answer, result), origin_table(result)
    height, width = answer.prepared.image.shape
    assert f"{width} × {height} px" in facts["image"] and facts["domains"].startswith(
        f"{result['n_domains']}, of"
    )
    assert (
        origin["seed"] == "1"
        and origin["configurations"] == "12"
        and origin["numpy"] == result["versions"]["numpy"]
    )


def test_alternatives_are_the_front_with_their_maps(answer):
    found = alternative_maps(answer)
    assert max(t.rewards["total"] for t, _ in found) == max(
        t.rewards["total"] for t in answer.trials
    )
    for trial, outcome in found:
        assert (
            outcome.rewards == trial.rewards and outcome.labels.shape == answer.prepared.mask.shape
        )
        assert not any(
            all(o.rewards[n] > trial.rewards[n] for n in OBJECTIVES) for o in answer.trials
        )
    assert len(alternative_maps(answer, most=1)) == 1


def test_windows_are_compared_with_all_else_as_it_was(answer):
    outcomes = maps_over_windows(answer, [0.75, 1.5])
    assert [o.parameters["window_height"] for o in outcomes] == [0.75, 1.5]
    assert {o.parameters["n_clusters"] for o in outcomes} == {answer.tuned.parameters["n_clusters"]}
    assert (outcomes[0].labels != outcomes[1].labels).any()
    (alone,) = maps_over_windows(replace(answer, total={"evidence": 1.0}), [1.5])
    assert alone.rewards["total"] == alone.rewards["evidence"] != outcomes[1].rewards["total"]
