"""Side by side: charts of several images or compositions in one figure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Patch

from ..segmentation import Walls
from .maps import draw_rose
from .style import (
    ACCENT,
    MUTED,
    SERIES_STYLES,
    WIDTH,
    Figure,
    label_colors,
    label_legend,
    make_panels,
    styled,
)

_MARKERS = ("o", "D", "s", "^")


@styled
def plot_over_composition(
    x: Sequence[float], panels: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str
) -> Figure:
    """Quantities over a common x, one panel each: a point per image, and a line through the means
    at every x.

    Parameters
    ----------
    x : sequence of float, length N
        The same value for images of one kind.
    panels : mapping of str to (mapping of str to sequence of float)
        For every y label the named quantities of that panel, length N each; NaN where there is
        none.
    xlabel : str
        What ``x`` is, with its unit.

    Returns
    -------
    Figure
        At most three panels side by side, with a legend where a panel has several quantities.

    Examples
    --------
    >>> figure = plot_over_composition([0, 0, 20], {"edge (nm)": {"a": [0.39, 0.4, 0.38]}}, "% Sm")
    >>> figure.axes[0].get_ylabel()
    'edge (nm)'
    """
    figure, axes = make_panels(len(panels), 1.05, least=1.6, beside=0.65, extra=0.45, footer=0.35)
    for panel, (label, rows) in zip(axes, panels.items(), strict=True):
        for k, (name, values) in enumerate(rows.items()):
            _points(panel, x, values, k, name)
        panel.set(xlabel=xlabel, ylabel=label)
        panel.locator_params(nbins=5)
        panel.margins(0.08)
        panel.grid()
        if len(rows) > 1:
            panel.legend(handlelength=2.4)
    return figure


def _points(axes, x: Sequence[float], values: Sequence[float], k: int, name: str) -> None:
    """Points of one quantity, and the line through their means."""
    color, marker = SERIES_STYLES[k % len(SERIES_STYLES)], _MARKERS[k % len(_MARKERS)]
    means = pd.Series(np.asarray(values, float)).groupby(np.asarray(x)).mean()
    axes.plot(x, values, marker, ms=5, mfc="none", mec=color, alpha=0.8)
    axes.plot(
        means.index,
        means,
        ("-", "--", ":", "-.")[k % 4],
        marker=marker,
        ms=3,
        color=color,
        lw=1.8,
        label=name,
    )


@styled
def plot_shares(
    rows: Mapping[str, Mapping[str, float]], named: Mapping[int, str] | None = None
) -> Figure:
    """Shares that sum to one as stacked bars, one bar per image.

    Parameters
    ----------
    rows : mapping of str to (mapping of str to float)
        For every image the share of every part, in one order. Parts have the colors of the labels
        0, 1, ...
    named : mapping of int to str, optional
        Colors of some of these labels.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_shares({"Sm_0_0": {"up": 0.7, "down": 0.2, "none": 0.1}})
    >>> [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    ['Sm_0_0']
    """
    frame = pd.DataFrame(rows).T
    figure = Figure(figsize=(WIDTH, 1.1 + 0.27 * len(frame)), layout="constrained")
    axes = figure.subplots()
    start = np.zeros(len(frame))
    for k, part in enumerate(frame.columns):
        axes.barh(
            frame.index,
            100 * frame[part],
            0.8,
            left=start,
            color=label_colors(k, named=named),
            edgecolor="white",
            label=part,
        )
        start = start + 100 * frame[part].to_numpy()
    axes.set(xlim=(0, 100), xlabel="share of the cells (%)")
    axes.set_ylim(len(frame) - 0.45, -0.55)
    figure.legend(loc="outside upper center", ncols=frame.shape[1])
    return figure


@styled
def plot_roses(
    walls: Sequence[Walls], vectors: Sequence[np.ndarray], captions: Sequence[str]
) -> Figure:
    """Roses of wall directions, four in a row.

    Parameters
    ----------
    walls : sequence of Walls
    vectors : sequence of ndarray, shape (2, 2)
        Lattice vectors of every image, as for :func:`bfo_utils.figures.plot_rose`.
    captions : sequence of str
        Title of every rose.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from bfo_utils.segmentation import trace_walls
    >>> wall = trace_walls(np.repeat([[0, 0, 1]], 9, axis=0))
    >>> figure = plot_roses([wall, wall], [np.eye(2), np.eye(2)], ["one", "two"])
    >>> [axes.get_title() for axes in figure.axes]
    ['one', 'two']
    """
    across = min(4, len(walls))
    rows = -(-len(walls) // across)
    figure = Figure(figsize=(WIDTH * across / 4, rows * 2.5), layout="constrained")
    grid = figure.subplots(rows, across, squeeze=False, subplot_kw={"projection": "polar"}).ravel()
    for panel, one, basis, caption in zip(grid, walls, vectors, captions, strict=False):
        draw_rose(panel, one, basis)
        panel.set_title(caption)
        panel.set_xticklabels(["0°", "", "90°", ""] * 2)
    for spare in grid[len(walls) :]:
        spare.remove()
    return figure


@styled
def plot_differences(
    one: np.ndarray,
    two: np.ndarray,
    captions: tuple[str, str],
    named: Sequence[Mapping[int, str]] = ({}, {}),
) -> Figure:
    """Two label maps of the same cells in the same colors, and the cells in which they differ.

    Parameters
    ----------
    one, two : ndarray of int, shape (R, C)
        Labels that mean the same in both; -1, not analyzed, stays clear and is not compared.
    captions : pair of str
        Titles of the two maps.
    named : pair of mapping of int to str
        Colors of the labels of either map, of :func:`bfo_utils.figures.direction_colors`, say.

    Returns
    -------
    Figure

    Examples
    --------
    >>> one, two = np.eye(4, dtype=int), np.zeros((4, 4), int)
    >>> figure = plot_differences(one, two, ("diagonal", "one label"))
    >>> figure.axes[2].get_title()
    'differ: 4 cells (25 %)'
    """
    both = (one >= 0) & (two >= 0)
    differ = both & (one != two)
    share = differ.sum() / max(1, both.sum())
    figure, axes = make_panels(
        3, one.shape[1] / one.shape[0], least=1.5, beside=0.25, footer=0.7, sharex=True, sharey=True
    )
    shown = to_rgba_array([ACCENT, MUTED, "none"])[np.select([differ, both], [0, 1], 2)]
    axes[0].imshow(label_colors(one, named=named[0]))
    axes[1].imshow(label_colors(two, named=named[1]))
    axes[2].imshow(shown)
    titles = (*captions, f"differ: {differ.sum():,} cells ({100 * share:.0f} %)")
    for panel, title in zip(axes, titles, strict=True):
        panel.locator_params(integer=True, nbins=4)
        panel.set(xlabel="column j (cells)", ylabel="row i (cells)", title=title)
        panel.label_outer()
    label_legend(
        figure, [Patch(facecolor=ACCENT, label="differ"), Patch(facecolor=MUTED, label="agree")]
    )
    return figure
