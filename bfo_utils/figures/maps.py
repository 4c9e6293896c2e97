"""Maps: the image with its columns, and the labels and walls that a clustering drew on it."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from scipy.spatial import cKDTree

from ..columns import Columns
from ..io import Image
from ..lattice import Cells, Lattice
from ..segmentation import STAIRCASE_ROUGHNESS, Walls
from .backdrop import backdrop, draw_walls, tint, walls_of
from .placement import direction_px, wall_lines
from .style import (
    ACCENT,
    MUTED,
    ROUGHNESS,
    SUBLATTICES,
    TALLEST,
    WIDTH,
    Figure,
    color_bar,
    column_handles,
    direction_colors,
    label_colors,
    label_legend,
    make_panels,
    styled,
)

_DOUBTFUL = "#CC79A7"
_PLACES = 4  # that are enlarged to check columns
_ENLARGED = 9  # plane spacings along the edge of such a place

LabelNames = Mapping[int, str] | Sequence[str]
Colors = Mapping[int, str]


# ---- image ---------------------------------------------------------------------------


@styled
def plot_image(
    image: Image,
    columns: Columns | None = None,
    lattice: Lattice | None = None,
    zoom: tuple[float, float, float, float] | None = None,
) -> Figure:
    """An image, optionally with its columns and an enlarged part.

    Beside an enlarged part, which shows all columns, the whole image shows the doubtful ones only:
    marks on every column would hide it.

    Parameters
    ----------
    image : Image
    columns : Columns, optional
        Columns to mark, those whose fit failed as crosses.
    lattice : Lattice, optional
        Indexed columns, marked in the color of their sublattice (instead of ``columns``).
    zoom : tuple of float, optional
        Left, top, width, height in px of the part that a second panel enlarges.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> figure = plot_image(simulate_phantom(Specimen(cells=8)).image, zoom=(20, 20, 60, 60))
    >>> len(figure.axes)
    2
    """
    figure, axes = _overview(image, zoom)
    for panel, part in zip(axes, (None, zoom), strict=False):
        backdrop(panel, image, part=part)
    if zoom is not None:
        axes[0].add_patch(
            Rectangle(zoom[:2], *zoom[2:], fill=False, edgecolor=ACCENT, linewidth=1.6)
        )
    marked = columns if lattice is None else lattice.columns
    if marked is not None:
        handles = _mark(axes[-1], marked, None if lattice is None else lattice.sublattice)
        for panel in axes[:-1]:
            panel.plot(*marked.xy[~marked.ok].T, "x", ms=4, color=_DOUBTFUL, mew=1)
        label_legend(figure, handles)
    return figure


@styled
def unused_columns(image: Image, lattice: Lattice) -> Figure:
    """The columns that have a place in the lattice, and those that were found but have none.

    Parameters
    ----------
    image : Image
    lattice : Lattice

    Returns
    -------
    Figure
    """
    figure, axes = _overview(image, None)
    backdrop(axes[0], image)
    handles = _mark(axes[0], lattice.columns, lattice.sublattice)
    axes[0].plot(*lattice.unused_xy.T, "+", ms=5, color=_DOUBTFUL, mew=1.2)
    label_legend(
        figure,
        [*handles, _entry("+", _DOUBTFUL, f"not in the lattice ({len(lattice.unused_xy):,})")],
    )
    return figure


@styled
def plot_doubtful_columns(image: Image, columns: Columns, sublattice: np.ndarray) -> Figure:
    """All columns over the image, with enlarged views of the areas with the most doubtful ones.

    Parameters
    ----------
    image : Image
    columns : Columns
    sublattice : ndarray of str, shape (N,)
        "A", "B", or "" for a column without a place in the lattice.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from bfo_utils.columns import find_columns
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> image = simulate_phantom(Specimen(cells=20, cell_px=16)).image
    >>> found = find_columns(image)
    >>> len(plot_doubtful_columns(image, found, np.full(len(found), "")).axes)
    5
    """
    side = min(_ENLARGED * columns.spacing_px, *image.shape)
    places = _doubtful_places(columns, sublattice, side, image.shape)
    tall, small = WIDTH * image.shape[0] / image.shape[1], WIDTH / len(places)
    figure = Figure(figsize=(WIDTH, tall + small + 0.4), layout="constrained")
    grid = figure.add_gridspec(2, len(places), height_ratios=[tall, small])
    panels = [figure.add_subplot(grid[0, :])]
    panels += [figure.add_subplot(grid[1, k]) for k in range(len(places))]
    for panel, corner in zip(panels, [None, *places]):
        part = None if corner is None else (*corner, side, side)
        backdrop(panel, image, part=part)
        handles = _mark(panel, columns, sublattice)
        lost = columns.ok & (sublattice == "")
        panel.plot(*columns.xy[lost].T, "s", ms=4, mfc="none", mec=_DOUBTFUL, mew=1)
        if corner is not None:
            panels[0].add_patch(Rectangle(corner, side, side, fill=False, ec=ACCENT, lw=1.4))
        if lost.any():
            handles += [_entry("s", _DOUBTFUL, f"not in the lattice ({lost.sum():,})")]
    label_legend(figure, handles)
    return figure


def _doubtful_places(
    columns: Columns, sublattice: np.ndarray, side: float, shape: tuple[int, int]
) -> list[tuple[float, float]]:
    """Left and top of the squares that hold most doubtful columns, without overlap; filled up by
    squares along the diagonal.
    """
    edge = np.array(shape[::-1]) - side
    doubt = columns.xy[~columns.ok | (sublattice == "")]
    corners: list[tuple[float, float]] = []
    while len(doubt) and len(corners) < _PLACES:
        counts = cKDTree(doubt).query_ball_point(doubt, side / 2, p=np.inf, return_length=True)
        corner = np.clip(doubt[np.argmax(counts)] - side / 2, 0, edge)
        corners.append((float(corner[0]), float(corner[1])))
        doubt = doubt[np.abs(doubt - corner - side / 2).max(axis=1) > side]
    steps = np.linspace(0, 1, _PLACES)
    spare = [(float(edge[0] * s), float(edge[1] * s)) for s in steps]
    return (corners + spare)[:_PLACES]


def _overview(image: Image, zoom) -> tuple[Figure, list]:
    """Figure with a panel for the image, and a second one where a part is enlarged."""
    height, width = image.shape
    if zoom is None:
        return make_panels(1, width / height, extra=0.05, footer=0.3)
    heights = [WIDTH * height / width, min(WIDTH * zoom[3] / zoom[2], 4.0)]
    if column_handles(2, width / height) == 2:
        return make_panels(2, width / height, extra=0.05, footer=0.3)
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.6), layout="constrained")
    return figure, list(figure.subplots(2, 1, height_ratios=heights))


def _mark(axes, columns: Columns, sublattice: np.ndarray | None) -> list[Line2D]:
    """Mark columns by dots or, where there is room, by rings, and return their legend entries."""
    width, height = (abs(np.subtract(*span)) for span in (axes.get_xlim(), axes.get_ylim()))
    scale = 72 * min(WIDTH / len(axes.figure.axes) / width, TALLEST / height)  # pt per px
    size = float(np.clip(0.42 * columns.spacing_px * scale, 1.2, 10))
    names = {"": SUBLATTICES["A"]} if sublattice is None else SUBLATTICES
    handles = []
    for name, color in names.items():
        own = columns.ok & (sublattice == name if name else True)
        look = dict(mfc=color, mew=0) if size < 4 else dict(mfc="none", mec=color, mew=1.3)
        axes.plot(*columns.xy[own].T, "o", ms=size, **look)
        handles += [_entry("o", color, f"{name} columns ({own.sum():,})".strip())] * bool(own.any())
    axes.plot(*columns.xy[~columns.ok].T, "x", ms=min(size, 5), color=_DOUBTFUL, mew=1)
    return handles + [_entry("x", _DOUBTFUL, f"doubtful fit ({(~columns.ok).sum():,})")] * bool(
        (~columns.ok).any()
    )


def _entry(marker: str, color: str, label: str) -> Line2D:
    return Line2D([], [], ls="", marker=marker, color=color, ms=6, label=label)


# ---- labels --------------------------------------------------------------------------


@styled
def plot_label_map(
    image: Image,
    cells: Cells,
    labels: np.ndarray,
    walls: Walls | None = None,
    names: LabelNames | None = None,
    polar_sign: int = 1,
    width: float = WIDTH,
) -> Figure:
    """Labels of all cells over the image, with the walls between them.

    Parameters
    ----------
    image : Image
    cells : Cells
    labels : ndarray of int, shape (R, C)
        Label per cell; -1, outside the analyzed mask, stays clear.
    walls : Walls, optional
        Walls to draw; by default those of the map without speckle, which the rewards judge.
    names : mapping or sequence of str, optional
        Names of the labels 0, 1, ... for the legend.
    polar_sign : {1, -1}
        Labels have the colors of their polarization: whether it points with the displacement.
    width : float
        In inches: a narrow figure has larger letters where two stand side by side.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from bfo_utils.columns import find_columns
    >>> from bfo_utils.lattice import build_lattice
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> p = simulate_phantom(Specimen(cells=10, cell_px=16))
    >>> cells = build_lattice(p.image, find_columns(p.image)).cells
    >>> figure = plot_label_map(p.image, cells, np.where(cells.valid, 0, -1))
    >>> [text.get_text() for text in figure.legends[0].texts]
    ['cluster 0: 100 %']
    """
    aspect = image.shape[1] / image.shape[0]
    figure, (axes,) = make_panels(1, aspect, extra=0.05, footer=0.35, width=width)
    named = direction_colors(cells, labels, polar_sign)
    _draw_labels(axes, image, cells, labels, walls, named)
    label_legend(figure, _shares(labels, names, named))
    return figure


@styled
def plot_before_after(
    image: Image,
    cells: Cells,
    default_labels: np.ndarray,
    tuned_labels: np.ndarray,
    captions: tuple[str, str] = ("default parameters", "tuned parameters"),
    polar_sign: int = 1,
) -> Figure:
    """Two label maps of one image side by side, in the same colors.

    Parameters
    ----------
    image : Image
    cells : Cells
    default_labels, tuned_labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analyzed mask.
    captions : pair of str
        Titles of the two maps; long lines are broken.
    polar_sign : {1, -1}
        As for :func:`plot_label_map`.

    Returns
    -------
    Figure
    """
    height, width = image.shape
    across = column_handles(2, width / height)
    figure, axes = make_panels(2, width / height, extra=0.25, footer=0.4)
    named = direction_colors(cells, default_labels, polar_sign)
    named |= direction_colors(cells, tuned_labels, polar_sign)
    for panel, labels, caption in zip(axes, (default_labels, tuned_labels), captions, strict=True):
        _draw_labels(panel, image, cells, labels, None, named)
        panel.set_title("\n".join(fill(line, 100 // across) for line in caption.splitlines()))
    both = np.concatenate([np.ravel(default_labels), np.ravel(tuned_labels)])
    label_legend(figure, [_swatch(k, f"cluster {k}", named) for k in np.unique(both[both >= 0])])
    return figure


def _draw_labels(
    axes, image: Image, cells: Cells, labels: np.ndarray, walls: Walls | None, named: Colors
) -> None:
    tint(axes, image, cells, labels, "light", 0.4, named)
    draw_walls(axes, cells, walls_of(labels) if walls is None else walls)


def _shares(labels: np.ndarray, names: LabelNames | None, named: Colors) -> list[Patch]:
    """Legend entries of all labels present, with their share of the cells."""
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    share = 100 * counts / max(1, counts.sum())
    return [
        _swatch(k, f"{_name(k, names)}: " + (f"{s:.0f} %" if s >= 0.5 else "< 1 %"), named)
        for k, s in zip(found.tolist(), share, strict=True)
    ]


def _swatch(label: int, text: str, named: Colors) -> Patch:
    return Patch(facecolor=label_colors(label, named=named), label=text)


def _name(label: int, names: LabelNames | None) -> str:
    named = dict(enumerate(names)) if isinstance(names, Sequence) else dict(names or {})
    return named.get(label, f"cluster {label}")


# ---- walls ---------------------------------------------------------------------------


@styled
def plot_walls(
    image: Image, cells: Cells, labels: np.ndarray, walls: Walls, polar_sign: int = 1
) -> Figure:
    """Domain walls over the image, colored by their local roughness, and the rose of their
    directions.

    Parameters
    ----------
    image : Image
    cells : Cells
    labels : ndarray of int, shape (R, C)
        The label map, shown faintly.
    walls : Walls
        Its walls.
    polar_sign : {1, -1}
        As for :func:`plot_label_map`.

    Returns
    -------
    Figure
    """
    height, width = image.shape
    figure, panel, polar = _beside_a_rose(width / height)
    tint(panel, image, cells, labels, "dark", 0.75, direction_colors(cells, labels, polar_sign))
    _draw_roughness(panel, cells, walls)
    panel.set_title(_summary(walls))
    draw_rose(polar, walls, cells.basis.vectors)
    return figure


def _beside_a_rose(aspect: float) -> tuple:
    """Figure with a panel for an image and a polar one to its right, or below a wide image."""
    wide = column_handles(2, aspect) == 1
    height = WIDTH / aspect + 3.4 if wide else min(5.2 / aspect, TALLEST) + 0.9
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    sizes = dict(height_ratios=(height - 2.5, 2.3)) if wide else dict(width_ratios=(5.2, 2.3))
    grid = figure.add_gridspec(*((2, 1) if wide else (1, 2)), **sizes)
    return figure, figure.add_subplot(grid[0]), figure.add_subplot(grid[1], projection="polar")


def _draw_roughness(axes, cells: Cells, walls: Walls) -> None:
    lines, scale = wall_lines(cells, walls), Normalize(0, 1)
    dark = LineCollection(lines, colors="black", linewidths=4, capstyle="round")
    bright = LineCollection(
        lines, array=walls.roughness, cmap=ROUGHNESS, norm=scale, linewidths=2.2, capstyle="round"
    )
    axes.add_collection(dark, autolim=False)
    axes.add_collection(bright, autolim=False)
    color_bar(
        bright,
        axes,
        "local roughness (cells)",
        location="bottom",
        extend="max",
        shrink=0.8,
        aspect=35,
    )


def _summary(walls: Walls) -> str:
    """Number and length of the walls, and how much of them is straight."""
    if not walls.n_segments:
        return "no walls"
    straight = 100 * walls.length[walls.roughness <= STAIRCASE_ROUGHNESS].sum() / walls.length.sum()
    number = f"{walls.n_segments} segment" + "s" * (walls.n_segments > 1)
    return f"{number}, {walls.length.sum():.0f} cells long, {straight:.0f} % straight"


@styled
def plot_rose(walls: Walls, vectors: np.ndarray | None = None) -> Figure:
    """Rose of wall directions, weighted by length.

    Parameters
    ----------
    walls : Walls
    vectors : ndarray, shape (2, 2), optional
        Lattice vectors a, b (``cells.basis.vectors``): directions are then those in the image, else
        those against a.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from bfo_utils.segmentation import trace_walls
    >>> figure = plot_rose(trace_walls(np.repeat([[0, 0, 1]], 9, axis=0)))
    >>> figure.axes[0].get_title()
    'wall directions\\n(outer circle: 100 % of the length)'
    """
    figure = Figure(figsize=(3.6, 3.6), layout="constrained")
    draw_rose(figure.add_subplot(projection="polar"), walls, vectors)
    return figure


def draw_rose(axes, walls: Walls, vectors: np.ndarray | None) -> None:
    """Draw the directions of walls on a polar panel.

    A histogram in bins of 10 degrees, to both sides since a wall has no head; y points down as in
    the image.

    Parameters
    ----------
    axes : matplotlib.projections.polar.PolarAxes
    walls : Walls
    vectors : ndarray, shape (2, 2), or None
        As for :func:`plot_rose`.
    """
    direction = walls.direction if vectors is None else direction_px(vectors, walls.direction)
    bins = 18
    index = np.rint(direction / np.pi * bins).astype(int) % bins
    share = 100 * np.bincount(index, walls.length, bins) / max(walls.length.sum(), 1e-9)
    centers = np.arange(2 * bins) * np.pi / bins
    axes.bar(centers, np.tile(share, 2), width=0.9 * np.pi / bins, color=MUTED, edgecolor="none")
    axes.set_theta_direction(-1)
    top = max(10.0, float(share.max()))
    axes.set(xticks=np.deg2rad(np.arange(0, 360, 45)), ylim=(0, top), yticks=[top / 2])
    axes.set_xticklabels(["0°", "45°", "90°", "135°"] * 2)
    axes.set_yticklabels([])
    axes.spines["polar"].set_color(MUTED)
    axes.set_title(
        "wall directions\n"
        + (f"(outer circle: {top:.0f} % of the length)" if walls.n_segments else "(no walls)")
    )
