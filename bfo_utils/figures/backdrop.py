"""Backdrops: an image in gray, with labels, values, or walls drawn over it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from ..io import Image
from ..lattice import Cells
from ..rewards import Segmentation
from ..segmentation import Walls
from .placement import quadrilaterals, wall_lines
from .style import GRAY, INK, label_colors, scale_bar

#: How far the gray levels reach beyond the image's own at the black and at the white end, in units
#: of their range:
#: a light or dark backdrop leaves the other grays to what is drawn over it.
TONES = {"plain": (0.0, 0.0), "light": (0.4, 0.0), "dark": (0.0, 1.2)}
_VEIL = 0.65  # opacity over the part of an image that is not looked at
_SHOWN = 1600  # px: larger images are averaged over whole pixels before they are drawn


def backdrop(axes, image: Image, tone: str = "plain", part=None) -> None:
    """Draw an image in gray with its scale bar.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    image : Image
    tone : {"plain", "light", "dark"}
        See :data:`TONES`.
    part : tuple of float, optional
        Left, top, width, height in px of the part to show.

    Examples
    --------
    >>> from bfo_utils.io import image_from_array
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> backdrop(axes, image_from_array(np.eye(40)), part=(10, 5, 20, 20))
    >>> [float(x) for x in axes.get_xlim()]
    [9.5, 29.5]
    """
    left, top, width, height = _whole_pixels(part, image.shape)
    axes.set(xlim=(left - 0.5, left + width - 0.5), ylim=(top + height - 0.5, top - 0.5))
    axes.set(xticks=[], yticks=[], aspect="equal", autoscale_on=False)
    axes.spines[:].set_visible(False)
    _gray(axes, image, TONES[tone], (left, top, width, height))
    if image.region is not None:
        _veil(axes, image.region)
    scale_bar(axes, image.pixel_size_nm or 1.0, "nm" if image.pixel_size_nm else "px")


def _veil(axes, region: np.ndarray) -> None:
    """A veil over the pixels that are not looked at."""
    step = max(1, -(-max(region.shape) // _SHOWN))
    seen = region[::step, ::step]
    bottom, right = (n * step - 0.5 for n in seen.shape)
    veil = np.where(seen[..., None], 0.0, (1.0, 1.0, 1.0, _VEIL))
    axes.imshow(veil, extent=(-0.5, right, bottom, -0.5), aspect="equal", interpolation="nearest")


def _gray(axes, image: Image, tone: tuple[float, float], part=None, **kwargs) -> None:
    """Gray levels of a part of the image, their range wider by ``tone`` at either end."""
    left, top, width, height = _whole_pixels(part, image.shape)
    data = image.data[top : top + height, left : left + width]
    step = max(1, -(-max(data.shape) // _SHOWN))
    small = _averaged(data, step)
    black, white = _ends(image, tone)
    right, bottom = left + small.shape[1] * step, top + small.shape[0] * step
    axes.imshow(
        small,
        cmap=GRAY,
        vmin=black,
        vmax=white,
        aspect="equal",
        extent=(left - 0.5, right - 0.5, bottom - 0.5, top - 0.5),
        interpolation="antialiased",
        **kwargs,
    )


def _ends(image: Image, tone: tuple[float, float]) -> tuple[float, float]:
    """Intensities that are drawn black and white."""
    low, high = np.quantile(image.data[::7, ::3], [0.005, 0.995])
    span = max(high - low, 1e-12)
    return low - tone[0] * span, high + tone[1] * span


def gray_levels(image: Image, step: int, tone: str = "plain") -> np.ndarray:
    """An image in gray as bytes, averaged over blocks of pixels.

    Parameters
    ----------
    image : Image
    step : int
        Edge of the blocks in px; an incomplete last one is left out.
    tone : {"plain", "light", "dark"}
        See :data:`TONES`.

    Returns
    -------
    ndarray of uint8, shape (H // step, W // step)

    Examples
    --------
    >>> from bfo_utils.io import image_from_array
    >>> gray_levels(image_from_array(np.eye(40) * 9), 10).shape
    (4, 4)
    """
    black, white = _ends(image, TONES[tone])
    return np.clip(255 * (_averaged(image.data, step) - black) / (white - black), 0, 255).astype(
        np.uint8
    )


def _whole_pixels(part, shape) -> tuple[int, int, int, int]:
    """Left, top, width, height of a part, cut to the image and to whole pixels."""
    left, top, width, height = part or (0, 0, shape[1], shape[0])
    left, top = int(np.clip(left, 0, shape[1] - 2)), int(np.clip(top, 0, shape[0] - 2))
    return (
        left,
        top,
        int(np.clip(width, 2, shape[1] - left)),
        int(np.clip(height, 2, shape[0] - top)),
    )


def _averaged(data: np.ndarray, step: int) -> np.ndarray:
    """Means over blocks of ``step`` x ``step`` px; an incomplete last block is left out."""
    if step == 1:
        return data
    rows, cols = (size // step for size in data.shape)
    return data[: rows * step, : cols * step].reshape(rows, step, cols, step).mean(axis=(1, 3))


def tint(
    axes,
    image: Image,
    cells: Cells,
    labels: np.ndarray,
    tone: str,
    veil: float,
    named: Mapping[int, str] | None = None,
) -> None:
    """Draw labels in color over the image, half transparent.

    Opaque cells lie between the image and a veil of itself, so that cells that overlap by a pixel
    leave no seams.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    image : Image
    cells : Cells
    labels : ndarray of int, shape (R, C)
        Label per cell; -1 stays clear.
    tone : {"plain", "light", "dark"}
        See :data:`TONES`.
    veil : float
        Opacity of the image over the colors.
    named : mapping of int to str, optional
        Colors of the labels, see :func:`bfo_utils.figures.direction_colors`.
    """
    backdrop(axes, image, tone)
    paint(axes, cells, labels >= 0, facecolors=label_colors(labels[labels >= 0], named=named))
    _gray(axes, image, TONES[tone], alpha=veil, zorder=1.5)


def paint(axes, cells: Cells, shown: np.ndarray, **kwargs) -> PolyCollection:
    """Fill the outlines of cells at their positions.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    cells : Cells
    shown : ndarray of bool, shape (R, C)
        Cells to fill.
    **kwargs
        Colors, for ``PolyCollection``, in the order of ``shown``.

    Returns
    -------
    matplotlib.collections.PolyCollection
        Drawn without antialiasing: no seams shine through.
    """
    shapes = PolyCollection(
        quadrilaterals(cells)[shown], linewidths=0, antialiaseds=False, **kwargs
    )
    return axes.add_collection(shapes, autolim=False)


def draw_walls(axes, cells: Cells, walls: Walls) -> None:
    """Draw walls as dark lines with a light outline, visible on any gray level and color.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    cells : Cells
        Cells on the grid that the walls were traced on.
    walls : Walls
    """
    lines = wall_lines(cells, walls)
    for color, width in (("white", 2.6), (INK, 1.2)):
        axes.add_collection(
            LineCollection(lines, colors=color, linewidths=width, capstyle="round"), autolim=False
        )


def walls_of(labels: np.ndarray) -> Walls:
    """Walls of a label map without its speckle, as the rewards see them.

    Parameters
    ----------
    labels : ndarray of int, shape (R, C)

    Returns
    -------
    Walls

    Examples
    --------
    >>> walls_of(np.repeat([[0, 0, 0, 1, 1, 1]], 6, axis=0)).n_segments
    1
    """
    return Segmentation(labels, None).walls  # type: ignore[arg-type]  # no field is needed
