"""A series of images over composition: read, tuned composition by composition and all together, and judged.

A member is one image of the series, with its authors' parameterisation where there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from . import agreement, images, parameterisation, registry, series
from .agreement import Comparison
from .analysis import Analysis, conclude
from .errors import InputError
from .optimize import Plan, Trial, best, ledger_for, search_jointly
from .parameterisation import Parameters
from .registry import Pair
from .space import defaults
from .workflow import Crystal, prepare

MOST = 5  # images of one composition
#: What a simulated series holds, two images of each composition.
SIMULATED = tuple(i for i in registry.IDS if i.endswith(("_0", "_1")))


@dataclass(frozen=True, eq=False)
class Member:
    """One image of a series.

    Attributes
    ----------
    id : str
    samarium : int
        Sm content in per cent.
    crystal : Crystal
        What our own chain found in the image.
    parameters : Parameters or None
        The authors' parameterisation; None where there is no file.
    comparison : Comparison or None
        Theirs beside ours; None where both cannot be compared.
    note : str
        Why not.
    """

    id: str
    samarium: int
    crystal: Crystal
    parameters: Parameters | None = None
    comparison: Comparison | None = None
    note: str = ""


@dataclass(frozen=True)
class Tuning:
    """Searches over a series: the trials for every composition (by % Sm), and those for all images together."""

    own: dict[int, list[Trial]]
    joint: list[Trial]

    def parameters(self) -> pd.DataFrame:
        """The searched parameters, one row each: default, best of every composition, best of all together."""
        chosen = {"default": self.joint[0].parameters}
        chosen |= {f"{samarium} % Sm": best(trials).parameters for samarium, trials in self.own.items()}
        frame = pd.DataFrame(chosen | {"joint": best(self.joint).parameters}).loc[list(defaults())]
        return frame[[len(set(row)) > 1 for row in frame.to_numpy()]]


@dataclass(frozen=True, eq=False)
class Finding:
    """A member, and its analysis under the parameters of its own composition and under the joint ones."""

    member: Member
    own: Analysis
    joint: Analysis

    @property
    def best(self) -> Analysis:
        """The one of both whose map earns the higher total."""
        return max(self.own, self.joint, key=lambda analysis: analysis.tuned.rewards["total"])


# ---- reading -----------------------------------------------------------------------------------------------------


def read(folder: str | Path, most: int = MOST, pixel_size_nm: float = 0.0, workers: int = 1) -> list[Member]:
    """Read the images of a folder, find their cells, and compare with the authors' parameterisation.

    All members stay in memory: about half a GiB for each image of full size once it is searched.

    Parameters
    ----------
    folder : str or Path
    most : int
        How many images of each composition to take, at most.
    pixel_size_nm : float
        Nanometres per pixel, which the files do not hold; 0 leaves lengths in px.
    workers : int
        Images that are read at a time.

    Returns
    -------
    list of Member

    Raises
    ------
    InputError
        If there is no image, a file is damaged, or an image shows no lattice.
    """
    pairs = registry.available(folder, most)
    with Parallel(n_jobs=workers, prefer="threads") as pool:
        return pool(delayed(_member)(pair, Path(folder), pixel_size_nm or None) for pair in pairs)


def simulate(folder: str | Path, cells: int = 28, most: int = MOST, seed: int = 0, workers: int = 1) -> list[Member]:
    """Write a small simulated series, two images of each composition at most, and read it.

    Parameters
    ----------
    folder : str or Path
        For its files.
    cells : int
        Unit cells along each side of an image.
    most, workers : int
        As for :func:`read`.
    seed : int

    Returns
    -------
    list of Member
    """
    style = series.Style(cells=cells)
    series.write(folder, SIMULATED, style, seed)
    return read(folder, most, style.pixel_nm, workers)


def _member(pair: Pair, folder: Path, pixel_size_nm: float | None) -> Member:
    crystal = prepare(images.read(registry.locate(folder, pair.image), pixel_size_nm=pixel_size_nm))
    path = registry.locate(folder, pair.parameters)
    if path is None:
        return Member(pair.id, pair.samarium, crystal, note=f"no file {pair.parameters}")
    parameters = parameterisation.read(path)
    try:
        comparison, note = agreement.compare(parameters, crystal.lattice.cells), ""
    except InputError as error:
        comparison, note = None, str(error)
    return Member(pair.id, pair.samarium, crystal, parameters, comparison, note)


# ---- search and verdict ------------------------------------------------------------------------------------------


def tune(members: Sequence[Member], plan: Plan, folder: str | Path, workers: int = 1) -> Tuning:
    """Search the configuration that suits every composition best, and the one that suits all images together.

    Each search raises the sum of the totals of its images. All begin with the same configurations, so that the joint one
    takes these from the record.

    Parameters
    ----------
    members : sequence of Member
    plan : Plan
        Of every search.
    folder : str or Path
        For the record of every image's trials, ``<id>.jsonl``; a call that was stopped goes on from it.
    workers : int
        Threads that evaluate configurations; the result does not depend on it.

    Returns
    -------
    Tuning
    """
    ledgers = [ledger_for(Path(folder, f"{m.id}.jsonl"), m.crystal, plan) for m in members]

    def trials(chosen: Sequence[int]) -> list[Trial]:
        return search_jointly([members[k].crystal for k in chosen], plan, ledgers=[ledgers[k] for k in chosen], workers=workers)

    contents = sorted({m.samarium for m in members})
    own = {x: trials([k for k, m in enumerate(members) if m.samarium == x]) for x in contents}
    return Tuning(own, trials(range(len(members))))


def judge(members: Sequence[Member], tuning: Tuning, plan: Plan) -> list[Finding]:
    """The analysis of every image under the parameters of its composition and under the joint ones.

    Parameters
    ----------
    members : sequence of Member
    tuning : Tuning
    plan : Plan
        Of the searches.

    Returns
    -------
    list of Finding
    """
    return [Finding(m, *(conclude(m.crystal, trials, plan.seed, plan.total) for trials in (tuning.own[m.samarium], tuning.joint)))
            for m in members]
