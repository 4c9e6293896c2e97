import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bfo_utils.errors import InputError
from bfo_utils.search import (
    OBJECTIVES,
    SearchPlan,
    hypervolume,
    hypervolumes,
    pareto_front,
    pareto_knee,
    scalarize,
    search_configurations,
    trials_table,
)

points = hnp.arrays(
    float, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(0, 1, width=16)
)


def table(values):
    return pd.DataFrame(values, columns=list(OBJECTIVES))


@given(points)
def test_front_is_what_nothing_beats(values):
    front = pareto_front(table(values))
    for k, v in enumerate(values):
        beaten = ((values >= v).all(1) & (values > v).any(1)).any()
        assert (k in front.index) == (not beaten)


@given(points)
def test_hypervolume_agrees_with_counting_cells(values):
    """Exact inclusion-exclusion on the grid that the points' own coordinates span."""
    axes = [np.unique(np.append(values[:, k], 0)) for k in range(3)]
    volume = 0.0
    for i in range(1, len(axes[0])):
        for j in range(1, len(axes[1])):
            corner = (values[:, 0] >= axes[0][i]) & (values[:, 1] >= axes[1][j])
            top = values[corner, 2].max() if corner.any() else 0
            volume += np.diff(axes[0])[i - 1] * np.diff(axes[1])[j - 1] * top
    assert hypervolume(values) == pytest.approx(volume, abs=1e-9)


@given(points)
def test_hypervolume_never_shrinks_as_trials_come(values):
    course = hypervolumes(table(values))
    assert (np.diff(course) >= -1e-12).all() and 0 <= course[-1] <= 1


@given(points)
def test_the_knee_lies_on_the_front(values):
    assert pareto_knee(table(values)) in pareto_front(table(values)).index


def test_weights_turn_the_scalar_loss_towards_their_objective():
    values = np.array([[0.9, 0.1, 0.5], [0.1, 0.9, 0.5]])
    assert np.argmin(scalarize(values, np.array([1, 0, 0]))) == 0
    assert np.argmin(scalarize(values, np.array([0, 1, 0]))) == 1


def test_parego_runs_and_covers_at_least_as_much_as_its_screen(prepared):
    trials = search_configurations(prepared, SearchPlan(33, seed=1, goal="pareto"))
    volume = hypervolumes(trials_table(trials))
    assert len(trials) == 33 and volume[-1] >= volume[8] > 0


def test_unknown_goal_is_refused():
    with pytest.raises(InputError, match="goal 'fame': no such goal; choose one of total, pareto"):
        SearchPlan(goal="fame")
