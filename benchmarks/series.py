"""The chapter on the composition series, whole: 14 pairs of full size are fetched from a local
server, then the notebook runs.

``python -m benchmarks series`` takes some nine minutes and about 10 GiB, the server included; the
files have the names, arrays, gaps and the size of the real ones.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .tables import keep

SIZES = {
    60: 26.0,
    168: 26.0,
}  # unit cells along a side, px per cell; the last ones are those of the real images


def measure(cells: int, cell_px: float, folder: Path) -> list:
    """Seconds for fetching a series, for the notebook on it, and the peak memory of all
    processes in GiB.
    """
    from bfo_utils.compute import resource_path
    from bfo_utils.smbfo import SeriesStyle, fetch_series, write_series
    from tests.local_zenodo import LocalZenodo

    style = SeriesStyle(cells=cells, cell_px=cell_px)
    write_series(folder / "record", style=style)
    size = sum(p.stat().st_size for p in (folder / "record").iterdir()) / 2**30
    with LocalZenodo(folder / "record") as archive:
        start = time.perf_counter()
        pairs = fetch_series((), folder / "series", archive.url, say=print)
        fetched = time.perf_counter() - start
    notebook = resource_path("notebooks") / "10_composition.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(notebook),
        str(folder / "out.ipynb"),
        "-k",
        "python3",
        "--no-progress-bar",
        "-p",
        "artifacts",
        str(folder / "artifacts"),
        "-p",
        "series",
        str(folder / "series"),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return [len(pairs), f"{cells} x {cells}", size, fetched, took - fetched, took, peak]


def main(sizes: dict[int, float] = SIZES) -> None:
    """The table."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    rows = []
    for cells, cell_px in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(cells, cell_px, Path(folder)))
    keep(
        "series",
        "The composition series: fetched and the whole chapter",
        [
            "pairs",
            "cells",
            "size (GiB)",
            "fetch (s)",
            "notebook (s)",
            "both (s)",
            "peak memory (GiB)",
        ],
        rows,
        "Simulated files with the names, arrays and gaps of the record, from a server on the same"
        " computer; the notebook with its default parameters (32 configurations for each of six"
        " searches, two threads).",
    )
