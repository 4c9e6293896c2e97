"""Throughput of a batch of small phantoms on one and on two worker processes."""

import filecmp
import tempfile
from pathlib import Path

from bfo_utils.compute import connect_pool
from bfo_utils.report import SUMMARY_FILE, BatchSettings, run_batch
from bfo_utils.search import SearchPlan
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

from .speed import clocked
from .tables import keep

LAYOUTS = ("halves", "junction", "quadrants", "closure", "single")
IMAGES, BUDGET = 40, 64


def analyzed(workers: int, images: Path, out: Path) -> None:
    """A batch from the start of its processes to its last row."""
    with connect_pool(workers) as pool:
        run_batch([str(images)], out, pool, BatchSettings(SearchPlan(BUDGET)))


def main() -> None:
    """Images per minute on one and on two processes, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        for k in range(IMAGES):
            specimen = Specimen(layout=LAYOUTS[k % len(LAYOUTS)], cells=40, cell_px=16)
            save_phantom(simulate_phantom(specimen, 970 + k), images / f"p{k:02}.h5")
        outs = {workers: Path(folder, f"out{workers}") for workers in (1, 2)}
        seconds = {
            workers: clocked(analyzed, workers, images, out)[1] for workers, out in outs.items()
        }
        tables = [Path(t.parent.name, t.name) for t in outs[1].glob("*/c*.csv")] + [
            Path(SUMMARY_FILE)
        ]
        same, different, missing = filecmp.cmpfiles(outs[1], outs[2], tables, shallow=False)
    keep(
        "batch",
        f"{IMAGES} phantoms of 40 x 40 cells, {BUDGET} configurations each",
        ["worker processes", "seconds", "images per minute", "ratio"],
        [[w, s, 60 * IMAGES / s, seconds[1] / s] for w, s in seconds.items()],
        f"Seeds 970 to {969 + IMAGES}. Of summary.csv, columns.csv and cells.csv, {len(same)} files"
        f" are the same on one process and on two, {len(different) + len(missing)} are not. The"
        " start of the processes is counted.",
    )
