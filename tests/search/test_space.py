import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.search import (
    PARAMETERS,
    RUN_PARAMETERS,
    complete_parameters,
    parameter,
    searched_parameters,
)


@pytest.mark.parametrize(
    ("name", "given", "plain"),
    [
        ("n_clusters", np.int64(3), 3),
        ("n_clusters", "3", 3),
        ("n_clusters", 3.0, 3),
        ("window_width", "1", 1.0),
        ("window_width", np.float32(1.5), 1.5),
        ("site", np.str_("cell"), "cell"),
    ],
)
def test_values_become_plain_python(name, given, plain):
    value = parameter(name).check(given)
    assert value == plain and type(value) is type(plain)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("n_clusters", "three"),
        ("n_clusters", 3.5),
        ("n_clusters", True),
        ("n_clusters", 99),
        ("n_clusters", None),
        ("window_width", "nan"),
        ("window_width", "inf"),
        ("window_width", 0),
        ("site", "C"),
        ("site", 4),
    ],
)
def test_wrong_values_are_refused_with_what_would_be_right(name, given):
    with pytest.raises(InputError, match=f"parameter {name}: .*give (int|float|one of)"):
        parameter(name).check(given)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(
        InputError, match="'windows': no such parameter; choose from detection_scale"
    ):
        complete_parameters({"windows": 3})


def test_defaults_lie_in_their_own_range():
    for p in PARAMETERS + RUN_PARAMETERS:
        assert p.check(p.default) == p.default and p.help and p.stage


def test_a_search_varies_only_sites_that_are_there():
    site = {p.name: p for p in searched_parameters(("A", "cell"))}["site"]
    assert site.choices == ("A", "cell")
    assert "method" not in [p.name for p in searched_parameters()]
