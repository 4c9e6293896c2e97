"""Quality of selection scores: regret and rank correlation of every way to choose a configuration,
on phantoms.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
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

from ..compute import one_thread
from ..rewards import (
    ALTERNATIVES,
    DEFAULT_TOTAL,
    ReferenceField,
    Segmentation,
    evidence,
    measure_reference,
    score_map,
)
from ..search import (
    Outcome,
    Parameter,
    PreparedImage,
    SharedWork,
    Trial,
    Value,
    cell_descriptors,
    cross_fitted_outcome,
    evaluate_configuration,
    prepare_image,
    resampling_stability,
    searched_parameters,
)
from ..simulation import Specimen, simulate_phantom, true_label_map
from .judgment import ask_field, judge_domains

_KINDS = ("lattice", "patch")
_ALL = DEFAULT_TOTAL | dict.fromkeys(ALTERNATIVES, 0.0)  # worked out, not counted


@dataclass(frozen=True)
class SelectorCase:
    """A phantom: its prepared image, true map, reference field of every kind, and shared work."""

    name: str
    prepared: PreparedImage
    truth: np.ndarray
    references: Mapping[str, ReferenceField]
    work: SharedWork


def selector_case(specimen: Specimen, seed: int) -> SelectorCase:
    """Simulate and prepare one phantom."""
    p = simulate_phantom(specimen, seed)
    prepared = prepare_image(p.image)
    cells, mask = prepared.lattice.cells, prepared.mask
    fields = {kind: measure_reference(p.image, cells, mask, kind) for kind in _KINDS}
    truth = true_label_map(p.truth, cells, mask)
    return SelectorCase(specimen.layout, prepared, truth, fields, SharedWork(prepared))


def random_configurations(sites: tuple[str, ...], n: int, seed: int) -> list[dict]:
    """Configurations drawn uniformly from the searched space."""
    rng = np.random.default_rng(seed)
    return [{p.name: _draw(p, rng) for p in searched_parameters(sites)} for _ in range(n)]


def _draw(p: Parameter, rng) -> Value:
    if p.choices:
        return str(rng.choice(p.choices))
    if isinstance(p.default, int):
        return int(rng.integers(p.low, p.high, endpoint=True))
    return float(rng.uniform(p.low, p.high))


def double_dipping(
    prepared: PreparedImage, configurations: Sequence[Mapping[str, Value]], seed: int = 0
) -> pd.DataFrame:
    """Evidence of maps in the field of the pixels that they were drawn from, and in that of the
    other pixels.

    Parameters
    ----------
    prepared : PreparedImage
    configurations : sequence of mapping
        Maps are drawn by them from one half of the pixels.
    seed : int

    Returns
    -------
    DataFrame
        Columns ``descriptor``, ``same``, ``other``; one row per configuration.
    """
    half, counterpart = prepared.cross_fitted
    work, rows = SharedWork(half), []
    for parameters in configurations:
        found = evaluate_configuration(half, parameters, seed, work=work)
        other = Segmentation(found.labels, half.reference)
        # maps of the other half are rewarded by the field of this one
        same = other.against(counterpart.reference)
        rows.append((found.parameters["descriptor"], evidence(same), evidence(other)))
    return pd.DataFrame(rows, columns=["descriptor", "same", "other"])


def share_found(
    displacements_pm: Sequence[float], dose: float, cells: int, seed: int = 0, crystals: int = 4
) -> list[float]:
    """Share of crystals of two domains in which the judge finds their wall.

    Parameters
    ----------
    displacements_pm : sequence of float
        Polar displacements that are tried.
    dose : float
        Peak count.
    cells : int
        Edge of the crystals.
    seed : int
        Of the first crystal.
    crystals : int
        For every displacement.

    Returns
    -------
    list of float
    """
    found = []
    for size in displacements_pm:
        specimen = Specimen("halves", cells, 16, dose=dose, polarization_pm=size)
        made = [simulate_phantom(specimen, seed + k).image for k in range(crystals)]
        asked = [ask_field(prepare_image(image), "polar") for image in made]
        held = [answer is not None and answer.holds for answer in asked]
        found.append(float(np.mean(held)))
    return found


def ari_to_truth(truth: np.ndarray, labels: np.ndarray) -> float:
    """Adjusted Rand index over the cells of the film."""
    film = truth >= 0
    return float(adjusted_rand_score(truth[film], labels[film]))


def stage_gains(
    work: SharedWork, trials: Sequence[Trial], truth: np.ndarray | None = None, seed: int = 0
) -> pd.DataFrame:
    """Gain of every stage of a search: the trial with the highest total until its end.

    Parameters
    ----------
    work : SharedWork
    trials : sequence of Trial
    truth : ndarray of int, shape (R, C), optional
        True label of every cell, -1 where there is none.
    seed : int
        Seed of the search.

    Returns
    -------
    DataFrame
        A row per stage, columns ``trial``, ``total``, and with a truth ``ARI``.
    """
    stages = {
        "default": "default parameters",
        "screen": "and the screen",
        "model": "and the search over windows",
        "measured": "and maps of the measured fields",
    }
    rows, seen = {}, []
    for source, stage in stages.items():
        seen += [trial for trial in trials if trial.source == source]
        best = max(seen, key=lambda trial: trial.rewards["total"])
        rows[stage] = {"trial": best.number, "total": best.rewards["total"]}
        if truth is not None:
            labels = cross_fitted_outcome(work, best.parameters, seed).labels
            rows[stage]["ARI"] = ari_to_truth(truth, labels)
    return pd.DataFrame(rows).T.astype({"trial": int})


def selector_table(item: SelectorCase, n: int, seed: int) -> pd.DataFrame:
    """All scores and the ARI of ``n`` random configurations on one phantom, one row each.

    Parameters
    ----------
    item : SelectorCase
    n : int
        Number of configurations.
    seed : int
        Seed of the configurations.

    Returns
    -------
    DataFrame
        Columns ``ari``, every reward, the baselines, ``stability``, evidence and contrast of the
        other kinds, and ``tuned``: the score by which a search would end with them.
    """
    drawn = random_configurations(item.prepared.sites, n, seed)
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        outcomes = [
            evaluate_configuration(item.prepared, p, total=_ALL, work=item.work) for p in drawn
        ]
        table = pd.DataFrame([_row(item, p, o) for p, o in zip(drawn, outcomes)])
    return table.assign(tuned=_tuned_scores(item, outcomes))


def _tuned_scores(item: SelectorCase, outcomes: Sequence[Outcome]) -> np.ndarray:
    """The score by which a search ends with a configuration: for those that the judge compares, 2
    plus their agreement with its map, so that they rank first; for the others, the total.
    """
    scores = np.array([o.rewards["total"] for o in outcomes])
    judgment = judge_domains(item.prepared, outcomes[int(scores.argmax())])
    for k in judgment.leading(scores):
        scores[k] = 2 + judgment.agreement(outcomes[k].labels)
    return scores


def _row(item: SelectorCase, parameters: dict, outcome: Outcome) -> dict:
    """All scores of one configuration, and its ARI."""
    values = dict(outcome.rewards)
    for kind, field in item.references.items():
        other = score_map(Segmentation(outcome.labels, field))
        values |= {f"evidence_{kind}": other["evidence"], f"contrast_{kind}": other["contrast"]}
    features = cell_descriptors(item.prepared, outcome.parameters, item.work)
    return (
        {"ari": ari_to_truth(item.truth, outcome.labels)}
        | values
        | baseline_scores(features, outcome, item)
        | {"stability": resampling_stability(item.prepared, outcome.parameters, work=item.work)}
    )


def baseline_scores(features: np.ndarray, outcome: Outcome, item: SelectorCase) -> dict[str, float]:
    """Common scores that need no labels: silhouette, Davies-Bouldin, Calinski-Harabasz, BIC (larger
    is better).
    """
    labels = outcome.labels[item.prepared.mask]
    p = outcome.parameters
    if len(np.unique(labels)) < 2:
        return dict.fromkeys(("silhouette", "davies_bouldin", "calinski_harabasz", "bic"), -np.inf)
    mixture = GaussianMixture(
        p["n_clusters"], covariance_type=p["covariance"], max_iter=60, tol=1e-2, random_state=0
    )
    return {
        "silhouette": silhouette_score(features, labels, sample_size=800, random_state=0),
        "davies_bouldin": -davies_bouldin_score(features, labels),
        "calinski_harabasz": calinski_harabasz_score(features, labels),
        "bic": -mixture.fit(features).bic(features),
    }


def product_of_rewards(*names: str) -> Callable[[pd.DataFrame], pd.Series]:
    """A selector that multiplies columns."""
    return lambda table: table[list(names)].prod(axis=1)


def _total(left_out: Sequence[str] = (), kind: str = "") -> Callable[[pd.DataFrame], pd.Series]:
    """The default total without some of its rewards, or with a reference field of another kind."""
    exponents = {name: exponent for name, exponent in DEFAULT_TOTAL.items() if name not in left_out}

    def select(table: pd.DataFrame) -> pd.Series:
        columns = {
            n: f"{n}_{kind}" if kind and n in ("evidence", "contrast") else n for n in exponents
        }
        return np.prod([table[columns[n]] ** exponent for n, exponent in exponents.items()], axis=0)

    return lambda table: pd.Series(select(table), table.index)


SELECTORS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "silhouette": product_of_rewards("silhouette"),
    "Davies-Bouldin": product_of_rewards("davies_bouldin"),
    "BIC": product_of_rewards("bic"),
    "Calinski-Harabasz": product_of_rewards("calinski_harabasz"),
    "neighbor agreement": product_of_rewards("agreement"),
    "stability": product_of_rewards("stability"),
    "continuity x straightness (our formulas)": product_of_rewards("continuity", "straightness"),
    "1 / components per label": product_of_rewards("component_continuity"),
    "few gaps of Canny edges": product_of_rewards("edge_continuity"),
    "low curvature": product_of_rewards("curvature"),
    "low sinuosity": product_of_rewards("sinuosity"),
    "residual of a line": product_of_rewards("line_fit"),
    "share on Hough lines": product_of_rewards("hough"),
    "1 / components x low curvature": product_of_rewards("component_continuity", "curvature"),
    "1 / components x share on Hough lines": product_of_rewards("component_continuity", "hough"),
    "ICL of the descriptors": product_of_rewards("icl"),
    "Bayesian mixture of the descriptors": product_of_rewards("bayesian_mixture"),
    "**total**": product_of_rewards("total"),
    "**total, then agreement with the judge's map**": product_of_rewards("tuned"),
    "total without straightness": _total(("straightness",)),
    "total without continuity": _total(("continuity",)),
    "total without both": _total(("continuity", "straightness")),
    "total without evidence and contrast": _total(("evidence", "contrast")),
    "total without evidence": _total(("evidence",)),
    "total without contrast": _total(("contrast",)),
    "total without guards": _total(("balance", "amount", "thickness")),
    "evidence alone": product_of_rewards("evidence"),
    "agreement for the wall graph: evidence x contrast x agreement": product_of_rewards(
        "evidence", "contrast", "agreement"
    ),
    "evidence x agreement": product_of_rewards("evidence", "agreement"),
    "total, evidence from the lattice": _total(kind="lattice"),
    "total, evidence from patches": _total(kind="patch"),
    "total x stability": product_of_rewards("total", "stability"),
}


def judge_selectors(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Regret (best ARI present minus the ARI of the pick) and Spearman correlation with ARI, of
    every selector.

    Parameters
    ----------
    table : DataFrame
        From :func:`selector_table`.

    Returns
    -------
    dict of str to (float, float)
    """
    out = {}
    for name, select in SELECTORS.items():
        values = select(table).to_numpy()
        out[name] = (
            table["ari"].max() - table["ari"].iloc[int(np.argmax(values))],
            spearmanr(values, table["ari"])[0],
        )
    return out
