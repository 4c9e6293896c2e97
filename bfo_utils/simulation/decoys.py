"""Decoys: label maps that are wrong in a known way, to test what fools a reward."""

import numpy as np
from scipy import ndimage


def make_decoys(truth: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Wrong maps of a crystal with a given true map, by name.

    Geometry alone prefers most of them to the truth: their walls are longer, straighter, or fewer.

    Parameters
    ----------
    truth : ndarray of int, shape (R, C)
        True label per cell, -1 outside.
    seed : int
        Seed of the random maps.

    Returns
    -------
    dict of str to ndarray of int, shape (R, C)
        ``half split``: a straight wall through the middle. ``stripes``: three rows each.
        ``illumination``: diagonal bands. ``frame``: the edge of the crystal. ``merged``: the two
        smallest labels as one. ``over-split``: the largest label cut in two. ``wall as class``: the
        walls, two cells wide, as a label of their own. ``3 % wrong``: the truth with speckle.
        ``smooth noise`` and ``Voronoi``: domains that are not there.

    Examples
    --------
    >>> maps = make_decoys(np.repeat([[0] * 6 + [1] * 6], 12, axis=0))
    >>> sorted(np.unique(maps["half split"]).tolist())
    [0, 1]
    """
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[: truth.shape[0], : truth.shape[1]]
    names, counts = np.unique(truth[truth >= 0], return_counts=True)
    by_size = names[np.argsort(counts)]
    maps = {
        "half split": (cols > np.median(cols[truth >= 0])).astype(int),
        "stripes": rows // 3 % 2,
        "illumination": (rows + cols) // max(2, sum(truth.shape) // 5),
        "frame": (
            ndimage.binary_erosion(truth >= 0, iterations=max(2, min(truth.shape) // 12)).astype(
                int
            )
        ),
        "merged": np.where(truth == by_size[0], by_size[min(1, len(by_size) - 1)], truth),
        "over-split": _split(truth, by_size[-1]),
        "wall as class": np.where(_near_walls(truth), truth.max() + 1, truth),
        "3 % wrong": np.where(
            rng.random(truth.shape) < 0.03, rng.choice(names, truth.shape), truth
        ),
        "smooth noise": (
            (ndimage.gaussian_filter(rng.standard_normal(truth.shape), 5) > 0).astype(int)
        ),
        "Voronoi": _voronoi(truth.shape, 5, rng),
    }
    return {name: np.where(truth < 0, -1, labels) for name, labels in maps.items()}


def stopped_maps(labels: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """For every reward of the total, a map that is wrong in a way that this reward rejects.

    Parameters
    ----------
    labels : ndarray of int, shape (R, C)
        A sensible map of a crystal, -1 outside.
    seed : int
        Seed of the random maps.

    Returns
    -------
    dict of str to ndarray of int, shape (R, C)
        By name of the reward. ``continuity``: a fifth of the cells have a wrong label.
        ``straightness``: blobs. ``evidence``: stripes of six rows. ``contrast``: the largest label
        cut in two. ``balance``: one label, and a few cells of another. ``amount``: one label.
        ``thickness``: single rows.

    Examples
    --------
    >>> maps = stopped_maps(np.repeat([[0] * 12 + [1] * 12], 24, axis=0))
    >>> np.unique(maps["amount"]).tolist(), np.unique(maps["contrast"]).tolist()
    ([0], [0, 1, 2])
    """
    rng, inside = np.random.default_rng(seed), labels >= 0
    rows = np.indices(labels.shape)[0]
    names, counts = np.unique(labels[inside], return_counts=True)
    few = np.zeros(labels.shape, int)
    middle = np.argwhere(inside)[inside.sum() // 2]
    side = max(3, round(np.sqrt(0.004 * inside.sum())))
    few[middle[0] : middle[0] + side, middle[1] : middle[1] + side] = 1
    maps = {
        "continuity": np.where(
            rng.random(labels.shape) < 0.2, rng.integers(0, names[-1] + 2, labels.shape), labels
        ),
        "straightness": (ndimage.gaussian_filter(rng.standard_normal(labels.shape), 2) > 0) * 1,
        "evidence": rows // 6 % 2,
        "contrast": _split(labels, int(names[counts.argmax()])),
        "balance": few,
        "amount": np.zeros(labels.shape, int),
        "thickness": rows % 2,
    }
    return {name: np.where(inside, found, -1) for name, found in maps.items()}


def straight_wall_map(angle_deg: float, n: int) -> np.ndarray:
    """Two domains with a straight wall through the middle at any angle: a perfect wall on a grid of
    cells.

    Parameters
    ----------
    angle_deg : float
        Angle between the wall and the rows.
    n : int
        Cells along each side.

    Returns
    -------
    ndarray of int, shape (n, n)

    Examples
    --------
    >>> straight_wall_map(0, 4)[:, 0].tolist(), straight_wall_map(90, 4)[0].tolist()
    ([1, 1, 0, 0], [0, 0, 1, 1])
    """
    y, x = np.indices((n, n)) - (n - 1) / 2
    angle = np.deg2rad(angle_deg)
    return (x * np.sin(angle) - y * np.cos(angle) > 1e-9).astype(int)


def _split(truth: np.ndarray, label: int) -> np.ndarray:
    """Cut one label in two along the row that halves it."""
    rows = np.indices(truth.shape)[0]
    own = truth == label
    return np.where(own & (rows > np.median(rows[own])), truth.max() + 1, truth)


def _near_walls(truth: np.ndarray) -> np.ndarray:
    """Cells that touch a cell of another label."""
    near = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        unlike = np.diff(truth, axis=axis) != 0
        near |= np.insert(unlike, 0, False, axis=axis) | np.insert(
            unlike, unlike.shape[axis], False, axis=axis
        )
    return near & (truth >= 0)


def _voronoi(shape: tuple[int, int], n: int, rng) -> np.ndarray:
    points = rng.uniform(0, 1, (n, 2)) * shape
    rows, cols = np.indices(shape)
    return np.argmin(
        np.hypot(rows[..., None] - points[:, 0], cols[..., None] - points[:, 1]), axis=-1
    )
