"""Time per megapixel and peak memory over the size of the image, every size in a process of its
own.

``python -m benchmarks large`` measures 1 to 64 megapixels, ``python -m benchmarks huge`` also 16k x
16k px.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .tables import keep

SIDES = {1024: 7, 2048: 5, 4096: 3, 8192: 3}  # px: number of repeats
HUGE = {16384: 1}
CELL_PX = 25.6
TRIALS = 16


def simulate(path: str, side: int) -> None:
    """Write an image of a flux closure, about as finely sampled as the Sm-BFO series."""
    from bfo_utils.simulation import Specimen, simulate_phantom

    specimen = Specimen(layout="closure", cells=round(side / CELL_PX), cell_px=CELL_PX, dose=40)
    np.save(path, simulate_phantom(specimen, 3).image.data)


def measure(path: str, repeats: int) -> dict:
    """Median wall and processor time of reading and preparing an image and of a short search,
    peaks of memory.
    """
    from bfo_utils.io import read_image
    from bfo_utils.search import SearchPlan, prepare_image, search_configurations

    times, peaks = [], []
    for _ in range(repeats):
        marks = [_clocks()]
        prepared = prepare_image(read_image(path))
        marks, peaks = [*marks, _clocks()], [*peaks, _peak()]
        search_configurations(prepared, SearchPlan(TRIALS))
        marks, peaks = [*marks, _clocks()], [*peaks, _peak()]
        times.append(np.diff(marks, axis=0))
    return {
        "columns": len(prepared.lattice.columns),
        "seconds": np.median(times, axis=0).ravel().tolist(),
        "peaks": [peaks[0], peaks[-1]],
    }


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _peak() -> float:
    """Peak memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _row(folder: str, side: int, repeats: int) -> list:
    """Simulate and measure one size, each in a process of its own."""
    path = str(Path(folder, f"{side}.npy"))
    command = [sys.executable, "-m", "benchmarks.large"]
    subprocess.run([*command, "simulate", path, str(side)], check=True)
    done = subprocess.run(
        [*command, "measure", path, str(repeats)], check=True, capture_output=True, text=True
    )
    Path(path).unlink()
    found = json.loads(done.stdout)
    return [
        side**2 // 2**20,
        found["columns"],
        *(s * 2**20 / side**2 for s in found["seconds"]),
        *found["peaks"],
    ]


def main(sides: dict[int, int] = SIDES, name: str = "large") -> None:
    """The table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [_row(folder, side, repeats) for side, repeats in sides.items()]
    growth = [f"{100 * (rows[-1][k] / rows[0][k] - 1):+.0f} %" for k in (3, 5)]
    keep(
        name,
        "Large images: seconds per megapixel, and memory",
        [
            "megapixels",
            "columns",
            "prepare, wall",
            "prepare, processor",
            "search, wall",
            "search, processor",
            "peak, prepare (GiB)",
            "peak, search (GiB)",
        ],
        rows,
        f"Seed 3, {CELL_PX} px per cell; reading is part of preparing, the search has {TRIALS}"
        f" trials. Medians of {', '.join(map(str, sides.values()))} repeats. Wall time per"
        f" megapixel from the first to the last: prepare {growth[0]}, search {growth[1]}.",
    )


if __name__ == "__main__":
    if sys.argv[1] == "simulate":
        simulate(sys.argv[2], int(sys.argv[3]))
    else:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
