"""Figures of what an autoencoder has learned: its training, latents, manifold, and what its
latents mean.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..vae import ANOMALY_LIMIT, MIN_EXPLAINED, Anomalies
from .fields import grid_panels
from .style import (
    ACCENT,
    INK,
    SERIES_STYLES,
    SIGNED,
    VALUES,
    WIDTH,
    Figure,
    color_bar,
    color_limits,
    label_legend,
    styled,
)

# of latents that have one
_DASHES = ("-", "--", ":")  # for more groups than there are colors
_UNITS = {"angle": "degrees", "shift x": "half windows", "shift y": "half windows"}


@styled
def plot_training(history: Sequence[Mapping[str, float]]) -> Figure:
    """Training history: reconstruction error, KL divergence, and explained fraction of the held-out
    variance.

    Parameters
    ----------
    history : sequence of mapping
        Rows of :attr:`bfo_utils.vae.VAE.history`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> row = {"epoch": 1, "reconstruction": 0.5, "kl": 2.0, "explained": 0.4}
    >>> [axes.get_ylabel() for axes in plot_training([row]).axes]
    ['squared error per pixel', 'KL divergence (nats per window)', 'explained variance']
    """
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    axes = figure.subplots(1, 3)
    rows = pd.DataFrame(history)
    labels = {
        "reconstruction": "squared error per pixel",
        "kl": "KL divergence (nats per window)",
        "explained": "explained variance",
    }
    for k, (panel, (name, label)) in enumerate(zip(axes, labels.items())):
        panel.plot(rows["epoch"], rows[name], "-o", ms=3, color=SERIES_STYLES[k])
        panel.set(xlabel="epoch", ylabel=label)
        panel.grid()
    axes[0].set_ylim(bottom=0)
    axes[2].axhline(MIN_EXPLAINED, color=ACCENT, linestyle="--", linewidth=1.2)
    axes[2].set_ylim(min(0.0, *rows["explained"]), 1)
    return figure


@styled
def plot_latents(outputs: np.ndarray, names: Sequence[str], mask: np.ndarray) -> Figure:
    """Every latent on the grid of cells.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
    names : sequence of str
    mask : ndarray of bool, shape (R, C)
        Where the cells lie.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_latents(np.zeros((12, 1)), ["angle"], np.ones((3, 4), bool))
    >>> [axes.get_title() for axes in figure.axes[:1]]
    ['angle']
    """
    figure, axes = grid_panels(outputs.shape[1], mask.shape)
    for panel, name, column in zip(axes, names, outputs.T, strict=True):
        values = np.full(mask.shape, np.nan)
        values[mask] = column
        center = float(np.median(column))
        shown = panel.imshow(values, cmap=SIGNED, norm=color_limits(values, center))
        color_bar(shown, panel, _UNITS.get(name, "value"))
        panel.set_title(name)
    return figure


@styled
def plot_manifold(windows: np.ndarray, xlabel: str, ylabel: str) -> Figure:
    """Windows decoded along two latents, one picture each, as differences from the middle one.

    Parameters
    ----------
    windows : ndarray, shape (rows, columns, H, W)
    xlabel, ylabel : str
        What grows to the right, and downwards.

    Returns
    -------
    Figure

    Examples
    --------
    >>> plot_manifold(np.zeros((2, 3, 5, 5)), "one", "two").axes[0].get_xlabel()
    'one'
    """
    rows, cols, height, width = windows.shape
    middle = windows[rows // 2, cols // 2].astype(float)
    apart = np.pad(windows - middle, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    sheet = apart.transpose(0, 2, 1, 3).reshape(rows * (height + 1), cols * (width + 1))
    aspect = sheet.shape[0] / sheet.shape[1]
    size = WIDTH, float(np.clip(0.8 * WIDTH * aspect, 1.5, 7)) + 0.4
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(sheet, cmap=SIGNED, norm=color_limits(sheet, about=0))
    axes.set(xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel)
    axes.spines[:].set_visible(False)
    color_bar(shown, axes, "intensity minus that of the middle")
    return figure


@styled
def plot_distributions(
    outputs: np.ndarray, names: Sequence[str], groups: Mapping[str, np.ndarray]
) -> Figure:
    """Histograms of every latent in groups of cells.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
    names : sequence of str
    groups : mapping of str to ndarray of bool, shape (N,)

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_distributions(np.eye(4), list("abcd"), {"all": np.ones(4, bool)})
    >>> len(figure.axes)
    4
    """
    side_by_side = min(3, len(names))
    rows = -(-len(names) // side_by_side)
    figure = Figure(figsize=(WIDTH, 2.1 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, side_by_side, squeeze=False).ravel()
    for panel, name, column in zip(panels, names, outputs.T, strict=False):
        low, high = np.quantile(column, [0.005, 0.995])
        edges = np.linspace(low - 1e-9, high + 1e-9, 41)
        for k, (label, own) in enumerate(groups.items()):
            panel.hist(
                column[own],
                edges,
                histtype="step",
                linewidth=1.6,
                density=True,
                label=label,
                color=SERIES_STYLES[k % len(SERIES_STYLES)],
                linestyle=_DASHES[k // len(SERIES_STYLES) % len(_DASHES)],
            )
        panel.set(xlabel=f"{name} ({_UNITS[name]})" if name in _UNITS else name, yticks=[])
    for panel in panels[: len(names) : side_by_side]:
        panel.set_ylabel("density of cells")
    for spare in panels[len(names) :]:
        spare.remove()
    label_legend(figure, panels[0].get_legend_handles_labels()[0])
    return figure


@styled
def plot_factors(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Fraction of every quantity that every output explains, as numbers on a heat map, one panel
    per model.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Quantities (rows) by outputs (columns), values 0 to 1.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_factors({"PCA": pd.DataFrame({"component 1": [0.2]}, index=["strain"])})
    >>> figure.axes[0].get_title()
    'PCA'
    """
    rows = max(len(table) for table in tables.values())
    figure = Figure(figsize=(WIDTH, 0.34 * rows + 1.5), layout="constrained")
    widths = [table.shape[1] for table in tables.values()]
    panels = figure.subplots(
        1, len(tables), squeeze=False, sharey=True, width_ratios=widths
    ).ravel()
    for panel, (title, table) in zip(panels, tables.items()):
        shown = panel.imshow(table.to_numpy(), cmap=VALUES, vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(table.to_numpy()):
            panel.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                color=INK if value > 0.6 else "white",
                fontsize=8,
            )
        panel.set(
            xticks=range(table.shape[1]),
            yticks=range(len(table)),
            yticklabels=table.index,
            title=title,
        )
        panel.set_xticklabels(table.columns, rotation=35, ha="right")
    color_bar(shown, panels[-1], "explained fraction")
    return figure


@styled
def plot_anomalies(scores: Anomalies) -> Figure:
    """Both anomaly scores on the grid of cells; rings mark cells beyond the limit.

    Parameters
    ----------
    scores : Anomalies

    Returns
    -------
    Figure
    """
    figure, axes = grid_panels(2, scores.error.shape)
    rows, cols = np.nonzero(scores.found)
    for panel, title, values in zip(
        axes, ("reconstruction error", "distance to others"), (scores.error, scores.distance)
    ):
        shown = panel.imshow(values, cmap=VALUES, vmin=0, vmax=2 * ANOMALY_LIMIT)
        panel.plot(cols, rows, "o", ms=7, mfc="none", mec=ACCENT, mew=1.2)
        color_bar(shown, panel, "robust standard deviations", extend="both")
        panel.set_title(title)
    return figure
