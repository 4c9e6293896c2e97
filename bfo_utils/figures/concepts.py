"""Pictures of the ideas: a unit cell and its shift, a domain wall, the chain from image to map.

All are drawn from a simulated crystal by the code that the book is about.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from sklearn.metrics import adjusted_rand_score

from ..columns import Columns
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
from ..simulation import Specimen, film_specimen, simulate_phantom, true_label_map
from .fields import draw_arrows, plot_maps
from .maps import plot_before_after
from .placement import quadrilaterals, wall_lines
from .style import ACCENT, GRAY, INK, MUTED, SUBLATTICES, Figure, direction_colors, styled

_CELL_PM = 396.0  # edge of a unit cell of BiFeO3, pseudocubic
_SHIFT_PM = 36.0  # of the iron column of the phantom
_SIZES = {"Bi": 1500, "Fe": 620, "O": 160}  # of the disks, in points squared
_WALL = Specimen("halves", cells=10, cell_px=26, dose=400, wall_cells=0.8)
_CHAIN = Specimen("junction", cells=24, cell_px=16, dose=80)
_CHOICE = {"site": "cell", "n_components": 4, "n_clusters": 3}


@styled
def plot_unit_cell() -> Figure:
    """A unit cell of BiFeO3 seen along the beam, at its true proportions: without and with the
    shift of iron, and as the microscope shows it.

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
        panels, (0.0, _SHIFT_PM / np.sqrt(2)), ("not polar", "polar: iron is shifted by 36 pm")
    ):
        _cell(axes, shift)
        axes.set_title(title)
    image = simulate_phantom(
        Specimen("single", cells=8, cell_px=40, dose=2000, jitter_px=0, drift_px=0)
    ).image
    axes = panels[2]
    axes.imshow(image.data, cmap=GRAY)
    axes.set(xlim=(106, 174), ylim=(174, 106), xticks=[], yticks=[])
    axes.set_title("the same in an image (simulated)")
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
    plain.set_title("what the microscope shows (simulated)")
    explained.set_title("arrows: shift of iron, enlarged; line: the wall")
    return figure


@styled
def plot_chain() -> Figure:
    """The way from an image to a map, on one small crystal: image, columns, cells and their
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


#: The pictures of the first pages of the book by the names of their files, see ``make pictures``.
CONCEPTS = {
    "unit_cell": plot_unit_cell,
    "domain_wall": plot_domain_wall,
    "chain": plot_chain,
    "vote": plot_vote,
    "before_after": plot_published_and_tuned,
}
