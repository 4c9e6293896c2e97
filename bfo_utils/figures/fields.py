"""Fields measured in every cell, over the image or on the grid of cells."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.quiver import Quiver

from ..descriptors import Oxygen
from ..io import Image
from ..lattice import Cells, ScanDistortion, Superstructure, scan_polar
from .backdrop import backdrop, draw_walls, paint, walls_of
from .style import (
    ANGLES,
    INTENSITIES,
    SIGNED,
    VALUES,
    WIDTH,
    Figure,
    color_bar,
    color_limits,
    direction_wheel,
    label_colors,
    make_panels,
    styled,
)

_ARROWS = 1500
_OXYGEN = "#D55E00"


# ---- over the image ------------------------------------------------------------------


@styled
def plot_polarization(
    image: Image, cells: Cells, labels: np.ndarray | None = None, polar_sign: int = 1
) -> Figure:
    """Polar displacement as arrows over the image and its magnitude; strain where the B columns are
    not seen.

    Arrows show the mean over blocks of cells, at most about 1,500 of them, colored by direction.

    Parameters
    ----------
    image : Image
    cells : Cells
    labels : ndarray of int, shape (R, C), optional
        Label map whose walls are drawn over both panels.
    polar_sign : {1, -1}
        Whether arrows point with the displacement of the B columns against the A columns, or
        against it, as the polarization may.

    Returns
    -------
    Figure
    """
    height, width = image.shape
    figure, axes = make_panels(2, width / height, beside=0.8, extra=0.3, footer=0.35)
    if cells.has_b:
        _arrows(axes[0], image, cells, polar_sign)
        _magnitude(axes[1], image, cells)
    else:
        figure.suptitle("The second sublattice is not seen in this image: lattice strain instead")
        draw_field(
            axes[0], image, cells, cells.a / cells.b, "ratio of the cell edges", "a / b", about=1
        )
        draw_field(
            axes[1], image, cells, cells.rotation, "rotation of the cell", "degrees", about=0
        )
    if labels is not None:
        for panel in axes:
            draw_walls(panel, cells, walls_of(labels))
    return figure


def _arrows(axes, image: Image, cells: Cells, sign: int) -> None:
    """Arrows of the polarization with the color wheel, and what they are."""
    backdrop(axes, image, "dark")
    block = draw_arrows(axes, cells, sign)[1]
    direction_wheel(axes)
    averaged = f"\nmean of {block} × {block} cells" if block > 1 else ""
    what = (
        "polar displacement of B relative to A"
        if sign > 0
        else "polarization, opposite to the displacement of B"
    )
    axes.set_title(f"{what}{averaged}", loc="left", y=1.01)


def draw_arrows(axes, cells: Cells, sign: int = 1, most: int = _ARROWS) -> tuple[Quiver, int]:
    """Draw arrows of the mean polarization of square blocks of cells, colored by direction.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Panel of the image, y down.
    cells : Cells
    sign : {1, -1}
        Whether arrows point with the polar displacement, or against it.
    most : int
        Arrows at most, about; blocks are made large enough.

    Returns
    -------
    quiver : matplotlib.quiver.Quiver
        Its lengths are in px of displacement.
    block : int
        Edge of the blocks in cells.
    """
    block = max(1, int(np.ceil(np.sqrt(cells.n / most))))
    at, polar = _block_means(cells, block)
    polar = sign * polar
    longest = max(float(np.quantile(np.hypot(*polar.T), 0.95)), 1e-9) if len(polar) else 1.0
    spacing = block * cells.basis.cell_px
    arrows = axes.quiver(
        *at.T,
        *polar.T,
        np.arctan2(polar[:, 1], polar[:, 0]),
        cmap=ANGLES,
        clim=(-np.pi, np.pi),
        angles="xy",
        scale_units="xy",
        scale=longest / (1.05 * spacing),
        units="xy",
        pivot="middle",
        width=0.16 * spacing,
        headwidth=3.2,
        headlength=3.4,
        headaxislength=3.2,
    )
    return arrows, block


@styled
def ordered(image: Image, cells: Cells, superstructures: Sequence[Superstructure]) -> Figure:
    """Local amplitude of an ordered displacement over the image.

    Parameters
    ----------
    image : Image
    cells : Cells
        With an order.
    superstructures : sequence of Superstructure
        The orders, of which the most significant is drawn.

    Returns
    -------
    Figure
    """
    height, width = image.shape
    figure, axes = make_panels(1, width / height, extra=0.4)
    first = max(superstructures, key=lambda order: order.significance)
    scale, unit = _picometers(image.pixel_size_nm)
    assert cells.order is not None
    title = f"ordered displacement of {first.sublattice}, wave vector {first.name}"
    values = (
        cells.order[..., 0] if cells.order.shape[-1] == 1 else np.linalg.norm(cells.order, axis=-1)
    )
    draw_field(
        axes[0],
        image,
        cells,
        values * scale,
        title,
        unit,
        about=0 if cells.order.shape[-1] == 1 else None,
    )
    return figure


@styled
def plot_oxygen(image: Image, cells: Cells, oxygen: Oxygen) -> Figure:
    """Oxygen columns over the second channel, and the rotation of the octahedra.

    Parameters
    ----------
    image : Image
        With its second channel.
    cells : Cells
    oxygen : Oxygen

    Returns
    -------
    Figure
    """
    height, width = image.shape
    figure, axes = make_panels(2, width / height, extra=0.4)
    assert image.second is not None
    backdrop(axes[0], replace(image, data=image.second))
    axes[0].scatter(*oxygen.columns.xy.T, s=3, c=_OXYGEN, linewidths=0)
    axes[0].set_title(f"second channel, {len(oxygen.columns):,} oxygen columns")
    title = "rotation of the octahedra"
    draw_field(axes[1], image, cells, oxygen.tilt_deg, title, "degrees", about=0)
    return figure


def _block_means(cells: Cells, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean position and displacement (px) of valid cells, per block at least half full."""
    rows, cols = -(-np.array(cells.shape) // block)
    i, j = np.nonzero(cells.valid)
    index = (i // block) * cols + j // block
    count = np.bincount(index, minlength=rows * cols)
    values = np.concatenate([cells.xy[i, j], cells.polar[i, j]], axis=1)
    kept = count >= max(1, block**2 / 2)
    means = np.stack(
        [np.bincount(index, v, rows * cols)[kept] / count[kept] for v in values.T], axis=1
    )
    return means[:, :2], means[:, 2:]


def _magnitude(axes, image: Image, cells: Cells) -> None:
    scale, unit = _picometers(image.pixel_size_nm)
    length = scale * np.hypot(*np.moveaxis(cells.polar, -1, 0))
    draw_field(axes, image, cells, length, "magnitude of the displacement", unit)


def _picometers(pixel_size_nm: float | None) -> tuple[float, str]:
    return (1000 * pixel_size_nm, "pm") if pixel_size_nm else (1.0, "px")


def draw_field(
    axes,
    image: Image,
    cells: Cells,
    values: np.ndarray,
    title: str,
    unit: str,
    about=None,
    scale=None,
) -> None:
    """Values of the cells at their positions over the image; diverging ``about`` a center."""
    backdrop(axes, image)
    shown = np.isfinite(values)
    painted = paint(
        axes,
        cells,
        shown,
        array=values[shown],
        cmap=VALUES if about is None else SIGNED,
        norm=scale or color_limits(values, about),
    )
    color_bar(painted, axes, unit, extend="both")
    axes.set_title(title)


@styled
def plot_scan(image: Image, cells: Cells, scan: ScanDistortion) -> Figure:
    """Scan correction: the image beside the displacement of its rows with two standard errors, and
    the polar displacement along the fast axis before and after the correction.

    If the fast axis is y, or rows were not corrected, the figure shows that.

    Parameters
    ----------
    image : Image
        As analyzed.
    cells : Cells
        Measured on it.
    scan : ScanDistortion

    Returns
    -------
    Figure

    Examples
    --------
    >>> from ..search import prepare_image
    >>> from ..simulation import Specimen, simulate_phantom
    >>> image = simulate_phantom(Specimen(cells=16, jitter_px=0.4, jitter_rows=3)).image
    >>> done = prepare_image(image)
    >>> figure = plot_scan(done.image, done.lattice.cells, done.scan)
    >>> figure.axes[1].get_xlabel()
    'displacement along x (px)'
    """
    height, width = image.shape
    figure, axes = make_panels(
        4 if cells.has_b else 2, width / height, beside=0.8, extra=0.3, footer=0.35
    )
    backdrop(axes[0], image)
    axes[0].set_title("image")
    _rows(axes[1], scan, image.shape)
    if cells.has_b:
        along, false = _along_scan(cells, scan)
        factor, unit = _picometers(image.pixel_size_nm)
        shown = (along + false, along) if scan.corrected else (along, along - false)
        scale = color_limits(factor * shown[0], 0)
        for panel, values, title in zip(
            axes[2:], shown, ("as scanned", "scan corrected"), strict=True
        ):
            name = "P along the scan, " + title
            draw_field(panel, image, cells, factor * values, name, unit, about=0, scale=scale)
    return figure


def _along_scan(cells: Cells, scan: ScanDistortion) -> tuple[np.ndarray, np.ndarray]:
    """Polar displacement along the fast axis (x where none is known), and what the scan makes of
    it, in px.
    """
    along = cells.polar[..., 1 if scan.axis == "y" else 0]
    return along, np.zeros(along.shape) if scan.axis == "none" else scan_polar(scan, cells)


def _rows(axes, scan: ScanDistortion, shape: tuple[int, int]) -> None:
    """Displacement of every row (of pixel columns: every column) of the scan."""
    across, n = scan.axis == "y", shape[scan.axis == "y"]
    moved, sd = (
        (scan.displacement_px, scan.sd_px) if scan.axis != "none" else (np.zeros(n), np.zeros(n))
    )
    row, low, high = np.arange(n), moved - 2 * sd, moved + 2 * sd
    if across:
        axes.fill_between(row, low, high, color="0.8", lw=0)
        axes.plot(row, moved, color="k", lw=0.6)
        axes.set(xlim=(0, n), xlabel="x (px)", ylabel="displacement along y (px)")
    else:
        axes.fill_betweenx(row, low, high, color="0.8", lw=0)
        axes.plot(moved, row, color="k", lw=0.6)
        axes.set(ylim=(n, 0), ylabel="y (px)", xlabel="displacement along x (px)")
    axes.set_title("displacement of the rows")


@styled
def plot_confidence(
    image: Image, cells: Cells, labels: np.ndarray, posterior: np.ndarray, recurrence: np.ndarray
) -> Figure:
    """Confidence of the label of every cell: its posterior and its recurrence in nearly as good
    maps, over the image, with the walls of the map.

    Parameters
    ----------
    image : Image
    cells : Cells
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analyzed mask.
    posterior, recurrence : ndarray, shape (R, C)
        See :class:`bfo_utils.results.Confidence` and :class:`bfo_utils.results.NearBest`; NaN where
        there is nothing to be sure of.

    Returns
    -------
    Figure
    """
    height, width = image.shape
    figure, axes = make_panels(2, width / height, beside=0.8, extra=0.3, footer=0.35)
    panels = zip(
        axes,
        (posterior, recurrence),
        ("posterior of the label", "recurrence in near-best maps"),
        strict=True,
    )
    for panel, values, title in panels:
        draw_field(panel, image, cells, values, title, "share", scale=Normalize(0.5, 1))
        draw_walls(panel, cells, walls_of(labels))
    return figure


@styled
def plot_residual(image: Image, cells: Cells, labels: np.ndarray, residual: np.ndarray) -> Figure:
    """Structure of the polar displacement that a map does not explain: components along x and y
    over the image, with the walls of the map.

    Parameters
    ----------
    image : Image
    cells : Cells
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analyzed mask.
    residual : ndarray, shape (R, C, 2)
        In px, see :func:`bfo_utils.segmentation.residual_structure`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from ..search import prepare_image
    >>> from ..simulation import Specimen, simulate_phantom
    >>> done = prepare_image(simulate_phantom(Specimen(cells=12, cell_px=16)).image)
    >>> cells, labels = done.lattice.cells, np.where(done.mask, 0, -1)
    >>> plot_residual(done.image, cells, labels, cells.polar).axes[0].get_title()
    'residual of P along x'
    """
    height, width = image.shape
    factor, unit = _picometers(image.pixel_size_nm)
    figure, axes = make_panels(2, width / height, beside=0.8, extra=0.3, footer=0.35)
    scale, walls = color_limits(factor * residual, 0), walls_of(labels)
    for k, panel in enumerate(axes):
        title = f"residual of P along {'xy'[k]}"
        draw_field(
            panel, image, cells, factor * residual[..., k], title, unit, about=0, scale=scale
        )
        draw_walls(panel, cells, walls)
    return figure


# ---- on the grid ---------------------------------------------------------------------


@styled
def plot_quantities(cells: Cells, pixel_size_nm: float | None = None) -> Figure:
    """All measured quantities of the cells, one small map each on the grid of cells.

    Parameters
    ----------
    cells : Cells
    pixel_size_nm : float, optional
        Nanometers per pixel; without it lengths are in px.

    Returns
    -------
    Figure
        Nine maps, or six where the B columns are not seen.
    """
    quantities = _quantities(cells, pixel_size_nm)
    figure, axes = grid_panels(len(quantities), cells.shape)
    for panel, (title, values, unit, cmap, scale) in zip(axes, quantities, strict=True):
        shown = panel.imshow(values, cmap=cmap, norm=scale)
        ticks = {"ticks": [-180, -90, 0, 90, 180]} if cmap is ANGLES else {}
        color_bar(shown, panel, unit, **ticks)
        panel.set_title(title)
    return figure


def _quantities(cells: Cells, pixel_size_nm: float | None) -> list[tuple]:
    """Title, values, unit, color map and scale of every quantity that is measured."""
    length, unit = (pixel_size_nm, "nm") if pixel_size_nm else (1.0, "px")
    edges = [
        _value("edge a", length * cells.a, unit),
        _value("edge b", length * cells.b, unit),
        _signed("a / b", cells.a / cells.b, "", 1),
    ]
    angles = [
        _value("angle between a and b", cells.angle, "degrees"),
        _signed("rotation", cells.rotation, "degrees", 0),
    ]
    if not cells.has_b:
        return [*edges, *angles, _amplitude("A columns", cells.a_intensity)]
    scale, small = _picometers(pixel_size_nm)
    x, y = np.moveaxis(cells.polar, -1, 0)
    polar = [
        ("direction of P", np.rad2deg(np.arctan2(y, x)), "degrees", ANGLES, Normalize(-180, 180)),
        _value("magnitude of P", scale * np.hypot(x, y), small),
    ]
    return [
        *polar,
        _amplitude("A columns", cells.a_intensity),
        *edges,
        *angles,
        _amplitude("B columns", cells.b_intensity),
    ]


def _value(title, values, unit, cmap=VALUES) -> tuple:
    return title, values, unit, cmap, color_limits(values)


def _signed(title, values, unit, about) -> tuple:
    return title, values, unit, SIGNED, color_limits(values, about)


def _amplitude(title, values) -> tuple:
    """Amplitudes have no physical unit: they are shown relative to their median."""
    return _value(f"amplitude of {title}", values / np.nanmedian(values), "of median", INTENSITIES)


@styled
def plot_components(
    features: np.ndarray, mask: np.ndarray, explained: Sequence[float] | None = None
) -> Figure:
    """Scores of the principal components on the grid of cells.

    Parameters
    ----------
    features : ndarray, shape (N, K)
        Scores of the analyzed cells.
    mask : ndarray of bool, shape (R, C)
        Where these cells lie on the grid.
    explained : sequence of float, optional
        Share of the variance that each component explains, 0 to 1.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_components(np.zeros((12, 2)), np.ones((3, 4), bool), [0.6, 0.2])
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['component 1 (60 %)', 'component 2 (20 %)']
    """
    figure, axes = grid_panels(features.shape[1], mask.shape)
    for k, panel in enumerate(axes):
        values = np.full(mask.shape, np.nan)
        values[mask] = features[:, k]
        shown = panel.imshow(values, cmap=SIGNED, norm=color_limits(values, 0))
        color_bar(shown, panel, "score")
        panel.set_title(
            f"component {k + 1}"
            + (f" ({100 * explained[k]:.0f} %)" if explained is not None else "")
        )
    return figure


@styled
def plot_maps(
    maps: Sequence[np.ndarray],
    captions: Sequence[str],
    named: Sequence[Mapping[int, str]] | Mapping[int, str] | None = None,
) -> Figure:
    """Label maps on the grid of cells as small multiples, four in a row.

    Parameters
    ----------
    maps : sequence of ndarray of int, shape (R, C)
        Label per cell; -1 stays clear.
    captions : sequence of str
        Title of every map.
    named : mapping of int to str, or sequence of one for every map, optional
        Colors of labels, of :func:`bfo_utils.figures.direction_colors`, say.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = plot_maps([np.eye(4, dtype=int), np.zeros((4, 4), int)], ["diagonal", "one label"])
    >>> [axes.get_title() for axes in figure.axes]
    ['diagonal', 'one label']
    """
    side_by_side = min(4, len(maps))
    rows = -(-len(maps) // side_by_side)
    side = (WIDTH - 0.2) / 4
    titles = 0.2 + 0.17 * max(caption.count("\n") + 1 for caption in captions)
    figure = Figure(
        figsize=(side_by_side * side + 0.2, rows * (side + titles)), layout="constrained"
    )
    panels = figure.subplots(rows, side_by_side, squeeze=False).ravel()
    colors = [named] * len(maps) if named is None or isinstance(named, Mapping) else named
    for panel, labels, caption, own in zip(panels, maps, captions, colors, strict=False):
        panel.imshow(label_colors(labels, named=own))
        panel.set(xticks=[], yticks=[], title=caption)
        panel.spines[:].set_visible(False)
    for spare in panels[len(maps) :]:
        spare.remove()
    return figure


def grid_panels(n: int, shape: tuple[int, int]) -> tuple[Figure, list]:
    """Panels for a grid of cells of a shape, with whole numbers and labels on the outer axes."""
    figure, axes = make_panels(
        n, shape[1] / shape[0], least=1.5, beside=1.0, footer=0.4, sharex=True, sharey=True
    )
    # panels from here on have none below
    lowest = n - axes[0].get_subplotspec().get_gridspec().ncols
    for k, panel in enumerate(axes):
        panel.locator_params(integer=True, nbins=4)
        panel.set(xlabel="column j (cells)", ylabel="row i (cells)")
        panel.label_outer()
        if k >= lowest:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("column j (cells)")
    return figure, axes
