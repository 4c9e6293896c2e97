"""Figures for a paper, drawn from a finished result, as vector files with editable text."""

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase

import matplotlib.style
import numpy as np
from matplotlib import font_manager
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy import ndimage

from ...compute import atomic, locked_folder, refuse_foreign
from ...errors import InputError
from ...figures import (
    ANGLES,
    INK,
    MUTED,
    SIGNED,
    backdrop,
    color_bar,
    color_limits,
    direction_colors,
    draw_arrows,
    draw_walls,
    draw_wheel,
    label_colors,
    paint,
    round_down,
    tint,
    walls_of,
)
from .answer import Answer
from .formats import is_made_here

_MAKER = "bfo_utils"
PICTURE_FORMATS = ("svg", "pdf", "png")
_MM = 25.4  # per inch
_WIDTHS = (20.0, 400.0)  # mm
_SMALLEST_PX, _LARGEST_PX = 50, 20_000
_ARROWS = 500
_WIDE = 2.5  # times as wide as high: panels are stacked
_KEYS_MM = 14.0  # of the height, for keys and labels of a panel
_PROFILES = 4  # walls, the longest first
_BINS = 24
_CHARGES = {
    "head-to-head": ("#C1272D", "+"),
    "tail-to-tail": ("#0057B8", "−"),
    "neutral": ("#FFFFFF", "0"),
    "mixed": ("#F2C14E", "±"),
    "": ("#FFFFFF", ""),
}
_ARROW = 0.2  # inches: the arrow that says which way a domain points
_LINES = "-", "--", ":", "-."
_STRAINS = {
    "exx": "strain εxx (%)",
    "eyy": "strain εyy (%)",
    "exy": "strain εxy (%)",
    "rotation_deg": "rotation (°)",
}
_RC = {
    "font.size": 7,
    "font.family": "DejaVu Sans",
    "axes.labelsize": 7,
    "axes.titlesize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.0,
    "legend.columnspacing": 1.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": _MAKER,
    "pdf.fonttype": 42,  # whole glyphs, embedded
    "image.interpolation": "nearest",
}


# ---- panels: each takes an axes and returns it ---------------------------------------


def draw_domains(axes, answer: Answer):
    """Draw the domains in the colors of their polarization over the image, with walls and names,
    and in each an arrow of its direction, which tells them apart in gray.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer

    Returns
    -------
    matplotlib.axes.Axes
    """
    colors = direction_colors(answer.grid, answer.labels, answer.polar_sign)
    tint(axes, answer.image, answer.grid, answer.labels, "light", 0.4, colors)
    draw_walls(axes, answer.grid, walls_of(answer.labels))
    for _, row in answer.domains[answer.domains["kind"] == "variant"].iterrows():
        # in the middle of its widest part
        depth = ndimage.distance_transform_edt(np.pad(answer.labels == row["label"], 1))[1:-1, 1:-1]
        middle = answer.grid.xy[np.unravel_index(depth.argmax(), depth.shape)]
        angle = np.deg2rad(row["p_angle_deg"])
        look = dict(units="inches", width=_ARROW / 8, color="white", edgecolor=INK, lw=0.6)
        axes.quiver(
            *middle,
            np.cos(angle),
            np.sin(angle),
            angles="xy",
            scale_units="inches",
            scale=1 / _ARROW,
            pivot="mid",
            **look,
        )
    entries = [
        Patch(facecolor=label_colors(label, named=colors), label=name)
        for label, name in answer.domains[["label", "name"]].itertuples(index=False)
    ]
    _legend_below(axes, entries)
    return axes


def draw_polarization(axes, answer: Answer):
    """Draw arrows of the polarization over the image, with walls, color wheel and a key of their
    length.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer

    Returns
    -------
    matplotlib.axes.Axes
    """
    backdrop(axes, answer.image, "dark")
    arrows, block = draw_arrows(axes, answer.grid, answer.polar_sign, _ARROWS)
    draw_walls(axes, answer.grid, walls_of(answer.labels))
    height, width = answer.image.shape
    flat = width / height  # keys keep their size above wide images
    draw_wheel(axes.inset_axes([0.85, 1 + 0.07 * flat, 0.13, 0.13 * flat]), fontsize=6.5)
    units = answer.units
    length = np.hypot(*answer.grid.polar[(answer.labels >= 0) & answer.grid.valid].T)
    key = round_down(max(units.per_short * float(np.quantile(length, 0.9)), 1e-6))
    axes.quiverkey(
        arrows,
        *((0.06, -0.05 * flat) if flat < _WIDE else (0.3, 1 + 0.07 * flat)),
        key / units.per_short,
        f"{key:g} {units.short}" + (f" ({block} × {block} cells)" if block > 1 else ""),
        labelpos="E",
        color=INK,
    )
    return axes


def draw_charges(axes, answer: Answer):
    """Draw the wall segments with their numbers in ``walls.csv`` and the sign of their bound
    charge, which colors them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer

    Returns
    -------
    matplotlib.axes.Axes
    """
    backdrop(axes, answer.image)
    charges = answer.walls["charge"].tolist()
    for lines, charge, segment in zip(answer.lines, charges, answer.walls["segment"]):
        shade, sign = _CHARGES[charge]
        for color, width in ((INK, 4.0), ("white", 3.2), (INK, 2.4), (shade, 1.6)):
            axes.add_collection(
                LineCollection(lines, colors=color, linewidths=width, capstyle="round"),
                autolim=False,
            )
        axes.annotate(
            f"{segment} ({sign})" if sign else str(segment),
            lines.mean(axis=1)[len(lines) // 2],
            (5, 0),
            textcoords="offset points",
            va="center",
            bbox=dict(boxstyle="round,pad=0.15", facecolor="white", edgecolor="none", alpha=0.85),
        )
    entries = [
        Patch(facecolor=color, edgecolor=INK, linewidth=0.6, label=f"{charge} ({sign})")
        for charge, (color, sign) in _CHARGES.items()
        if charge and charge in charges
    ]
    _legend_below(axes, entries)
    return axes


def draw_profile(axes, answer: Answer, segment: int):
    """Draw the polarization along one wall and along its normal over the distance from it, with
    bands of one standard error.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer
    segment : int
        Number of the segment in ``walls.csv``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    units = answer.units
    own = answer.profiles[answer.profiles["segment"] == segment]
    x = own[f"distance_{units.long}"]
    looks = (("parallel", "P∥", "#332288", "-"), ("perpendicular", "P⊥", "#D55E00", "--"))
    for name, symbol, color, line in looks:
        y, se = own[f"p_{name}_{units.short}"], own[f"se_p_{name}_{units.short}"]
        axes.fill_between(x, y - se, y + se, color=color, alpha=0.25, lw=0)
        axes.plot(x, y, line, color=color, label=symbol)
    axes.axhline(0, color=MUTED, lw=0.5, zorder=0)
    axes.axvline(0, color=MUTED, lw=0.5, zorder=0)
    axes.set(xlabel=f"distance ({units.long})", ylabel=f"P ({units.short})")
    axes.set_title(f"wall {segment}")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.04, 0.96), ncols=2, borderpad=0, columnspacing=0.6
    )
    return axes


def draw_strain(axes, answer: Answer, component: str):
    """Draw a component of the strain, or the rotation, over the image.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer
    component : {"exx", "eyy", "exy", "rotation_deg"}

    Returns
    -------
    matplotlib.axes.Axes
    """
    backdrop(axes, answer.image)
    values = answer.on_grid(component) * (1 if component == "rotation_deg" else 100)
    return _painted(axes, answer, values, _STRAINS[component])


def _painted(axes, answer: Answer, values: np.ndarray, label: str):
    """Signed values of the cells at their places, with a color bar."""
    shown = np.isfinite(values)
    cells = paint(
        axes, answer.grid, shown, array=values[shown], cmap=SIGNED, norm=color_limits(values, 0)
    )
    cells.set_rasterized(True)
    wide = answer.image.shape[1] > _WIDE * answer.image.shape[0]  # a label needs more height
    axes.set_title(label if wide else "")
    color_bar(cells, axes, "" if wide else label, extend="both")
    return axes


def draw_derivative(axes, answer: Answer, quantity: str):
    """Draw the divergence or the curl of the polarization over the image, in % (displacement per
    length), with circles on vortices and diamonds on antivortices.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer
    quantity : {"div_p", "curl_p"}

    Returns
    -------
    matplotlib.axes.Axes
    """
    backdrop(axes, answer.image)
    name = "div" if quantity == "div_p" else "curl"
    _painted(axes, answer, 100 * answer.on_grid(quantity), f"{name} P (%)")
    for vortex in answer.summary.get("vortices", []):
        marker = "o" if vortex["winding"] > 0 else "D"
        axes.plot(
            vortex["x_px"], vortex["y_px"], marker, ms=4, mfc="white", mec=INK, mew=0.8, zorder=4
        )
    return axes


def draw_magnitudes(axes, answer: Answer):
    """Draw histograms of the length of the polar displacement, one outline per domain in its
    color.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    answer : Answer

    Returns
    -------
    matplotlib.axes.Axes
    """
    units, grid = answer.units, answer.grid
    length = units.per_short * np.hypot(*np.moveaxis(grid.polar, -1, 0))
    colors = direction_colors(grid, answer.labels, answer.polar_sign)
    known = np.isfinite(length) & (answer.labels >= 0)
    edges = np.linspace(0, float(np.quantile(length[known], 0.995)), _BINS + 1)
    for k, (label, name) in enumerate(answer.domains[["label", "name"]].itertuples(index=False)):
        own = length[known & (answer.labels == label)]
        axes.hist(
            own, edges, histtype="step", color=colors[label], ls=_LINES[k % 4], lw=1.3, label=name
        )
    axes.set(xlabel=f"length of P ({units.short})", ylabel="cells", xlim=(0, edges[-1]))
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=2, borderpad=0)
    return axes


def draw_directions(axes, answer: Answer, label: int | None = None):
    """Draw the rose of the directions of the polarization, every cell weighted by its length.

    Parameters
    ----------
    axes : matplotlib.projections.polar.PolarAxes
    answer : Answer
    label : int, optional
        The cells of this domain only.

    Returns
    -------
    matplotlib.projections.polar.PolarAxes
    """
    cells = answer.labels >= 0 if label is None else answer.labels == label
    x, y = answer.polar_sign * answer.grid.polar[cells & answer.grid.valid].T
    angle, edges = np.arctan2(y, x), (np.arange(_BINS + 1) - 0.5) * 2 * np.pi / _BINS
    weights = np.histogram(angle % (2 * np.pi - edges[1]), edges, weights=np.hypot(x, y))[0]
    centers = np.arange(_BINS) * 2 * np.pi / _BINS
    share = 100 * weights / max(weights.sum(), 1e-12)
    turn = (centers / (2 * np.pi) + 0.5) % 1
    axes.bar(centers, share, 0.95 * 2 * np.pi / _BINS, color=ANGLES(turn), edgecolor=INK, lw=0.3)
    axes.set_theta_direction(-1)  # y down, as in the image
    axes.set(xticks=np.deg2rad([0, 90, 180, 270]), yticks=[])
    axes.set_xticklabels(["x", "y", "", ""])
    names = dict(zip(answer.domains["label"], answer.domains["name"]))
    axes.set_title("all cells" if label is None else names[label])
    return axes


def _legend_below(axes, entries: list) -> None:
    if entries:
        axes.legend(
            handles=entries,
            loc="upper left",
            bbox_to_anchor=(-0.02, -0.01),
            borderpad=0.2,
            labelspacing=0.25,
        )


# ---- figures -------------------------------------------------------------------------


def _mm(width: float, height: float) -> Figure:
    return Figure(figsize=(width / _MM, height / _MM), layout="compressed")


def _one(draw: Callable, keys: float = 0.0) -> Callable[[Answer, float], Figure]:
    """A figure of one panel with the image in it, and room above as a share of its width."""

    def figure(answer: Answer, width: float) -> Figure:
        height, across = answer.image.shape
        made = _mm(width, width * (height / across + keys) + _KEYS_MM)
        draw(made.subplots(), answer)
        return made

    return figure


def _panels(answer: Answer, width: float, draws: Sequence[Callable], beside: float, keys: float):
    """Panels two abreast, or one where they are wide, with the image in them and letters a), b),
    ..., and room in mm for color bars beside and keys below each.
    """
    height, across = answer.image.shape
    abreast = 1 if across > _WIDE * height else 2
    rows = -(-len(draws) // abreast)
    made = _mm(width, rows * ((width / abreast - beside) * height / across + keys))
    grid = made.subplots(rows, abreast, squeeze=False).ravel()
    for spare in grid[len(draws) :]:
        spare.remove()
    for panel, draw in zip(grid, draws):
        draw(panel)
    _lettered(grid[: len(draws)])
    return made


def _lettered(panels: Sequence) -> None:
    for letter, panel in zip(ascii_lowercase, panels):
        panel.set_title(f"{letter}) {panel.get_title()}".strip(), loc="left", y=1.0)
        panel.set_title("")


def _strain(answer: Answer, width: float) -> Figure:
    draws = [lambda axes, c=c: draw_strain(axes, answer, c) for c in _STRAINS]
    return _panels(answer, width, draws, 14, 7)


def _profiles(answer: Answer, width: float) -> Figure:
    chosen = _longest_walls(answer)[:_PROFILES]
    rows = -(-len(chosen) // 2) if len(chosen) > 1 else 1
    made = _mm(width, rows * width * (0.42 if len(chosen) > 1 else 0.62))
    grid = made.subplots(rows, min(2, len(chosen)), squeeze=False).ravel()
    for spare in grid[len(chosen) :]:
        spare.remove()
    for panel, segment in zip(grid, chosen):
        draw_profile(panel, answer, segment)
    if len(chosen) > 1:
        _lettered(grid[: len(chosen)])
    return made


def _derivatives(answer: Answer, width: float) -> Figure:
    draws = [lambda axes, q=q: draw_derivative(axes, answer, q) for q in ("div_p", "curl_p")]
    return _panels(answer, width, draws, 14, 7)


def _histograms(answer: Answer, width: float) -> Figure:
    made = _mm(width, 0.7 * width)
    draw_magnitudes(made.subplots(), answer)
    return made


def _roses(answer: Answer, width: float) -> Figure:
    labels = [None, *answer.domains["label"].tolist()]
    if len(labels) == 2:
        labels = labels[1:]
    rows = -(-len(labels) // 2)
    made = _mm(width, rows * width * 0.52)
    for k, label in enumerate(labels):
        panel = made.add_subplot(rows, min(2, len(labels)), k + 1, projection="polar")
        draw_directions(panel, answer, label)
    if len(labels) > 1:
        _lettered(made.axes)
    return made


def _overview(answer: Answer, width: float) -> Figure:
    draws: list[Callable] = [lambda axes: draw_domains(axes, answer)]
    if answer.grid.has_b:
        draws.append(lambda axes: draw_polarization(axes, answer))
    if len(answer.walls):
        draws.append(lambda axes: draw_charges(axes, answer))
        if answer.grid.has_b:
            longest = _longest_walls(answer)[0]
            draws.append(lambda axes: draw_profile(axes, answer, longest))
    return _panels(answer, width, draws, 5, _KEYS_MM)


def _longest_walls(answer: Answer) -> list[int]:
    """Numbers of the segments that have a profile, the longest first."""
    length = f"length_{answer.units.long}"
    have = answer.walls[answer.walls["segment"].isin(answer.profiles["segment"])]
    return have.sort_values(length, ascending=False, kind="stable")["segment"].tolist()


_ALWAYS, _POLAR, _WALLS = "", "the second sublattice is seen", "there are walls"
#: Figures by name: what draws them, and what they need.
FIGURES: Mapping[str, tuple[Callable[[Answer, float], Figure], tuple[str, ...]]] = {
    "overview": (_overview, ()),
    "domains": (_one(draw_domains), ()),
    "polarization": (_one(draw_polarization, 0.15), (_POLAR,)),
    "walls": (_one(draw_charges), (_WALLS,)),
    "profiles": (_profiles, (_WALLS, _POLAR)),
    "strain": (_strain, ()),
    "derivatives": (_derivatives, (_POLAR,)),
    "histograms": (_histograms, (_POLAR,)),
    "roses": (_roses, (_POLAR,)),
}


def paper_figure(answer: Answer, name: str, width_mm: float = 85.0) -> Figure:
    """A figure for a paper.

    Parameters
    ----------
    answer : Answer
    name : str
        One of :data:`FIGURES`.
    width_mm : float
        Width on the page: 85 for a column of most journals.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        For an unknown name or width, or where the result does not hold what the figure shows.
    """
    if name not in FIGURES:
        raise InputError(f"--only: '{name}' is not a figure; choose from {', '.join(FIGURES)}")
    _check_width(width_mm)
    draw, needs = FIGURES[name]
    lacking = next((need for need in needs if not _holds(answer, need)), None)
    if lacking:
        raise InputError(f"--only: {name} cannot be drawn, because it requires that {lacking}")
    with matplotlib.style.context(["default", _RC]):
        figure = draw(answer, width_mm)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # else it moves a little every time that it is drawn
        return figure


def _check_width(width_mm: float) -> None:
    if not _WIDTHS[0] <= width_mm <= _WIDTHS[1]:
        raise InputError(f"--width: {width_mm:g} mm; give {_WIDTHS[0]:g} to {_WIDTHS[1]:g} mm")


def _holds(answer: Answer, need: str) -> bool:
    return answer.grid.has_b if need == _POLAR else len(answer.walls) > 0


def write_figures(
    answer: Answer,
    out: str | Path,
    formats: Sequence[str] = ("pdf",),
    dpi: int = 600,
    width_mm: float = 85.0,
    only: Sequence[str] = (),
) -> list[Path]:
    """Write figures for a paper, the same bytes for the same result.

    Parameters
    ----------
    answer : Answer
    out : str or Path
        Folder; made where missing.
    formats : sequence of {"svg", "pdf", "png"}
    dpi : int
        Of PNG, and of the image in the others.
    width_mm : float
    only : sequence of str
        Names, see :data:`FIGURES`; by default all that the result has.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        See :func:`paper_figure`; and for formats, a resolution or files that cannot be.
    """
    for name in formats:
        if name not in PICTURE_FORMATS:
            choices = ", ".join(PICTURE_FORMATS)
            raise InputError(f"--format: '{name}' is not a format; choose from {choices}")
    _check_width(width_mm)
    if not _SMALLEST_PX <= width_mm / _MM * dpi <= _LARGEST_PX:
        raise InputError(
            f"--dpi: {dpi} at {width_mm:g} mm is not a valid figure size; 600 dpi is usual"
        )
    names = only or [
        n for n, (_, needs) in FIGURES.items() if all(_holds(answer, n) for n in needs)
    ]
    figures = {name: paper_figure(answer, name, width_mm) for name in names}
    paths = [Path(out, f"{name}.{kind}") for name in names for kind in formats]
    for path in paths:
        refuse_foreign([path], is_made_here(path), "give another folder with --out")
    with locked_folder(out):
        for path in paths:
            with atomic(path) as part:
                part.write_bytes(figure_bytes(figures[path.stem], path.suffix[1:], dpi))
    return paths


def figure_bytes(figure: Figure, kind: str, dpi: int) -> bytes:
    """A figure as the bytes of a file, with the program that made it but no date.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From :func:`paper_figure`.
    kind : {"svg", "pdf", "png"}
    dpi : int

    Returns
    -------
    bytes
    """
    told = {"png": {"Software": _MAKER}, "svg": {"Creator": _MAKER, "Date": None}}.get(
        kind, {"Creator": _MAKER, "CreationDate": None}
    )
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", _RC]):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=told)
    return _with_font(buffer.getvalue()) if kind == "svg" else buffer.getvalue()


def _with_font(svg: bytes) -> bytes:
    """An SVG with the glyphs of its text in it, so that it looks the same everywhere."""
    from fontTools import subset, ttLib

    text = svg.decode()
    used = "".join(re.findall(r"<(?:text|tspan)[^>]*>([^<]*)", text))
    font = ttLib.TTFont(font_manager.findfont("DejaVu Sans"), recalcTimestamp=False)
    maker = subset.Subsetter(subset.Options(drop_tables=["FFTM", "DSIG"]))
    maker.populate(text=used)
    maker.subset(font)
    buffer = io.BytesIO()
    font.save(buffer, reorderTables=True)
    content = base64.b64encode(buffer.getvalue()).decode()
    face = (
        "@font-face{font-family:'DejaVu Sans';"
        f"src:url(data:font/ttf;base64,{content}) format('truetype')}}"
    )
    return text.replace("<defs>", f"<defs>\n  <style>{face}</style>", 1).encode()
