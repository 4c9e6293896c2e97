"""Files through which the notebooks pass on results, read and written in one place.

    prepared.npz          image, indexed columns, analyzed cells, reference field (01)
    truth.npz             ground truth, for phantoms only                         (01)
    <stage>/features.npz  descriptors of the analyzed cells                       (02)
    <stage>/labels.npz    label map                                               (03)
    <stage>/rewards.json  rewards of the map                                      (04)
    provenance.json       what the results are made from                          (01, 05, 06)
    search.json           every trial of the search                               (05, 06)
    tuned.json            the parameters that the search ends with                (05)
    networks/             trained autoencoders                                    (05)

``<stage>`` is "default" or "tuned": the same notebooks before and after the optimization.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..compute import read_json, write_json
from ..errors import InputError, check_text
from ..io import load_arrays, save_arrays
from ..results import Provenance, provenance_from_plain
from ..search import PreparedImage, SharedWork, Trial, Value, complete_parameters
from ..simulation import Truth


@dataclass(frozen=True)
class Features:
    """Descriptors of the analyzed cells, (N, K), and the windows that they come from, (N, H, W)."""

    values: np.ndarray
    windows: np.ndarray


@dataclass(frozen=True)
class Labels:
    """Label per cell, (R, C), -1 outside the analyzed mask."""

    values: np.ndarray


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of one run, at one stage.

    Parameters
    ----------
    folder : Path
    stage : {"default", "tuned"}
    """

    folder: Path
    stage: str = "default"

    def __post_init__(self):
        check_text("artifacts", self.folder)
        check_text("stage", self.stage)

    def prepared(self) -> PreparedImage:
        """The prepared image."""
        return load_arrays(Path(self.folder, "prepared.npz"), PreparedImage)

    def work(self) -> SharedWork:
        """The prepared image with the folder of its autoencoders."""
        return SharedWork(self.prepared(), Path(self.folder, "networks"))

    def truth(self) -> Truth | None:
        """Ground truth of a phantom, None for real images."""
        path = Path(self.folder, "truth.npz")
        return load_arrays(path, Truth) if path.exists() else None

    def features(self) -> Features:
        """Descriptors of this stage."""
        return load_arrays(Path(self.folder, self.stage, "features.npz"), Features)

    def labels(self) -> np.ndarray:
        """Label map of this stage."""
        return load_arrays(Path(self.folder, self.stage, "labels.npz"), Labels).values

    def rewards(self) -> dict[str, float]:
        """Rewards of this stage's map."""
        return read_json(Path(self.folder, self.stage, "rewards.json"))

    def trials(self) -> list[Trial]:
        """All trials of the search, in order."""
        path = Path(self.folder, "search.json")
        try:
            return [Trial(**row) for row in read_json(path)]
        except TypeError:
            raise InputError(
                f"{path}: not the trials of a search; run the search notebook again"
            ) from None

    def tuned(self) -> dict[str, Value]:
        """The parameters that the search ends with."""
        path = Path(self.folder, "tuned.json")
        given = read_json(path)
        if not isinstance(given, dict):
            raise InputError(
                f"{path}: not the parameters of a search; run the search notebook again"
            )
        return complete_parameters(given)

    def provenance(self) -> Provenance:
        """What the results of this run are made from so far."""
        return provenance_from_plain(read_json(Path(self.folder, "provenance.json")))

    def save_provenance(self, provenance: Provenance) -> None:
        """Write what the results are made from."""
        write_json(Path(self.folder, "provenance.json"), provenance.plain)

    def save_truth(self, truth: Truth | None) -> None:
        """Write the ground truth; where there is none, remove that of an earlier run."""
        path = Path(self.folder, "truth.npz")
        if truth is None:
            path.unlink(missing_ok=True)
        else:
            save_arrays(path, truth)

    def save(self, item: PreparedImage | Features | Labels) -> None:
        """Write one of the array-like artifacts to its place."""
        name = {
            PreparedImage: "prepared.npz",
            Features: f"{self.stage}/features.npz",
            Labels: f"{self.stage}/labels.npz",
        }[type(item)]
        save_arrays(Path(self.folder, name), item)

    def save_rewards(self, rewards: dict[str, float]) -> None:
        """Write the rewards of this stage's map."""
        write_json(Path(self.folder, self.stage, "rewards.json"), rewards)

    def save_trials(self, trials: list[Trial]) -> None:
        """Write the trials of the search; the order of their rewards is that of the columns of
        ``trials.csv``.
        """
        write_json(Path(self.folder, "search.json"), [vars(t) for t in trials], sort=False)

    def save_tuned(self, parameters: Mapping[str, Value]) -> None:
        """Write the parameters that the search ends with."""
        write_json(Path(self.folder, "tuned.json"), dict(parameters))
