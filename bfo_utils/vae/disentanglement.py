"""Which latent carries which physical quantity: the latents of every cell compared with its
measured quantities.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.feature_selection import mutual_info_regression

from ..lattice import Cells
from ..segmentation import adjusted_eta_squared

_BINS = 30
_MAIN = (("polar x", "polar y"), ("strain",), ("rotation",), ("A intensity",))


def known_quantities(cells: Cells, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Measured quantities of the labeled cells.

    Parameters
    ----------
    cells : Cells
    labels : ndarray of int, shape (R, C)
        Label per cell; those below 0 are left out.

    Returns
    -------
    dict of str to ndarray, shape (N,)
        Polar displacement, strain ln(a/b), shear (the angle between a and b), rotation, amplitudes
        of the columns, and the mistilt, which is the part of the polar displacement that varies
        slowly inside domains. Without B columns, those of A only.
    """
    inside = labels >= 0
    measured = {
        "strain": np.log(cells.a / cells.b),
        "shear": cells.angle,
        "rotation": cells.rotation,
        "A intensity": cells.a_intensity,
    }
    if cells.has_b:
        slow = _slow(cells.polar, labels)
        measured |= {
            "polar x": cells.polar[..., 0],
            "polar y": cells.polar[..., 1],
            "B intensity": cells.b_intensity,
            "mistilt x": slow[..., 0],
            "mistilt y": slow[..., 1],
        }
    return {name: field[inside] for name, field in measured.items()}


def _slow(polar: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Polar displacement less the mean of its label, averaged over about three cells."""
    rest = np.zeros_like(polar)
    for label in np.unique(labels[labels >= 0]):
        own = labels == label
        rest[own] = polar[own] - np.nanmean(polar[own], axis=0)
    known = ((labels >= 0) & np.isfinite(rest[..., 0]))[..., None] * 1.0
    total, weight = (
        ndimage.gaussian_filter(v, (3, 3, 0)) for v in (np.nan_to_num(rest) * known, known)
    )
    return total / np.maximum(weight, 1e-9)


def explained_share(latent: np.ndarray, values: np.ndarray) -> float:
    """Share of the variance of a quantity that one latent explains: the correlation ratio over 30
    bins of equal count.

    Unlike a squared correlation it also detects nonlinear relations. It is corrected for the number
    of bins, so that an unrelated latent explains 0.

    Parameters
    ----------
    latent, values : ndarray, shape (N,)

    Returns
    -------
    float

    Examples
    --------
    >>> x = np.linspace(-1, 1, 600)
    >>> alternating = np.tile([0.0, 1.0], 300)
    >>> bool(explained_share(x, x**2) > 0.98), round(explained_share(alternating, x), 1)
    (True, 0.0)
    """
    rank = np.argsort(np.argsort(latent, kind="stable"), kind="stable")
    edges = np.unique(latent[np.argsort(latent)][:: max(1, len(latent) // _BINS)])
    bins = (
        np.searchsorted(edges, latent, side="right")
        if len(edges) < _BINS
        else rank * _BINS // len(latent)
    )
    return max(0.0, adjusted_eta_squared(bins, values[:, None]))


def rotate_latents(latents: np.ndarray, measured: Mapping[str, np.ndarray]) -> np.ndarray:
    """Latents rotated so that their axes correlate with measured quantities as well as possible.

    The prior of an autoencoder is isotropic, so any rotation of its latents is an equally good
    model. Each set of as many quantities as latents has a best rotation (Procrustes: Schonemann
    1966, doi 10.1007/BF02289451); the set with the largest sum of squared correlations is used.
    Clustering never uses rotated latents.

    Parameters
    ----------
    latents : ndarray, shape (N, K)
        Content only, without angle and shift.
    measured : mapping of str to ndarray, shape (N,)

    Returns
    -------
    ndarray, shape (N, K)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(300, 2))
    >>> rotation = np.array([[0.8, 0.6], [-0.6, 0.8]])
    >>> back = rotate_latents(truth @ rotation, {"one": truth[:, 0], "two": truth[:, 1]})
    >>> bool(np.abs(np.corrcoef(back[:, 0], truth[:, 0])[0, 1]) > 0.99)
    True
    """
    centered = latents - latents.mean(axis=0)
    fields = np.stack([(v - v.mean()) / max(v.std(), 1e-12) for v in measured.values()], axis=1)
    k = latents.shape[1]
    best, axes = -1.0, np.eye(k)
    for chosen in combinations(range(fields.shape[1]), min(k, fields.shape[1])):
        wanted, n = fields[:, chosen], len(chosen)
        u, _, vt = np.linalg.svd(np.linalg.lstsq(centered, wanted, rcond=None)[0])
        rotation = np.hstack([u[:, :n] @ vt, u[:, n:]])
        made = centered @ rotation[:, :n]
        fit = ((made * wanted).sum(axis=0) ** 2 / np.maximum((made**2).sum(axis=0), 1e-12)).sum()
        if fit > best:
            best, axes = fit, rotation
    return centered @ axes


def factor_table(
    outputs: np.ndarray, names: list[str], measured: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Share of every quantity that each output explains, one row per quantity.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
    names : list of str
        Names of the outputs.
    measured : mapping of str to ndarray, shape (N,)

    Returns
    -------
    DataFrame
        Columns ``names``, then ``carried by`` and ``share`` of the best of them, and the
        ``information`` in nats that it holds about the quantity.
    """
    values = pd.DataFrame(
        {
            name: [explained_share(column, v) for v in measured.values()]
            for name, column in zip(names, outputs.T)
        },
        index=list(measured),
    )
    best = values.to_numpy().argmax(axis=1)
    known = [
        mutual_info_regression(outputs[:, [k]], v, random_state=0)[0]
        for k, v in zip(best, measured.values())
    ]
    return values.assign(
        **{
            "carried by": [names[k] for k in best],
            "share": values.max(axis=1),
            "information": known,
        }
    )


def principal_components(windows: np.ndarray, k: int) -> np.ndarray:
    """Scores on as many principal components, for comparison, shape (N, k)."""
    flat = windows.reshape(len(windows), -1)
    return PCA(k, random_state=0).fit_transform(flat - flat.mean(axis=0)).astype(float)


def align_latents(
    latents: np.ndarray, poses: int, measured: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Latents of a model with their content rotated (see :func:`rotate_latents`); the first
    ``poses``, angle and shift, stay.

    Parameters
    ----------
    latents : ndarray, shape (N, K)
    poses : int
    measured : mapping of str to ndarray, shape (N,)

    Returns
    -------
    ndarray, shape (N, K)
    """
    return np.hstack([latents[:, :poses], rotate_latents(latents[:, poses:], measured)])


def disentanglement_score(outputs: np.ndarray, measured: Mapping[str, np.ndarray]) -> float:
    """How well a model can be interpreted: the mean, over polar displacement, strain, rotation and
    A intensity, of the largest share that one output explains. For the polar displacement the
    component that is explained better counts.

    Parameters
    ----------
    outputs : ndarray, shape (N, K)
    measured : mapping of str to ndarray, shape (N,)

    Returns
    -------
    float
    """
    known = [[name for name in group if name in measured] for group in _MAIN]
    return float(
        np.mean(
            [
                max(
                    explained_share(column, measured[name])
                    for name in group
                    for column in outputs.T
                )
                for group in known
                if group
            ]
        )
    )
