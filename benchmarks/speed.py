"""Wall time of the chain, beside the chain that the authors of the method published, in one run."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from skimage.feature import blob_log
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from bfo_utils.columns import find_columns
from bfo_utils.compute import n_cores
from bfo_utils.lattice import build_lattice
from bfo_utils.search import evaluate_configuration, prepare_image
from bfo_utils.simulation import Specimen, save_phantom, simulate_phantom

from .tables import keep


def clocked(function, *args, **kwargs):
    """Result and wall time in seconds."""
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - start


def authors_chain(image: np.ndarray) -> tuple[int, float, float]:
    """Blobs, 40 x 40 px patches on them, two full-covariance mixtures on two components: count
    and seconds.
    """
    scaled = (image - image.min()) / np.ptp(image)
    blobs, finding = clocked(
        blob_log, scaled, min_sigma=1, max_sigma=5, num_sigma=30, threshold=0.025, overlap=0.0
    )
    start = time.perf_counter()
    at = blobs[:, :2].astype(int)
    at = at[np.all((at >= 20) & (at < np.array(image.shape) - 20), axis=1)]
    step = np.arange(-20, 20)
    patches = scaled[at[:, 0, None, None] + step[:, None], at[:, 1, None, None] + step].reshape(
        len(at), -1
    )
    for seed in (0, 1):
        GaussianMixture(5, covariance_type="full", random_state=seed).fit_predict(patches)
    PCA(2).fit_transform(patches)
    return len(blobs), finding, time.perf_counter() - start


def large_image() -> None:
    """Columns and lattice of an image as large as those of the Sm-BFO series."""
    p = simulate_phantom(Specimen(cells=155, cell_px=28.55, dose=60), 201)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found, finding = clocked(find_columns, p.image)
    indexed, indexing = clocked(build_lattice, p.image, found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    keep(
        "large_image",
        "Columns and lattice of a large image",
        ["image", "columns", "find + fit (s)", "index (s)", "sum (s)", "peak memory (GiB)"],
        [
            [
                "x".join(map(str, p.image.shape)),
                len(indexed.columns),
                finding,
                indexing,
                finding + indexing,
                peak / 2**20,
            ]
        ],
        f"Seed 201. Peak of the whole process, simulation included ({before / 2**20:.2f} GiB"
        " before).",
    )


def configuration() -> None:
    """One configuration on about 5,600 cells, and the same question asked of the authors' chain."""
    p = simulate_phantom(Specimen(cells=78, cell_px=26, dose=60), 202)
    prepared, preparing = clocked(prepare_image, p.image)
    evaluate_configuration(prepared, {"site": "cell"})
    times = [
        clocked(
            evaluate_configuration,
            prepared,
            {  # another window each time: nothing is shared between them
                "site": "cell",
                "window_width": size,
                "n_components": 4,
                "n_clusters": k,
            },
        )[1]
        for size, k in zip((0.5, 1.0, 1.33, 1.67, 2.0, 2.5), (2, 3, 4, 5, 6, 8))
    ]
    blobs, finding, clustering = authors_chain(p.image.data)
    ours, theirs = float(np.median(times)), finding + clustering
    keep(
        "configuration",
        "One whole configuration: descriptors to rewards",
        ["chain", "cells or blobs", "shared (s)", "per configuration (s)", "ratio"],
        [
            ["bfo_utils", int(prepared.mask.sum()), preparing, ours, 1.0],
            ["as published (blob_log, patches, 2 GMM)", blobs, 0.0, theirs, theirs / ours],
        ],
        f"Seed 202; median over 6 windows and numbers of clusters, slowest {max(times):.3f} s."
        f" blob_log alone {finding:.1f} s.",
    )


def whole_analysis() -> None:
    """``bfo analyze`` from its start to its end, pictures included."""
    with tempfile.TemporaryDirectory() as folder:
        phantom, out = Path(folder, "phantom.h5"), Path(folder, "out")
        specimen = Specimen(cells=60, cell_px=26, dose=30)
        save_phantom(simulate_phantom(specimen, 1), phantom)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "bfo_utils", "analyze", phantom, "--out", out]
        _, wall = clocked(subprocess.run, command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        stages = json.loads((out / "result.json").read_text())
    user, system = (getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime"))
    keep(
        "whole_analysis",
        "One analysis from the command line, 64 configurations, pictures included",
        ["cells", "wall (s)", "processor, user (s)", "system (s)", "cores", "load before"],
        [[stages["n_cells"], wall, user, system, n_cores(), os.getloadavg()[0]]],
        "Seed 1. Wall time means something only where the load is near 0.",
    )


def main() -> None:
    """All tables; the large image first, so that its memory is its own."""
    large_image()
    configuration()
    whole_analysis()
