"""What seed and budget of the search change on the harder crystals of ``hard.py``: verdict,
findings, and the map that is shown.

An image is prepared and its fields are judged once, for neither depends on the search.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import adjusted_rand_score

from bfo_utils.errors import InputError
from bfo_utils.results import UNDECIDED, ask_fields, conclude_analysis
from bfo_utils.search import SearchPlan, SharedWork, prepare_image, search_configurations

from .hard import DOSES, as_image, generators
from .tables import keep

SEARCHES = (*((64, seed) for seed in range(5)), (20, 0), (200, 0))  # budget, seed
IMAGE = 1  # seed of the images


@dataclass(frozen=True)
class Answer:
    """Verdict, kinds of findings, and labels of one search."""

    verdict: str
    findings: tuple[str, ...]
    labels: np.ndarray


def answers(case: str, dose: float) -> list[Answer]:
    """The answers of all searches on one crystal; none where it is refused."""
    truth, found = generators().build(case, IMAGE, dose), []
    try:
        prepared = prepare_image(as_image(truth))
    except InputError:
        return []
    asked = ask_fields(prepared)
    for budget, seed in SEARCHES:
        work = SharedWork(prepared)
        trials = search_configurations(prepared, SearchPlan(budget, seed), work=work)
        done = conclude_analysis(prepared, trials, seed, work=work, answers=lambda: asked)
        kinds = tuple(sorted({f["kind"] for f in done.judgment.findings}))
        found.append(Answer(done.verdict, kinds, done.labels[prepared.mask]))
    return found


def main() -> None:
    """A row per case and dose."""
    module = generators()
    if module is None:
        return
    cases = [case for names in module.cases().values() for case in names]
    at = list(itertools.product(cases, DOSES))
    rows, same = [], []
    for (case, dose), found in zip(at, Parallel(n_jobs=2)(delayed(answers)(*job) for job in at)):
        if not found:
            rows.append([case, dose, "refused", "-", "-"])
            continue
        said = {a.verdict for a in found}
        pairs = itertools.combinations([a.labels for a in found], 2)
        least = min(adjusted_rand_score(*pair) for pair in pairs)
        findings = len({a.findings for a in found})
        rows.append([case, dose, ", ".join(sorted(said)), findings, float(least)])
        same.append(len(said - {UNDECIDED}) <= 1)
    keep(
        "repeats",
        "Seeds and budgets on harder crystals",
        ["case", "dose", "verdicts", "different lists of findings", "least ARI between two maps"],
        rows,
        f"{len(SEARCHES)} searches per image: seeds 0 to 4 at 64 trials, 20 and 200 trials at seed"
        f" 0. One verdict, or undecided, on {sum(same)} of {len(same)} images; the bar is 95 %.",
    )
