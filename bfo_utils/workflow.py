"""The whole analysis of one image under one configuration, with the work that configurations share done once."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from . import columns, lattice, models
from .clustering import by_value, cluster, predict
from .descriptors import (
    SITES,
    Patches,
    crop,
    cut,
    normalise,
    physics,
    project_parts,
    samples,
    whole_window,
    window_bytes,
)
from .errors import InputError
from .evidence import Evidence, analysed_mask, measure
from .images import Image, repaired
from .lattice import Lattice
from .memo import Memo
from .rewards import TOTAL, Partition, score
from .space import SPACE, Value, by_name, complete, defaults
from .vae import VAE

_MOST = int(by_name("n_components").high or 1)
_WINDOWS, _SCORES = 3 * 2**30, 2**29  # bytes of windows and of scores that a crystal keeps
_AUTOENCODER = [p.name for p in SPACE if p.stage == "autoencoder"]
_DESCRIBES = [p.name for p in SPACE if p.stage == "descriptors" and p.name != "n_components"] + _AUTOENCODER


@dataclass(frozen=True)
class Crystal:
    """What all configurations share: the image, its indexed columns, the analysed cells and the evidence.

    ``detection_scale`` and ``refinement_radius`` are those that the columns were found with. Autoencoders that are trained
    for it are kept in the folder ``networks``; where that is empty, only the latest stay in memory.
    """

    image: Image
    lattice: Lattice
    mask: np.ndarray
    evidence: Evidence
    detection_scale: float = 1.0
    refinement_radius: float = 0.45
    networks: str = ""

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites that windows can be centred on; "B" only where the second sublattice is seen."""
        return SITES if self.lattice.cells.has_b else tuple(s for s in SITES if s != "B")

    @cached_property
    def _windows(self) -> Memo:
        return Memo(len(SITES), _WINDOWS)

    @cached_property
    def _scores(self) -> Memo:
        return Memo(64, _SCORES)

    @cached_property
    def _networks(self) -> Memo:
        return Memo(4)

    @cached_property
    def _others(self) -> Memo:
        return Memo(4, _WINDOWS)

    @property
    def fingerprint(self) -> str:
        """Hash of what rewards depend on besides the configuration, that is pixels, column settings, kind of evidence."""
        digest = hashlib.sha256(np.ascontiguousarray(self.image.data).data)
        digest.update(np.ascontiguousarray(self.image.valid).data)
        digest.update(f"{self.detection_scale} {self.refinement_radius} {self.evidence.kind}".encode())
        return digest.hexdigest()

    def patches(self, site: str) -> Patches:
        """Windows of all analysed cells on a site; cut once, shared by all configurations (3 GiB of them at most)."""
        weight = window_bytes(int(self.mask.sum()))
        return self._windows.once(site, lambda: cut(self.image, self.lattice.cells, self.mask, site), weight)

    def scores(self, parameters: Mapping[str, Value]) -> np.ndarray:
        """Principal components of the descriptors, as many as any configuration may ask for, in order; shared likewise."""
        key = tuple(parameters[name] for name in _DESCRIBES)
        if parameters["descriptor"] == "vae":
            return self._scores.once(key, lambda: self._latents(parameters))
        n = int(self.mask.sum())
        return self._scores.once(
            key, lambda: project_parts(lambda part: vectors(self, parameters, part), n, _MOST), weight=8 * n * _MOST)

    def network(self, parameters: Mapping[str, Value]) -> VAE:
        """The autoencoder of a configuration, trained once."""
        key = tuple(parameters[name] for name in _DESCRIBES)
        return self._networks.once(key, lambda: models.trained(
            windows(self, parameters), models.settings(parameters), parameters["epochs"], self.networks))

    def _latents(self, parameters: Mapping[str, Value]) -> np.ndarray:
        """Independent axes of the latents that carry something; all latents where none does."""
        network, cut_out = self.network(parameters), windows(self, parameters)
        kept = network.informative(cut_out)
        kept = kept if kept.any() else ~kept
        return models.independent(network.encode(cut_out)[:, kept], int(kept[:network.settings.poses].sum()))

    def found_with(self, detection_scale: float, refinement_radius: float) -> "Crystal":
        """The same image with its columns found under other settings; prepared once for each pair."""
        if (detection_scale, refinement_radius) == (self.detection_scale, self.refinement_radius):
            return self
        return self._others.once(
            (detection_scale, refinement_radius), lambda: prepare(self.image, detection_scale, refinement_radius),
            weight=len(SITES) * window_bytes(int(self.mask.sum())))


@dataclass(frozen=True)
class Outcome:
    """One evaluated configuration: label map on the grid of cells (-1 outside), rewards, wall time in s."""

    parameters: Mapping[str, Value]
    labels: np.ndarray
    rewards: Mapping[str, float]
    seconds: float


def prepare(image: Image, detection_scale: float = 1.0, refinement_radius: float = 0.45,
            evidence: str = "auto") -> Crystal:
    """Columns, lattice, analysed cells and evidence of an image, hot pixels repaired.

    Parameters
    ----------
    image : Image
    detection_scale, refinement_radius : float
        See :func:`bfo_utils.columns.find`.
    evidence : str
        See :func:`bfo_utils.evidence.measure`.

    Returns
    -------
    Crystal
    """
    image = repaired(image)
    found = columns.find(image, detection_scale, refinement_radius)
    indexed = lattice.build(image, found, refinement_radius)
    mask = analysed_mask(indexed.cells)
    if mask.sum() < lattice.MIN_CELLS:
        raise InputError(f"{image.name}: only {int(mask.sum())} unit cells lie inside the crystal's edge; "
                         f"at least {lattice.MIN_CELLS} are needed")
    return Crystal(image, indexed, mask, measure(image, indexed.cells, mask, evidence), detection_scale, refinement_radius)


def windows(crystal: Crystal, parameters: Mapping[str, Value], part=slice(None)) -> np.ndarray:
    """Windows of the analysed cells, or a part of them, cropped, binned and normalised, shape (N, H, W)."""
    p = parameters
    cropped = crop(crystal.patches(p["site"]), p["window_height"], p["window_width"], p["binning"], part)
    return normalise(cropped, p["normalisation"]).reshape(cropped.shape)


def vectors(crystal: Crystal, parameters: Mapping[str, Value], part=slice(None)) -> np.ndarray:
    """What the analysed cells, or a part of them, are described by before the projection, shape (N, D).

    Windows, cropped, binned and normalised; or measured quantities, without those that the evidence is made of.
    """
    if parameters["descriptor"] == "physics":
        return physics(crystal.lattice.cells, crystal.mask, without=crystal.evidence.kind)[part]
    cut_out = windows(crystal, parameters, part)
    return cut_out.reshape(len(cut_out), -1)


def features(crystal: Crystal, parameters: Mapping[str, Value]) -> np.ndarray:
    """Descriptors of the analysed cells under a configuration, shape (N, n_components)."""
    parameters = complete(parameters)
    return crystal.scores(parameters)[:, : parameters["n_components"]]


def stability(crystal: Crystal, parameters: Mapping[str, Value], seed: int = 0) -> float:
    """Stability under resampling: agreement of the maps that two random halves of the cells lead to.

    A mixture is fitted to each half and labels all cells; the adjusted Rand index of the two maps is returned
    (0 by chance, 1 when the choice of cells does not matter).

    Parameters
    ----------
    crystal : Crystal
    parameters : mapping
        Any of the parameters; the others take their defaults.
    seed : int

    Returns
    -------
    float
    """
    p = complete(parameters)
    crystal = crystal.found_with(p["detection_scale"], p["refinement_radius"])
    values = features(crystal, p)
    if len(values) < 4 * p["n_clusters"]:
        return 0.0
    half = np.random.default_rng(seed).permutation(len(values)) < len(values) // 2
    with threadpool_limits(1):
        maps = [predict(values[part], values, p["n_clusters"], p["method"], p["covariance"], seed + k)
                for k, part in enumerate((half, ~half))]
    return float(max(0.0, adjusted_rand_score(*maps)))


def label_map(crystal: Crystal, values: np.ndarray, parameters: Mapping[str, Value], seed: int = 0) -> np.ndarray:
    """Cluster descriptors and put the labels on the grid of cells.

    Parameters
    ----------
    crystal : Crystal
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
        labels[crystal.mask] = cluster(values, parameters["n_clusters"], parameters["method"], parameters["covariance"], seed)
    return labels


def evaluate(crystal: Crystal, parameters: Mapping[str, Value], seed: int = 0,
             total: Mapping[str, float] = TOTAL) -> Outcome:
    """Run one configuration from descriptors to rewards.

    Linear algebra runs on one thread: at this size a second one costs more than it brings, and configurations are
    spread over the cores instead.

    Parameters
    ----------
    crystal : Crystal
    parameters : mapping
        Any of the parameters of :mod:`bfo_utils.space`; the others take their defaults.
    seed : int
    total : mapping of str to float
        Rewards that make the total, see :func:`bfo_utils.rewards.score`.

    Returns
    -------
    Outcome
    """
    start = time.perf_counter()
    parameters = complete(parameters)
    with threadpool_limits(1):
        labels = _labels(crystal, parameters, seed)
        rewards = score(Partition(labels, crystal.evidence), total)
        if parameters["descriptor"] == "vae":
            rewards["explained"] = max(0.0, crystal.network(parameters).explained)
    return Outcome(parameters, labels, rewards, time.perf_counter() - start)


def _labels(crystal: Crystal, parameters: Mapping[str, Value], seed: int) -> np.ndarray:
    """Label map of a configuration; one label for all where its column settings find no lattice to analyse."""
    try:
        own = crystal.found_with(parameters["detection_scale"], parameters["refinement_radius"])
        labels = np.full(crystal.mask.shape, -1)
        labels[crystal.mask] = transferred(label_map(own, features(own, parameters), parameters, seed)[own.mask], own, crystal)
        return labels
    except InputError:
        if parameters["detection_scale"] == crystal.detection_scale \
                and parameters["refinement_radius"] == crystal.refinement_radius:
            raise
        return np.where(crystal.mask, 0, -1)


def transferred(values: np.ndarray, own: Crystal, reference: Crystal) -> np.ndarray:
    """What is known of the analysed cells of one indexing at those of another of the same image, by the nearest cell.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        One per analysed cell of ``own``.
    own, reference : Crystal

    Returns
    -------
    ndarray, shape (M, ...)
        One per analysed cell of ``reference``.
    """
    if own is reference:
        return values
    return values[cKDTree(own.lattice.cells.xy[own.mask]).query(reference.lattice.cells.xy[reference.mask])[1]]


def effective(crystal: Crystal, parameters: Mapping[str, Value]) -> dict[str, Value]:
    """Parameters with everything that makes no difference made equal, so that equal work is recognised.

    Windows are rounded to whole samples, column settings to a step of 0.05; there are no more components than samples
    in a binned window; a covariance means nothing to k-means, and a window nothing to measured quantities.

    Parameters
    ----------
    crystal : Crystal
    parameters : mapping
        Any of the parameters; the others take the values the crystal was prepared with, or their defaults.

    Returns
    -------
    dict
        Complete parameters.
    """
    made = {"detection_scale": crystal.detection_scale, "refinement_radius": crystal.refinement_radius}
    p = complete(made | dict(parameters))
    for name in made:
        p[name] = p[name] if p[name] == made[name] else round(round(p[name] / 0.05) * 0.05, 2)
    p["window_height"], p["window_width"] = (whole_window(p[n]) for n in ("window_height", "window_width"))
    if p["method"] == "kmeans":
        p["covariance"] = "full"
    if p["descriptor"] != "vae":
        p |= {name: defaults()[name] for name in _AUTOENCODER}
    if p["descriptor"] == "physics":
        p |= {name: defaults()[name] for name in _DESCRIBES if name != "descriptor"}
    elif p["descriptor"] == "windows":
        rows, cols = (samples(p[n]) // p["binning"] for n in ("window_height", "window_width"))
        p["n_components"] = min(p["n_components"], rows * cols)
    return p


def named_labels(crystal: Crystal, labels: np.ndarray) -> np.ndarray:
    """Labels renumbered by what they mean, so that a variant keeps its number, and its colour, in every map.

    Where the polar displacement is seen, a cluster is numbered by the direction of its mean: 0 to 3 along the
    diagonals of the cell (right-down, left-down, left-up, right-up), 4 to 7 along its axes. Clusters without a
    direction of their own (unpolarized, or in a sector that a larger cluster holds) take the next free numbers.
    Elsewhere clusters are numbered by their mean a/b.

    Parameters
    ----------
    crystal : Crystal
    labels : ndarray of int, shape (R, C)

    Returns
    -------
    ndarray of int, shape (R, C)
    """
    cells = crystal.lattice.cells
    if not cells.has_b:
        return by_value(labels, cells.a / cells.b)
    names = np.unique(labels[labels >= 0])
    sizes = np.array([(labels == name).sum() for name in names])
    mean = np.stack([np.nanmean(cells.polar[labels == name], axis=0) for name in names])
    number = dict(zip(names.tolist(), _sector_numbers(mean, sizes, cells.basis.vectors[0])))
    return np.vectorize(lambda label: number.get(label, label), otypes=[int])(labels)


def _sector_numbers(polar: np.ndarray, sizes: np.ndarray, a: np.ndarray) -> list[int]:
    """Numbers of clusters by the 45-degree sector of their mean displacement against the lattice vector a."""
    length = np.hypot(*polar.T)
    angle = np.arctan2(polar[:, 1], polar[:, 0]) - np.arctan2(a[1], a[0])
    sector = np.rint(np.rad2deg(angle) / 45).astype(int) % 8
    wanted = np.where(length < 0.3 * length.max(), 4, np.where(sector % 2 == 1, sector // 2, 4 + sector // 2))
    numbers = np.full(len(polar), -1)
    for k in np.argsort(-sizes, kind="stable"):
        free = [n for n in range(len(polar) + 8) if n not in numbers]
        numbers[k] = wanted[k] if wanted[k] in free else next(n for n in free if n >= 4)
    return numbers.tolist()
