"""Search among autoencoders by successive halving: many are trained briefly, the best of them
longer.

A rung trains every remaining model to the same number of epochs, clusters its latents in all the
ways of :data:`LATENT_CLUSTERINGS`, and keeps the best third (Jamieson and Talwalkar 2016, arXiv
1502.07943). Training continues from the previous rung, so nothing is trained twice. The default
model is trained to the end, for comparison.
"""

import math
from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
from joblib import Parallel, delayed

from ..compute import on_one_thread
from ..segmentation import without_convergence_warnings
from ..vae import MIN_EXPLAINED, align_latents, disentanglement_score, known_quantities, require_vae
from .gaussian_process import ProposalModel
from .optimizer import Trial
from .pipeline import effective_parameters, evaluate_configuration
from .preparation import PreparedImage, SharedWork, cell_windows
from .space import AUTOENCODER_CHOICES, SearchPlan, Value, searched_vae_parameters
from .trial_log import TrialLog

RUNGS = (5, 15, 30)  # epochs; in proportion where they are fixed
KEPT_SHARE = 3  # one in so many goes on to the next rung
# totals closer than this are equal: fewer clusters, and the model that is easier to read, are
# preferred
TIED_TOTAL = 0.02
#: Ways to cluster the latents of every model, by axes kept, clusters, covariance. The cost is small
#: compared with its training.
#:
#: :meta hide-value:
LATENT_CLUSTERINGS: list[dict[str, Value]] = [
    {"n_components": axes, "n_clusters": k, "covariance": covariance}
    for axes, k, covariance in product((1, 2, 3, 6), (2, 3, 4, 5, 6), ("full", "tied", "diag"))
    if axes > 1 or covariance != "diag"
]  # along one axis, the same as full


def search_autoencoders(
    prepared: PreparedImage,
    budget: int,
    plan: SearchPlan = SearchPlan(),
    report: Callable[[Trial], None] = lambda trial: None,
    trial_log: TrialLog | None = None,
    first: int = 0,
    work: SharedWork | None = None,
    workers: int = 1,
) -> list[Trial]:
    """Train autoencoders and let the rewards choose among them.

    They learn from one half of the pixels; their maps are rewarded with the other half.

    Parameters
    ----------
    prepared : PreparedImage
    budget : int
        Number of models to start with; 0 for none. The first is the default model.
    plan : SearchPlan
        Seed, rewards and fixed parameters.
    report : callable
        Called with every trial as it ends.
    trial_log : TrialLog, optional
        Record of evaluated configurations, which are not evaluated again.
    first : int
        Number of the first trial.
    work : SharedWork, optional
        Its folder holds the models, from which an interrupted search continues.
    workers : int
        Threads that train models at a time; the result does not depend on their number.

    Returns
    -------
    list of Trial
        One for every model at every rung, with the clustering that has the highest total.

    Raises
    ------
    InputError
        Where torch or AtomAI is not installed.
    """
    if not budget:
        return []
    require_vae()
    trial_log, work = (
        trial_log or TrialLog(None, {}),
        (work or SharedWork(prepared)).cross_fitted[0],
    )
    left = _models(prepared, budget, plan)
    trials: list[Trial] = []
    last = plan.fixed.get("epochs", RUNGS[-1])
    for rung, epochs in enumerate(max(1, n * last // RUNGS[-1]) for n in RUNGS):
        merits = []
        with without_convergence_warnings():
            tried = Parallel(workers, prefer="threads", return_as="generator")(
                delayed(_trial)(work, model | {"epochs": epochs}, plan, trial_log, number, rung + 1)
                for number, model in enumerate(left, first + len(trials))
            )
            for trial in tried:
                trials.append(trial)
                merits.append(_merit(trial))
                report(trial)
        order = sorted(range(1, len(left)), key=lambda k: -merits[k])
        left = [left[k] for k in [0, *order[: math.ceil(len(order) / KEPT_SHARE)]]]
    return trials


def n_halving_trials(budget: int) -> int:
    """Number of trials that a search among ``budget`` models makes.

    Examples
    --------
    >>> [n_halving_trials(n) for n in (0, 1, 9)]
    [0, 3, 15]
    """
    left, n = budget, 0
    for _ in RUNGS:
        n += left
        left = 1 + math.ceil((left - 1) / KEPT_SHARE) if left else 0
    return n


def _models(prepared: PreparedImage, budget: int, plan: SearchPlan) -> list[dict[str, Value]]:
    """The default model and others that fill the space evenly."""
    fixed = {name: value for name, value in plan.fixed.items() if name != "descriptor"}
    varied = [p for p in searched_vae_parameters(prepared.sites) if p.name not in fixed]
    others = (
        ProposalModel(varied, screen=budget - 1, seed=plan.seed).ask(budget - 1)
        if varied and budget > 1
        else []
    )
    return [AUTOENCODER_CHOICES | given | fixed for given in [{}, *others]]


@on_one_thread
def _trial(
    work: SharedWork, model: dict, plan: SearchPlan, trial_log: TrialLog, number: int, rung: int
) -> Trial:
    """The best clustering of one model at one rung."""
    clusterings = [c | {k: v for k, v in plan.fixed.items() if k in c} for c in LATENT_CLUSTERINGS]
    results = []
    for clustering in clusterings:
        parameters = effective_parameters(work.prepared, model | clustering)
        known = trial_log.get(parameters)
        if known is None:
            outcome = evaluate_configuration(work.prepared, parameters, plan.seed, plan.total, work)
            trial_log.put(parameters, outcome.rewards, outcome.seconds)
            known = dict(outcome.rewards), outcome.seconds
        results.append((parameters, *known))
    parameters, rewards, _ = _simplest(results)
    score = _disentanglement(work, parameters)
    rewards = rewards | {"disentanglement": score, "clarity": score}  # the old name for one version
    return Trial(
        number, f"rung {rung}", parameters, rewards, sum(seconds for *_, seconds in results)
    )


def _simplest(results: list[tuple]) -> tuple:
    """The best with fewest clusters of the clusterings within 0.02 of the highest total."""
    top = max(rewards["total"] for _, rewards, _ in results)
    close = [result for result in results if result[1]["total"] >= top - TIED_TOTAL]
    return min(close, key=lambda result: (result[0]["n_clusters"], -result[1]["total"]))


def latent_outputs(
    work: SharedWork, parameters: Mapping[str, Value], labels: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Latents of a configuration's model, rotated for interpretation, and the measured quantities
    of the same cells.

    Parameters
    ----------
    work : SharedWork
    parameters : mapping
        Complete parameters with descriptor "vae".
    labels : ndarray of int, shape (R, C)
        The map; the mistilt is measured inside its domains.

    Returns
    -------
    latents : ndarray, shape (N, K)
    measured : dict of str to ndarray, shape (N,)
    """
    network = work.autoencoder(parameters)
    measured = known_quantities(work.prepared.lattice.cells, labels)
    windows = cell_windows(work.prepared, parameters, work=work)
    latents = network.encode(windows, work.classes(parameters))[: int(work.prepared.mask.sum())]
    return align_latents(latents, network.settings.poses, measured), measured


def _disentanglement(work: SharedWork, parameters: Mapping[str, Value]) -> float:
    return disentanglement_score(
        *latent_outputs(work, parameters, np.where(work.prepared.mask, 0, -1))
    )


def _merit(trial: Trial) -> float:
    """Total, less where the model has not yet learned its windows."""
    return trial.rewards["total"] * min(1.0, trial.rewards["explained"] / MIN_EXPLAINED)


def preferred_autoencoder(trials: list[Trial]) -> Trial:
    """The model to show: among the trained models with a total within 0.02 of the highest, the
    easiest to interpret.

    The fewest clusters decide, then the largest disentanglement score, see
    :func:`bfo_utils.vae.disentanglement_score`. If no model has learned, it is the one that
    explains most.
    """
    models = [t for t in trials if t.parameters["descriptor"] == "vae"]
    learned = [t for t in models if t.rewards["explained"] >= MIN_EXPLAINED]
    if not learned:
        return max(models, key=lambda t: t.rewards["explained"])
    top = max(t.rewards["total"] for t in learned)
    close = [t for t in learned if t.rewards["total"] >= top - TIED_TOTAL]
    return min(close, key=lambda t: (t.parameters["n_clusters"], -t.rewards["disentanglement"]))
