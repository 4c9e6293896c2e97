"""Propose the next configurations: scikit-optimize behind a thin ask/tell adapter."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skopt.acquisition import gaussian_ei
from skopt.sampler import Lhs
from skopt.space import Categorical, Integer, Real
from skopt.utils import cook_estimator, normalize_dimensions

from ..compute import one_thread
from .space import Parameter, Value

_POOL = 1500  # candidates on which the acquisition is evaluated: half anywhere, half near the best
_CROWD = 0.08  # squared distance within which one choice of a batch lowers the value of another


class ProposalModel:
    """Proposes configurations and learns from their losses.

    First a Latin hypercube fills the space. Then a Gaussian process is fitted once per batch
    (scikit-optimize's own loop fits once per point, which here would cost several times what the
    evaluations cost), expected improvement is evaluated on a pool of candidates, half of them
    variations of the best configuration, and the batch is selected greedily: each choice lowers the
    value of its neighborhood.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to vary.
    screen : int
        Number of configurations of the Latin hypercube.
    seed : int

    Examples
    --------
    >>> from bfo_utils.search import parameter
    >>> searcher = ProposalModel([parameter("n_clusters")], screen=2, seed=0)
    >>> batch = searcher.ask(2)
    >>> searcher.tell(batch, [0.3, 0.1])
    >>> searcher.screening
    False
    """

    def __init__(self, parameters: Sequence[Parameter], screen: int, seed: int):
        self._names = [p.name for p in parameters]
        self._space: Any = (
            normalize_dimensions([_dimension(p) for p in parameters]) if parameters else None
        )
        self._rng = np.random.default_rng(seed)
        self._queue = (
            Lhs(criterion=None).generate(self._space.dimensions, screen, random_state=seed)
            if self._space is not None
            else []
        )
        self._points: list[list] = []
        self._losses: list[float] = []

    @property
    def screening(self) -> bool:
        """Whether the next batch still comes from the space-filling screen."""
        return bool(self._queue)

    def ask(self, n: int) -> list[dict[str, Value]]:
        """The next ``n`` configurations (fewer at the end of the screen), as plain Python
        values.
        """
        if self._queue:
            points, self._queue = self._queue[:n], self._queue[n:]
        else:
            points = self._promising(n)
        return [
            {k: v.item() if hasattr(v, "item") else v for k, v in zip(self._names, p)}
            for p in points
        ]

    def tell(self, configurations: Sequence[Mapping[str, Value]], losses: Sequence[float]) -> None:
        """Report the losses of configurations."""
        self._points += [[c[name] for name in self._names] for c in configurations]
        self._losses += list(losses)

    def retell(self, losses: Sequence[float]) -> None:
        """Replace all losses so far, in order, for another objective on the same trials."""
        self._losses = list(losses)

    def _promising(self, n: int) -> list[list]:
        """Greedy batch by expected improvement."""
        pool = self._space.rvs(_POOL // 2, random_state=int(self._rng.integers(2**31)))
        pool += self._variations(_POOL // 2)
        x = self._space.transform(pool)
        value = self._improvement(x)
        chosen = []
        for _ in range(n):
            best = int(np.argmax(value))
            chosen.append(pool[best])
            value = value * (1 - np.exp(-((x - x[best]) ** 2).sum(axis=1) / _CROWD))
        return chosen

    def _improvement(self, x: np.ndarray) -> np.ndarray:
        """Expected improvement over the best loss at points, by a fresh Gaussian process."""
        with warnings.catch_warnings(), one_thread():
            # bounds of kernel parameters that are reached: no concern of the caller's
            warnings.simplefilter("ignore")
            model = cook_estimator(
                "GP", space=self._space, random_state=0, noise="gaussian", n_restarts_optimizer=0
            )
            model.fit(self._space.transform(self._points), self._losses)
            return gaussian_ei(x, model, y_opt=min(self._losses))

    def _variations(self, n: int) -> list[list]:
        """The five best points so far with one to three coordinates drawn anew."""
        top = [self._points[k] for k in np.argsort(self._losses, kind="stable")[:5]]
        fresh = self._space.rvs(n, random_state=int(self._rng.integers(2**31)))
        out = []
        for k, new in enumerate(fresh):
            point = list(top[k % len(top)])
            for i in self._rng.choice(
                len(point), self._rng.integers(1, min(4, len(point) + 1)), replace=False
            ):
                point[i] = new[i]
            out.append(point)
        return out


def _dimension(p: Parameter):
    if p.choices:
        return Categorical(p.choices, name=p.name)
    kind = Integer if isinstance(p.default, int) else Real
    return kind(p.low, p.high, name=p.name)
