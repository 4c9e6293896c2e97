"""The whole analysis of one image under one configuration, with the work that configurations
share done once.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from ..columns import find_columns
from ..compute import Cache
from ..descriptors import (
    SITES,
    Patches,
    crop_windows,
    cut_windows,
    measured_vectors,
    normalize_windows,
    project_in_parts,
    round_window,
    window_bytes,
    window_samples,
)
from ..errors import InputError
from ..io import Image, repair_hot_pixels
from ..lattice import MIN_CELLS, Lattice, build_lattice
from ..rewards import (
    DEFAULT_TOTAL,
    ReferenceField,
    Segmentation,
    analysed_mask,
    measure_reference,
    score_map,
)
from ..segmentation import cluster_vectors, number_by_value, predict_labels
from ..vae import VAE, independent_axes, settings_of, trained_vae
from .space import PARAMETERS, Value, complete_parameters, default_parameters, parameter

_MOST = int(parameter("n_components").high or 1)
_WINDOWS, _SCORES = 3 * 2**30, 2**29  # bytes of windows and of scores that a crystal keeps
_AUTOENCODER = [p.name for p in PARAMETERS if p.stage == "autoencoder"]
_DESCRIBES = [
    p.name for p in PARAMETERS if p.stage == "descriptors" and p.name != "n_components"
] + _AUTOENCODER


@dataclass(frozen=True)
class PreparedImage:
    """What all configurations share: the image, its indexed columns, the analysed cells and the
    evidence.

    ``detection_scale`` and ``refinement_radius`` are those that the columns were found with.
    Autoencoders that are trained for it are kept in the folder ``networks``; where that is empty,
    only the latest stay in memory.
    """

    image: Image
    lattice: Lattice
    mask: np.ndarray
    evidence: ReferenceField
    detection_scale: float = 1.0
    refinement_radius: float = 0.45
    networks: str = ""

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites that windows can be centred on; "B" only where the second sublattice is seen."""
        return SITES if self.lattice.cells.has_b else tuple(s for s in SITES if s != "B")

    @cached_property
    def _windows(self) -> Cache:
        return Cache(len(SITES), _WINDOWS)

    @cached_property
    def _scores(self) -> Cache:
        return Cache(64, _SCORES)

    @cached_property
    def _networks(self) -> Cache:
        return Cache(4)

    @cached_property
    def _others(self) -> Cache:
        return Cache(4, _WINDOWS)

    @property
    def fingerprint(self) -> str:
        """Hash of what rewards depend on besides the configuration, that is pixels, column
        settings, kind of evidence.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.image.data).data)
        digest.update(np.ascontiguousarray(self.image.valid).data)
        digest.update(
            f"{self.detection_scale} {self.refinement_radius} {self.evidence.kind}".encode()
        )
        return digest.hexdigest()

    def patches(self, site: str) -> Patches:
        """Windows of all analysed cells on a site; cut once, shared by all configurations (3 GiB
        of them at most).
        """
        weight = window_bytes(int(self.mask.sum()))
        return self._windows.once(
            site, lambda: cut_windows(self.image, self.lattice.cells, self.mask, site), weight
        )

    def scores(self, parameters: Mapping[str, Value]) -> np.ndarray:
        """Principal components of the descriptors, as many as any configuration may ask for, in
        order; shared likewise.
        """
        key = tuple(parameters[name] for name in _DESCRIBES)
        if parameters["descriptor"] == "vae":
            return self._scores.once(key, lambda: self._latents(parameters))
        n = int(self.mask.sum())
        return self._scores.once(
            key,
            lambda: project_in_parts(lambda part: cell_vectors(self, parameters, part), n, _MOST),
            weight=8 * n * _MOST,
        )

    def network(self, parameters: Mapping[str, Value]) -> VAE:
        """The autoencoder of a configuration, trained once."""
        key = tuple(parameters[name] for name in _DESCRIBES)
        return self._networks.once(
            key,
            lambda: trained_vae(
                cell_windows(self, parameters),
                settings_of(parameters),
                parameters["epochs"],
                self.networks,
            ),
        )

    def _latents(self, parameters: Mapping[str, Value]) -> np.ndarray:
        """Independent axes of the latents that carry something; all latents where none does."""
        network, cut_out = self.network(parameters), cell_windows(self, parameters)
        kept = network.informative(cut_out)
        kept = kept if kept.any() else ~kept
        return independent_axes(
            network.encode(cut_out)[:, kept], int(kept[: network.settings.poses].sum())
        )

    def found_with(self, detection_scale: float, refinement_radius: float) -> "PreparedImage":
        """The same image with its columns found under other settings; prepared once for each
        pair.
        """
        if (detection_scale, refinement_radius) == (self.detection_scale, self.refinement_radius):
            return self
        return self._others.once(
            (detection_scale, refinement_radius),
            lambda: prepare_image(self.image, detection_scale, refinement_radius),
            weight=len(SITES) * window_bytes(int(self.mask.sum())),
        )


@dataclass(frozen=True)
class Outcome:
    """One evaluated configuration: label map on the grid of cells (-1 outside), rewards, wall
    time in s.
    """

    parameters: Mapping[str, Value]
    labels: np.ndarray
    rewards: Mapping[str, float]
    seconds: float


def prepare_image(
    image: Image,
    detection_scale: float = 1.0,
    refinement_radius: float = 0.45,
    evidence: str = "auto",
) -> PreparedImage:
    """Columns, lattice, analysed cells and evidence of an image, hot pixels repaired.

    Parameters
    ----------
    image : Image
    detection_scale, refinement_radius : float
        See :func:`bfo_utils.columns.find_columns`.
    evidence : str
        See :func:`bfo_utils.rewards.measure_reference`.

    Returns
    -------
    PreparedImage
    """
    image = repair_hot_pixels(image)
    found = find_columns(image, detection_scale, refinement_radius)
    indexed = build_lattice(image, found, refinement_radius)
    mask = analysed_mask(indexed.cells)
    if mask.sum() < MIN_CELLS:
        raise InputError(
            f"{image.name}: only {int(mask.sum())} unit cells lie inside the crystal's edge; "
            f"at least {MIN_CELLS} are needed"
        )
    return PreparedImage(
        image,
        indexed,
        mask,
        measure_reference(image, indexed.cells, mask, evidence),
        detection_scale,
        refinement_radius,
    )


def cell_windows(
    crystal: PreparedImage, parameters: Mapping[str, Value], part=slice(None)
) -> np.ndarray:
    """Windows of the analysed cells, or a part of them, cropped, binned and normalised, shape
    (N, H, W).
    """
    p = parameters
    cropped = crop_windows(
        crystal.patches(p["site"]), p["window_height"], p["window_width"], p["binning"], part
    )
    return normalize_windows(cropped, p["normalisation"]).reshape(cropped.shape)


def cell_vectors(
    crystal: PreparedImage, parameters: Mapping[str, Value], part=slice(None)
) -> np.ndarray:
    """What the analysed cells, or a part of them, are described by before the projection, shape (N,
    D).

    Windows, cropped, binned and normalised; or measured quantities, without those that the evidence
    is made of.
    """
    if parameters["descriptor"] == "physics":
        return measured_vectors(crystal.lattice.cells, crystal.mask, without=crystal.evidence.kind)[
            part
        ]
    cut_out = cell_windows(crystal, parameters, part)
    return cut_out.reshape(len(cut_out), -1)


def cell_descriptors(crystal: PreparedImage, parameters: Mapping[str, Value]) -> np.ndarray:
    """Descriptors of the analysed cells under a configuration, shape (N, n_components)."""
    parameters = complete_parameters(parameters)
    return crystal.scores(parameters)[:, : parameters["n_components"]]


def resampling_stability(
    crystal: PreparedImage, parameters: Mapping[str, Value], seed: int = 0
) -> float:
    """Stability under resampling: agreement of the maps that two random halves of the cells lead
    to.

    A mixture is fitted to each half and labels all cells; the adjusted Rand index of the two maps
    is returned (0 by chance, 1 when the choice of cells does not matter).

    Parameters
    ----------
    crystal : PreparedImage
    parameters : mapping
        Any of the parameters; the others take their defaults.
    seed : int

    Returns
    -------
    float
    """
    p = complete_parameters(parameters)
    crystal = crystal.found_with(p["detection_scale"], p["refinement_radius"])
    values = cell_descriptors(crystal, p)
    if len(values) < 4 * p["n_clusters"]:
        return 0.0
    half = np.random.default_rng(seed).permutation(len(values)) < len(values) // 2
    with threadpool_limits(1):
        maps = [
            predict_labels(
                values[part], values, p["n_clusters"], p["method"], p["covariance"], seed + k
            )
            for k, part in enumerate((half, ~half))
        ]
    return float(max(0.0, adjusted_rand_score(*maps)))


def cluster_cells(
    crystal: PreparedImage, values: np.ndarray, parameters: Mapping[str, Value], seed: int = 0
) -> np.ndarray:
    """Cluster descriptors and put the labels on the grid of cells.

    Parameters
    ----------
    crystal : PreparedImage
    values : ndarray, shape (N, K)
        Descriptors of the analysed cells, from :func:`features`.
    parameters : mapping
        ``n_clusters``, ``method`` and ``covariance``.
    seed : int

    Returns
    -------
    ndarray of int, shape (R, C)
        Labels by size, -1 outside the analysed mask.
    """
    labels = np.full(crystal.mask.shape, -1)
    with threadpool_limits(1):
        labels[crystal.mask] = cluster_vectors(
            values, parameters["n_clusters"], parameters["method"], parameters["covariance"], seed
        )
    return labels


def evaluate_configuration(
    crystal: PreparedImage,
    parameters: Mapping[str, Value],
    seed: int = 0,
    total: Mapping[str, float] = DEFAULT_TOTAL,
) -> Outcome:
    """Run one configuration from descriptors to rewards.

    Linear algebra runs on one thread: at this size a second one costs more than it brings, and
    configurations are spread over the cores instead.

    Parameters
    ----------
    crystal : PreparedImage
    parameters : mapping
        Any of the parameters of :mod:`bfo_utils.search`; the others take their defaults.
    seed : int
    total : mapping of str to float
        Rewards that make the total, see :func:`bfo_utils.rewards.score_map`.

    Returns
    -------
    Outcome
    """
    start = time.perf_counter()
    parameters = complete_parameters(parameters)
    with threadpool_limits(1):
        labels = _labels(crystal, parameters, seed)
        rewards = score_map(Segmentation(labels, crystal.evidence), total)
        if parameters["descriptor"] == "vae":
            rewards["explained"] = max(0.0, crystal.network(parameters).explained)
    return Outcome(parameters, labels, rewards, time.perf_counter() - start)


def _labels(crystal: PreparedImage, parameters: Mapping[str, Value], seed: int) -> np.ndarray:
    """Label map of a configuration; one label for all where its column settings find no lattice
    to analyse.
    """
    try:
        own = crystal.found_with(parameters["detection_scale"], parameters["refinement_radius"])
        labels = np.full(crystal.mask.shape, -1)
        labels[crystal.mask] = transfer_to_cells(
            cluster_cells(own, cell_descriptors(own, parameters), parameters, seed)[own.mask],
            own,
            crystal,
        )
        return labels
    except InputError:
        if (
            parameters["detection_scale"] == crystal.detection_scale
            and parameters["refinement_radius"] == crystal.refinement_radius
        ):
            raise
        return np.where(crystal.mask, 0, -1)


def transfer_to_cells(
    values: np.ndarray, own: PreparedImage, reference: PreparedImage
) -> np.ndarray:
    """What is known of the analysed cells of one indexing at those of another of the same image, by
    the nearest cell.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        One per analysed cell of ``own``.
    own, reference : PreparedImage

    Returns
    -------
    ndarray, shape (M, ...)
        One per analysed cell of ``reference``.
    """
    if own is reference:
        return values
    return values[
        cKDTree(own.lattice.cells.xy[own.mask]).query(reference.lattice.cells.xy[reference.mask])[1]
    ]


def effective_parameters(
    crystal: PreparedImage, parameters: Mapping[str, Value]
) -> dict[str, Value]:
    """Parameters with everything that makes no difference made equal, so that equal work is
    recognised.

    Windows are rounded to whole samples, column settings to a step of 0.05; there are no more
    components than samples in a binned window; a covariance means nothing to k-means, and a window
    nothing to measured quantities.

    Parameters
    ----------
    crystal : PreparedImage
    parameters : mapping
        Any of the parameters; the others take the values the crystal was prepared with, or their
        defaults.

    Returns
    -------
    dict
        Complete parameters.
    """
    made = {
        "detection_scale": crystal.detection_scale,
        "refinement_radius": crystal.refinement_radius,
    }
    p = complete_parameters(made | dict(parameters))
    for name in made:
        p[name] = p[name] if p[name] == made[name] else round(round(p[name] / 0.05) * 0.05, 2)
    p["window_height"], p["window_width"] = (
        round_window(p[n]) for n in ("window_height", "window_width")
    )
    if p["method"] == "kmeans":
        p["covariance"] = "full"
    if p["descriptor"] != "vae":
        p |= {name: default_parameters()[name] for name in _AUTOENCODER}
    if p["descriptor"] == "physics":
        p |= {name: default_parameters()[name] for name in _DESCRIBES if name != "descriptor"}
    elif p["descriptor"] == "windows":
        rows, cols = (
            window_samples(p[n]) // p["binning"] for n in ("window_height", "window_width")
        )
        p["n_components"] = min(p["n_components"], rows * cols)
    return p


def name_labels(crystal: PreparedImage, labels: np.ndarray) -> np.ndarray:
    """Labels renumbered by what they mean, so that a variant keeps its number, and its colour, in
    every map.

    Where the polar displacement is seen, a cluster is numbered by the direction of its mean: 0 to 3
    along the diagonals of the cell (right-down, left-down, left-up, right-up), 4 to 7 along its
    axes. Clusters without a direction of their own (unpolarized, or in a sector that a larger
    cluster holds) take the next free numbers. Elsewhere clusters are numbered by their mean a/b.

    Parameters
    ----------
    crystal : PreparedImage
    labels : ndarray of int, shape (R, C)

    Returns
    -------
    ndarray of int, shape (R, C)
    """
    cells = crystal.lattice.cells
    if not cells.has_b:
        return number_by_value(labels, cells.a / cells.b)
    names = np.unique(labels[labels >= 0])
    sizes = np.array([(labels == name).sum() for name in names])
    mean = np.stack([np.nanmean(cells.polar[labels == name], axis=0) for name in names])
    number = dict(zip(names.tolist(), _sector_numbers(mean, sizes, cells.basis.vectors[0])))
    return np.vectorize(lambda label: number.get(label, label), otypes=[int])(labels)


def _sector_numbers(polar: np.ndarray, sizes: np.ndarray, a: np.ndarray) -> list[int]:
    """Numbers of clusters by the 45-degree sector of their mean displacement against the lattice
    vector a.
    """
    length = np.hypot(*polar.T)
    angle = np.arctan2(polar[:, 1], polar[:, 0]) - np.arctan2(a[1], a[0])
    sector = np.rint(np.rad2deg(angle) / 45).astype(int) % 8
    wanted = np.where(
        length < 0.3 * length.max(), 4, np.where(sector % 2 == 1, sector // 2, 4 + sector // 2)
    )
    numbers = np.full(len(polar), -1)
    for k in np.argsort(-sizes, kind="stable"):
        free = [n for n in range(len(polar) + 8) if n not in numbers]
        numbers[k] = wanted[k] if wanted[k] in free else next(n for n in free if n >= 4)
    return numbers.tolist()
