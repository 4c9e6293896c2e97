"""Concept figures: a unit cell and its shift, a domain wall, the steps from image to map, and the
effect of each option of the analysis.

All are drawn from simulated crystals with the code described in the book.
"""

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from sklearn.metrics import adjusted_rand_score

from ..columns import Columns, find_columns
from ..descriptors import find_oxygen
from ..io import GivenCell, average_frames, average_pair, image_from_array
from ..lattice import Cells, build_lattice
from ..rewards import Segmentation, score_map
from ..search import (
    PreparedImage,
    SearchPlan,
    SharedWork,
    best_trial,
    cell_descriptors,
    cell_windows,
    complete_parameters,
    cross_fitted_outcome,
    evaluate_configuration,
    name_labels,
    prepare_image,
    search_configurations,
)
from ..segmentation import trace_walls
from ..simulation import (
    Specimen,
    film_specimen,
    simulate_frames,
    simulate_pair,
    simulate_phantom,
    simulate_second,
    stopped_maps,
    true_label_map,
)
from .backdrop import backdrop
from .fields import draw_arrows, draw_field, plot_maps
from .maps import plot_before_after
from .placement import quadrilaterals, wall_lines
from .style import (
    ACCENT,
    GRAY,
    INK,
    MUTED,
    SUBLATTICES,
    Figure,
    direction_colors,
    label_legend,
    make_panels,
    styled,
)

_CELL_PM = 396.0  # edge of a unit cell of BiFeO3, pseudocubic
_SHIFT_PM = 36.0  # of the iron column of the phantom
_SIZES = {"Bi": 1500, "Fe": 620, "O": 160}  # of the disks, in points squared
_WALL = Specimen("halves", cells=10, cell_px=26, dose=400, wall_cells=0.8)
_CHAIN = Specimen("junction", cells=24, cell_px=16, dose=80)
_TURNED, _DISPLACED = Normalize(-1.5, 1.5), Normalize(-50, 50)  # degrees, pm
_HEXAGON = np.deg2rad([30, 90, 150])  # directions of the planes of a hexagonal lattice
_CHOICE = {"site": "cell", "n_components": 4, "n_clusters": 3}


@styled
def plot_unit_cell() -> Figure:
    """A unit cell of BiFeO3 seen along the beam, to scale: without and with the shift of iron, and
    in an image.

    Returns
    -------
    Figure

    Examples
    --------
    >>> len(plot_unit_cell().axes)
    3
    """
    figure = Figure(figsize=(8, 3.1), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, shift, title in zip(
        panels, (0.0, _SHIFT_PM / np.sqrt(2)), ("non-polar", "polar: iron shifted by 36 pm")
    ):
        _cell(axes, shift)
        axes.set_title(title)
    image = simulate_phantom(
        Specimen("single", cells=8, cell_px=40, dose=2000, jitter_px=0, drift_px=0)
    ).image
    axes = panels[2]
    axes.imshow(image.data, cmap=GRAY)
    axes.set(xlim=(106, 174), ylim=(174, 106), xticks=[], yticks=[])
    axes.set_title("in an image (simulated)")
    return figure


def _cell(axes: Axes, shift: float) -> None:
    """Bi, Fe and O columns of one cell, in pm, y down."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * _CELL_PM
    edges = np.array([[0.5, 0], [0, 0.5], [1, 0.5], [0.5, 1]]) * _CELL_PM
    center = np.full(2, _CELL_PM / 2)
    axes.add_patch(Rectangle((0, 0), _CELL_PM, _CELL_PM, fill=False, color=MUTED, lw=1))
    axes.scatter(*edges.T, _SIZES["O"], color="white", edgecolors=MUTED)
    axes.scatter(*corners.T, _SIZES["Bi"], color=SUBLATTICES["A"])
    axes.scatter(*(center + shift), _SIZES["Fe"], color=SUBLATTICES["B"])
    axes.plot(*center, "+", color=INK, ms=9)
    if shift:
        axes.annotate(
            "",
            center + 3.2 * shift,
            center,
            arrowprops={"arrowstyle": "-|>", "color": ACCENT, "lw": 2},
        )
    for text, at in (("Bi", corners[0]), ("Fe", center + shift - [0, 62]), ("O", edges[0])):
        axes.annotate(text, at, ha="center", va="center")
    axes.set(xlim=(-80, 476), ylim=(476, -80), aspect="equal")
    axes.axis("off")


@styled
def plot_domain_wall() -> Figure:
    """A domain wall: the image alone, and with the shift of every iron column and the wall.

    Returns
    -------
    Figure

    Examples
    --------
    >>> len(plot_domain_wall().axes)
    2
    """
    prepared = prepare_image(simulate_phantom(_WALL, 1).image, scan_axis="none")
    cells = prepared.lattice.cells
    labels = _map(prepared, {"site": "cell", "n_clusters": 2, "n_components": 2})
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    plain, explained = figure.subplots(1, 2)
    for axes in (plain, explained):
        _show(axes, prepared)
    draw_arrows(explained, cells, prepared.polar_sign, most=cells.n)
    for line in wall_lines(cells, trace_walls(labels)):
        explained.plot(*np.asarray(line).T, color="white", lw=2)
    plain.set_title("simulated image")
    explained.set_title("arrows: shift of iron, enlarged; line: the wall")
    return figure


@styled
def plot_chain() -> Figure:
    """The steps from an image to a map, for one small crystal: image, columns, cells and their
    polarization, window of a cell, descriptors, map with its walls.

    Returns
    -------
    Figure

    Examples
    --------
    >>> [axes.get_title().split()[0] for axes in plot_chain().axes]
    ['1', '2', '3', '4', '5', '6']
    """
    prepared = prepare_image(simulate_phantom(_CHAIN, 2).image, scan_axis="none")
    cells, labels = prepared.lattice.cells, _map(prepared, _CHOICE)
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    image, columns, field, window, scatter, result = figure.subplots(2, 3).flat
    for axes in (image, columns, field, result):
        _show(axes, prepared)
    _mark(columns, prepared.lattice.columns, prepared.lattice.sublattice)
    draw_arrows(field, cells, prepared.polar_sign, most=cells.n)
    parameters = complete_parameters(_CHOICE)
    window.imshow(cell_windows(prepared, parameters, slice(0, 1))[0], cmap=GRAY)
    window.set(xticks=[], yticks=[])
    colors, inside = direction_colors(cells, labels, prepared.polar_sign), labels[prepared.mask]
    values = cell_descriptors(prepared, parameters)
    scatter.scatter(*values[:, :2].T, 6, color=[colors.get(k, MUTED) for k in inside])
    scatter.set(xticks=[], yticks=[], xlabel="first number", ylabel="second number")
    for label in np.unique(inside):
        for corners in quadrilaterals(cells)[labels == label]:
            result.fill(*corners.T, color=colors.get(label, MUTED), alpha=0.6, lw=0)
    for line in wall_lines(cells, trace_walls(labels)):
        result.plot(*np.asarray(line).T, color="white", lw=1.5)
    titles = ("image", "columns", "cells, measured", "window of a cell", "descriptors", "map")
    for k, (axes, title) in enumerate(zip(figure.axes, titles), 1):
        axes.set_title(f"{k} {title}")
    return figure


@styled
def plot_vote() -> Figure:
    """One crystal divided into four, five and six clusters: which of the maps is right?

    Returns
    -------
    Figure

    Examples
    --------
    >>> [axes.get_title() for axes in plot_vote().axes]
    ['4 clusters', '5 clusters', '6 clusters']
    """
    prepared = prepare_image(simulate_phantom(_CHAIN, 2).image, scan_axis="none")
    numbers = (4, 5, 6)
    maps = [_map(prepared, {"n_clusters": n}) for n in numbers]
    return plot_maps(maps, [f"{n} clusters" for n in numbers])


@styled
def _rewards() -> Figure:
    """A map with high rewards, and for each reward a map for which it is low."""
    film = replace(_CHAIN, cells=60)
    prepared = prepare_image(simulate_phantom(film, 2).image, scan_axis="none")
    good = Segmentation(_map(prepared, _CHOICE), prepared.reference).clean
    maps = {"total": good} | stopped_maps(good)
    captions = []
    for name, labels in maps.items():
        scores = score_map(Segmentation(labels, prepared.reference))
        captions.append(f"{name} {scores[name]:.2f}\ntotal {scores['total']:.2f}")
    captions[0] = "good map\n" + captions[0].splitlines()[1]
    return plot_maps(list(maps.values()), captions)


@styled
def plot_published_and_tuned(specimen: Specimen | None = None, budget: int = 64) -> Figure:
    """One crystal with the published choices (windows of 40 px on all columns, two components, five
    clusters), and with those of a search over windows; above each the agreement with the truth.

    Parameters
    ----------
    specimen : Specimen, optional
        By default the crystal of the book, which takes a minute.
    budget : int
        Trials of the search.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_published_and_tuned(Specimen("halves", cells=16, cell_px=16), 4)
    >>> [axes.get_title().split(":")[0] for axes in figure.axes]
    ['published choices', 'after the search']
    """
    phantom = simulate_phantom(specimen or film_specimen())
    work = SharedWork(prepare_image(phantom.image))
    image, cells = work.prepared.image, work.prepared.lattice.cells
    truth = true_label_map(phantom.truth, cells, work.prepared.mask)
    trials = search_configurations(work.prepared, SearchPlan(budget), work=work)
    windows = [trial for trial in trials if trial.parameters["descriptor"] == "windows"]
    maps, captions = [], []
    for name, parameters in (
        ("published choices", {"site": "columns"}),
        ("after the search", best_trial(windows).parameters),
    ):
        labels = cross_fitted_outcome(work, parameters).labels
        known = (truth >= 0) & (labels >= 0)
        maps.append(name_labels(work.prepared, labels))
        captions.append(f"{name}: ARI {adjusted_rand_score(truth[known], labels[known]):.2f}")
    return plot_before_after(image, cells, maps[0], maps[1], (captions[0], captions[1]))


@styled
def _frames() -> Figure:
    """A stack: one frame, the plain mean of 16, the mean of the aligned ones."""
    film = Specimen(cells=24, cell_px=16, dose=4, jitter_px=0.4, drift_px=0.3)
    frames = simulate_frames(film, 16, drift_px=2, seed=1).frames
    aligned = average_frames(frames).mean
    shown = {
        "one frame": frames[0],
        "mean of 16, not aligned": frames.mean(axis=0),
        "mean of 16, aligned": aligned,
    }
    figure, panels = make_panels(3, 1.0, 1.8)
    for axes, (title, data) in zip(panels, shown.items()):
        axes.imshow(data[110:240, 110:240], cmap=GRAY)
        axes.set(xticks=[], yticks=[], title=title)
    return figure


@styled
def _scan_pair() -> Figure:
    """The rotation of the lattice in one scan that drifts, in a pair, and in a still scan."""
    film = Specimen(cells=30, cell_px=16, dose=60, drift_px=5, jitter_px=0.1)
    one, two = simulate_pair(film, 2)
    size = film.pm_per_px / 1000
    still = simulate_phantom(replace(film, drift_px=0, jitter_px=0), 2).image
    images = {
        "one scan, drift of 5 px": image_from_array(one, pixel_size_nm=size),
        "two scans at 90 degrees": image_from_array(
            average_pair(one, two).mean, pixel_size_nm=size
        ),
        "without drift": still,
    }
    figure, panels = make_panels(3, 1.0, 1.8, beside=0.5)
    for axes, (title, image) in zip(panels, images.items()):
        prepared = prepare_image(image, scan_axis="none")
        turned = prepared.strain.rotation
        draw_field(
            axes, image, prepared.lattice.cells, turned, title, "rotation (degrees)", 0, _TURNED
        )
    return figure


@styled
def _region() -> Figure:
    """A film on a substrate: the substrate that is proposed, and the film analyzed alone."""
    image = simulate_phantom(Specimen(cells=32, cell_px=16, substrate=0.3), 3).image
    whole = prepare_image(image)
    proposed = next(m for m in whole.proposed_masks if m.kind == "substrate")
    film = replace(image, region=~proposed.pixels)
    figure, panels = make_panels(3, 1.0, 1.8)
    for axes, prepared in zip(panels, (whole, whole, prepare_image(film))):
        backdrop(axes, prepared.image)
    panels[1].imshow(np.where(proposed.pixels, 1.0, np.nan), cmap="autumn", alpha=0.4)
    cells, mask = prepared.lattice.cells, prepared.mask
    _outline(panels[2], cells, mask)
    titles = ("the image", "proposed substrate", f"with --exclude: {mask.sum()} cells")
    for axes, title in zip(panels, titles):
        axes.set_title(title)
    return figure


@styled
def _given_columns() -> Figure:
    """Columns as they are found under dirt, and after a correction by hand."""
    image = simulate_phantom(Specimen(cells=20, cell_px=18, dose=80), 5).image
    y, x = np.indices(image.shape)
    dirt = np.random.default_rng(1).uniform([120, 150], [210, 240], (40, 2))
    spots = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / 12) for a, b in dirt)
    image = replace(image, data=image.data + np.float32(0.6 * np.ptp(image.data)) * spots)
    found = build_lattice(image, find_columns(image))
    seen = found.columns
    dirty = np.all((seen.xy > [112, 142]) & (seen.xy < [218, 248]), axis=1)
    corrected = seen.take(~dirty)
    figure, panels = make_panels(2, 1.0, 1.8, footer=0.3)
    for axes, columns, letters, title in (
        (panels[0], seen, found.sublattice, "bfo columns: contamination found as columns"),
        (panels[1], corrected, found.sublattice[~dirty], "after deleting rows of the table"),
    ):
        backdrop(axes, image, part=(70, 100, 190, 190))
        for name, color in SUBLATTICES.items():
            own = columns.ok & (letters == name)
            axes.plot(*columns.xy[own].T, "o", ms=7, mfc="none", mec=color, label=name)
        axes.plot(*columns.xy[~columns.ok].T, "x", ms=6, color=ACCENT, label="doubtful fit")
        axes.set_title(title)
    label_legend(figure, panels[0].get_legend_handles_labels()[0])
    return figure


@styled
def _second_channel() -> Figure:
    """HAADF, a dark-column image of the same scan with its oxygen, rotation of the octahedra."""
    phantom = simulate_phantom(Specimen("halves", cells=14, cell_px=24, dose=80), 2)
    image, dark = phantom.image, simulate_second(phantom, tilt_deg=6, dose=60, seed=2)
    lattice = build_lattice(image, find_columns(image))
    oxygen = find_oxygen(replace(image, second=dark), lattice)
    figure, panels = make_panels(3, 1.0, 1.8, beside=0.3)
    backdrop(panels[0], image)
    backdrop(panels[1], replace(image, data=dark))
    panels[1].scatter(*oxygen.columns.xy.T, 8, color=ACCENT, lw=0)
    title = "rotation of octahedra"
    draw_field(panels[2], image, lattice.cells, oxygen.tilt_deg, title, "degrees", 0)
    panels[0].set_title("HAADF")
    panels[1].set_title("--second: ABF, oxygen marked")
    return figure


@styled
def _contrast() -> Figure:
    """Columns of an image in which they are dark."""
    phantom = simulate_phantom(Specimen("halves", cells=14, cell_px=24, dose=80), 2)
    image = image_from_array(simulate_second(phantom, dose=60, seed=2))
    prepared = prepare_image(image)
    figure, panels = make_panels(2, 1.0, 1.8, footer=0.3)
    for axes, shown in zip(panels, (image, prepared.image)):
        backdrop(axes, shown, part=(60, 60, 200, 200))
    columns, letters = prepared.lattice.columns, prepared.lattice.sublattice
    _mark(panels[1], columns, letters)
    panels[0].set_title("as recorded: columns are dark")
    panels[1].set_title("inverted, with A and B")
    return figure


@styled
def _mistilt() -> Figure:
    """The polar displacement with a mistilt, with --tilt smooth, and without a mistilt."""
    film = Specimen("halves", cells=32, cell_px=14, dose=60, mistilt_pm=14)
    tilted, level = (simulate_phantom(replace(film, mistilt_pm=pm), 5).image for pm in (14, 0))
    shown = {
        "mistilt of 14 pm": prepare_image(tilted),
        "--tilt smooth": prepare_image(tilted, tilt="smooth"),
        "without mistilt": prepare_image(level),
    }
    figure, panels = make_panels(3, 1.0, 1.8, beside=0.5)
    for axes, (title, prepared) in zip(panels, shown.items()):
        along = prepared.lattice.cells.polar[..., 0] * film.pm_per_px
        unit = "displacement along x (pm)"
        draw_field(axes, prepared.image, prepared.lattice.cells, along, title, unit, 0, _DISPLACED)
    return figure


@styled
def _given_cell() -> Figure:
    """A hexagonal crystal with a strained part: the cell that was stated, and its strain."""
    y, x = np.mgrid[:300, :300].astype(float)
    x = x - 0.03 * np.maximum(x - 150, 0)
    waves = sum(np.cos(2 * np.pi / 13.9 * (np.cos(t) * x + np.sin(t) * y)) for t in _HEXAGON)
    counts = np.random.default_rng(0).poisson(60 * (0.2 + np.exp(1.5 * (waves - 3))))
    cell = GivenCell(np.array([[16.0, 0.0], [8.0, 13.9]]), has_b=False, in_nm=False)
    prepared = prepare_image(replace(image_from_array(counts), cell=cell), scan_axis="none")
    image, cells = prepared.image, prepared.lattice.cells
    figure, panels = make_panels(2, 1.0, 1.8, beside=0.5)
    backdrop(panels[0], image)
    _outline(panels[0], cells, cells.valid)
    panels[0].set_title("--cell: vectors and one site")
    exx = 100 * prepared.strain.exx
    draw_field(panels[1], image, cells, exx, "strain along x", "exx (%)", 0)
    return figure


def _outline(axes: Axes, cells: Cells, shown: np.ndarray) -> None:
    """The outlines of cells."""
    look = {"facecolors": "none", "edgecolors": ACCENT, "linewidths": 0.5}
    axes.add_collection(PolyCollection(quadrilaterals(cells)[shown], **look), autolim=False)


def _map(prepared: PreparedImage, parameters: dict) -> np.ndarray:
    """Labels of a configuration, numbered by direction."""
    return name_labels(prepared, evaluate_configuration(prepared, parameters).labels)


def _show(axes: Axes, prepared: PreparedImage) -> None:
    """The image, without axes."""
    axes.imshow(prepared.image.data, cmap=GRAY)
    height, width = prepared.image.data.shape
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))


def _mark(axes: Axes, columns: Columns, sublattice: np.ndarray) -> None:
    """Both kinds of columns."""
    for name, color in SUBLATTICES.items():
        axes.scatter(*columns.xy[sublattice == name].T, 3, color=color, label=name)
    axes.legend(loc="lower right", markerscale=3, frameon=True, facecolor="white")


#: The pictures of the book by the names of their files, see ``make pictures``.
CONCEPTS = {
    "unit_cell": plot_unit_cell,
    "domain_wall": plot_domain_wall,
    "chain": plot_chain,
    "frames": _frames,
    "scan_pair": _scan_pair,
    "region": _region,
    "given_columns": _given_columns,
    "second_channel": _second_channel,
    "contrast": _contrast,
    "mistilt": _mistilt,
    "given_cell": _given_cell,
    "vote": plot_vote,
    "rewards": _rewards,
    "before_after": plot_published_and_tuned,
}
