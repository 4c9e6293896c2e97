"""Search for the configuration that the rewards prefer: ask, evaluate in batches, tell.

scikit-optimize's Gaussian process is the surrogate, behind the one thin adapter :class:`Searcher`. Evaluations are so
cheap here that the surrogate's own time would dominate; so it is fitted once per batch, and a space-filling screen
comes first.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from skopt import Optimizer, acquisition
from skopt.space import Categorical, Integer, Real
from threadpoolctl import threadpool_limits

from .rewards import TOTAL
from .space import Parameter, Value, searched
from .workflow import Crystal, Outcome, evaluate

BATCH = 8  # configurations asked at a time, whatever the number of workers: the trials depend on the seed alone
OBJECTIVES = ("continuity", "straightness", "evidence")
_POOL = 2000  # candidates that the acquisition is evaluated on


@dataclass(frozen=True)
class Trial:
    """One evaluated configuration of a search: its number, where it came from, parameters, rewards and time."""

    number: int
    source: str
    parameters: Mapping[str, Value]
    rewards: Mapping[str, float]
    seconds: float

    @property
    def row(self) -> dict:
        """The trial as one flat row of ``trials.csv``."""
        return {"number": self.number, "source": self.source, **self.parameters, **self.rewards, "seconds": self.seconds}


class Searcher:
    """Ask/tell adapter of scikit-optimize: numpy scalars stay inside, batches cost one fit of the surrogate.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to vary.
    screen : int
        Configurations that are asked from a Latin hypercube before the surrogate is used.
    seed : int
    """

    def __init__(self, parameters: Sequence[Parameter], screen: int, seed: int):
        self._names = [p.name for p in parameters]
        self._rng = np.random.default_rng(seed)
        self._optimizer = Optimizer(
            [_dimension(p) for p in parameters], base_estimator="GP", n_initial_points=screen,
            initial_point_generator="lhs", acq_func="EI", acq_optimizer="sampling", random_state=seed)
        self._left = screen
        self._best = (np.inf, None)

    @property
    def screening(self) -> bool:
        """Whether the next batch still comes from the space-filling screen."""
        return self._left > 0

    def ask(self, n: int) -> list[dict[str, Value]]:
        """The next ``n`` configurations, as plain Python values."""
        if self.screening:
            points = self._optimizer.ask(n_points=min(n, self._left), strategy="cl_min")
            self._left -= len(points)
        else:
            points = self._promising(n)
        return [{k: v.item() if hasattr(v, "item") else v for k, v in zip(self._names, p)} for p in points]

    def tell(self, configurations: Sequence[Mapping[str, Value]], losses: Sequence[float]) -> None:
        """Report the losses of evaluated configurations; the surrogate is fitted once for all of them."""
        points = [[c[name] for name in self._names] for c in configurations]
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # repeated points and kernel bounds: no concern of the caller's
            self._optimizer.tell(points, list(losses), fit=self._left == 0)
        best = int(np.argmin(losses))
        if losses[best] < self._best[0]:
            self._best = (losses[best], points[best])

    def _promising(self, n: int) -> list[list]:
        """Greedy batch by expected improvement, each choice lowering the value of its surroundings."""
        space, model = self._optimizer.space, self._optimizer.models[-1]
        pool = space.rvs(_POOL // 2, random_state=int(self._rng.integers(2**31)))
        pool += [self._near_best(space) for _ in range(_POOL // 2)]
        x = space.transform(pool)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            value = acquisition.gaussian_ei(x, model, y_opt=self._best[0])
        chosen = []
        for _ in range(n):
            best = int(np.argmax(value))
            chosen.append(pool[best])
            value = value * (1 - np.exp(-((x - x[best]) ** 2).sum(axis=1) / 0.08))
        return chosen

    def _near_best(self, space) -> list:
        """The best point so far with one to three coordinates drawn anew."""
        point = list(self._best[1])
        fresh = space.rvs(1, random_state=int(self._rng.integers(2**31)))[0]
        for k in self._rng.choice(len(point), self._rng.integers(1, min(4, len(point) + 1)), replace=False):
            point[k] = fresh[k]
        return point


def _dimension(p: Parameter):
    if p.choices:
        return Categorical(p.choices, name=p.name)
    kind = Integer if isinstance(p.default, int) else Real
    return kind(p.low, p.high, name=p.name)


def search(crystal: Crystal, budget: int = 64, seed: int = 0, total: Mapping[str, float] = TOTAL,
           fixed: Mapping[str, Value] | None = None, report: Callable[[Trial], None] = lambda trial: None) -> list[Trial]:
    """Evaluate ``budget`` configurations: the default one, a space-filling screen, then the surrogate's proposals.

    Parameters
    ----------
    crystal : Crystal
        From :func:`bfo_utils.workflow.prepare`.
    budget : int
        Number of configurations.
    seed : int
        Seed of the search and of every clustering.
    total : mapping of str to float
        Rewards that make the total.
    fixed : mapping, optional
        Parameters that are not varied.
    report : callable
        Called with every trial as it ends.

    Returns
    -------
    list of Trial
        In the order of evaluation; number 0 is the default configuration.
    """
    fixed = dict(fixed or {})
    varied = [p for p in searched(crystal.sites) if p.name not in fixed]
    trials = [_trial(0, "default", evaluate(crystal, fixed, seed, total))]
    report(trials[0])
    searcher = Searcher(varied, screen=_screen(budget), seed=seed)
    while len(trials) < budget:
        source = "screen" if searcher.screening else "model"
        batch = searcher.ask(min(BATCH, budget - len(trials)))
        for configuration in batch:
            trials.append(_trial(len(trials), source, evaluate(crystal, fixed | configuration, seed, total)))
            report(trials[-1])
        searcher.tell(batch, [loss(t.rewards["total"]) for t in trials[-len(batch):]])
    return trials


def _screen(budget: int) -> int:
    """Share of the budget for the space-filling screen: half, in whole batches."""
    return max(BATCH, budget // 2 // BATCH * BATCH)


def _trial(number: int, source: str, outcome: Outcome) -> Trial:
    return Trial(number, source, outcome.parameters, outcome.rewards, outcome.seconds)


def loss(total: float) -> float:
    """What the surrogate learns: -ln(total + 0.02), so that bad configurations differ from hopeless ones."""
    return float(-np.log(total + 0.02))


def best(trials: Iterable[Trial]) -> Trial:
    """The trial of the highest total; the earliest of equals."""
    return max(trials, key=lambda t: (t.rewards["total"], -t.number))


def table(trials: Iterable[Trial]) -> pd.DataFrame:
    """Trials as a table, one row each."""
    return pd.DataFrame([t.row for t in trials])


def pareto(trials: pd.DataFrame, objectives: Sequence[str] = OBJECTIVES) -> pd.DataFrame:
    """The non-dominated rows: no other row is at least as good in all objectives and better in one.

    Examples
    --------
    >>> t = pd.DataFrame({"continuity": [1, 0, 0], "straightness": [0, 1, 0], "evidence": [1, 1, 1]})
    >>> pareto(t).index.tolist()
    [0, 1]
    """
    values = trials[list(objectives)].to_numpy(float)
    at_least = (values[:, None] >= values[None]).all(-1)
    better = (values[:, None] > values[None]).any(-1)
    return trials[~(at_least & better).any(axis=0)]
