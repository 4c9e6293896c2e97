"""A series of images over composition: reading, searches per composition and over all images, and
analysis.

A member is one image of the series, with the authors' parameterization if there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..errors import InputError, check_text
from ..io import read_image
from ..results import Analysis, ask_fields, conclude_analysis
from ..search import (
    AUTOENCODER_CHOICES,
    PreparedImage,
    SearchPlan,
    SharedWork,
    Trial,
    best_trial,
    cell_windows,
    complete_parameters,
    default_parameters,
    open_trial_log,
    prepare_image,
    search_jointly,
)
from ..vae import VAE, VAESettings, align_latents, factor_table, known_quantities
from .agreement import Comparison, compare_parameters
from .parameterization import Parameterization, read_parameterization
from .registry import SERIES_IDS, Pair, available_pairs, locate_file
from .simulated import SeriesStyle, write_series

MOST_MEMBERS = 5  # images of one composition
#: Images of a simulated series, two of each composition.
SIMULATED = tuple(i for i in SERIES_IDS if i.endswith(("_0", "_1")))


@dataclass(frozen=True, eq=False)
class Member:
    """One image of a series.

    Attributes
    ----------
    id : str
    samarium : int
        Sm content in per cent.
    prepared : PreparedImage
        Our own measurement of the image.
    parameters : Parameterization or None
        The authors' parameterization; None if there is no file.
    comparison : Comparison or None
        Comparison of their cells with ours; None if it is impossible.
    note : str
        Why the comparison is impossible.
    """

    id: str
    samarium: int
    prepared: PreparedImage
    parameters: Parameterization | None = None
    comparison: Comparison | None = None
    note: str = ""


@dataclass(frozen=True)
class Tuning:
    """Searches over a series: the trials for every composition (by % Sm), those for all images
    together, and what they computed, by the id of the image.
    """

    own: dict[int, list[Trial]]
    joint: list[Trial]
    works: Mapping[str, SharedWork] = field(default_factory=dict, repr=False)

    def parameters(self) -> pd.DataFrame:
        """The searched parameters, one row each: default, best of every composition, joint best."""
        chosen = {"default": self.joint[0].parameters}
        chosen |= {
            f"{samarium} % Sm": best_trial(trials).parameters
            for samarium, trials in self.own.items()
        }
        frame = pd.DataFrame(chosen | {"joint": best_trial(self.joint).parameters}).loc[
            list(default_parameters())
        ]
        return frame[[len(set(row)) > 1 for row in frame.to_numpy()]]


@dataclass(frozen=True, eq=False)
class Finding:
    """A member, and its analysis with the parameters of its own composition and with the joint
    ones.
    """

    member: Member
    own: Analysis
    joint: Analysis

    @property
    def best(self) -> Analysis:
        """The analysis whose map has the higher total."""
        return max(self.own, self.joint, key=lambda analysis: analysis.tuned.rewards["total"])


# ---- reading -------------------------------------------------------------------------


def read_members(
    folder: str | Path, most: int = MOST_MEMBERS, pixel_size_nm: float = 0.0, workers: int = 1
) -> list[Member]:
    """Read the images of a folder, find their cells, and compare with the authors'
    parameterization.

    All members stay in memory, about half a GiB per image of full size after the search.

    Parameters
    ----------
    folder : str or Path
    most : int
        Largest number of images of each composition.
    pixel_size_nm : float
        Nanometers per pixel, which the files do not contain; 0 leaves lengths in px.
    workers : int
        Number of images that are read at the same time.

    Returns
    -------
    list of Member

    Raises
    ------
    InputError
        If there is no image, a file is damaged, or an image shows no lattice.
    """
    check_text("series", folder)
    pairs = available_pairs(folder, most)
    with Parallel(n_jobs=workers, prefer="threads") as pool:
        return pool(delayed(_member)(pair, Path(folder), pixel_size_nm or None) for pair in pairs)


def simulate_members(
    folder: str | Path, cells: int = 28, most: int = MOST_MEMBERS, seed: int = 0, workers: int = 1
) -> list[Member]:
    """Write a small simulated series, two images of each composition at most, and read it.

    Parameters
    ----------
    folder : str or Path
        Folder for the files.
    cells : int
        Unit cells along each side of an image.
    most, workers : int
        As for :func:`read_members`.
    seed : int

    Returns
    -------
    list of Member
    """
    style = SeriesStyle(cells=cells)
    write_series(folder, SIMULATED, style, seed)
    return read_members(folder, most, style.pixel_nm, workers)


def _member(pair: Pair, folder: Path, pixel_size_nm: float | None) -> Member:
    prepared = prepare_image(
        read_image(locate_file(folder, pair.image), pixel_size_nm=pixel_size_nm)
    )
    path = locate_file(folder, pair.parameters)
    if path is None:
        return Member(pair.id, pair.samarium, prepared, note=f"no file {pair.parameters}")
    parameters = read_parameterization(path)
    try:
        comparison, note = compare_parameters(parameters, prepared.lattice.cells), ""
    except InputError as error:
        comparison, note = None, str(error)
    return Member(pair.id, pair.samarium, prepared, parameters, comparison, note)


# ---- search and verdict --------------------------------------------------------------


def tune_members(
    members: Sequence[Member], plan: SearchPlan, folder: str | Path, workers: int = 1
) -> Tuning:
    """Search for the best configuration of every composition, and for the best one of all images
    together.

    Each search maximizes the sum of the totals of its images. All start with the same
    configurations, so the joint search takes these from the record.

    Parameters
    ----------
    members : sequence of Member
    plan : SearchPlan
        Of every search.
    folder : str or Path
        Folder for the trials of every image, ``<id>.jsonl``, from which an interrupted call
        continues.
    workers : int
        Threads that evaluate configurations; the result does not depend on it.

    Returns
    -------
    Tuning
    """
    works = [SharedWork(m.prepared) for m in members]
    trial_logs = [open_trial_log(Path(folder, f"{m.id}.jsonl"), m.prepared, plan) for m in members]

    def trials(chosen: Sequence[int]) -> list[Trial]:
        return search_jointly(
            [works[k] for k in chosen],
            plan,
            trial_logs=[trial_logs[k] for k in chosen],
            workers=workers,
        )

    contents = sorted({m.samarium for m in members})
    own = {x: trials([k for k, m in enumerate(members) if m.samarium == x]) for x in contents}
    shared = {m.id: work for m, work in zip(members, works)}
    return Tuning(own, trials(range(len(members))), shared)


def judge_members(members: Sequence[Member], tuning: Tuning, plan: SearchPlan) -> list[Finding]:
    """Analyze every image with the parameters of its composition and with the joint ones.

    Parameters
    ----------
    members : sequence of Member
    tuning : Tuning
    plan : SearchPlan
        Of the searches.

    Returns
    -------
    list of Finding
    """
    return [_judged(m, tuning, plan) for m in members]


def _judged(member: Member, tuning: Tuning, plan: SearchPlan) -> Finding:
    """Both analyses of an image, by the configurations that images share; the judge asks its fields
    once, as they know no map.
    """
    prepared, work = member.prepared, tuning.works.get(member.id)
    answers = ask_fields(prepared)
    own, joint = (
        conclude_analysis(
            prepared,
            trials,
            plan.seed,
            plan.total,
            work=work,
            answers=lambda: answers,
            by_judge=False,
        )
        for trials in (tuning.own[member.samarium], tuning.joint)
    )
    return Finding(member, own, joint)


@dataclass(frozen=True, eq=False)
class SeriesLatents:
    """Latents of one autoencoder for windows of a whole series.

    Attributes
    ----------
    latents : ndarray, shape (N, K)
        Angle in degrees, then content, rotated to correlate with measured quantities.
    names : list of str
    samarium : ndarray of int, shape (N,)
        Sm content of every window in per cent.
    explained : float
        Share of the variance of windows held out of the training that the model explains; for a
        conditional model, the variance about the mean of the composition.
    shares : DataFrame
        Share of the Sm content, and of measured quantities, that every latent explains.
    """

    latents: np.ndarray
    names: list[str]
    samarium: np.ndarray
    explained: float
    shares: pd.DataFrame


def series_latents(
    members: Sequence[Member],
    condition: str = "none",
    epochs: int = 20,
    most: int = 80,
    seed: int = 0,
) -> SeriesLatents:
    """Train one autoencoder on windows around cell centers of all images of a series.

    Parameters
    ----------
    members : sequence of Member
    condition : {"none", "composition"}
        With "composition", encoder and decoder receive the Sm content, so that latents need not
        encode it. They describe what crystals of all compositions have in common.
    epochs : int
    most : int
        Number of windows per image, evenly spread.
    seed : int

    Returns
    -------
    SeriesLatents

    Raises
    ------
    InputError
        If the condition is unknown.
    """
    if condition not in ("none", "composition"):
        raise InputError(f"condition '{condition}': unknown; choose none or composition")
    parameters = complete_parameters(AUTOENCODER_CHOICES)
    windows, measured = [], []
    for prepared in (member.prepared for member in members):
        n = int(prepared.mask.sum())
        part = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
        windows.append(cell_windows(prepared, parameters, part))
        labels = np.where(prepared.mask, 0, -1)
        known = pd.DataFrame(known_quantities(prepared.lattice.cells, labels))
        measured.append(known.iloc[part])
    content = np.repeat([m.samarium for m in members], [len(w) for w in windows])
    known = pd.concat(measured).dropna(axis="columns").assign(**{"% Sm": content})
    classes = np.unique(content, return_inverse=True)[1]
    told = condition == "composition"
    settings = VAESettings(latent_dim=2, seed=seed, conditions=told * (int(classes.max()) + 1))
    network = VAE(settings).fit(np.concatenate(windows), epochs, classes=classes if told else None)
    encoded = network.encode(np.concatenate(windows), classes if told else None)
    values = {name: column.to_numpy() for name, column in known.items()}
    latents = align_latents(encoded, settings.poses, values)
    shares = factor_table(latents, settings.names, values)[settings.names]
    return SeriesLatents(latents, settings.names, content, network.explained, shares)
