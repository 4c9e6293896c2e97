"""Tiles: a large image in parts that overlap, so that no step needs memory for more than a part.

A tile owns its core; cores meet without gap or overlap. Its box is wider by the reach of the
filters to be run, cut at the frame of the image. A filter run on the box gives in the core what it
gives on the whole image, to the last bit, so nothing that is computed in tiles depends on their
size.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

T = TypeVar("T")
R = TypeVar("R")
TILE_SIDE = 512  # px: a tile and its filtered copies stay in the processor's cache, or near it


@dataclass(frozen=True)
class Tile:
    """One tile of an image: first row and column, and the end of both, of its core and of its
    box.
    """

    core: tuple[slice, slice]
    box: tuple[slice, slice]

    @property
    def inner(self) -> tuple[slice, slice]:
        """The core as seen from the box."""
        rows, cols = (
            slice(c.start - b.start, c.stop - b.start) for c, b in zip(self.core, self.box)
        )
        return rows, cols

    @property
    def origin(self) -> np.ndarray:
        """Position (x, y) of the box's first pixel, shape (2,)."""
        return np.array([self.box[1].start, self.box[0].start])


class _Threads:
    """How many threads `in_threads` may use, in this process."""

    most = 1


@contextmanager
def use_threads(most: int) -> Iterator[None]:
    """Let the parts of an image share threads within the block. Elsewhere there is one, for several
    images may be analyzed at a time, each in a process of its own.
    """
    before, _Threads.most = _Threads.most, most
    try:
        yield
    finally:
        _Threads.most = before


def in_threads(function: Callable[[T], R], parts: Sequence[T]) -> list[R]:
    """Results of a function for every part of an image, in order: with several threads if
    :func:`use_threads` allows them, for most of the time numpy and scipy let others run.

    Examples
    --------
    >>> with use_threads(2):
    ...     in_threads(abs, [-2, 1, -3])
    [2, 1, 3]
    """
    threads = min(len(parts), _Threads.most)
    if threads < 2:
        return [function(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, parts))


def divide_into_tiles(shape: tuple[int, int], reach: int = 0, side: int = TILE_SIDE) -> list[Tile]:
    """Tiles that cover an image, row by row.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image in px.
    reach : int
        How far, in px, a pixel of the result looks around itself: the width of the overlap.
    side : int
        Largest side of a core in px.

    Returns
    -------
    list of Tile
        Cores are of equal size, to a pixel.

    Examples
    --------
    >>> first, *_, last = divide_into_tiles((100, 250), reach=5, side=100)
    >>> first.core, last.box
    ((slice(0, 100, None), slice(0, 83, None)), (slice(0, 100, None), slice(161, 250, None)))
    """
    spans = [
        [(slice(a, b), slice(max(0, a - reach), min(size, b + reach))) for a, b in pairwise(cuts)]
        for size, cuts in zip(shape, (_cuts(size, side) for size in shape))
    ]
    return [Tile((rows[0], cols[0]), (rows[1], cols[1])) for rows in spans[0] for cols in spans[1]]


def _cuts(size: int, side: int) -> list[int]:
    """Where the cores along one axis begin, and the end of the last."""
    return np.linspace(0, size, -(-size // side) + 1).astype(int).tolist()


def owned_by_tile(
    xy: np.ndarray, shape: tuple[int, int], side: int = TILE_SIDE
) -> list[np.ndarray]:
    """The points that lie in the core of every tile of :func:`divide_into_tiles`, in their own
    order.

    Parameters
    ----------
    xy : ndarray, shape (N, 2)
        Positions (x, y) in px; a point outside the frame belongs to the tile nearest to it.
    shape : tuple of int
        Height and width of the image in px.
    side : int
        As for :func:`divide_into_tiles`.

    Returns
    -------
    list of ndarray of int
        Indices of the points, one array per tile; every point is in one of them.

    Examples
    --------
    >>> xy = np.array([[70, 2], [3, 3], [60, -1]])
    >>> [index.tolist() for index in owned_by_tile(xy, (50, 100), side=50)]
    [[1], [0, 2]]
    """
    cuts = [_cuts(size, side) for size in shape]
    row, col = (
        np.searchsorted(cut[1:-1], xy[:, axis], side="right") for cut, axis in zip(cuts, (1, 0))
    )
    tile = row * (len(cuts[1]) - 1) + col
    order = np.argsort(tile, kind="stable")
    return np.split(
        order, np.searchsorted(tile[order], np.arange(1, (len(cuts[0]) - 1) * (len(cuts[1]) - 1)))
    )


def row_bands(shape: tuple[int, int], pixels: int = 2**20) -> list[slice]:
    """Rows of an image in bands of about ``pixels`` px, for what is done pixel by pixel.

    Examples
    --------
    >>> row_bands((5, 100), pixels=200)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, pixels // shape[1])
    return [slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows)]
