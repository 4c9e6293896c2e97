"""The fingerprint changes with all that a reward depends on, and with nothing else."""

import runpy
import subprocess
import sys
import threading
from functools import partial

import pytest

from bfo_utils.rewards import register_reward, rewards_fingerprint, score_map
from bfo_utils.rewards.registry import _REWARDS
from tests.rewards.test_scoring import TRUE, Segmentation, field_of

PLUGIN = """
import numpy as np
from bfo_utils.rewards import register_reward
from functools import partial
LIMIT = 0.3
def helper(value):
    return np.minimum(value, 0.7)
class Above:
    def __init__(self, limit):
        self.limit = limit
    def __call__(self, segmentation):
        return helper(self.limit)
@register_reward("mine")
def mine(segmentation):
    return helper(LIMIT)
register_reward("bound")(partial(lambda segmentation, limit: helper(limit), limit=0.4))
register_reward("object")(Above(0.5))
"""


@pytest.fixture
def registered():
    """Rewards that a test registers are gone after it."""
    before = dict(_REWARDS)
    yield
    _REWARDS.clear()
    _REWARDS.update(before)


def fingerprint_of(path, text=PLUGIN):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    runpy.run_path(str(path))
    return rewards_fingerprint()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("np.minimum", "np.maximum"),
        ("LIMIT = 0.3", "LIMIT = 0.31"),
        ("limit=0.4", "limit=0.41"),
        ("Above(0.5)", "Above(0.51)"),
        ("helper(self.limit)", "self.limit"),
    ],
)
def test_an_edit_of_a_plugin_changes_the_fingerprint(old, new, tmp_path, registered):
    before = fingerprint_of(tmp_path / "p.py")
    assert fingerprint_of(tmp_path / "p.py", PLUGIN.replace(old, new)) != before
    assert fingerprint_of(tmp_path / "elsewhere" / "q.py") == before


def test_a_file_that_a_plugin_imports_from_counts(tmp_path, registered, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    plugin = PLUGIN + "from beside import helper\n"
    (tmp_path / "beside.py").write_text("def helper(value):\n    return value\n")
    before = fingerprint_of(tmp_path / "p.py", plugin)
    (tmp_path / "beside.py").write_text("def helper(value):\n    return value / 2\n")
    assert rewards_fingerprint() != before


def test_functions_without_a_file_count_by_their_code_and_globals(registered):
    def of(text, **names):
        register_reward("mine")(eval(text, {"sum": sum, **names}))
        return rewards_fingerprint()

    one = of("lambda segmentation: limit in {'a', 'b'}", limit=1)
    assert one == of("lambda segmentation: limit in {'a', 'b'}", limit=1)
    assert one != of("lambda segmentation: limit in {'a', 'b'}", limit=2)
    assert one != of("lambda segmentation: limit in {'a', 'c'}", limit=1)
    assert one != of("lambda segmentation: other in {'a', 'b'}", other=1)


def closure(value):
    return lambda segmentation: value


def test_what_a_closure_holds_counts(registered):
    prints = set()
    for value in (0.5, 0.6, 0.5):
        register_reward("mine")(closure(value))
        prints.add(rewards_fingerprint())
    assert len(prints) == 2


def test_state_that_cannot_be_hashed_is_never_trusted(registered):
    register_reward("mine")(closure(threading.Lock()))
    assert rewards_fingerprint() != rewards_fingerprint()


def test_partials_and_callable_objects_are_rewards(tmp_path, registered):
    fingerprint_of(tmp_path / "p.py")
    values = score_map(Segmentation(TRUE, field_of(TRUE)), {"bound": 1.0, "object": 1.0})
    assert values["total"] == pytest.approx(0.4 * 0.5)
    register_reward("mine")(partial(max, 0.2, key=lambda value: 0))
    assert rewards_fingerprint() == rewards_fingerprint()


def test_the_fingerprint_is_the_same_in_every_process(tmp_path):
    (tmp_path / "p.py").write_text(PLUGIN.replace("LIMIT = 0.3", "LIMIT = {'a', 'b', 'c', 'd'}"))
    code = (
        f"import runpy; runpy.run_path({str(tmp_path / 'p.py')!r});"
        "from bfo_utils.rewards import rewards_fingerprint; print(rewards_fingerprint())"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(prints) == 1
