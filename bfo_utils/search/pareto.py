"""Several rewards at once: the non-dominated trials, their hypervolume, and the choice of one."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .space import Parameter, Value

OBJECTIVES = ("continuity", "straightness", "evidence")
POPULATION = 16  # of the genetic search; more of them learn too late from the usual budgets


def pareto_front(trials: pd.DataFrame, objectives: Sequence[str] = OBJECTIVES) -> pd.DataFrame:
    """The non-dominated rows: no other row is at least as good in all objectives and better in one.

    Parameters
    ----------
    trials : DataFrame
    objectives : sequence of str
        Columns to maximize.

    Returns
    -------
    DataFrame
        The rows of the front, in their order.

    Examples
    --------
    >>> t = pd.DataFrame(
    ...     {"continuity": [1, 0, 0], "straightness": [0, 1, 0], "evidence": [1, 1, 1]}
    ... )
    >>> pareto_front(t).index.tolist()
    [0, 1]
    """
    values = trials[list(objectives)].to_numpy(float)
    at_least = (values[:, None] >= values[None]).all(-1)
    better = (values[:, None] > values[None]).any(-1)
    return trials[~(at_least & better).any(axis=0)]


def hypervolume(values: np.ndarray) -> float:
    """Volume of the unit cube that a set of points dominates, exactly, by sweeping the last
    objective.

    Parameters
    ----------
    values : ndarray, shape (N, 3)
        Objectives in [0, 1], larger is better; the reference point is the origin.

    Returns
    -------
    float

    Examples
    --------
    >>> hypervolume(np.array([[1, 0.5, 0.5], [0.5, 1, 0.5]]))
    0.375
    """
    order = values[np.argsort(-values[:, 2], kind="stable")]
    heights = order[:, 2] - np.append(order[1:, 2], 0)
    return float(sum(h * _area(order[: k + 1, :2]) for k, h in enumerate(heights) if h > 0))


def _area(points: np.ndarray) -> float:
    """Area of the unit square that points dominate."""
    points = points[np.argsort(-points[:, 0], kind="stable")]
    top = np.maximum.accumulate(points[:, 1])
    return float((points[:, 0] * np.diff(top, prepend=0)).sum())


def hypervolumes(trials: pd.DataFrame, objectives: Sequence[str] = OBJECTIVES) -> np.ndarray:
    """Hypervolume of the trials up to each one, shape (N,): how fast a search covers the
    trade-off.
    """
    values = trials[list(objectives)].to_numpy(float)
    return np.array([hypervolume(values[: k + 1]) for k in range(len(values))])


def pareto_knee(trials: pd.DataFrame, objectives: Sequence[str] = OBJECTIVES) -> int:
    """Index of the trial on the front that lies nearest to the ideal point (1, ..., 1).

    Examples
    --------
    >>> t = pd.DataFrame(
    ...     {"continuity": [1, 0.8, 0], "straightness": [0, 0.8, 1], "evidence": [1, 1, 1]}
    ... )
    >>> pareto_knee(t)
    1
    """
    rows = pareto_front(trials, objectives)
    return int(((1 - rows[list(objectives)]) ** 2).sum(axis=1).idxmin())


def scalarize(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Augmented Tchebycheff loss of every point under weights: max(w (1 - v)) + 0.05 sum(w (1 -
    v)).

    Random weights from batch to batch make any single-objective search cover the front (ParEGO,
    Knowles 2006, doi 10.1109/TEVC.2005.851274).

    Parameters
    ----------
    values : ndarray, shape (N, K)
    weights : ndarray, shape (K,)

    Returns
    -------
    ndarray, shape (N,)
    """
    missing = weights * (1 - values)
    return missing.max(axis=1) + 0.05 * missing.sum(axis=1)


class GeneticModel:
    """Proposes configurations and learns from their objectives: NSGA-II, from Optuna.

    The population has sixteen members. Non-dominated members in sparse regions have offspring. It
    covers a front and does not use the total.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to vary.
    seed : int

    Examples
    --------
    >>> from bfo_utils.search import parameter
    >>> searcher = GeneticModel([parameter("n_clusters")], seed=0)
    >>> searcher.ask(2)[0].keys()
    dict_keys(['n_clusters'])
    """

    screening = False

    def __init__(self, parameters: Sequence[Parameter], seed: int):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
        directions = [optuna.study.StudyDirection.MINIMIZE] * len(OBJECTIVES)
        self._study = optuna.create_study(sampler=sampler, directions=directions)
        self._space = {p.name: _distribution(p) for p in parameters}
        self._open: list = []
        self._told = 0

    def ask(self, n: int) -> list[dict[str, Value]]:
        """The next ``n`` configurations, as plain Python values."""
        self._open = [self._study.ask(self._space) for _ in range(n)]
        return [dict(trial.params) for trial in self._open]

    def tell(self, configurations: Sequence[Mapping[str, Value]], losses: Sequence) -> None:
        """Nothing: objectives are told by :meth:`retell`."""

    def retell(self, losses: Sequence[Sequence[float]]) -> None:
        """Report the objectives, to be minimized, of everything asked so far."""
        for trial, values in zip(self._open, losses[self._told :], strict=True):
            self._study.tell(trial, list(values))
        self._told = len(losses)


def _distribution(p: Parameter):
    """The range of a parameter in Optuna's terms."""
    from optuna import distributions

    if p.choices:
        return distributions.CategoricalDistribution(p.choices)
    if isinstance(p.default, int):
        return distributions.IntDistribution(int(p.low or 0), int(p.high or 0))
    return distributions.FloatDistribution(float(p.low or 0), float(p.high or 0))
