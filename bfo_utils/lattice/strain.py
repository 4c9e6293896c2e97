"""Strain of every cell relative to a given reference, and standard errors of all quantities
measured on the cells.

The edges of a cell are linear in the positions of the A columns (see :mod:`bfo_utils.lattice`), so
their errors follow from those of the columns, which are treated as independent.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..errors import InputError
from .building import Lattice
from .cells import Cells, corner_mean

_LEAST_CELLS = 9  # that a region of reference must hold
_BINOMIAL = (1, 2, 1)  # weights of the cells that an edge is averaged over, along both axes


@dataclass(frozen=True)
class Strain:
    """Strain of the cells: U - 1, where the cell's edges are R U times those of the reference (R a
    rotation).

    Attributes
    ----------
    exx, eyy, exy : ndarray, shape (R, C)
        Tensor in image axes (x right, y down); exy is half the engineering shear.
    rotation : ndarray, shape (R, C)
        Degrees, from x towards y.
    reference : ndarray, shape (2, 2)
        Edges a and b (rows, px) of the reference cell.
    """

    exx: np.ndarray
    eyy: np.ndarray
    exy: np.ndarray
    rotation: np.ndarray
    reference: np.ndarray


@dataclass(frozen=True)
class CellErrors:
    """Standard errors of the quantities of the cells of the same names, shape (R, C); ``polar``
    (R, C, 2); px and degrees.
    """

    polar: np.ndarray
    a: np.ndarray
    b: np.ndarray
    angle: np.ndarray
    rotation: np.ndarray
    exx: np.ndarray
    eyy: np.ndarray
    exy: np.ndarray


def cell_edges(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Edges a and b of every cell as vectors in px, shape (R, C, 2) each."""
    first, second = (np.arctan2(v[1], v[0]) for v in cells.basis.vectors)
    mean = np.rad2deg(second - first)
    along_a = first + np.deg2rad(cells.rotation - (cells.angle - mean) / 2)
    along_b = along_a + np.deg2rad(cells.angle)
    return _vectors(cells.a, along_a), _vectors(cells.b, along_b)


def _vectors(length: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1)


def reference_cell(
    cells: Cells, reference: str = "mean", pixel_size_nm: float | None = None
) -> np.ndarray:
    """Edges a and b (rows, px) of the reference cell of the strain.

    Parameters
    ----------
    cells : Cells
    reference : str
        "mean" of all cells; "X0,Y0,X1,Y1", the mean of a region in px; or "A,B", lengths in nm at
        right angles.
    pixel_size_nm : float, optional
        For lengths in nm.

    Returns
    -------
    ndarray, shape (2, 2)

    Raises
    ------
    InputError
        If the text is invalid, a region has fewer than 9 cells, or lengths are given without a
        pixel size.

    Examples
    --------
    >>> from ..columns import find_columns
    >>> from ..simulation import Specimen, simulate_phantom
    >>> from .building import build_lattice
    >>> p = simulate_phantom(Specimen(cells=12, cell_px=16, rotation_deg=0))
    >>> cells = build_lattice(p.image, find_columns(p.image)).cells
    >>> np.hypot(*reference_cell(cells, "0.4,0.41", 0.025).T).round(1).tolist()
    [16.0, 16.4]
    """
    edges, valid = cell_edges(cells), cells.valid & np.isfinite(cells.a)
    numbers = reference_numbers(reference)
    if len(numbers) == 4:
        (x0, y0, x1, y1), (x, y) = numbers, np.moveaxis(cells.xy, -1, 0)
        valid = (
            valid
            & (x >= min(x0, x1))
            & (x <= max(x0, x1))
            & (y >= min(y0, y1))
            & (y <= max(y0, y1))
        )
        if valid.sum() < _LEAST_CELLS:
            raise InputError(
                f"strain reference '{reference}': holds {valid.sum()} cells; give a region of"
                f" {_LEAST_CELLS} or more, in px"
            )
    mean = np.array([edge[valid].mean(axis=0) for edge in edges])
    return _given(mean, numbers, reference, pixel_size_nm) if len(numbers) == 2 else mean


def reference_numbers(reference: str) -> tuple[float, ...]:
    """Numbers of a strain reference: none for "mean", two lengths, or four coordinates of a region.

    Raises
    ------
    InputError
        If the text is invalid.
    """
    if reference == "mean":
        return ()
    try:
        numbers = tuple(float(part) for part in reference.split(","))
    except ValueError:
        numbers = ()
    if (
        len(numbers) not in (2, 4)
        or not all(np.isfinite(numbers))
        or (len(numbers) == 2 and min(numbers) <= 0)
    ):
        raise InputError(
            f"strain reference '{reference}': unknown; give mean, a region X0,Y0,X1,Y1 in px, or"
            " edges A,B in nm"
        )
    return numbers


def _given(
    mean: np.ndarray, lengths: tuple[float, ...], reference: str, pixel_size_nm: float | None
) -> np.ndarray:
    """Edges of given lengths at right angles, rotated as the mean cell is."""
    if pixel_size_nm is None:
        raise InputError(
            f"strain reference '{reference}': lengths in nm need a pixel size; give"
            " --pixel-size too"
        )
    a, b = (np.arctan2(v[1], v[0]) for v in mean)
    middle = a + ((b - a) % (2 * np.pi)) / 2
    angles = middle + np.array([-np.pi / 4, np.pi / 4])
    return _vectors(np.array(lengths) / pixel_size_nm, angles)


def measure_strain(cells: Cells, reference: np.ndarray) -> Strain:
    """Strain and rotation of every cell relative to a reference cell.

    Parameters
    ----------
    cells : Cells
    reference : ndarray, shape (2, 2)
        From :func:`reference_cell`.

    Returns
    -------
    Strain

    Examples
    --------
    >>> from .cells import Basis, measure_cells
    >>> y, x = np.mgrid[:5, :5] * 10.0
    >>> xy = np.stack([1.02 * x, y], -1)
    >>> cells = measure_cells(Basis(np.eye(2) * 10, False), xy, np.ones((5, 5)), None)
    >>> round(float(measure_strain(cells, np.eye(2) * 10).exx[2, 2]), 6)
    0.02
    """
    f = np.stack(cell_edges(cells), axis=-1) @ np.linalg.inv(reference.T)
    angle = np.arctan2(f[..., 1, 0] - f[..., 0, 1], f[..., 0, 0] + f[..., 1, 1])
    cos, sin = np.cos(angle), np.sin(angle)
    exx = cos * f[..., 0, 0] + sin * f[..., 1, 0] - 1
    eyy = cos * f[..., 1, 1] - sin * f[..., 0, 1] - 1
    exy = cos * f[..., 0, 1] + sin * f[..., 1, 1]
    return Strain(exx, eyy, exy, np.rad2deg(angle), reference)


def cell_errors(lattice: Lattice, column_se: np.ndarray, reference: np.ndarray) -> CellErrors:
    """Standard errors of everything measured on the cells, from those of the columns.

    Parameters
    ----------
    lattice : Lattice
    column_se : ndarray, shape (N, 2)
        Standard errors of the columns' positions in px.
    reference : ndarray, shape (2, 2)
        Reference cell of the strain.

    Returns
    -------
    CellErrors
    """
    cells, variance = lattice.cells, column_se**2
    node = lattice.on_nodes(variance)
    polar = (
        np.sqrt(lattice.on_nodes(variance, "B") + corner_mean(node) / 4)
        if cells.has_b
        else np.full(cells.xy.shape, np.nan)
    )
    spread = _edge_variances(node)
    a, b = cell_edges(cells)
    ua, ub = (edge / np.linalg.norm(edge, axis=-1, keepdims=True) for edge in (a, b))
    ta, tb = (np.rad2deg(_turned(edge) / (edge**2).sum(axis=-1, keepdims=True)) for edge in (a, b))
    zero, g = np.zeros(2), np.linalg.inv(reference.T)
    x, y = np.array([1.0, 0.0]), np.array([0.0, 1.0])

    def error(on_a, on_b):
        return np.where(cells.valid, _error(spread, on_a, on_b), np.nan)

    return CellErrors(
        polar=polar,
        a=error(ua, zero),
        b=error(zero, ub),
        angle=error(-ta, tb),
        rotation=error(ta / 2, tb / 2),
        exx=error(g[0, 0] * x, g[1, 0] * x),
        eyy=error(g[0, 1] * y, g[1, 1] * y),
        exy=error((g[0, 1] * x + g[0, 0] * y) / 2, (g[1, 1] * x + g[1, 0] * y) / 2),
    )


def _turned(vectors: np.ndarray) -> np.ndarray:
    """Vectors rotated by 90 degrees from x towards y."""
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)


def _error(
    spread: tuple[np.ndarray, np.ndarray, np.ndarray], on_a: np.ndarray, on_b: np.ndarray
) -> np.ndarray:
    """Standard error of a quantity that changes by on_a, on_b per px of edges a and b."""
    aa, ab, bb = spread
    return np.sqrt(np.maximum((on_a**2 * aa + 2 * on_a * on_b * ab + on_b**2 * bb).sum(axis=-1), 0))


def _edge_variances(node: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of a, covariance, variance of b, shape (R, C, 2) each, from the nodes."""
    known = np.isfinite(corner_mean(node)[..., 0])
    smooth = _smoothing(known)
    a, b = (smooth @ _differences(node.shape[:2], axis) for axis in (1, 0))
    values, shape = np.nan_to_num(node).reshape(-1, 2), (*known.shape, 2)
    aa, ab, bb = (p.multiply(q) @ values for p, q in ((a, a), (a, b), (b, b)))
    return aa.reshape(shape), ab.reshape(shape), bb.reshape(shape)


def _differences(shape: tuple[int, int], axis: int) -> sparse.csr_matrix:
    """Edge of every cell along an axis from the nodes: the mean of its two sides."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    corners = [
        (index[i : shape[0] - 1 + i, j : shape[1] - 1 + j].ravel(), (i, j)[axis] - 0.5)
        for i in (0, 1)
        for j in (0, 1)
    ]
    cell = np.arange(corners[0][0].size)
    rows, columns = np.tile(cell, 4), np.concatenate([at for at, _ in corners])
    return sparse.csr_matrix(
        (np.repeat([sign for _, sign in corners], cell.size), (rows, columns)),
        shape=(cell.size, index.size),
    )


def _smoothing(known: np.ndarray) -> sparse.csr_matrix:
    """The weighted mean over a cell and its known neighbors that the edges of the cells are."""
    index = np.pad(
        np.where(known, np.arange(known.size).reshape(known.shape), -1), 1, constant_values=-1
    )
    rows, columns, weights = [], [], []
    for i, wi in enumerate(_BINOMIAL):
        for j, wj in enumerate(_BINOMIAL):
            other = index[i : i + known.shape[0], j : j + known.shape[1]]
            pair = known & (other >= 0)
            rows.append(np.flatnonzero(pair))
            columns.append(other[pair])
            weights.append(np.full(len(columns[-1]), float(wi * wj)))
    matrix = sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))),
        shape=(known.size,) * 2,
    )
    total = np.asarray(matrix.sum(axis=1)).ravel()
    return sparse.diags_array(1 / np.where(total, total, 1)) @ matrix
