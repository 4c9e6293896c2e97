"""Common style of all figures: colors, sizes, scale bars, and legends.

Values have perceptually uniform maps, signed values a balanced diverging one, angles a cyclic one,
whose opposite directions differ in gray too. A label has the color of the direction that its
cells are polarized in, a non-polar one is gray.
"""

import functools
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import matplotlib.artist
import matplotlib.figure
import matplotlib.image
import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, Normalize, to_hex, to_rgba_array
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from ..compute import atomic
from ..lattice import Cells
from ..segmentation import is_nonpolar, mean_displacements

DPI = 130
_PNG = {"compress_level": 3}
WIDTH = 8.0  # in, the width of the book's text
TALLEST = 6.2  # in, the height of a panel
VALUES = "viridis"
INTENSITIES = "cividis"
SIGNED = "cividis"  # ever lighter from - to +, for readers in gray too: zero is in the middle
GRAY = "gray"
_STILL = 0.01  # of the cell: a mean displacement below has no direction
_ALIKE, _DARKER = np.cos(np.deg2rad(20)), 0.62  # labels of one direction, and their shades
#: Colors of the A and B columns, of what is singled out, and of what stays in the background.
SUBLATTICES = {"A": "#E69F00", "B": "#56B4E9"}
ACCENT, MUTED, INK = "#D55E00", "#9AA0A6", "#222222"
#: Colors of rewards, other than those of labels.
SERIES_STYLES = ("#332288", "#117733", "#AA4499", "#999933")

RC = {
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "figure.titlesize": 10.5,
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure in this style that displays itself in a notebook, whether or not
    pyplot was imported.
    """

    @matplotlib.artist.allow_rasterization
    def draw(self, renderer) -> None:
        with _settings():  # ticks are made only now
            super().draw(renderer)

    def get_tightbbox(self, *args, **kwargs):
        with _settings():
            return super().get_tightbbox(*args, **kwargs)

    def _repr_png_(self) -> bytes:
        return png_bytes(self)


def png_bytes(figure: matplotlib.figure.Figure) -> bytes:
    """A figure as PNG: the same bytes for the same figure.

    Examples
    --------
    >>> png_bytes(Figure())[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    _write(figure, buffer)
    return buffer.getvalue()


def _write(figure: matplotlib.figure.Figure, file) -> None:
    """Draw a figure once and store it; ``savefig`` draws it twice, first only for its layout."""
    before = figure.canvas, figure.dpi
    try:
        with _settings():  # of saving, too
            canvas, figure.dpi = FigureCanvasAgg(figure), DPI
            canvas.print_png(file, metadata={"Software": None}, pil_kwargs=_PNG)
    finally:
        figure.set_canvas(before[0])
        figure.dpi = before[1]


def _settings():
    return matplotlib.style.context(["default", RC])


def styled(function):
    """Decorator: draw under :data:`RC` on matplotlib's defaults, whatever the user's own settings
    are.

    Examples
    --------
    >>> styled(lambda: matplotlib.rcParams["legend.frameon"])()
    False
    """

    @functools.wraps(function)
    def drawn(*args, **kwargs):
        with _settings():
            return function(*args, **kwargs)

    return drawn


def save_figure(figure: matplotlib.figure.Figure, path: str | Path) -> None:
    """Write a figure as PNG: all of it or nothing, and the same bytes for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
        File to write; an existing one is replaced once the new one is complete.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(Figure(), f"{folder}/empty.png")
    ...     os.listdir(folder)
    ['empty.png']
    """
    with atomic(path) as part:
        _write(figure, part)


def save_plot(path: str | Path, plot: Callable[..., matplotlib.figure.Figure], *shown) -> None:
    """Write the picture that a function draws of some values."""
    save_figure(plot(*shown), path)


def draw_all(pictures: Iterable[Callable[[], None]]) -> None:
    """Draw one picture after the other."""
    for draw in pictures:
        draw()


def save_mask(pixels: np.ndarray, path: str | Path) -> None:
    """Write a mask as PNG, pixel by pixel, white where it is true: all of it or nothing.

    Parameters
    ----------
    pixels : ndarray of bool, shape (H, W)
    path : str or Path
    """
    with atomic(path) as part:
        matplotlib.image.imsave(
            part, pixels, cmap=GRAY, vmin=0, vmax=1, format="png", metadata={"Software": None}
        )


# ---- sizes ---------------------------------------------------------------------------


def column_handles(
    n: int, aspect: float, least: float = 2.6, beside: float = 0.1, width: float = WIDTH
) -> int:
    """Number of panels side by side, at most three, of ``n`` panels of an aspect (width / height).

    As many as leave every panel ``least`` inches high where ``beside`` inches of its width are
    taken by color bars and labels: wide strips are stacked.

    Examples
    --------
    >>> column_handles(2, 1.0), column_handles(2, 6.0), column_handles(9, 1.0, least=1.6)
    (2, 1, 3)
    """
    fitting = [k for k in range(1, min(n, 3) + 1) if (width / k - beside) / aspect >= least]
    return max(fitting, default=1)


def make_panels(
    n: int,
    aspect: float,
    least: float = 2.6,
    beside: float = 0.1,
    extra: float = 0.25,
    footer: float = 0.15,
    width: float = WIDTH,
    **kwargs,
):
    """A figure of book width, or less where panels would be too tall, with ``n`` panels of one
    aspect, and its axes.

    Parameters
    ----------
    n : int
        Number of panels.
    aspect : float
        Width / height of what they show.
    least : float
        Least height of a panel in inches, see :func:`column_handles`.
    beside : float
        Width in inches that color bars and labels take beside every panel.
    extra : float
        Height in inches that titles take in every row.
    footer : float
        Height in inches that legends and labels take once.
    width : float
        Of the figure, in inches, at most.
    **kwargs
        For ``Figure.subplots``.

    Returns
    -------
    figure : Figure
    axes : list of matplotlib.axes.Axes
        ``n`` of them, row by row.

    Examples
    --------
    >>> figure, axes = make_panels(3, aspect=1.0)
    >>> len(axes), float(figure.get_figwidth())
    (3, 8.0)
    """
    side_by_side = column_handles(n, aspect, least, beside, width)
    rows = -(-n // side_by_side)
    height = min((width / side_by_side - beside) / aspect, TALLEST)
    needed = side_by_side * (height * aspect + beside)
    width = float(np.clip(needed, 3.0 + 1.5 * side_by_side, width))
    # titles need the room beside tall panels
    layout = "compressed" if aspect > 0.6 else "constrained"
    figure = Figure(figsize=(width, rows * (height + extra) + footer), layout=layout)
    grid = figure.subplots(rows, side_by_side, squeeze=False, **kwargs).ravel()
    for spare in grid[n:]:
        spare.remove()
    return figure, list(grid[:n])


# ---- colors -------------------------------------------------------------------------


def _hue_circle(n: int = 256) -> np.ndarray:
    """RGB colors of equal steps in hue (OKLCH); opposite hues differ in gray too."""
    turn = 2 * np.pi * np.arange(n) / n
    lightness = 0.73 + 0.12 * np.cos(turn - 1.2)
    lab = np.stack([lightness, 0.11 * np.cos(turn + 0.5), 0.11 * np.sin(turn + 0.5)])
    cone = (
        np.array(
            [
                [1, 0.3963377774, 0.2158037573],
                [1, -0.1055613458, -0.0638541728],
                [1, -0.0894841775, -1.2914855480],
            ]
        )
        @ lab
    )
    linear = (
        np.array(
            [
                [4.0767416621, -3.3077115913, 0.2309699292],
                [-1.2684380046, 2.6097574011, -0.3413193965],
                [-0.0041960863, -0.7034186147, 1.7076147010],
            ]
        )
        @ cone**3
    )
    linear = np.clip(linear, 0, 1)
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).T


#: Cyclic map for angles, -180 to 180 degrees.
ANGLES = ListedColormap(_hue_circle(), name="hue_circle")
#: Directions (degrees, x towards y) that the labels 0 to 7 stand for on a lattice along the image.
_NAMED = (45, 135, -135, -45, 0, 90, 180, -90)
NEUTRAL = "#9A9A9A", "#6B6B6B", "#C6C6C6"
#: Colors of the labels 0, 1, ...: those of the wheel in the directions of the variants, as many as
#: eight, then gray and dark ones. More labels than colors begin again.
LABELS = (*(to_hex(ANGLES(t / 360 + 0.5)) for t in _NAMED), *NEUTRAL, "#222255")
#: Roughness of walls, the bright part of plasma, legible on a darkened image.
ROUGHNESS = ListedColormap(
    matplotlib.colormaps["plasma_r"](np.linspace(0, 0.72, 256)), name="roughness"
)


def label_colors(
    labels: np.ndarray | int, alpha: float = 1.0, named: Mapping[int, str] | None = None
) -> np.ndarray:
    """RGBA color of every label; negative labels are transparent.

    Parameters
    ----------
    labels : ndarray of int, any shape, or int
    alpha : float
        Opacity of the others.
    named : mapping of int to str, optional
        Colors of some labels, see :func:`direction_colors`; by default :data:`LABELS`.

    Returns
    -------
    ndarray, shape labels.shape + (4,)

    Examples
    --------
    >>> label_colors(np.array([0, -1]))[:, 3].tolist()
    [1.0, 0.0]
    """
    labels = np.asarray(labels)
    n = max(len(LABELS), int(labels.max(initial=0)) + 1)
    colors = [(named or {}).get(k, LABELS[k % len(LABELS)]) for k in range(n)]
    rgba = to_rgba_array(colors, alpha)[labels]
    rgba[labels < 0] = 0
    return rgba


def direction_colors(cells: Cells, labels: np.ndarray, polar_sign: int = 1) -> dict[int, str]:
    """The color of the wheel for every label of a map, where the polarization is seen.

    Parameters
    ----------
    cells : Cells
    labels : ndarray of int, shape (R, C)
    polar_sign : {1, -1}
        Whether the polarization points with the polar displacement, or against it.

    Returns
    -------
    dict of int to str
        Gray for non-polar labels; of labels within 20 degrees of each other the smaller ones are
        darker. Empty where the second sublattice is not seen: labels then keep :data:`LABELS`.
    """
    if not cells.has_b:
        return {}
    names, means = mean_displacements(cells.polar, labels)
    still = is_nonpolar(means) | (np.hypot(*means.T) < _STILL * cells.basis.cell_px)
    found: dict[int, str] = {}
    taken: list[float] = []
    sizes = [(labels == name).sum() for name in names]
    for k in np.argsort(sizes, kind="stable")[::-1].tolist():
        name = int(names[k])
        if still[k]:
            found[name] = NEUTRAL[sum(c in NEUTRAL for c in found.values()) % len(NEUTRAL)]
            continue
        angle = float(np.arctan2(*(polar_sign * means[k, ::-1])))
        near = sum(np.cos(angle - other) > _ALIKE for other in taken)
        taken.append(angle)
        found[name] = to_hex(_DARKER**near * np.array(ANGLES(angle / (2 * np.pi) + 0.5)[:3]))
    return found


def color_limits(values: np.ndarray, about: float | None = None) -> Normalize:
    """Color scale from the 2nd to the 98th percentile of the finite values, or balanced ``about``
    a center.

    Examples
    --------
    >>> scale = color_limits(np.array([0.0, 1.0, 3.0]), about=1)
    >>> round(scale.vmin, 2), round(scale.vmax, 2)
    (-0.94, 2.94)
    """
    finite = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    if about is not None:
        reach = max(float(np.quantile(np.abs(finite - about), 0.97)), 1e-9)
        return Normalize(about - reach, about + reach)
    low, high = np.quantile(finite, [0.02, 0.98])
    return Normalize(float(low), float(high if high > low else low + 1e-9))


# ---- furniture -----------------------------------------------------------------------


def scale_bar(axes, length_per_unit: float, unit: str) -> None:
    """Draw a bar of a round length, at most a fifth of the panel wide, at the panel's lower left.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Panel of equal aspect whose limits are set.
    length_per_unit : float
        Units of length (``unit``) per unit of the x axis.
    unit : str
        "nm", "px" or "cells".
    """
    width, height = (abs(np.subtract(*span)) for span in (axes.get_xlim(), axes.get_ylim()))
    length = round_down(min(0.2 * width, 0.8 * height) * length_per_unit)
    bar = AnchoredSizeBar(
        axes.transData,
        length / length_per_unit,
        f"{length:g} {unit}",
        "lower left",
        pad=0.25,
        borderpad=0.4,
        sep=2,
        color="white",
        size_vertical=0.008 * min(height, 2 * width),
    )
    bar.patch.set(facecolor="black", edgecolor="none", alpha=0.6)
    bar.set_zorder(6)
    axes.add_artist(bar)


def round_down(value: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that does not exceed ``value``: a round length for a
    scale bar.

    Examples
    --------
    >>> round_down(3.7), round_down(0.051)
    (2.0, 0.05)
    """
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(k * power for k in (1, 2, 5) if k * power <= value * (1 + 1e-9)))


def color_bar(mappable, axes, label: str, **kwargs) -> None:
    """Color bar beside a panel, labeled with the unit, with a few ticks (unless ``ticks`` are
    given).
    """
    options = dict(fraction=0.05, pad=0.02, aspect=18, extendfrac=0.04) | kwargs
    bar = axes.figure.colorbar(mappable, ax=axes, **options)
    bar.set_label(label)
    bar.outline.set_visible(False)
    if "ticks" not in kwargs:
        bar.ax.locator_params(nbins=5)


def label_legend(figure: matplotlib.figure.Figure, handles: list) -> None:
    """Legend below a figure, in as many columns as its longest entry leaves room for."""
    longest = max((len(handle.get_label()) for handle in handles), default=1)
    fitting = max(1, int(figure.get_figwidth() / (0.07 * longest + 0.6)))
    rows = -(-len(handles) // fitting)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=-(-len(handles) // rows))


def direction_wheel(axes, inches: float = 0.42) -> None:
    """Color wheel of directions in the image (x right, y down), above a panel's right end or
    beside a narrow one.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Panel of equal aspect that the wheel explains.
    inches : float
        Diameter.
    """
    aspect = abs(np.subtract(*axes.get_xlim()) / np.subtract(*axes.get_ylim()))
    panel = min((WIDTH - 1) / axes.get_subplotspec().get_gridspec().ncols, TALLEST * aspect)
    wide, high = inches / panel, inches / panel * aspect
    box = axes.inset_axes(
        [1 - 1.4 * wide, 1.015 + 0.35 * high, wide, high]
        if wide < 0.3
        else [1.08, 1 - high, wide, high]
    )
    draw_wheel(box)


def draw_wheel(axes, fontsize: float = 9) -> None:
    """The color of every direction on a panel of its own, with the axes of the image: x to the
    right, y down.
    """
    y, x = np.mgrid[-1:1:121j, -1:1:121j]
    rgba = ANGLES(np.arctan2(y, x) / (2 * np.pi) + 0.5)
    radius = np.hypot(x, y)
    rgba[..., 3] = np.clip((1 - radius) * 60, 0, 1) * np.clip((radius - 0.55) * 60, 0, 1)
    axes.imshow(rgba, extent=(-1, 1, 1, -1), interpolation="bilinear")
    for name, end, place in (("x", (0.42, 0), (1.25, 0)), ("y", (0, 0.42), (0, 1.3))):
        axes.annotate(
            "",
            end,
            (0, 0),
            arrowprops=dict(arrowstyle="->", lw=0.6, mutation_scale=4, shrinkA=0, shrinkB=0),
        )
        axes.text(*place, name, ha="center", va="center", fontsize=fontsize)
    axes.axis("off")
