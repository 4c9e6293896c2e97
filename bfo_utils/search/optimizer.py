"""Search for the configuration with the highest total: propose, evaluate in batches, report."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..compute import one_thread
from ..descriptors import measured_fields
from ..rewards import rewards_fingerprint
from ..segmentation import without_convergence_warnings
from ..vae import MIN_EXPLAINED
from .gaussian_process import ProposalModel
from .pareto import OBJECTIVES, GeneticModel, scalarize
from .pipeline import Outcome, effective_parameters, evaluate_configuration
from .preparation import PreparedImage, SharedWork
from .space import SearchPlan, Value, searched_parameters
from .trial_log import TrialLog

# Configurations asked at a time, whatever the number of workers: trials depend on the seed alone.
TRIALS_PER_BATCH = 8
SCREEN_TRIALS = 8  # of the space-filling screen; 8 reached higher totals than 16 or 24
# Configurations of measured fields, tried last: they cost little and need no search.
_MEASURED: list[dict[str, Value]] = [
    *({"descriptor": "polar", "n_clusters": k, "covariance": "tied"} for k in range(2, 7)),
    *(
        {"descriptor": "strain", "n_components": 3, "n_clusters": k, "covariance": "tied"}
        for k in (2, 3)
    ),
    {"descriptor": "order", "n_clusters": 2, "covariance": "tied"},
]
_LEAST_BUDGET = 32  # with fewer trials all of them go to windows


@dataclass(frozen=True)
class Trial:
    """One evaluated configuration of a search: its number, where it came from, parameters,
    rewards and time.
    """

    number: int
    source: str
    parameters: Mapping[str, Value]
    rewards: Mapping[str, float]
    seconds: float

    @property
    def row(self) -> dict:
        """The trial as one flat row of ``trials.csv``."""
        return {
            "number": self.number,
            "source": self.source,
            **self.parameters,
            **self.rewards,
            "seconds": self.seconds,
        }


#: Evaluates configurations and yields their outcomes in the same order.
Evaluator = Callable[[list[dict[str, Value]]], Generator[Outcome, None, None]]
#: Context in which configurations are evaluated for a plan, possibly on several workers.
EvaluatorFactory = Callable[[SharedWork, SearchPlan], AbstractContextManager[Evaluator]]


@contextmanager
def thread_evaluator(workers: int, work: SharedWork, plan: SearchPlan) -> Iterator[Evaluator]:
    """The evaluator of :data:`EvaluatorFactory` that shares configurations between threads of this
    process.
    """
    with Parallel(n_jobs=workers, prefer="threads", return_as="generator") as pool:
        yield lambda configurations: pool(
            delayed(evaluate_configuration)(work.prepared, p, plan.seed, plan.total, work)
            for p in configurations
        )


def search_configurations(
    prepared: PreparedImage,
    plan: SearchPlan = SearchPlan(),
    report: Callable[[Trial], None] = lambda trial: None,
    trial_log: TrialLog | None = None,
    workers: int | EvaluatorFactory = 1,
    work: SharedWork | None = None,
) -> list[Trial]:
    """Evaluate the default configuration, a space-filling screen, and the proposals of the
    surrogate.

    Maps are made from one half of the pixels and rewarded with the other half.

    Parameters
    ----------
    prepared : PreparedImage
        From :func:`bfo_utils.search.prepare_image`.
    plan : SearchPlan
        Budget, seed, rewards and fixed parameters.
    report : callable
        Called with every trial as it ends.
    trial_log : TrialLog, optional
        Record of evaluated configurations, which are not evaluated again.
    workers : int or Spread
        Threads that share a batch, or an object that distributes it. The trials do not depend on
        it.
    work : SharedWork, optional
        Keeps intermediate results that the configurations share.

    Returns
    -------
    list of Trial
        In the order of evaluation. Number 0 is the default configuration; it is the only trial if
        all parameters are fixed.
    """
    work = work or SharedWork(prepared)
    return search_jointly([work], plan, report, [trial_log] if trial_log else None, workers)


def search_jointly(
    works: Sequence[SharedWork],
    plan: SearchPlan = SearchPlan(),
    report: Callable[[Trial], None] = lambda trial: None,
    trial_logs: Sequence[TrialLog] | None = None,
    workers: int | EvaluatorFactory = 1,
) -> list[Trial]:
    """Search for one configuration for several images: every trial is evaluated on all of them, and
    the sum of their totals is maximized.

    Parameters
    ----------
    works : sequence of SharedWork
        One per image, all prepared with the same column settings. Only sites that all of them have
        are tried.
    plan : SearchPlan
    report : callable
        Called with every trial once it has ended on all images.
    trial_logs : sequence of TrialLog, optional
        One per crystal; they may be those of searches on that crystal alone with the same seed and
        total.
    workers : int or Spread
        Threads that share a batch, crystal by crystal, or an object that distributes it. The trials
        do not depend on it.

    Returns
    -------
    list of Trial
        As from :func:`search_configurations`. Rewards are means over the images. The mean of the
        totals is proportional to their sum and stays between 0 and 1. Seconds are sums.
    """
    trial_logs = trial_logs or [TrialLog(None, {}) for _ in works]
    works = [work.cross_fitted[0] for work in works]
    images = [work.prepared for work in works]
    sites = tuple(s for s in images[0].sites if all(s in p.sites for p in images))
    varied = [p for p in searched_parameters(sites, plan.whole) if p.name not in plan.fixed]
    if not varied:
        plan = replace(plan, budget=1)
    measured = _measured_configurations(images, plan)
    of_windows = plan.budget - len(measured)
    searcher: ProposalModel | GeneticModel = (
        GeneticModel(varied, plan.seed)
        if plan.goal == "nsga2"
        else ProposalModel(varied, screen=SCREEN_TRIALS, seed=plan.seed)
    )
    weights = np.random.default_rng(plan.seed)
    trials: list[Trial] = []
    spread = partial(thread_evaluator, workers) if isinstance(workers, int) else workers
    with without_convergence_warnings(), one_thread(), ExitStack() as stack:
        evaluators = [stack.enter_context(spread(work, plan)) for work in works]
        asked: list[dict[str, Value]] = [{}]
        source = "default"
        while asked:
            for trial in _evaluated(
                images, plan, asked, source, len(trials), trial_logs, evaluators
            ):
                trials.append(trial)
                report(trial)
            if source != "default":
                searcher.tell(asked, [0.0] * len(asked))
                searcher.retell(_losses(trials[1:], plan, weights))
            source = "screen" if searcher.screening else "model"
            asked = (
                searcher.ask(min(TRIALS_PER_BATCH, of_windows - len(trials)))
                if len(trials) < of_windows
                else []
            )
        first = len(trials)
        for trial in _evaluated(images, plan, measured, "measured", first, trial_logs, evaluators):
            trials.append(trial)
            report(trial)
    return trials


def _measured_configurations(images: Sequence[PreparedImage], plan: SearchPlan) -> list[dict]:
    """Configurations of the measured fields that all images show, under what the plan fixes."""
    if plan.budget < _LEAST_BUDGET or "descriptor" in plan.fixed:
        return []
    seen = [measured_fields(image.lattice.cells) for image in images]
    return [
        {**choice, **plan.fixed}
        for choice in _MEASURED
        if all(choice["descriptor"] in fields for fields in seen)
    ]


def open_trial_log(path: Path, prepared: PreparedImage, plan: SearchPlan) -> TrialLog:
    """The trial log in a file, for this image under this plan's seed and total.

    Parameters
    ----------
    path : Path
        File of JSON lines. If it belongs to another image, seed or total, it is started again.
    prepared : PreparedImage
    plan : SearchPlan

    Returns
    -------
    TrialLog
    """
    return TrialLog(
        path,
        {
            "crystal": prepared.fingerprint,
            "seed": plan.seed,
            "total": dict(plan.total),
            "rewards": rewards_fingerprint(),
            "version": version("bfo_utils"),
        },
    )


def _evaluated(
    images: Sequence[PreparedImage],
    plan: SearchPlan,
    asked: list[dict],
    source: str,
    first: int,
    trial_logs: Sequence[TrialLog],
    evaluators: Sequence[Evaluator],
) -> Iterator[Trial]:
    """Trials of one batch as they end; equivalent configurations share rewards."""
    parameters = [effective_parameters(images[0], {**plan.fixed, **given}) for given in asked]
    once = [p for k, p in enumerate(parameters) if p not in parameters[:k]]
    outcomes = [
        evaluator([p for p in once if trial_log.get(p) is None])
        for evaluator, trial_log in zip(evaluators, trial_logs, strict=True)
    ]
    for k, p in enumerate(parameters):
        for trial_log, results in zip(trial_logs, outcomes, strict=True):
            if trial_log.get(p) is None:
                outcome = next(results)
                trial_log.put(p, outcome.rewards, outcome.seconds)
        yield Trial(
            first + k,
            source,
            p,
            *_together([known for trial_log in trial_logs if (known := trial_log.get(p))]),
        )
    for results in outcomes:
        # all are consumed; only then does the pool know that nothing is left to cancel
        next(results, None)


def _together(known: Sequence[tuple[Mapping[str, float], float]]) -> tuple[dict[str, float], float]:
    """Mean rewards and summed seconds of one configuration on all images."""
    rewards, seconds = zip(*known)
    return {name: sum(r[name] for r in rewards) / len(rewards) for name in rewards[0]}, sum(seconds)


def _losses(trials: list[Trial], plan: SearchPlan, rng) -> list:
    """Losses of all trials: of the total, of the objectives under fresh random weights, or all
    objectives.
    """
    if plan.goal == "total":
        return [total_loss(t.rewards["total"]) for t in trials]
    values = np.array([[t.rewards[name] for name in OBJECTIVES] for t in trials])
    if plan.goal == "nsga2":
        return (-values).tolist()
    return scalarize(values, rng.dirichlet(np.ones(len(OBJECTIVES)))).tolist()


def total_loss(total: float) -> float:
    """Loss that the surrogate predicts: -ln(total + 0.02), which distinguishes between poor
    configurations.
    """
    return float(-np.log(total + 0.02))


def best_trial(trials: Iterable[Trial]) -> Trial:
    """The trial with the highest total, the earliest if several are equal. Autoencoders that have
    not learned their windows are excluded.
    """
    learned = [t for t in trials if t.rewards.get("explained", 1.0) >= MIN_EXPLAINED]
    return max(learned, key=lambda t: (t.rewards["total"], -t.number))


def trials_table(trials: Iterable[Trial]) -> pd.DataFrame:
    """Trials as a table, one row each."""
    return pd.DataFrame([t.row for t in trials])


def without_autoencoders(trials: Iterable[Trial]) -> list[Trial]:
    """The trials with descriptors that need no training."""
    return [t for t in trials if t.parameters["descriptor"] != "vae"]


def best_by_descriptor(trials: Iterable[Trial]) -> dict[str, float]:
    """The highest total of every kind of descriptor, without autoencoders that have not learned."""
    top: dict[str, float] = {}
    for trial in trials:
        if trial.rewards.get("explained", 1.0) >= MIN_EXPLAINED:
            kind = trial.parameters["descriptor"]
            top[kind] = max(top.get(kind, 0.0), trial.rewards["total"])
    return top
