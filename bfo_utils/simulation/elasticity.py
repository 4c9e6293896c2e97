"""Compatible strain: the displacement field of a crystal with many variants."""

import numpy as np
from scipy import fft


def compatible_displacement(eigenstrain: np.ndarray) -> np.ndarray:
    """Displacement whose strain is closest to a given eigenstrain: isotropic elasticity by FFT.

    Minimizes the integral of ``|sym(grad u) - e|^2``. For every wave vector k,
    ``(|k|^2 1 + k k^T) u / 2 = -i e k``. Beyond the crystal its edge values continue.

    Parameters
    ----------
    eigenstrain : ndarray, shape (n, m, 2, 2)
        Spontaneous strain of every cell, axes (x, y).

    Returns
    -------
    ndarray, shape (n + 1, m + 1, 2)
        Displacement of the nodes, in cells, components (x, y), uniform strain included.

    Examples
    --------
    >>> e = np.zeros((16, 16, 2, 2)); e[..., 0, 0] = 0.01
    >>> u = compatible_displacement(e)
    >>> np.allclose(np.diff(u[..., 0], axis=1), 0.01)
    True
    """
    n, m = eigenstrain.shape[:2]
    mean = eigenstrain.mean(axis=(0, 1))
    pad = ((n // 2, n // 2), (m // 2, m // 2), (0, 0), (0, 0))
    e = fft.fft2(np.pad(eigenstrain - mean, pad, mode="edge"), axes=(0, 1))
    ky, kx = np.meshgrid(*(2 * np.pi * fft.fftfreq(s) for s in e.shape[:2]), indexing="ij")
    k = np.stack([kx, ky], axis=-1)
    k2 = (k**2).sum(-1)
    k2[0, 0] = 1
    ek = np.einsum("ijab,ijb->ija", e, k)
    along = (ek * k).sum(-1) / (2 * k2)  # (k2 1 + k k^T)^-1 = (1 - k k^T / (2 k2)) / k2
    u = -2j * (ek - k * along[..., None]) / k2[..., None]
    half = np.exp(-0.5j * (kx + ky))[..., None]  # nodes lie half a cell before the cell centers
    u = fft.ifft2(u * half, axes=(0, 1)).real[n // 2 : n // 2 + n + 1, m // 2 : m // 2 + m + 1]
    y, x = np.meshgrid(np.arange(n + 1) - n / 2, np.arange(m + 1) - m / 2, indexing="ij")
    return u + np.stack([x, y], axis=-1) @ mean


def cell_gradient(u: np.ndarray) -> np.ndarray:
    """Gradient of a node field in every cell.

    Parameters
    ----------
    u : ndarray, shape (n + 1, m + 1, 2)
        Displacement of the nodes.

    Returns
    -------
    ndarray, shape (n, m, 2, 2)
        ``[..., component, axis]``, axes (x, y).
    """
    dx = (np.diff(u, axis=1)[:-1] + np.diff(u, axis=1)[1:]) / 2
    dy = (np.diff(u, axis=0)[:, :-1] + np.diff(u, axis=0)[:, 1:]) / 2
    return np.stack([dx, dy], axis=-1)
