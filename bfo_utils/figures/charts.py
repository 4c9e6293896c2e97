"""Charts of features, rewards, and the search."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from ..descriptors import SAMPLES
from .style import (
    ACCENT,
    INK,
    INTENSITIES,
    MUTED,
    SERIES_STYLES,
    SIGNED,
    VALUES,
    WIDTH,
    Figure,
    color_bar,
    color_limits,
    label_colors,
    label_legend,
    scale_bar,
    styled,
)

_PARTS = ("continuity", "straightness", "evidence")


# ---- features ------------------------------------------------------------------------


@styled
def plot_mean_windows(
    windows: np.ndarray,
    labels: np.ndarray,
    samples_per_cell: float = SAMPLES,
    named: Mapping[int, str] | None = None,
) -> Figure:
    """Mean window of every label, and its difference from the overall mean.

    Parameters
    ----------
    windows : ndarray, shape (N, H, W)
        Windows of the analyzed cells, of :func:`bfo_utils.descriptors.crop_windows`.
    labels : ndarray of int, shape (N,)
    samples_per_cell : float
        Samples per cell edge, for the scale bar: 12 divided by the binning.
    named : mapping of int to str, optional
        Colors of the labels, of :func:`bfo_utils.figures.direction_colors`, say.

    Returns
    -------
    Figure
        Upper row the means, lower row their differences from the mean of all windows.

    Examples
    --------
    >>> figure = plot_mean_windows(np.zeros((4, 7, 7)), np.array([0, 0, 1, 1]))
    >>> figure.axes[0].get_title()
    'cluster 0\\n2 cells'
    """
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    means = np.stack([windows[labels == k].mean(axis=0) for k in found])
    apart = means - windows[labels >= 0].mean(axis=0)
    figure, rows = _two_rows(len(found), windows.shape[2] / windows.shape[1])
    for panels, images, cmap, about, unit in zip(
        rows,
        (means, apart),
        (INTENSITIES, SIGNED),
        (None, 0),
        ("intensity", "minus the mean"),
        strict=True,
    ):
        _window_row(figure, panels, images, cmap, color_limits(images, about), unit)
    for panel, label, count in zip(rows[0], found, counts, strict=True):
        panel.set_title(f"cluster {label}\n{count:,} cells")
    for panel, label in zip(rows.ravel(), np.tile(found, 2), strict=True):
        color = label_colors(label, named=named)
        panel.spines[:].set(visible=True, color=color, linewidth=3)
    scale_bar(rows[0, 0], 1 / samples_per_cell, "cells")
    return figure


def _two_rows(n: int, aspect: float) -> tuple[Figure, np.ndarray]:
    """Figure with two rows of ``n`` small panels, none of them taller than 2.4 inches."""
    aspect = min(max(aspect, 0.3), 3)
    side = min(1.8, (WIDTH - 1.0) / n, 2.4 * aspect)
    figure = Figure(figsize=(WIDTH, 2 * side / aspect + 0.7), layout="compressed")
    return figure, figure.subplots(2, n, squeeze=False)


def _window_row(
    figure: Figure, panels, images: np.ndarray, cmap: str, scale: Normalize, unit: str
) -> None:
    for panel, values in zip(panels, images, strict=True):
        shown = panel.imshow(values, cmap=cmap, norm=scale)
        panel.set(xticks=[], yticks=[])
    bar = figure.colorbar(shown, ax=list(panels), fraction=0.05, pad=0.02, aspect=14)
    bar.set_label(unit)
    bar.locator.set_params(nbins=4)
    bar.outline.set_visible(False)


@styled
def plot_scatter(
    features: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str] = ("component 1 (score)", "component 2 (score)"),
    named: Mapping[int, str] | None = None,
) -> Figure:
    """The first two features of every cell, colored by label.

    Parameters
    ----------
    features : ndarray, shape (N, K)
    labels : ndarray of int, shape (N,)
    names : pair of str
        Names of the two axes.
    named : mapping of int to str, optional
        As for :func:`plot_mean_windows`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_scatter(np.eye(3), np.array([0, 1, 1]))
    >>> [text.get_text() for text in figure.legends[0].texts]
    ['cluster 0', 'cluster 1']
    """
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes = figure.subplots()
    x, y = features[:, 0], features[:, min(1, features.shape[1] - 1)]
    size = float(np.clip(4e4 / len(x), 2, 30))
    axes.scatter(x, y, s=size, c=label_colors(labels, 0.6, named), linewidths=0)
    axes.set(xlabel=names[0], ylabel=names[1])
    dot = {"ls": "", "marker": "o", "ms": 6}
    shown = [
        Line2D([], [], color=label_colors(k, named=named), label=f"cluster {k}", **dot)
        for k in np.unique(labels[labels >= 0])
    ]
    label_legend(figure, shown)
    return figure


# ---- rewards -------------------------------------------------------------------------


@styled
def plot_rewards(rows: Mapping[str, Mapping[str, float]]) -> Figure:
    """Every reward of one or more label maps as bars, the total first.

    Parameters
    ----------
    rows : mapping of str to (mapping of str to float)
        Rewards (0 to 1) of every named label map.

    Returns
    -------
    Figure

    Examples
    --------
    >>> before, after = {"total": 0.2, "evidence": 0.5}, {"total": 0.7, "evidence": 0.8}
    >>> figure = plot_rewards({"default": before, "tuned": after})
    >>> [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    ['total', 'evidence']
    """
    given = dict.fromkeys(name for values in rows.values() for name in values)
    names = sorted(given, key=lambda name: name != "total")
    thick = 0.8 / max(1, len(rows))
    figure = Figure(
        figsize=(WIDTH, 0.9 + len(names) * max(0.3, 0.17 * len(rows))), layout="constrained"
    )
    axes = figure.subplots()
    for k, (label, values) in enumerate(rows.items()):
        place = np.arange(len(names)) + (k - (len(rows) - 1) / 2) * thick
        bars = axes.barh(
            place,
            [values.get(n, np.nan) for n in names],
            0.92 * thick,
            label=label,
            color=_series(k),
        )
        axes.bar_label(bars, fmt=_two_digits, padding=3, fontsize=9)
    axes.set(
        yticks=np.arange(len(names)), yticklabels=names, xlim=(0, 1.08), xlabel="reward (0 to 1)"
    )
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    if len(rows) > 1:
        figure.legend(loc="outside upper center", ncols=4)
    return figure


def _two_digits(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def _series(k: int) -> str:
    """Colors of named label maps: the first, to compare with, in gray."""
    return (MUTED, *SERIES_STYLES)[k % (len(SERIES_STYLES) + 1)]


# ---- search --------------------------------------------------------------------------


@styled
def plot_double_dipping(table: pd.DataFrame) -> Figure:
    """Evidence of maps in the field measured from the same pixels, and from other pixels.

    Parameters
    ----------
    table : DataFrame
        From :func:`bfo_utils.results.double_dipping`.

    Returns
    -------
    Figure
        A dot per map, and the diagonal on which both would be equal.

    Examples
    --------
    >>> dots = pd.DataFrame({"descriptor": ["polar"], "same": [0.3], "other": [0.01]})
    >>> plot_double_dipping(dots).axes[0].get_ylabel()
    'evidence from the other pixels'
    """
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    top = max(0.1, 1.1 * float(table[["same", "other"]].to_numpy().max()))
    axes.plot([0, top], [0, top], ls="--", color=MUTED, lw=1, label="equal")
    for k, (name, rows) in enumerate(table.groupby("descriptor")):
        color = SERIES_STYLES[k % len(SERIES_STYLES)]
        axes.plot(rows["same"], rows["other"], "os^D"[k % 4], ms=5, color=color, label=name)
    axes.set(xlabel="evidence from the same pixels", ylabel="evidence from the other pixels")
    low = min(-0.02, float(table[["same", "other"]].to_numpy().min()))
    axes.set(xlim=(low, top), ylim=(low, top))
    axes.grid()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@styled
def plot_trials(frame: pd.DataFrame) -> Figure:
    """Total reward of every trial with the best so far, and the rewards of the best trial.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per trial; columns ``number``, ``total``, ``continuity``, ``straightness``,
        ``evidence``, ``seconds``.

    Returns
    -------
    Figure

    Examples
    --------
    >>> table = pd.DataFrame({"number": [0, 1], "total": [0.1, 0.4], "continuity": [0.5, 0.6],
    ...                       "straightness": [0.4, 0.7], "evidence": [0.5, 0.9],
    ...                       "seconds": [0.1, 0.2]})
    >>> plot_trials(table).axes[0].get_ylabel()
    'total reward'
    """
    frame = frame.sort_values("number", kind="stable").reset_index(drop=True)
    best = _running_best(frame["total"].to_numpy(float))
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    number = frame["number"].to_numpy()
    upper.plot(number, frame["total"], "o", ms=4, color=MUTED, mew=0, label="trial")
    upper.plot(
        number,
        frame["total"].to_numpy(float)[best],
        color=ACCENT,
        lw=2,
        drawstyle="steps-post",
        label="best so far",
    )
    for name, color, line in zip(_PARTS, SERIES_STYLES, ("-", "--", ":"), strict=False):
        lower.plot(
            number,
            frame[name].to_numpy(float)[best],
            line,
            color=color,
            lw=2,
            drawstyle="steps-post",
            label=name,
        )
    upper.set(
        ylabel="total reward",
        title=f"{len(frame)} trials, {frame['seconds'].sum():.1f} s of evaluation",
    )
    lower.set(ylabel="rewards of the best trial", xlabel="trial number")
    for axes in (upper, lower):
        axes.set_ylim(-0.03, 1.03)
        axes.grid()
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    lower.locator_params(axis="x", integer=True)
    return figure


def _running_best(total: np.ndarray) -> np.ndarray:
    """Index of the best of the first 1, 2, ... values; failed ones (NaN) never are.

    Examples
    --------
    >>> _running_best(np.array([0.1, np.nan, 0.3, 0.2])).tolist()
    [0, 0, 2, 2]
    """
    value = np.where(np.isnan(total), -np.inf, total)
    new = value > np.concatenate([[-np.inf], np.maximum.accumulate(value)[:-1]])
    return np.maximum.accumulate(np.where(new, np.arange(len(total)), 0))


@styled
def plot_pareto_front(trials: pd.DataFrame, front: pd.DataFrame) -> Figure:
    """Continuity against evidence of all trials, colored by straightness, with the front and the
    chosen trial.

    Parameters
    ----------
    trials : pandas.DataFrame
        One row per trial; columns ``continuity``, ``straightness``, ``evidence``.
    front : pandas.DataFrame
        The non-dominated trials, same columns; the chosen one is marked where a boolean column
        ``chosen`` says it, here or in ``trials``.

    Returns
    -------
    Figure

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"continuity": [0.5, 0.6], "straightness": [0.4, 0.7], "evidence": [0.5, 0.9]}
    ... )
    >>> figure = plot_pareto_front(table, table.iloc[1:].assign(chosen=True))
    >>> [text.get_text() for text in figure.axes[0].get_legend().texts]
    ['trial', 'front (1)', 'chosen']
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    dots = axes.scatter(
        trials["evidence"],
        trials["continuity"],
        s=26,
        c=trials["straightness"],
        cmap=VALUES,
        vmin=0,
        vmax=1,
        linewidths=0,
        label="trial",
    )
    axes.scatter(
        front["evidence"],
        front["continuity"],
        s=70,
        facecolors="none",
        edgecolors=INK,
        linewidths=1.2,
        label=f"front ({len(front)})",
    )
    chosen = _chosen(front, trials)
    if len(chosen):
        axes.plot(
            chosen["evidence"],
            chosen["continuity"],
            "*",
            ms=16,
            color=ACCENT,
            mec="white",
            label="chosen",
        )
    color_bar(dots, axes, "straightness")
    axes.set(xlabel="evidence", ylabel="continuity", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.grid()
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.13), ncols=3)
    return figure


def _chosen(*frames: pd.DataFrame) -> pd.DataFrame:
    """The rows marked as chosen, of the first table that marks any."""
    marked = [frame[frame["chosen"].astype(bool)] for frame in frames if "chosen" in frame]
    return next((rows for rows in marked if len(rows)), frames[0].iloc[:0])


@styled
def plot_importance(series: Mapping[str, float] | pd.Series) -> Figure:
    """Importance of every parameter for the total, the most important on top.

    Parameters
    ----------
    series : mapping of str to float or pandas.Series
        Importance of every parameter.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_importance({"n_clusters": 0.2, "site": 0.5})
    >>> [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    ['site', 'n_clusters']
    """
    ranked = pd.Series(series, dtype=float).sort_values(ascending=False, kind="stable")
    figure = Figure(figsize=(6.4, 0.8 + 0.3 * max(1, len(ranked))), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(np.arange(len(ranked)), ranked.to_numpy(), 0.7, color=SERIES_STYLES[0])
    axes.bar_label(bars, fmt=_two_digits, padding=3, fontsize=9)
    axes.set(
        yticks=np.arange(len(ranked)),
        yticklabels=ranked.index,
        xlabel="loss of R² when values are permuted",
    )
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.grid(axis="x")
    return figure


@styled
def plot_landscape(
    values: np.ndarray,
    windows: Sequence[float],
    clusters: Sequence[int],
    chosen: tuple[float, float] | None = None,
) -> Figure:
    """Reward as a function of window size and number of clusters, as a heat map with numbers.

    Parameters
    ----------
    values : ndarray, shape (windows, clusters)
        From :func:`bfo_utils.search.total_landscape`.
    windows : sequence of float
        Edges of the square window in cells, ascending.
    clusters : sequence of int
        Numbers of clusters, ascending.
    chosen : (float, float), optional
        Window and number of clusters to mark with a star.

    Returns
    -------
    Figure

    Examples
    --------
    >>> totals = np.array([[0.1, 0.2], [0.3, 0.4]])
    >>> figure = plot_landscape(totals, [0.5, 1.0], [2, 3], chosen=(0.75, 3))
    >>> figure.axes[0].get_xlabel()
    'number of clusters'
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(values, cmap=VALUES, origin="lower", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column,
            row,
            f"{value:.2f}",
            ha="center",
            va="center",
            color=INK if value > 0.6 else "white",
        )
    if chosen is not None:
        place = (
            np.interp(chosen[1], clusters, range(len(clusters))),
            np.interp(chosen[0], windows, range(len(windows))),
        )
        axes.plot(place[0] + 0.36, place[1], "*", ms=14, mfc=ACCENT, mec="white")  # off the number
    color_bar(shown, axes, "total")
    axes.set(
        xticks=range(len(clusters)),
        xticklabels=clusters,
        xlabel="number of clusters",
        yticks=range(len(windows)),
        yticklabels=[f"{w:g}" for w in windows],
        ylabel="window (cells)",
    )
    return figure


@styled
def plot_window_landscapes(
    rows: Mapping[str, np.ndarray], sizes: Sequence[float], label: str = "total"
) -> Figure:
    """A reward over height and width of the window, one heat map per site, the highest marked.

    Parameters
    ----------
    rows : mapping of str to ndarray, shape (heights, widths)
        From :func:`bfo_utils.search.window_landscape`, by site.
    sizes : sequence of float
        Heights and widths in cells, ascending.
    label : str
        Name of the reward.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_window_landscapes({"A": np.eye(2), "B": np.zeros((2, 2))}, [0.5, 1.0])
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['A: 1.00', 'B: 0.00']
    """
    figure = Figure(figsize=(WIDTH, WIDTH / len(rows) + 0.5), layout="constrained")
    panels = figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    ticks = {"xticks": range(len(sizes)), "xticklabels": [f"{s:g}" for s in sizes]}
    for panel, (site, values) in zip(panels, rows.items(), strict=True):
        shown = panel.imshow(values, cmap=VALUES, origin="lower", vmin=0, vmax=1)
        row, column = np.unravel_index(np.argmax(values), values.shape)
        panel.plot(column, row, "*", ms=18, mfc="none", mec=ACCENT, mew=2)
        panel.set(title=f"{site}: {values.max():.2f}", xlabel="width (cells)", **ticks)
    panels[0].set(ylabel="height (cells)", yticks=ticks["xticks"], yticklabels=ticks["xticklabels"])
    color_bar(shown, panels[-1], label)
    return figure


@styled
def plot_power(
    sizes: Mapping[float, Sequence[float]], shares: Mapping[float, Mapping[str, Sequence[float]]]
) -> Figure:
    """Share of crystals in which a wall is found over the displacement, one panel per dose.

    Parameters
    ----------
    sizes : mapping of float to sequence of float
        Displacements (pm) that were tried at every dose.
    shares : mapping of float to mapping of str to sequence of float
        Of every dose, by the name of who looks for the wall.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_power({15: [3, 5], 40: [2, 3]}, {15: {"a": [0, 1]}, 40: {"a": [0, 1]}})
    >>> [axes.get_title() for axes in figure.axes]
    ['15 counts', '40 counts']
    """
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, len(shares), sharey=True)
    for axes, (dose, rows) in zip(panels, shares.items(), strict=True):
        for k, (name, values) in enumerate(rows.items()):
            style, color = ("-", "--", ":")[k % 3], SERIES_STYLES[k % len(SERIES_STYLES)]
            axes.plot(sizes[dose], values, style, marker="o", ms=4, lw=2, label=name, color=color)
        axes.set(title=f"{dose} counts", xlabel="displacement (pm)", ylim=(-0.03, 1.05))
        axes.grid()
    panels[0].set_ylabel("share found")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


@styled
def plot_curves(
    x: Sequence[float],
    rows: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str = "reward (0 to 1)",
) -> Figure:
    """Rewards, or other numbers from 0 to 1, as curves over a quantity.

    Parameters
    ----------
    x : sequence of float
    rows : mapping of str to sequence of float
        Values (0 to 1) of every named curve.
    xlabel, ylabel : str
        What the axes are, with their units.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_curves([0, 90], {"straightness": [1.0, 1.0]}, "angle (degrees)")
    >>> [text.get_text() for text in figure.axes[0].get_legend().texts]
    ['straightness']
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    for k, (name, values) in enumerate(rows.items()):
        axes.plot(
            x,
            values,
            ("-", "--", ":")[k % 3],
            marker="o",
            ms=4,
            lw=2,
            label=name,
            color=SERIES_STYLES[k % len(SERIES_STYLES)],
        )
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(-0.03, 1.05))
    axes.grid()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
