"""The PbTiO3 junction against the cell centers that its authors published."""

from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from sklearn.mixture import GaussianMixture

from bfo_utils.io import read_image
from bfo_utils.results import Analysis, analyze
from bfo_utils.search import SearchPlan

from .tables import keep

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def published_grid(cells) -> np.ndarray:
    """Published centers on our grid of cells, (R, C, 2) in px, NaN where none lies within 8 px."""
    centers = (np.load(DATA / "pto_junction_cell_centres_xy.npy") + 0.5) * 1737 / 2048 - 0.5
    distance, nearest = cKDTree(cells.xy[cells.valid]).query(centers)
    grid = np.full(cells.xy.shape, np.nan)
    near = distance < 8
    grid[tuple(np.argwhere(cells.valid)[nearest[near]].T)] = centers[near]
    return grid


def lattice_of(centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a/b and rotation (degrees) of every cell from the centers of its four neighbors."""
    a, b = np.full(centers.shape, np.nan), np.full(centers.shape, np.nan)
    a[:, 1:-1] = (centers[:, 2:] - centers[:, :-2]) / 2
    b[1:-1] = (centers[2:] - centers[:-2]) / 2
    rotation = (np.arctan2(a[..., 1], a[..., 0]) + np.arctan2(-b[..., 0], b[..., 1])) / 2
    return np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1), np.rad2deg(rotation)


def local_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the known cells of 3 x 3; NaN where the cell itself is unknown."""
    known = np.isfinite(values)
    total, count = (
        ndimage.uniform_filter(v, 3, mode="constant")
        for v in (np.where(known, values, 0), known * 1.0)
    )
    return np.where(known, total / np.where(known, count, 1), np.nan)


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Pearson correlation over the cells known in both."""
    both = np.isfinite(one) & np.isfinite(two)
    return float(np.corrcoef(one[both], two[both])[0, 1])


def two_domains(ratio: np.ndarray) -> np.ndarray:
    """Label 0 or 1 of every cell by a two-component mixture of a/b, -1 where unknown; 1 has the
    larger a/b.
    """
    known = np.isfinite(ratio)
    mixture = GaussianMixture(2, random_state=0).fit(ratio[known][:, None])
    labels = np.full(ratio.shape, -1)
    labels[known] = np.argsort(np.argsort(mixture.means_.ravel()))[
        mixture.predict(ratio[known][:, None])
    ]
    return labels


def agreement(labels: np.ndarray, published: np.ndarray) -> float:
    """Share of cells whose label stands for the published domain that most of its label's cells
    lie in.
    """
    both = (labels >= 0) & (published >= 0)
    pairs = np.zeros((labels.max() + 1, 2))
    np.add.at(pairs, (labels[both], published[both]), 1)
    return float(pairs.max(axis=1).sum() / both.sum())


def noise_px(centers: np.ndarray) -> float:
    """Position noise of a grid of centers: robust deviation of the second difference along rows."""
    second = centers[:, 2:] - 2 * centers[:, 1:-1] + centers[:, :-2]
    return float(np.nanmedian(np.abs(second)) / 0.6745 / np.sqrt(6))


def compare(result: Analysis) -> dict[str, float]:
    """All figures of the comparison."""
    cells = result.prepared.lattice.cells
    published = published_grid(cells)
    ratio, rotation = lattice_of(published)
    ours = cells.a / cells.b
    domains = two_domains(ratio)
    return {
        "a/b, cell by cell": correlation(ours, ratio),
        "a/b, both averaged over 3 x 3 cells": correlation(local_mean(ours), local_mean(ratio)),
        "rotation, cell by cell": correlation(cells.rotation, rotation),
        "rotation, both averaged over 3 x 3 cells": correlation(
            local_mean(cells.rotation), local_mean(rotation)
        ),
        "domain agreement, a/b of the cells": agreement(two_domains(ours), domains),
        "domain agreement, both averaged over 3 x 3": agreement(
            two_domains(local_mean(ours)), two_domains(local_mean(ratio))
        ),
        "domain agreement, tuned map": agreement(result.labels, domains),
        "domain agreement, tuned map, published averaged": agreement(
            result.labels, two_domains(local_mean(ratio))
        ),
        "noise of the published centers (px)": noise_px(published),
        "noise of our centers (px)": noise_px(cells.xy),
    }


def main() -> None:
    """Table of the comparison."""
    if not DATA.is_dir():
        print("junction: left out, the real images are not beside this checkout")
        return
    image = read_image(DATA / "pto_junction_recovered.tif", pixel_size_nm=0.0192)
    figures = compare(analyze(image, SearchPlan(64, 0)))
    keep(
        "junction",
        "PbTiO3 junction against the published cell centers",
        ["figure", "value"],
        [[k, v] for k, v in figures.items()],
        "Budget 64, seed 0.",
    )
