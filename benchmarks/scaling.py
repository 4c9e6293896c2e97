"""Time of one evaluation over the number of cells."""

import numpy as np

from bfo_utils.search import evaluate_configuration, prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom

from .speed import clocked
from .tables import keep

SIDES = (35, 67, 130, 258)
PARAMETERS = {"site": "cell", "n_components": 4, "n_clusters": 4}
WINDOWS = (
    0.67,
    0.83,
    1.0,
    1.17,
    1.33,
    1.5,
    1.67,
)  # another one each time: nothing is shared between evaluations


def main() -> None:
    """Table and exponent of time over cells."""
    rows = []
    for side in SIDES:
        p = simulate_phantom(Specimen(layout="quadrants", cells=side, cell_px=12, dose=60), 950)
        prepared = prepare_image(p.image)
        evaluate_configuration(prepared, PARAMETERS)
        seconds = float(
            np.median(
                [
                    clocked(evaluate_configuration, prepared, PARAMETERS | {"window_width": w})[1]
                    for w in WINDOWS
                ]
            )
        )
        rows.append([int(prepared.mask.sum()), seconds, 1e6 * seconds / prepared.mask.sum()])
    cells, seconds = np.array(rows)[:, :2].T
    exponent = np.polyfit(np.log(cells), np.log(seconds), 1)[0]
    last = np.log(seconds[-1] / seconds[-2]) / np.log(cells[-1] / cells[-2])
    keep(
        "scaling",
        "One evaluation over the number of cells",
        ["cells", "seconds", "microseconds per cell"],
        rows,
        f"Seed 950. Exponent of time over cells: {exponent:.2f} over all, {last:.2f} over the last"
        " step.",
    )
