"""The complete analysis of one image: columns, search, verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..compute import Beside, in_threads, on_one_thread, use_threads
from ..io import Image
from ..rewards import (
    DEFAULT_TOTAL,
    Segmentation,
    SurrogateTest,
    are_built_in,
    geometric_total,
    surrogate_test,
)
from ..search import (
    OBJECTIVES,
    EvaluatorFactory,
    Outcome,
    PreparedImage,
    SearchPlan,
    SharedWork,
    Trial,
    Value,
    best_trial,
    complete_parameters,
    cross_fitted_outcome,
    evaluate_configuration,
    judged_map,
    label_map,
    name_labels,
    open_trial_log,
    pareto_front,
    prepare_image,
    search_autoencoders,
    search_configurations,
    trials_table,
    without_autoencoders,
)
from ..segmentation import ResidualStructure
from .confidence import Confidence, measure_confidence, unknown_confidence
from .judgment import (
    DOMAINS,
    FieldAnswer,
    Judgment,
    ask_image,
    field_posterior,
    judge_domains,
    left_over,
)
from .repeats import NearBest, Repeat, near_best, repeat_search

# Cells: edges of the windows that `over_windows` compares.
COMPARED_WINDOWS = tuple(np.arange(0.5, 2.51, 0.25).tolist())

# of the search in the surrogate test: maps, and their cells together
_COMPARED_MAPS, _COMPARED_CELLS = 8, 30_000
# cells: trials with fewer run mostly in Python, in which the threads of a process take turns
_LIGHT = 12_000


@dataclass(frozen=True)
class Analysis:
    """All results of the analysis of one image.

    Attributes
    ----------
    prepared : PreparedImage
        Image, indexed columns, analyzed cells, reference field.
    trials : list of Trial
        All evaluated configurations, number 0 the default one.
    default, tuned : Outcome
        Map of the default configuration and of the chosen one (see :func:`tuned_trial`), from all
        pixels, labels renumbered by meaning (see :func:`bfo_utils.search.name_labels`); their
        rewards are means of those that a map of either half earns from the other half.
    judgment : Judgment
        Verdict, reason, the map that is shown or is a candidate, findings.
    seed : int
    timings_s : dict of str to float
    total : mapping of str to float
        Rewards that made the total.
    repeats : sequence of Repeat
        What searches with other seeds answer, where they were asked for.
    work : SharedWork or None
        What the search made, for questions that come later; nothing depends on it but time.
    tested : callable or None
        Waits for the surrogate test, where another process makes it.
    """

    prepared: PreparedImage
    trials: list[Trial]
    default: Outcome
    tuned: Outcome
    judgment: Judgment
    seed: int
    timings_s: Mapping[str, float]
    total: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TOTAL))
    work: SharedWork | None = field(default=None, repr=False, compare=False)
    repeats: Sequence[Repeat] = ()
    tested: Callable[[], SurrogateTest] | None = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """ "domains", "no domains" or "undecided"."""
        return self.judgment.verdict

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        return self.judgment.reason

    @property
    def labels(self) -> np.ndarray:
        """The map that the analysis stands by: the one that the judge accepts, or one label where
        there are no domains or it is not decided.
        """
        return self.candidate if self.verdict == DOMAINS else np.where(self.prepared.mask, 0, -1)

    @property
    def candidate(self) -> np.ndarray:
        """The same, but where it is not decided the map that may be one."""
        return self.judgment.candidate

    @property
    def by_agreement(self) -> bool:
        """Whether the tuned configuration is not the one with the highest total, but agrees best
        with the map that is shown.
        """
        best = complete_parameters(best_trial(self.trials).parameters)
        return best != dict(self.tuned.parameters)

    @property
    def segmentation(self) -> Segmentation:
        """The tuned map with the reference field."""
        return Segmentation(self.tuned.labels, self.prepared.reference)

    @cached_property
    def confidence(self) -> Confidence:
        """How sure the label of every cell is; unknown where there is one label only."""
        if self.verdict != DOMAINS:
            return unknown_confidence(self.prepared.mask)
        sure = measure_confidence(
            self.prepared, self.tuned, self.seed, work=self.work, shown=self.labels
        )
        answer = self.judgment.answers.get(self.judgment.kind)
        return (
            sure
            if answer is None
            else replace(sure, posterior=field_posterior(answer, self.labels))
        )

    @cached_property
    def near_best(self) -> NearBest:
        """What recurs in the maps of the search that are nearly as good as the best."""
        work = self.work or SharedWork(self.prepared)
        return near_best(work, self.trials, self.judgment, self.seed)

    @cached_property
    def residual(self) -> ResidualStructure | None:
        """What the map leaves over of the polar displacement; None where that is not measured."""
        answer = self.judgment.answers.get("polar")
        return None if answer is None else left_over(answer, self.labels)

    @cached_property
    def surrogates(self) -> SurrogateTest:
        """The highest total of the search among those that surrogates of the reference field reach,
        the choice repeated for every surrogate.

        Maps are drawn from one half of the pixels, the field comes from the other. Of all maps
        without autoencoders those take part whose labels alone allow the highest totals.
        """
        if self.tested:
            return self.tested()
        work = (self.work or SharedWork(self.prepared)).cross_fitted[0]
        maps = _compared_maps(work, self.trials, self.seed, self.total)
        return surrogate_test(maps, self.total, self.seed)


@on_one_thread
def _compared_maps(
    work: SharedWork, trials: Sequence[Trial], seed: int, total: Mapping[str, float]
) -> list[Segmentation]:
    """The maps of a search, on one half of the image, that the surrogate test compares."""
    best = sorted(without_autoencoders(trials), key=lambda t: -geometric_total(t.rewards, total))
    few = _COMPARED_CELLS // int(work.prepared.mask.sum())
    outcomes = [
        evaluate_configuration(work.prepared, t.parameters, seed, total, work)
        for t in best[: max(2, min(few, _COMPARED_MAPS))]
    ]
    return [judged_map(work, o.parameters, o.labels, total) for o in outcomes]


def _answers_of(prepared: PreparedImage, beside: Beside) -> Callable[[], dict[str, FieldAnswer]]:
    """What waits for the answers of another process, and keeps what it has measured."""
    asked = beside.submit(ask_image, prepared)

    def wait() -> dict[str, FieldAnswer]:
        answers, measured = asked()
        vars(prepared).update(measured)
        return answers

    return wait


def analyze(
    image: Image,
    plan: SearchPlan = SearchPlan(),
    report: Callable[[Trial], None] = lambda trial: None,
    record: Path | None = None,
    workers: int | EvaluatorFactory = 1,
    beside: Beside | None = None,
    prepared: Callable[[], PreparedImage] | None = None,
) -> Analysis:
    """Find the columns of an image, search for the configuration with the highest total, and give
    the verdict.

    Parameters
    ----------
    image : Image
    plan : SearchPlan
        Budget, seed, rewards, and what is fixed.
    report : callable
        Called with every trial as it ends.
    record : Path, optional
        File in which every trial is recorded as it ends; a call that was stopped goes on from it.
    workers : int or Spread
        Threads that share the work, or what spreads configurations elsewhere; the result does not
        depend on it. Where an image is small, a process beside them takes the place of one.
    beside : Beside, optional
        Process that does beside the search what does not depend on it, and after the search the
        surrogate test; the result does not depend on it.
    prepared : callable, optional
        Waits for the preparation of the image by this plan, where another process makes it.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If the image holds no lattice, or too few cells.
    """
    start = time.perf_counter()
    threads = workers if isinstance(workers, int) else 1
    with use_threads(threads):
        ready = prepared() if prepared else prepare_image(image, **plan.preparation)
    between = time.perf_counter()
    trial_log = open_trial_log(record, ready, plan) if record else None
    work = SharedWork(ready, record.parent / "networks" if record else "", many=False)
    answers = _answers_of(ready, beside) if beside else None
    searching = workers
    if beside and isinstance(workers, int) and ready.mask.sum() < _LIGHT:
        searching = max(1, workers - 1)  # the other process takes the place of one
    trials = search_configurations(ready, plan, report, trial_log, searching, work)
    trials += search_autoencoders(
        ready,
        plan.autoencoders,
        plan,
        report,
        trial_log,
        len(trials),
        work,
        threads,
    )
    timings = {
        "columns_and_lattice": between - start,
        "search": time.perf_counter() - between,
        "evaluations": sum(t.seconds for t in trials),
    }
    tested = None
    if beside and are_built_in(plan.total):  # others are known only here
        maps = _compared_maps(work.cross_fitted[0], trials, plan.seed, plan.total)
        tested = beside.submit(surrogate_test, maps, plan.total, plan.seed)
    with use_threads(threads):
        done = conclude_analysis(ready, trials, plan.seed, plan.total, timings, work, answers)
    return checked_analysis(replace(done, tested=tested), plan, workers)


@on_one_thread
def conclude_analysis(
    prepared: PreparedImage,
    trials: list[Trial],
    seed: int,
    total: Mapping[str, float] = DEFAULT_TOTAL,
    timings: Mapping[str, float] | None = None,
    work: SharedWork | None = None,
    answers: Callable[[], Mapping[str, FieldAnswer]] | None = None,
    by_judge: bool = True,
) -> Analysis:
    """Give the verdict on the map of the trial with the highest total, and choose the tuned
    configuration by it.

    Parameters
    ----------
    prepared : PreparedImage
    trials : list of Trial
    seed : int
        Seed of the search.
    total : mapping of str to float
    timings : mapping of str to float, optional
    work : SharedWork, optional
        What the search made.
    answers : callable, optional
        Waits for the answers of the fields, if they have been asked.
    by_judge : bool
        Whether the judgment may choose the tuned configuration (see :func:`tuned_trial`); else it
        is the one with the highest total, as it must be where several images share the trials.

    Returns
    -------
    Analysis
    """
    work = work or SharedWork(prepared, many=False)
    best = best_trial(trials)
    default, tuned = _evaluated_both(work, trials[0], best, seed, total)
    judgment = judge_domains(prepared, tuned, answers() if answers else None)
    chosen = tuned_trial(work, trials, judgment, seed) if by_judge else best
    if chosen.number != best.number:
        tuned = _evaluated(work, chosen.parameters, seed, total)
    return Analysis(
        prepared,
        trials,
        default,
        tuned,
        judgment,
        seed,
        dict(timings or {}),
        dict(total),
        work,
    )


def _evaluated_both(
    work: SharedWork, default: Trial, best: Trial, seed: int, total: Mapping[str, float]
) -> list[Outcome]:
    """The default and the best trial evaluated anew, in threads where these are allowed."""
    # larger windows first: smaller ones may be cropped from them
    both = sorted((default, best), key=_window, reverse=True)
    _ = work.cross_fitted  # once, before threads ask for it
    outcomes = in_threads(lambda t: _evaluated(work, t.parameters, seed, total), both)
    return [outcomes[both.index(trial)] for trial in (default, best)]


def tuned_trial(
    work: SharedWork, trials: Sequence[Trial], judgment: Judgment, seed: int = 0
) -> Trial:
    """The trial that a search ends with.

    It is the one with the highest total, unless the judge sees domains and does not accept its map.
    Then it is the one whose map agrees best with the judge's own, among the half of the trials with
    the higher totals (among all trials where the field that has the domains is not the one that the
    rewards use). Autoencoders do not take part in this, unless one has the highest total.

    Parameters
    ----------
    work : SharedWork
        What the search made.
    trials : sequence of Trial
    judgment : Judgment
        On the map of the trial with the highest total.
    seed : int
        Seed of the search.

    Returns
    -------
    Trial
    """
    best = best_trial(trials)
    pool = [best, *(t for t in without_autoencoders(trials) if t.number != best.number)]
    leading = [pool[k] for k in judgment.leading([t.rewards["total"] for t in pool])]
    if len(leading) == 1:
        return best
    order = sorted(leading, key=_window, reverse=True)
    maps = in_threads(lambda t: label_map(work, t.parameters, seed), order)
    agreement = {t.number: judgment.agreement(m) for t, m in zip(order, maps)}
    return max(leading, key=lambda t: agreement[t.number])


def _window(trial: Trial) -> float:
    """The larger edge of the windows of a trial, in cells."""
    return max(trial.parameters["window_height"], trial.parameters["window_width"])


def checked_analysis(
    analysis: Analysis, plan: SearchPlan, workers: int | EvaluatorFactory = 1
) -> Analysis:
    """An analysis with the results of searches with other seeds, as many as in its plan."""
    if not plan.check:
        return analysis
    work = analysis.work or SharedWork(analysis.prepared)
    repeats = repeat_search(work, analysis.judgment, analysis.tuned, plan, workers)
    return replace(analysis, repeats=repeats)


def alternative_maps(analysis: Analysis, most: int = 12) -> list[tuple[Trial, Outcome]]:
    """The Pareto front as maps: the choices of other weights of the rewards.

    Parameters
    ----------
    analysis : Analysis
    most : int
        How many trials of the front are evaluated again, at most: those of the highest total.

    Returns
    -------
    list of (Trial, Outcome)
        In the order of evaluation, labels renumbered by meaning; of trials with equal rewards the
        first. Autoencoders take part where one of them made the final map; else the front is that
        of the configurations without.
    """
    trials = (
        analysis.trials
        if analysis.tuned.parameters["descriptor"] == "vae"
        else without_autoencoders(analysis.trials)
    )
    rows = (
        pareto_front(trials_table(trials)).drop_duplicates(list(OBJECTIVES)).nlargest(most, "total")
    )
    chosen = [t for t in trials if t.number in set(rows["number"])]
    return [(t, replace(_again(analysis, t.parameters), rewards=t.rewards)) for t in chosen]


def maps_over_windows(
    analysis: Analysis, sizes: Sequence[float] = COMPARED_WINDOWS
) -> list[Outcome]:
    """Maps and rewards of the best configuration of plain windows with its window made square and
    of other sizes.

    Parameters
    ----------
    analysis : Analysis
    sizes : sequence of float
        Edges of the window in cells.

    Returns
    -------
    list of Outcome
        One per size, labels renumbered by meaning; none where no trial described cells by windows.
    """
    described = [t for t in analysis.trials if t.parameters["descriptor"] == "windows"]
    if not described:
        return []
    fixed = best_trial(described).parameters
    return [
        _again(analysis, {**fixed, "window_height": size, "window_width": size}) for size in sizes
    ]


def _again(analysis: Analysis, parameters: Mapping[str, Value]) -> Outcome:
    work = analysis.work or SharedWork(analysis.prepared)
    return _evaluated(work, parameters, analysis.seed, analysis.total)


def _evaluated(
    work: SharedWork, parameters: Mapping[str, Value], seed: int, total: Mapping[str, float]
) -> Outcome:
    """A configuration evaluated anew, its labels named."""
    outcome = cross_fitted_outcome(work, parameters, seed, total)
    return replace(outcome, labels=name_labels(work.prepared, outcome.labels))
