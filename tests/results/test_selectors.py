import numpy as np
import pandas as pd
import pytest

from bfo_utils.results import (
    SELECTORS,
    judge_selectors,
    random_configurations,
    selector_case,
    selector_table,
)
from bfo_utils.results.selectors import _total
from bfo_utils.rewards import DEFAULT_TOTAL
from bfo_utils.simulation import Specimen


@pytest.fixture(scope="module")
def case():
    return selector_case(Specimen(layout="halves", cells=24, cell_px=14), 3)


@pytest.fixture(scope="module")
def table(case):
    return selector_table(case, 8, seed=1)


def test_a_table_has_every_score_that_a_selector_uses(table):
    assert len(table) == 8 and table["ari"].between(-1, 1).all()
    for name, select in SELECTORS.items():
        assert len(select(table)) == 8, name


def test_the_total_of_the_table_is_the_total(table):
    assert SELECTORS["**total**"](table).to_numpy() == pytest.approx(table["total"].to_numpy())
    everything = _total()(table)
    assert everything.to_numpy() == pytest.approx(table["total"].to_numpy())
    assert set(DEFAULT_TOTAL) <= set(table)


def test_regret_is_what_the_pick_lacks(table):
    ranked = table.assign(
        ari=np.linspace(0, 0.7, 8), silhouette=np.arange(8.0), agreement=np.arange(8.0)[::-1]
    )
    judged = judge_selectors(pd.DataFrame(ranked))
    assert judged["silhouette"] == pytest.approx((0, 1))
    assert judged["neighbor agreement"] == pytest.approx((0.7, -1))


def test_same_seed_same_configurations():
    one, two, three = (random_configurations(("A", "cell"), 5, s) for s in (1, 1, 2))
    assert one == two != three and {c["site"] for c in one} <= {"A", "cell"}
