"""Variants of clusters, from the mean polar displacement of their cells."""

import numpy as np

N_VARIANTS = 4  # along the diagonals of the cell
NON_POLAR = 0.3  # of the longest mean displacement in a map: a cluster below has no direction


def mean_displacements(polar: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a map and the mean polar displacement of each.

    Parameters
    ----------
    polar : ndarray, shape (R, C, 2)
        Polar displacement per cell, NaN where unknown.
    labels : ndarray of int, shape (R, C)
        Label per cell; those below 0 are left out.

    Returns
    -------
    names : ndarray of int, shape (K,)
    means : ndarray, shape (K, 2)

    Examples
    --------
    >>> names, means = mean_displacements(np.ones((1, 3, 2)), np.array([[2, 2, -1]]))
    >>> names.tolist(), means.tolist()
    ([2], [[1.0, 1.0]])
    """
    names = np.unique(labels[labels >= 0])
    means = [np.nanmean(polar[labels == name], axis=0) for name in names]
    return names, np.array(means).reshape(-1, 2)


def is_nonpolar(means: np.ndarray) -> np.ndarray:
    """Which mean displacements are shorter than 0.3 of the longest one.

    Parameters
    ----------
    means : ndarray, shape (K, 2)

    Returns
    -------
    ndarray of bool, shape (K,)

    Examples
    --------
    >>> is_nonpolar(np.array([[3.0, 4.0], [0.0, 1.4], [0.0, -1.6]]))
    array([False,  True, False])
    """
    length = np.hypot(*means.T)
    return length < NON_POLAR * length.max(initial=0)


def variant_numbers(means: np.ndarray, a: np.ndarray) -> np.ndarray:
    """The variant of every mean displacement, by its 45-degree sector.

    Parameters
    ----------
    means : ndarray, shape (K, 2)
        In px, x to the right and y down.
    a : ndarray, shape (2,)
        Lattice vector along the rows, against which angles are measured.

    Returns
    -------
    ndarray of int, shape (K,)
        0 to 3 along the diagonals of the cell (right-down, left-down, left-up, right-up), 4 to 7
        along its axes (right, down, left, up), -1 for a non-polar one.

    Examples
    --------
    >>> means = np.array([[1.0, 1.0], [-1.0, 0.9], [0.0, 1.2], [0.1, -0.1]])
    >>> variant_numbers(means, np.array([9.0, 0.0]))
    array([ 0,  1,  5, -1])
    """
    angle = np.arctan2(means[:, 1], means[:, 0]) - np.arctan2(a[1], a[0])
    sector = np.rint(np.rad2deg(angle) / 45).astype(int) % 8
    number = np.where(sector % 2 == 1, sector // 2, N_VARIANTS + sector // 2)
    return np.where(is_nonpolar(means), -1, number)
