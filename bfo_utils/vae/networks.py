"""Networks of a variational autoencoder and their training: the only module that uses torch and
AtomAI.

Encoder, decoders, losses and the transformation of coordinates are AtomAI's. The training is ours:
orthogonalized momentum (Muon) for the weight matrices, running averages of the weights instead of a
decreasing learning rate, a decoder that starts from the mean window, and decoding of a random part
of the pixels in every step.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
from torch import nn
from torch.optim import Adam, Muon

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that AtomAI imports
    from atomai.losses_metrics.vi_losses import kld_normal, kld_rot, reconstruction_loss
    from atomai.nets.ed import fcDecoderNet, fcEncoderNet, rDecoderNet
    from atomai.utils.coords import transform_coordinates

from ..compute import on_one_thread

HIDDEN = {"encoder": 128, "decoder": 64}  # units of each of the two layers
TRAINING_BATCH = 128  # windows in one step
EPOCH = 4096  # windows in one epoch, at most
PIXELS = 64  # pixels of a window that a spatial decoder computes in one step, at most
ANGLE_PRIOR, SHIFT_PRIOR = 0.2, 0.1  # radians; half windows
_COORDINATES = (
    8.0  # factor on the decoder's initial weights for coordinates: details of a quarter of a window
)
_SEEDED = Lock()  # held while the seed that all threads share is set
_AVERAGE = 0.98  # memory of the running average of the weights, per step
# Epochs without this gain in explained variance after which training ends.
_PATIENCE, _GAIN = (8, 0.002)


def choose_device() -> torch.device:
    """The first CUDA device if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Autoencoder(nn.Module):
    """Encoder to angle and shift (if the model has them) and content; decoder back to windows.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a window.
    latent_dim : int
        Dimensions of the content.
    rotation, shift : bool
        Whether angle and shift are separated from the content; the decoder is then a function of
        coordinates.
    conditions : int
        Number of known classes of windows, one-hot encoded after the pixels for the encoder and
        after the content for the decoder.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        latent_dim: int,
        rotation: bool,
        shift: bool,
        conditions: int = 0,
    ):
        super().__init__()
        self.rotation, self.shift, self.spatial = rotation, shift, rotation or shift
        self.poses = int(rotation) + 2 * int(shift)
        seen = (shape[0] * shape[1] + conditions,) if conditions else shape
        self.encoder = fcEncoderNet(seen, latent_dim + self.poses, 2, HIDDEN["encoder"])
        net, hidden = (
            (rDecoderNet, HIDDEN["decoder"]) if self.spatial else (fcDecoderNet, HIDDEN["encoder"])
        )
        self.decoder = net(shape, latent_dim + conditions, 2, hidden)
        self.register_buffer("grid", _grid(shape))
        with torch.no_grad():
            self.encoder.fc12.bias.fill_(-2.0)  # narrow posteriors to begin with
            self.encoder.fc11.weight[: self.poses] *= 0.1  # and poses near zero
            if self.spatial:
                self.decoder.coord_latent.fc_coord.weight.mul_(_COORDINATES)
                self.decoder.coord_latent.fc_coord.bias.mul_(_COORDINATES)

    def decode(self, z: torch.Tensor, pixels: torch.Tensor | None = None) -> torch.Tensor:
        """Windows from latents followed by one-hot classes, (B, P); a spatial decoder can be
        limited to some pixels.
        """
        content = z[:, self.poses :]
        if not self.spatial:
            return self.decoder(content).reshape(len(z), -1)
        grid = self.grid if pixels is None else self.grid[pixels]
        at = grid.expand(len(z), *grid.shape)
        if self.shift:
            at = at - SHIFT_PRIOR * z[:, None, int(self.rotation) : self.poses]
        if self.rotation:
            at = transform_coordinates(at, -z[:, 0])
        hidden = self.decoder.fc_decoder(self.decoder.coord_latent(at, content))
        return self.decoder.out(hidden).reshape(len(z), -1)

    def divergence(self, mean: torch.Tensor, log_sd: torch.Tensor) -> torch.Tensor:
        """Kullback-Leibler divergence of every posterior from the prior; the mean angle is free."""
        k = int(self.rotation)
        kl = kld_normal([mean[:, k:], log_sd[:, k:]])
        return kl + kld_rot(ANGLE_PRIOR, log_sd[:, 0]) if self.rotation else kl


def _grid(shape: tuple[int, int]) -> torch.Tensor:
    """Coordinates (x, y) of the pixels, -1 to 1 along both axes, shape (P, 2)."""
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in shape), indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


class Training:
    """A model in training, with everything that the next step depends on, so that it can stop and
    continue at any epoch.

    Parameters
    ----------
    shape : tuple of int
    settings : bfo_utils.vae.VAESettings
    """

    def __init__(self, shape: tuple[int, int], settings):
        self.settings, self.shape, self.device = settings, (shape[0], shape[1]), choose_device()
        self.generator = torch.Generator().manual_seed(settings.seed)
        with _SEEDED, torch.random.fork_rng():  # the seed is that of all threads
            torch.manual_seed(settings.seed)
            self.model = Autoencoder(
                self.shape,
                settings.latent_dim,
                settings.rotation,
                settings.shift,
                settings.conditions,
            ).to(self.device)
        self.average = copy.deepcopy(self.model)
        matrices = [p for p in self.model.parameters() if p.ndim == 2 and min(p.shape) > 8]
        others = [p for p in self.model.parameters() if not any(p is m for m in matrices)]
        self.optimizers = (
            Muon(
                matrices,
                lr=4 * settings.learning_rate,
                weight_decay=0.0,
                adjust_lr_fn="match_rms_adamw",
            ),
            Adam(others, lr=settings.learning_rate),
        )
        self.offset, self.scale, self.steps = 0.0, 1.0, 0
        self.history: list[dict[str, float]] = []

    @property
    def ended(self) -> bool:
        """Whether the explained variance has stopped increasing."""
        explained = [row["explained"] for row in self.history]
        if len(explained) <= 2 * _PATIENCE:
            return False
        return max(explained[-_PATIENCE:]) < max(explained[:-_PATIENCE]) + _GAIN

    @on_one_thread
    def run(
        self,
        windows: np.ndarray,
        epochs: int,
        after_epoch: Callable[[], None] = lambda: None,
        classes: np.ndarray | None = None,
    ) -> None:
        """Train until ``epochs`` are done or the explained variance no longer increases; a tenth of
        the windows is held out.
        """
        if self.steps == 0:
            self.offset, self.scale = float(windows.mean()), float(windows.std()) or 1.0
        order = np.random.default_rng(self.settings.seed).permutation(len(windows))
        held, rest = np.split(order, [max(1, len(order) // 10)])
        flat = torch.as_tensor(
            (windows.reshape(len(windows), -1) - self.offset) / self.scale, dtype=torch.float32
        )
        flat = self._with(flat, classes)
        held, rest = flat[held].to(self.device), flat[rest].to(self.device)
        if self.steps == 0:
            self._begin_at(rest.mean(dim=0))
        while len(self.history) < epochs and not self.ended:
            self.history.append(self._epoch(rest, held))
            after_epoch()

    @property
    def pixels(self) -> int:
        """Pixels of a window; one-hot classes follow them."""
        return self.shape[0] * self.shape[1]

    def _with(self, values: torch.Tensor, classes: np.ndarray | None) -> torch.Tensor:
        """Values (N, ...) with the one-hot classes behind them, where the model is conditional."""
        n = self.settings.conditions
        if not n:
            return values
        known = torch.as_tensor(np.asarray(classes), dtype=torch.int64)
        return torch.cat([values, nn.functional.one_hot(known, n).to(values.dtype)], dim=1)

    def _class_means(self, flat: torch.Tensor) -> torch.Tensor:
        """Mean window of every class, (C, P); of all where there are none."""
        known = flat[:, self.pixels :]
        if not known.shape[1]:
            return flat.mean(dim=0, keepdim=True)
        return known.T @ flat[:, : self.pixels] / known.sum(dim=0).clamp(min=1)[:, None]

    def _begin_at(self, mean: torch.Tensor) -> None:
        """Start the decoder at the mean window, before it learns what windows differ by."""
        decoder, window = self.model.decoder, mean[: self.pixels]
        if not self.model.spatial:
            with torch.no_grad():
                decoder.out.bias.copy_(window)
        else:
            optimizer, origin = (
                Adam(decoder.parameters(), lr=5e-3),
                torch.zeros(1, self.model.encoder.fc11.out_features),
            )
            origin = torch.cat([origin, mean[None, self.pixels :].cpu()], dim=1)
            for _ in range(200):
                ((self.model.decode(origin.to(self.device)) - window) ** 2).mean().backward()
                optimizer.step()
                optimizer.zero_grad()
        self.average.load_state_dict(self.model.state_dict())

    def _epoch(self, windows: torch.Tensor, held: torch.Tensor) -> dict[str, float]:
        start, weight, sums = time.perf_counter(), self.settings.weight_at(len(self.history)), []
        order = torch.randperm(len(windows), generator=self.generator)[:EPOCH]
        for batch in order.split(TRAINING_BATCH):
            sums.append(self._step(windows[batch.to(self.device)], weight))
        loss, kl = torch.stack(sums).mean(dim=0).tolist()
        return {
            "epoch": len(self.history) + 1,
            "reconstruction": loss,
            "kl": kl,
            "kl_weight": weight,
            "explained": self.explained(held, self._class_means(windows)),
            "seconds": time.perf_counter() - start,
        }

    def _step(self, batch: torch.Tensor, weight: float) -> torch.Tensor:
        """One step down the loss; returns the squared error per pixel and the KL divergence."""
        mean, log_sd = self.model.encoder(batch)
        z = mean + torch.exp(log_sd) * self._normal(mean.shape)
        n, known = self.pixels, batch[:, self.pixels :]
        batch, z = batch[:, :n], torch.cat([z, known], dim=1)
        pixels = (
            torch.randperm(n, generator=self.generator)[:PIXELS].to(self.device)
            if self.model.spatial and n > PIXELS
            else None
        )
        target = batch if pixels is None else batch[:, pixels]
        made = self.model.decode(z, pixels)
        error = reconstruction_loss("mse", self.shape, target, made).mean() / target.shape[1]
        kl = self.model.divergence(mean, log_sd).mean()
        (n * error + weight * kl).backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self._follow()
        return torch.stack([2 * error, kl]).detach()

    def _normal(self, shape) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator).to(self.device)

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the average follow the weights, closely at first."""
        self.steps += 1
        keep = min(_AVERAGE, self.steps / (self.steps + 10))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.model.parameters()), 1 - keep
        )

    @torch.no_grad()
    def explained(self, flat: torch.Tensor, means: torch.Tensor) -> float:
        """Share of the variance of windows that the averaged model reconstructs. The variance is
        about the mean window, or about that of the class if classes are known.
        """
        known = flat[:, self.pixels :]
        made = self.average.decode(torch.cat([self.average.encoder(flat)[0], known], dim=1))
        flat, mean = flat[:, : self.pixels], known @ means if known.shape[1] else means
        return float(1 - ((flat - made) ** 2).sum() / ((flat - mean) ** 2).sum())

    @torch.no_grad()
    def encode(
        self, windows: np.ndarray, classes: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations of the posteriors, (N, K) each, by the averaged model."""
        flat = torch.as_tensor(
            (windows.reshape(len(windows), -1) - self.offset) / self.scale, dtype=torch.float32
        )
        parts = [
            self.average.encoder(part.to(self.device))
            for part in self._with(flat, classes).split(8192)
        ]
        mean, log_sd = (torch.cat(values).cpu().double().numpy() for values in zip(*parts))
        return mean, np.exp(log_sd)

    @torch.no_grad()
    def decode(self, z: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        """Windows (N, H, W) reconstructed from latents by the averaged model."""
        parts = self._with(torch.as_tensor(z, dtype=torch.float32), classes).split(8192)
        flat = torch.cat(
            [self.average.decode(part.to(self.device)).cpu() for part in parts]
        ).numpy()
        return flat.reshape(len(z), *self.shape) * self.scale + self.offset

    def state(self) -> dict:
        """Everything as plain values and tensors."""
        return {
            "shape": list(self.shape),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "random": self.generator.get_state(),
            "offset": self.offset,
            "scale": self.scale,
            "steps": self.steps,
            "history": self.history,
        }

    def restore(self, state: dict) -> None:
        """Restore a state."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["random"].cpu())
        self.offset, self.scale, self.steps = state["offset"], state["scale"], state["steps"]
        self.history = state["history"]


def write_network(state: dict, file) -> None:
    """Write a state to an open file."""
    torch.save(state, file)


def read_network(file) -> dict:
    """Read a state without running code from the file."""
    return torch.load(file, map_location="cpu", weights_only=True)
