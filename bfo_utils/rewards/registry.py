"""The registered rewards, including those of the user."""

from collections.abc import Callable, Iterable

from .segmentation import Segmentation

Reward = Callable[[Segmentation], float]
_REWARDS: dict[str, Reward] = {}
_ON_DEMAND: set[str] = set()  # worked out only where the total names them


def register_reward(name: str, on_demand: bool = False) -> Callable[[Reward], Reward]:
    """Decorator that adds a reward under ``name``.

    Parameters
    ----------
    name : str
        Name that the total and the command line use.
    on_demand : bool
        Compute it only if the total names it.

    Examples
    --------
    >>> import numpy as np
    >>> @register_reward("few_labels")
    ... def few_labels(segmentation):
    ...     return 1 / len(np.unique(segmentation.clean[segmentation.clean >= 0]))
    >>> from bfo_utils.rewards import reward_names
    >>> "few_labels" in reward_names()
    True
    >>> _ = _REWARDS.pop("few_labels")
    """

    def add(function: Reward) -> Reward:
        _REWARDS[name] = function
        (_ON_DEMAND.add if on_demand else _ON_DEMAND.discard)(name)
        return function

    return add


def are_built_in(names: Iterable[str]) -> bool:
    """Whether rewards are those of this package, which every process knows.

    Examples
    --------
    >>> import bfo_utils.rewards.scoring
    >>> are_built_in(["evidence", "contrast"])
    True
    """
    package = __name__.split(".")[0]
    return all(_REWARDS[name].__module__.split(".")[0] == package for name in names)
