"""Variational autoencoders of windows: fit, encode, decode, save, load. This interface hides torch
and AtomAI.

An autoencoder maps every window to a few numbers, its latents, and reconstructs it from them. Angle
and shift of the window can be separated from its content (Bepler et al. 2019, arXiv 1909.11663), so
that a rotated window has the same content as an upright one.
"""

import hashlib
import importlib.util
import io
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..compute import atomic, require_extra
from ..errors import InputError, as_input_error

INVARIANCES = ("none", "rotation", "shift", "both")
SCHEDULES = ("constant", "warmup", "cyclic")
MIN_EXPLAINED = 0.5  # share of variance below which a model counts as not trained
_MAGIC = b"bfo_utils vae 1\n"
_RAMP = 10  # epochs over which a schedule raises the weight
_PACKAGES = ("torch", "atomai")  # of the extra vae
_PAUSE = 5.0  # seconds between checkpoints


@dataclass(frozen=True)
class VAESettings:
    """Settings of a model and of its training.

    Attributes
    ----------
    invariance : {"none", "rotation", "shift", "both"}
        What is separated from the content: nothing, the angle, the shift, or both.
    latent_dim : int
        Dimensions of the content, 1 to 3.
    kl_weight : float
        Weight of the KL divergence from the prior; larger values make fewer and smoother latents.
    kl_schedule : {"constant", "warmup", "cyclic"}
        The weight over the epochs: constant, increased over the first ten, or increased again every
        ten.
    learning_rate : float
    seed : int
        Seed of the initial weights, the order of the windows and the noise.
    conditions : int
        Number of known classes of windows (for example cations) given to encoder and decoder, so
        that the latents need not encode them; 0 for none.
    """

    invariance: str = "rotation"
    latent_dim: int = 3
    kl_weight: float = 0.1
    kl_schedule: str = "constant"
    learning_rate: float = 0.005
    seed: int = 0
    conditions: int = 0

    def __post_init__(self):
        for name, value, known in (
            ("invariance", self.invariance, INVARIANCES),
            ("schedule", self.kl_schedule, SCHEDULES),
        ):
            if value not in known:
                raise InputError(f"{name} '{value}': unknown; choose one of {', '.join(known)}")

    @property
    def rotation(self) -> bool:
        """Whether the angle is separated."""
        return self.invariance in ("rotation", "both")

    @property
    def shift(self) -> bool:
        """Whether the shift is separated."""
        return self.invariance in ("shift", "both")

    @property
    def poses(self) -> int:
        """Number of latents that are angle or shift; they come first."""
        return int(self.rotation) + 2 * int(self.shift)

    @property
    def names(self) -> list[str]:
        """Names of the latents in order.

        Examples
        --------
        >>> VAESettings("both", 2).names
        ['angle', 'shift x', 'shift y', 'latent 1', 'latent 2']
        """
        poses = ["angle"] * self.rotation + ["shift x", "shift y"] * self.shift
        return poses + [f"latent {k + 1}" for k in range(self.latent_dim)]

    def weight_at(self, epoch: int) -> float:
        """Weight of the KL divergence in an epoch, counted from 0.

        Examples
        --------
        >>> [VAESettings(kl_weight=1.0, kl_schedule="warmup").weight_at(e) for e in (0, 4, 9, 30)]
        [0.1, 0.5, 1.0, 1.0]
        """
        ramp = {
            "constant": 1.0,
            "warmup": min(1.0, (epoch + 1) / _RAMP),
            "cyclic": (epoch % _RAMP + 1) / _RAMP,
        }
        return self.kl_weight * ramp[self.kl_schedule]


@dataclass
class VAE:
    """A variational autoencoder of windows.

    Parameters
    ----------
    settings : VAESettings

    Raises
    ------
    InputError
        Where torch or AtomAI is not installed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows = rng.normal(size=(200, 1, 1)) * np.hanning(9)[None, :, None] * np.ones((1, 1, 9))
    >>> model = VAE(VAESettings("none", 1)).fit(windows, epochs=20)
    >>> model.encode(windows).shape, model.explained > 0.9
    ((200, 1), True)
    """

    settings: VAESettings = field(default_factory=VAESettings)

    def __post_init__(self):
        require_vae()
        self._training = None
        self._source = ""

    def fit(
        self,
        windows: np.ndarray,
        epochs: int = 30,
        checkpoint: str | Path | None = None,
        classes: np.ndarray | None = None,
    ) -> "VAE":
        """Train until ``epochs`` epochs are done, including those of earlier calls, or until
        nothing more is gained.

        Parameters
        ----------
        windows : ndarray, shape (N, H, W)
            A tenth of them is held out to measure the explained variance.
        epochs : int
            0 leaves the network untrained, as a control.
        checkpoint : str or Path, optional
            File to which the training state is written every few seconds. If it exists and has the
            same settings and windows, training continues from it.
        classes : ndarray of int, shape (N,), optional
            Known class of every window, 0 to ``conditions`` - 1, for a conditional model.

        Returns
        -------
        VAE
            Itself.

        Raises
        ------
        InputError
            If there are fewer than 20 windows, or the checkpoint is damaged or from another
            training.
        """
        from .networks import Training

        if windows.ndim != 3 or len(windows) < 20:
            raise InputError(
                f"windows of shape {windows.shape}: too few to learn from; give (N, H, W) with N"
                " from 20"
            )
        known = self._known(windows, classes)
        content = np.ascontiguousarray(windows, np.float32).tobytes() + known
        source = hashlib.sha256(content).hexdigest()
        if self._source not in ("", source):
            raise InputError("windows: the model was trained on other windows; fit a new model")
        if checkpoint is not None and Path(checkpoint).exists():
            self._go_on_from(checkpoint, source)
        self._training = self._training or Training(windows.shape[1:], self.settings)
        self._source = source
        written = [time.monotonic()]

        def keep() -> None:
            if checkpoint is not None and time.monotonic() - written[0] > _PAUSE:
                self.save(checkpoint)
                written[0] = time.monotonic()

        self._training.run(windows, epochs, keep, classes)
        return self

    def _known(self, values: np.ndarray, classes: np.ndarray | None) -> bytes:
        """Classes as bytes, if they are what the model is conditioned on: one of each value."""
        n = self.settings.conditions
        if (classes is not None) != bool(n):
            raise InputError(
                f"classes: the model is conditioned on {n} classes;"
                f" {'give one per window' if n else 'leave them out'}"
            )
        given = np.asarray([] if classes is None else classes)
        if n and (given.shape != (len(values),) or not np.isin(given, range(n)).all()):
            raise InputError(
                f"classes: give one integer from 0 to {n - 1} per window, {len(values)} in all"
            )
        return given.astype(np.int8).tobytes()

    def _go_on_from(self, checkpoint: str | Path, source: str) -> None:
        saved = load_vae(checkpoint)
        if saved.settings != self.settings or saved._source != source:
            raise InputError(
                f"{checkpoint}: belongs to another training (other settings or windows); give"
                " another file"
            )
        if self._training is None or len(saved.history) > len(self.history):
            self._training = saved._training

    @property
    def _fitted(self):
        if self._training is None:
            raise InputError("the model has not been fitted; call fit first")
        return self._training

    @property
    def history(self) -> list[dict[str, float]]:
        """One row per epoch: squared error per pixel and KL divergence of the training, and
        explained variance of held-out windows.
        """
        return list(self._fitted.history)

    @property
    def explained(self) -> float:
        """Share of the variance of the held-out windows that the model reconstructs; 0 before
        the first epoch.
        """
        return self.history[-1]["explained"] if self.history else 0.0

    def explains(self, windows: np.ndarray, classes: np.ndarray | None = None) -> float:
        """Share of the variance of windows that the model reconstructs. The variance is about their
        mean, or about the mean of their class if classes are known.

        Parameters
        ----------
        windows : ndarray, shape (N, H, W)

        Returns
        -------
        float
            1 for a perfect reconstruction; below 0 if the mean window would be better.
        """
        rest = windows - self.decode(self.encode(windows, classes), classes)
        of = np.zeros(len(windows), int) if classes is None else np.asarray(classes)
        spread = sum(((w - w.mean(axis=0)) ** 2).sum() for w in (windows[of == k] for k in set(of)))
        return float(1 - (rest**2).sum() / spread)

    @property
    def ended(self) -> bool:
        """Whether training stopped because nothing more was gained."""
        return self._fitted.ended

    def encode(self, windows: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        """Latents of windows, in the order of ``settings.names``.

        Parameters
        ----------
        windows : ndarray, shape (N, H, W)

        Returns
        -------
        ndarray, shape (N, K)
            Angle in degrees (x towards y positive), shift in half windows, content in units of its
            prior.
        """
        fitted = self._fitted
        self._known(windows, classes)
        return fitted.encode(windows, classes)[0] * self._units

    def informative(self, windows: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        """Which latents carry more information about windows than their uncertainty hides.

        Parameters
        ----------
        windows : ndarray, shape (N, H, W)

        Returns
        -------
        ndarray of bool, shape (K,)
            Whether the variance of the posterior means exceeds the mean variance of the posteriors.
        """
        self._known(windows, classes)
        mean, sd = self._fitted.encode(windows, classes)
        return mean.var(axis=0) > (sd**2).mean(axis=0)

    def decode(self, latents: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        """Windows reconstructed from latents, with their classes if the model is conditional.

        Parameters
        ----------
        latents : ndarray, shape (N, K)
        classes : ndarray of int, shape (N,), optional

        Returns
        -------
        ndarray, shape (N, H, W)
        """
        fitted = self._fitted
        self._known(latents, classes)
        return fitted.decode(np.asarray(latents, float) / self._units, classes)

    @property
    def _units(self) -> np.ndarray:
        poses = [np.rad2deg(1.0)] * self.settings.rotation + [0.1, 0.1] * self.settings.shift
        return np.array(poses + [1.0] * self.settings.latent_dim)

    def save(self, path: str | Path) -> None:
        """Write the model with everything needed to continue its training. The file is written as a
        whole or not at all.
        """
        from .networks import write_network

        body = io.BytesIO()
        write_network(
            self._fitted.state()
            | {
                "settings": json.dumps(asdict(self.settings)),
                "source": self._source,
            },
            body,
        )
        with atomic(path) as part:
            part.write_bytes(
                _MAGIC
                + hashlib.sha256(body.getvalue()).hexdigest().encode()
                + b"\n"
                + body.getvalue()
            )


def load_vae(path: str | Path) -> VAE:
    """Read a model that :meth:`VAE.save` wrote, without running code from the file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    VAE

    Raises
    ------
    InputError
        If the file is missing, truncated, changed, or not a model of this package.
    """
    require_vae()
    from .networks import Training, read_network

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a file that VAE.save wrote"
        ) from None
    if not content.startswith(_MAGIC):
        raise InputError(f"{path}: not a model of bfo_utils; give a file that VAE.save wrote")
    digest, _, body = content[len(_MAGIC) :].partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise InputError(f"{path}: truncated or damaged; move it away and train again")
    try:  # a right digest says that the file is whole, not that we wrote it
        state = read_network(io.BytesIO(body))
        model = VAE(VAESettings(**json.loads(state["settings"])))
        model._training, model._source = Training(state["shape"], model.settings), state["source"]
        model._training.restore(state)
    except Exception as error:  # torch fails in any way it likes
        raise as_input_error(
            path, error, "a model that VAE.save wrote; move it away and train again"
        ) from error
    return model


def vae_available() -> bool:
    """Whether torch and AtomAI are installed."""
    return all(importlib.util.find_spec(name) for name in _PACKAGES)


def require_vae() -> None:
    """Raise an error that says what to install if the libraries of the autoencoder are missing.

    Raises
    ------
    InputError
    """
    require_extra("the autoencoder", "vae", *_PACKAGES)
