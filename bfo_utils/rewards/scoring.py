"""Scores: every registered reward of a label map, and their total.

Every reward is a function of a :class:`Segmentation` registered under a name, a number in [0, 1]
that measures how much the map looks like ferroic domains. The total is a weighted geometric product
of named rewards, so no reward compensates for a failing guard. Users can add their own rewards.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError
from . import geometry, guards, physics  # noqa: F401  (which registers them)
from .physics import DESCRIPTOR_REWARDS
from .registry import _ON_DEMAND, _REWARDS, Reward
from .registry import register_reward as register_reward  # after the built-in ones
from .segmentation import Segmentation

#: The default total, the product of rewards with these exponents. They were chosen on 24 phantoms
#: whose seeds no reported figure uses: geometry must count (weak contrast), but not outweigh the
#: reference field (domains with corners).
DEFAULT_TOTAL: dict[str, float] = {
    "continuity": 0.5,
    "straightness": 0.25,
    "evidence": 1.0,
    "contrast": 1.0,
    "balance": 1.0,
    "amount": 1.0,
    "thickness": 1.0,
}
_BUILT_IN = (*DEFAULT_TOTAL, "agreement")
#: Alternative rewards, computed only if the total names them.
ALTERNATIVES = (
    "component_continuity",
    "edge_continuity",
    "curvature",
    "sinuosity",
    "line_fit",
    "hough",
    *DESCRIPTOR_REWARDS,
)
#: Rewards that do not depend on the reference field.
GEOMETRIC = (
    *("continuity", "straightness", "balance", "amount", "thickness", "agreement"),
    *ALTERNATIVES,
)


def reward_names() -> list[str]:
    """Names of all registered rewards, sorted."""
    return sorted(_REWARDS)


def parse_total(pairs: Sequence[str]) -> dict[str, float]:
    """The total from ``name=exponent`` pairs; without pairs, the default total.

    Raises
    ------
    InputError
        If a reward is unknown, or an exponent is not a positive number.

    Examples
    --------
    >>> parse_total(["evidence=1", "agreement=0.5"])
    {'evidence': 1.0, 'agreement': 0.5}
    """
    chosen = {}
    for pair in pairs:
        name, _, exponent = pair.partition("=")
        try:
            chosen[name] = float(exponent)
        except ValueError:
            chosen[name] = 0.0
        if not 0 < chosen[name] < np.inf:
            raise InputError(
                f"total '{pair}': not a reward with its exponent; write it as evidence=1"
            )
    return _known(chosen) or dict(DEFAULT_TOTAL)


def _known(total: Mapping[str, float]) -> dict[str, float]:
    """The total itself, if all its rewards are registered."""
    unknown = sorted(set(total) - set(_REWARDS))
    if unknown:
        raise InputError(
            f"reward '{unknown[0]}': no such reward; choose from {', '.join(reward_names())}"
        )
    return dict(total)


def score_map(
    segmentation: Segmentation, total: Mapping[str, float] = DEFAULT_TOTAL
) -> dict[str, float]:
    """Every registered reward of a label map, and their total. Rewards on demand are computed only
    if the total names them.

    Parameters
    ----------
    segmentation : Segmentation
    total : mapping of str to float
        Rewards that make the total, with their exponents: total = prod(r_k ^ p_k).

    Returns
    -------
    dict of str to float
        All in [0, 1].

    Raises
    ------
    InputError
        If ``total`` names an unknown reward.
    """
    _known(total)
    values = {
        name: _value(name, function(segmentation)) for name, function in _ordered(total).items()
    }
    values["total"] = float(np.prod([values[name] ** exponent for name, exponent in total.items()]))
    return values


def geometric_total(rewards: Mapping[str, float], total: Mapping[str, float]) -> float:
    """The part of a total that depends only on the labels; it is the upper bound for the map.

    Examples
    --------
    >>> geometric_total({"continuity": 0.25, "evidence": 0.1}, {"continuity": 0.5, "evidence": 1})
    0.5
    """
    return float(np.prod([rewards[n] ** power for n, power in total.items() if n in GEOMETRIC]))


def reference_total(
    segmentation: Segmentation, total: Mapping[str, float], bound: float = 1.0, least: float = 0.0
) -> float:
    """A bound times the part of a total that depends on the reference field.

    Parameters
    ----------
    segmentation : Segmentation
    total : mapping of str to float
    bound : float
        The part that depends only on the labels.
    least : float
        The computation stops once the total cannot exceed this value.

    Returns
    -------
    float
    """
    for name, power in total.items():
        if bound <= least:
            break
        if name not in GEOMETRIC:
            bound *= _value(name, _REWARDS[name](segmentation)) ** power
    return bound


def _ordered(total: Mapping[str, float]) -> dict[str, Reward]:
    """The built-in rewards in one order, whatever was imported first, then the user's, without
    those that are not asked for.
    """
    left_out = _ON_DEMAND - set(total)
    ordered = {name: _REWARDS[name] for name in _BUILT_IN} | _REWARDS
    return {name: function for name, function in ordered.items() if name not in left_out}


def _value(name: str, value: float) -> float:
    """A reward as a plain number in [0, 1]."""
    if not np.isfinite(value):
        raise InputError(f"reward '{name}': returned {value}; it must return a number from 0 to 1")
    return float(np.clip(value, 0, 1))
