"""Decoded paths through the latents of an autoencoder: how a latent changes a window."""

import numpy as np

from .model import VAE


def widest_latents(latents: np.ndarray, poses: int) -> tuple[int, int]:
    """Indices of the two content latents that vary most; with a single one, of the latent before it
    and itself, or itself twice.

    Parameters
    ----------
    latents : ndarray, shape (N, K)
    poses : int
        Latents that are angle or shift; they come first.

    Examples
    --------
    >>> widest_latents(np.array([[0, 1, 0, 4], [9, 0, 0, 0]]), poses=1)
    (3, 1)
    """
    content = poses + np.argsort(-latents[:, poses:].std(axis=0), kind="stable")
    if len(content) == 1:
        return int(content[0]), max(0, int(content[0]) - 1)
    return int(content[0]), int(content[1])


def decode_manifold(
    network: VAE, encoded: np.ndarray, latents: np.ndarray, first: int, second: int, steps: int = 9
) -> np.ndarray:
    """Windows along two latents, the others at their median.

    Parameters
    ----------
    network : VAE
    encoded : ndarray, shape (N, K)
        Latents as the network encodes them.
    latents : ndarray, shape (N, K)
        The same, rotated (see :func:`bfo_utils.vae.align_latents`).
    first, second : int
        Latents that increase to the right and downward, from their 2nd to their 98th percentile.
    steps : int

    Returns
    -------
    ndarray, shape (steps, steps, H, W)
    """
    back = np.linalg.lstsq(np.column_stack([latents, np.ones(len(latents))]), encoded, rcond=None)[
        0
    ]
    ends = np.quantile(latents, [0.02, 0.98], axis=0)
    down, right = (np.linspace(ends[0, k], ends[1, k], steps) for k in (second, first))
    points = np.tile(np.median(latents, axis=0), (steps, steps, 1))
    points[..., second], points[..., first] = np.meshgrid(down, right, indexing="ij")
    flat = points.reshape(steps**2, -1)
    windows = network.decode(np.column_stack([flat, np.ones(len(flat))]) @ back)
    return windows.reshape(steps, steps, *windows.shape[1:])
