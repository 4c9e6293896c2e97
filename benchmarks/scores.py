"""How good is a score? Regret and rank correlation of every way to choose a configuration, on phantoms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture

from bfo_utils import evidence, phantom, rewards, space, workflow

_KINDS = ("lattice", "patch")


@dataclass(frozen=True)
class Case:
    """A phantom with its prepared crystal, true map, and evidence of every kind."""

    name: str
    crystal: workflow.Crystal
    truth: np.ndarray
    evidence: Mapping[str, evidence.Evidence]


def case(crystal: phantom.Crystal, seed: int) -> Case:
    """Simulate and prepare one phantom."""
    p = phantom.simulate(crystal, seed)
    prepared = workflow.prepare(p.image)
    cells, mask = prepared.lattice.cells, prepared.mask
    fields = {kind: evidence.measure(p.image, cells, mask, kind) for kind in _KINDS}
    return Case(crystal.layout, prepared, phantom.true_map(p.truth, cells, mask), fields)


def random_configurations(sites: tuple[str, ...], n: int, seed: int) -> list[dict]:
    """Configurations drawn uniformly from the searched space."""
    rng = np.random.default_rng(seed)
    return [{p.name: _draw(p, rng) for p in space.searched(sites)} for _ in range(n)]


def _draw(p: space.Parameter, rng) -> space.Value:
    if p.choices:
        return str(rng.choice(p.choices))
    if isinstance(p.default, int):
        return int(rng.integers(p.low, p.high + 1))
    return float(rng.uniform(p.low, p.high))


def ari(truth: np.ndarray, labels: np.ndarray) -> float:
    """Adjusted Rand index over the cells of the film."""
    film = truth >= 0
    return float(adjusted_rand_score(truth[film], labels[film]))


def row(item: Case, parameters: dict) -> dict:
    """All scores of one configuration, and its ARI."""
    outcome = workflow.evaluate(item.crystal, parameters)
    values = dict(outcome.rewards)
    for kind, field in item.evidence.items():
        other = rewards.score(rewards.Partition(outcome.labels, field))
        values |= {f"evidence_{kind}": other["evidence"], f"contrast_{kind}": other["contrast"]}
    features = workflow.features(item.crystal, outcome.parameters)
    return {"ari": ari(item.truth, outcome.labels)} | values | baselines(features, outcome, item) | {
        "stability": stability(features, outcome)}


def baselines(features: np.ndarray, outcome: workflow.Outcome, item: Case) -> dict[str, float]:
    """The label-free scores that people use: silhouette, Davies-Bouldin, Calinski-Harabasz, BIC (larger is better)."""
    labels = outcome.labels[item.crystal.mask]
    p = outcome.parameters
    if len(np.unique(labels)) < 2:
        return dict.fromkeys(("silhouette", "davies_bouldin", "calinski_harabasz", "bic"), -np.inf)
    mixture = GaussianMixture(p["n_clusters"], covariance_type=p["covariance"], max_iter=60, tol=1e-2, random_state=0)
    return {"silhouette": silhouette_score(features, labels, sample_size=800, random_state=0),
            "davies_bouldin": -davies_bouldin_score(features, labels),
            "calinski_harabasz": calinski_harabasz_score(features, labels),
            "bic": -mixture.fit(features).bic(features)}


def stability(features: np.ndarray, outcome: workflow.Outcome) -> float:
    """Agreement (ARI) of two mixtures, each fitted to one random half of the cells, on all cells."""
    p, rng = outcome.parameters, np.random.default_rng(0)
    half = rng.permutation(len(features)) < len(features) // 2
    maps = [GaussianMixture(p["n_clusters"], covariance_type=p["covariance"], max_iter=60, tol=1e-2, random_state=1)
            .fit(features[part]).predict(features) for part in (half, ~half)]
    return float(adjusted_rand_score(*maps))


def product(*names: str) -> Callable[[pd.DataFrame], pd.Series]:
    """A selector that multiplies columns."""
    return lambda table: table[list(names)].prod(axis=1)


_GUARDS = ("balance", "amount", "thickness")
_ALL = ("continuity", "straightness", "evidence", "contrast", *_GUARDS)


def _without(*left_out: str) -> Callable[[pd.DataFrame], pd.Series]:
    return product(*(n for n in _ALL if n not in left_out))


SELECTORS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "silhouette": product("silhouette"), "Davies-Bouldin": product("davies_bouldin"), "BIC": product("bic"),
    "Calinski-Harabasz": product("calinski_harabasz"), "neighbour agreement": product("agreement"),
    "stability": product("stability"),
    "continuity x straightness (as in the paper)": product("continuity", "straightness"),
    "**total**": product("total"),
    "total without straightness": _without("straightness"), "total without continuity": _without("continuity"),
    "total without evidence and contrast": _without("evidence", "contrast"),
    "total without evidence": _without("evidence"), "total without contrast": _without("contrast"),
    "total without guards": _without(*_GUARDS), "evidence alone": product("evidence"),
    "evidence x contrast": product("evidence", "contrast"),
    "evidence x agreement": product("evidence", "agreement"),
    "evidence x contrast x agreement": product("evidence", "contrast", "agreement"),
    "total, evidence from the lattice": product("continuity", "straightness", *_GUARDS, "evidence_lattice", "contrast_lattice"),
    "total, evidence from patches": product("continuity", "straightness", *_GUARDS, "evidence_patch", "contrast_patch"),
    "total x stability": product("total", "stability"),
}


def judge(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Regret (best ARI present minus the pick's) and Spearman correlation with ARI of every selector."""
    out = {}
    for name, select in SELECTORS.items():
        values = select(table).to_numpy()
        out[name] = (table["ari"].max() - table["ari"].iloc[int(np.argmax(values))], spearmanr(values, table["ari"])[0])
    return out


def quiet(function):
    """Run without the mixtures' convergence warnings and on one thread."""
    import warnings
    from functools import wraps

    from threadpoolctl import threadpool_limits

    @wraps(function)
    def wrapped(*args):
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            return function(*args)

    return wrapped
