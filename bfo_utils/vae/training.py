"""Autoencoders trained for an image: stored on disk, continued where they stopped, rotated to
descriptors.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..compute import hold_lock
from ..segmentation import without_convergence_warnings
from .model import VAE, VAESettings, load_vae


def settings_of(parameters: Mapping) -> VAESettings:
    """Model settings from the parameters of a configuration."""
    names = ("invariance", "latent_dim", "kl_weight", "kl_schedule", "learning_rate")
    conditions = 2 if parameters["condition"] == "cation" and parameters["site"] == "columns" else 0
    chosen = {name: parameters[name] for name in names}
    return VAESettings(**chosen, seed=parameters["vae_seed"], conditions=conditions)


def trained_vae(
    windows: np.ndarray,
    model: VAESettings,
    epochs: int,
    folder: str | Path = "",
    classes: np.ndarray | None = None,
) -> VAE:
    """A model trained for a number of epochs.

    Parameters
    ----------
    windows : ndarray, shape (N, H, W)
    model : VAESettings
    epochs : int
    folder : str or Path
        Folder of trained models. An existing model is read. A model with fewer epochs or an
        interrupted training is trained further. Several processes may share the folder; a process
        waits for a model that another one is training. Empty: nothing is stored.
    classes : ndarray of int, shape (N,), optional
        Known classes of the windows, for a conditional model.

    Returns
    -------
    VAE

    Raises
    ------
    InputError
        If a file in the folder is damaged.
    """
    if not folder:
        return VAE(model).fit(windows, epochs, classes=classes)
    stem = _name(windows, model, classes)
    done, part = Path(folder, f"{stem}-{epochs}.vae"), Path(folder, f"{stem}-{epochs}.part")
    if not done.exists():
        with hold_lock(Path(folder, f".{stem}.lock"), wait=True):
            if not done.exists():  # another process may have trained it meanwhile
                (_furthest(Path(folder), stem, epochs) or VAE(model)).fit(
                    windows, epochs, part, classes
                ).save(done)
            part.unlink(missing_ok=True)
    return load_vae(done)


def _name(windows: np.ndarray, model: VAESettings, classes: np.ndarray | None = None) -> str:
    """Name of the files of a model: the same for the same windows, classes and settings."""
    digest = hashlib.sha256(json.dumps(asdict(model), sort_keys=True).encode())
    if classes is not None:
        digest.update(np.ascontiguousarray(classes, np.int8).data)
    digest.update(np.ascontiguousarray(windows, np.float32).data)
    return digest.hexdigest()[:16]


def _furthest(folder: Path, stem: str, epochs: int) -> VAE | None:
    """The stored model of the most epochs below ``epochs``."""
    known = [int(path.stem.rpartition("-")[2]) for path in folder.glob(f"{stem}-*.vae")]
    below = [n for n in known if n < epochs]
    return load_vae(folder / f"{stem}-{max(below)}.vae") if below else None


def independent_axes(latents: np.ndarray, poses: int = 0) -> np.ndarray:
    """Content rotated to independent axes, then angle and shift unchanged. In both groups the most
    bimodal axis comes first, and each axis has standard deviation 1.

    The prior of an autoencoder is isotropic, so the axes of its content are arbitrary. Independent
    component analysis (Hyvarinen and Oja 2000, doi 10.1016/S0893-6080(00)00026-5) rotates them
    until each is as far from a normal distribution as possible. Angle and shift have a meaning of
    their own, so they are not mixed in and come last. Domains make a distribution bimodal:
    (skewness² + 1) / kurtosis is large, 1 for two values and 1/3 for a normal distribution.

    Parameters
    ----------
    latents : ndarray, shape (N, K)
    poses : int
        Number of latents, at the beginning, that are angle and shift.

    Returns
    -------
    ndarray, shape (N, K)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> modes, bell = rng.choice([-1.0, 1.0], 500), rng.normal(size=500)
    >>> axes = independent_axes(np.column_stack([modes + bell, modes - bell]))
    >>> bool(abs(np.corrcoef(axes[:, 0], modes)[0, 1]) > 0.99)
    True
    """
    return np.hstack(
        [
            _most_bimodal_first(_components(latents[:, poses:])),
            _most_bimodal_first(_scaled(latents[:, :poses])),
        ]
    )


def _most_bimodal_first(axes: np.ndarray) -> np.ndarray:
    from scipy.stats import kurtosis, skew  # half a second; only autoencoders pay for it

    with np.errstate(invalid="ignore"):  # of an axis without spread
        bimodality = np.nan_to_num(
            (skew(axes, axis=0) ** 2 + 1) / kurtosis(axes, axis=0, fisher=False)
        )
    return axes[:, np.argsort(-bimodality, kind="stable")]


def _scaled(latents: np.ndarray) -> np.ndarray:
    return (latents - latents.mean(axis=0)) / np.maximum(latents.std(axis=0), 1e-12)


def _components(content: np.ndarray) -> np.ndarray:
    """Independent components, each of deviation 1."""
    if content.shape[1] < 2:
        return _scaled(content)
    from sklearn.decomposition import FastICA  # as above

    with without_convergence_warnings():
        return FastICA(
            whiten="unit-variance", fun="cube", random_state=0, max_iter=500
        ).fit_transform(content)
