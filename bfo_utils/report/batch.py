"""Many images: the analysis of each is one task of a pool, its result one row of
``summary.csv``.
"""

import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..compute import (
    Cache,
    Pool,
    WorkerDied,
    helper_processes,
    in_order,
    locked_folder,
    one_thread,
    read_json,
    refuse_foreign,
    sweep,
    together,
    write_csv,
    write_json,
)
from ..errors import DiskError, InputError
from ..io import (
    READERS,
    Reading,
    count_frames,
    file_sha256,
    load_arrays,
    read_image,
    save_arrays,
)
from ..results import Provenance, analyze
from ..rewards import rewards_fingerprint
from ..search import (
    Evaluator,
    EvaluatorFactory,
    Outcome,
    PreparedImage,
    SearchPlan,
    SharedWork,
    evaluate_configuration,
    parameter_names,
)
from .files import FILES, is_ours, write_results

SUMMARY_FILE, TRIALS_FILE, RESULT_FILE = "summary.csv", "batch.json", "result.json"
# the image that an .emi file describes is in the .ser file beside it
IMAGE_SUFFIXES = set(READERS) - {".emi"}
SUMMARY_REWARDS = ("total", "continuity", "straightness", "evidence", "contrast")
SUMMARY_MEASURED = ("domains", "p_pm", "wall_length_nm", "wall_width_nm", "n_charged_walls")
SUMMARY_COUNTS = ("n_columns", "n_cells", "n_analysed", "n_domains")
_LONGEST = 180  # bytes of a folder's name
#: Columns of ``summary.csv``.
#:
#: :meta hide-value:
SUMMARY_COLUMNS = (
    "image",
    "folder",
    "verdict",
    *SUMMARY_COUNTS,
    "wall_length_cells",
    *SUMMARY_MEASURED,
    *SUMMARY_REWARDS,
    "stability",
    *parameter_names(),
    "pixel_size_nm",
    "sha256",
    "error",
)


@dataclass(frozen=True)
class BatchSettings:
    """What is done with every image.

    Attributes
    ----------
    plan : SearchPlan
        Budget, seed, rewards, and what is fixed.
    reading : Reading
        How every image is read.
    """

    plan: SearchPlan = SearchPlan()
    reading: Reading = field(default_factory=Reading)

    @property
    def key(self) -> dict:
        """All that a result depends on besides its image, as plain values."""
        return (
            asdict(self)
            | {"files": self.reading.files}
            | {"rewards": rewards_fingerprint(), "version": version("bfo_utils")}
        )


@dataclass(frozen=True)
class BatchJob:
    """One image: as it was given, its absolute path, and the folder for its files."""

    image: str
    path: str
    folder: Path


@dataclass(frozen=True)
class _Done:
    """What a folder holds: the analysis of an image by its path and hash, under settings."""

    folder: Path
    path: str
    sha256: str
    settings: Mapping


def find_images(given: Iterable[str]) -> list[str]:
    """The images that files and folders stand for, each once.

    Parameters
    ----------
    given : iterable of str
        Paths of files, taken whatever they are, and of folders, of which all files are taken that
        can be read by their suffix, sorted by name; subfolders and hidden files are left out.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> find_images(["b.tif", "a.dm4", "./b.tif"])
    ['b.tif', 'a.dm4']
    """
    found: dict[str, str] = {}
    for name in given:
        for path in _within(Path(name)) if Path(name).is_dir() else [Path(name)]:
            found.setdefault(os.path.realpath(path), str(path))
    if not found:
        raise InputError(
            f"{', '.join(given) or 'images'}: no image found; give files, or folders with files"
            f" ending in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return list(found.values())


def run_batch(
    given: Iterable[str],
    out: str | Path,
    pool: Pool,
    settings: BatchSettings = BatchSettings(),
    show: Callable[[pd.DataFrame], None] = lambda table: None,
) -> pd.DataFrame:
    """Analyze images and keep a summary that grows with every one that ends.

    What the folder already holds, by hash of the image and settings, is not done again. The images
    are tasks of the pool; if only one is left to do, the trials of its search are. The files do not
    depend on which, nor on the pool, except for the wall times in ``result.json`` and in the column
    ``seconds`` of ``trials.csv`` and ``pareto.csv``.

    Parameters
    ----------
    given : iterable of str
        Files and folders, see :func:`find_images`.
    out : str or Path
        Folder for ``summary.csv`` and a folder of files per image. All workers must see it, and the
        images, under the same path.
    pool : Pool
        From :func:`bfo_utils.compute.connect_pool`.
    settings : BatchSettings
    show : callable
        Called with the table so far: when it is known what was done before, and as each image ends.

    Returns
    -------
    DataFrame
        The content of ``summary.csv``: one row per image, in the order in which they were given.

    Raises
    ------
    InputError
        If there is no image, the folder cannot be written or is in use, or the cluster is lost.
        Whatever goes wrong with an image is the column ``error`` of its row.
    """
    names, out = find_images(given), Path(os.path.abspath(out))
    refuse_foreign(
        [out / SUMMARY_FILE], _is_summary(out / SUMMARY_FILE), "give another folder with --out"
    )
    with locked_folder(out):
        return _run(names, out, pool, settings, show)


def _run(
    names: list[str],
    out: Path,
    pool: Pool,
    settings: BatchSettings,
    show: Callable[[pd.DataFrame], None],
) -> pd.DataFrame:
    """See :func:`run_batch`; no other process writes to the folder."""
    jobs, ready = _assign(names, out, settings.key)
    rows = {k: _row_of_before(jobs[k]) for k in ready}
    table = _keep(rows, out)
    show(table)
    left = [k for k in range(len(jobs)) if k not in rows]
    for position, ended in _rows([jobs[k] for k in left], pool, settings):
        rows[left[position]] = ended
        table = _keep(rows, out)
        show(table)
    return table


def _is_summary(path: Path) -> bool:
    """Whether a file begins as a summary does."""
    return path.is_file() and path.read_bytes().startswith(
        f"{SUMMARY_COLUMNS[0]},{SUMMARY_COLUMNS[1]},{SUMMARY_COLUMNS[2]},".encode()
    )


def summary_row(job: BatchJob, result: Mapping) -> dict:
    """The row of the summary of an image that was analyzed, from the content of its
    ``result.json``.
    """
    return {
        "image": job.image,
        "folder": job.folder.name,
        "verdict": result["verdict"],
        **{name: result[name] for name in SUMMARY_COUNTS},
        "wall_length_cells": result["walls"]["length_cells"],
        **_measured(result),
        **{name: result["rewards"][name] for name in SUMMARY_REWARDS},
        "stability": result["stability"],
        **result["parameters"],
        "pixel_size_nm": result["input"]["pixel_size_nm"],
        "sha256": result["input"]["sha256"],
    }


def _measured(result: Mapping) -> dict:
    """Domains and walls in a few values; those in nm and pm only where the pixel size is known."""
    domains, walls = (pd.DataFrame(result.get(k, [])) for k in ("domains", "wall_segments"))
    row: dict[str, Any] = {"domains": "; ".join(domains.get("name", []))}
    if "p_pm" in domains:
        row["p_pm"] = _weighted(domains["p_pm"], domains["share"])
    if "length_nm" in walls:
        row["wall_length_nm"] = float(walls["length_nm"].sum())
        row["wall_width_nm"] = _weighted(walls["width_nm"], walls["length_nm"])
    if "charge" in walls:
        row["n_charged_walls"] = int(walls["charge"].str.endswith(("head", "tail")).sum())
    return row


def _weighted(values: pd.Series, weights: pd.Series) -> float:
    """Mean of the known values."""
    numbers = pd.to_numeric(values)
    known = numbers.notna()
    return float(np.average(numbers[known], weights=weights[known])) if known.any() else np.nan


def analyze_file(
    settings: BatchSettings, job: BatchJob, workers: int | EvaluatorFactory = 1
) -> dict:
    """Analyze one image and write its files; the row of the summary, with the error of an image
    that cannot be analyzed.

    Parameters
    ----------
    settings : BatchSettings
    job : BatchJob
    workers : int or Spread
        What evaluates the trials, see :func:`bfo_utils.search.search_configurations`.

    Returns
    -------
    dict
        Values by the names in `COLUMNS`.

    Raises
    ------
    DiskError
        If the folder cannot be written.
    """
    try:
        with helper_processes(job.folder.parent), one_thread():
            return summary_row(job, _written(settings, job, workers))
    except DiskError:
        raise
    except InputError as error:
        return _failed(job, str(error))
    except (
        Exception
    ) as error:  # of any library: it costs this image its row, and no other image anything
        return _failed(
            job, textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" ...")
        )


def analyze_frames(
    image: str, out: str | Path, settings: BatchSettings, workers: int = 1
) -> pd.DataFrame:
    """Analyze every frame of a stack by itself.

    Parameters
    ----------
    image : str
        File of the stack.
    out : str or Path
        Folder for ``summary.csv`` and a folder per frame, ``frame-000`` and so on.
    settings : BatchSettings
    workers : int
        Threads that share the trials of a frame.

    Returns
    -------
    DataFrame
        The content of ``summary.csv``: one row per frame.

    Raises
    ------
    InputError
        If the file holds no stack, or the folder cannot be written or is in use.
    """
    out, n = Path(os.path.abspath(out)), count_frames(image, settings.reading.dataset)
    if n == 1:
        raise InputError(
            f"{image}: --frames each: the file contains a single image, not a stack; omit --frames"
        )
    refuse_foreign(
        [out / SUMMARY_FILE], _is_summary(out / SUMMARY_FILE), "give another folder with --out"
    )
    rows: dict[int, dict] = {}
    with locked_folder(out):
        for k in range(n):
            own = replace(settings, reading=replace(settings.reading, frames=str(k)))
            job = BatchJob(f"{image} frame {k}", os.path.abspath(image), out / f"frame-{k:03d}")
            rows[k] = analyze_file(own, job, workers)
            table = _keep(rows, out)
    return table


@contextmanager
def on_pool(pool: Pool, folder: Path, work: SharedWork, plan: SearchPlan) -> Iterator[Evaluator]:
    """The evaluator of a search whose trials are tasks of a pool, to be bound to pool and folder.

    The prepared image reaches the workers by a file in the folder, and each keeps it with the
    windows that it has cut from it.
    """
    path = folder / f".crystal-{uuid4().hex}.{os.getpid()}.part"
    save_arrays(path, work.prepared)
    try:
        yield lambda configurations: in_order(
            pool.run(partial(_outcome, str(path), str(work.networks), plan), configurations)
        )
    finally:
        path.unlink()


_WORK = Cache(1)


def _outcome(path: str, networks: str, plan: SearchPlan, parameters: Mapping) -> Outcome:
    work = _WORK.once(path, lambda: SharedWork(load_arrays(path, PreparedImage), networks))
    return evaluate_configuration(work.prepared, parameters, plan.seed, plan.total, work)


def _within(folder: Path) -> list[Path]:
    own = set(FILES) if is_ours(folder) else set()  # pictures of an earlier result are no images
    names = sorted(
        p.name
        for p in folder.iterdir()
        if p.is_file() and p.suffix.lower() in IMAGE_SUFFIXES and p.name not in own
    )
    return [folder / name for name in names if not name.startswith(".")]


def _rows(jobs: list[BatchJob], pool: Pool, settings: BatchSettings) -> Iterator[tuple[int, dict]]:
    """Position and row of every job as it ends."""
    if len(jobs) == 1 and pool.size > 1:
        yield 0, analyze_file(settings, jobs[0], partial(on_pool, pool, jobs[0].folder))
        return
    for k, result in pool.run(partial(analyze_file, settings), jobs):
        yield k, _failed(jobs[k], str(result)) if isinstance(result, WorkerDied) else result


def _written(settings: BatchSettings, job: BatchJob, workers: int | EvaluatorFactory) -> dict:
    """The content of ``result.json``, after all files of the image and the record are written."""
    image = read_image(job.path, **vars(settings.reading))
    for folder in (job.folder, job.folder / "networks"):
        sweep(folder)
    done = analyze(image, settings.plan, record=job.folder / "trials.jsonl", workers=workers)
    with together(job.folder, RESULT_FILE) as stage:
        provenance = Provenance(settings.plan, settings.reading, files=settings.reading.files)
        result = write_results(done, stage, provenance, job.folder)
        write_json(
            stage / TRIALS_FILE,
            {"path": job.path, "sha256": image.sha256, "settings": settings.key},
        )
    return result


def _failed(job: BatchJob, error: str) -> dict:
    return {"image": job.image, "error": error}


def _keep(rows: Mapping[int, dict], out: Path) -> pd.DataFrame:
    """Write the summary of the images that have ended; none before the first."""
    table = pd.DataFrame([rows[k] for k in sorted(rows)], columns=SUMMARY_COLUMNS)
    if rows:
        write_csv(out / SUMMARY_FILE, table)
    return table


def _assign(names: list[str], out: Path, settings: Mapping) -> tuple[list[BatchJob], list[int]]:
    """Jobs, and the positions of those that are done.

    An image keeps its folder from call to call, one that was moved too if it is analyzed under the
    same settings; a new one takes a folder that no other image has.
    """
    known = _known(out)
    paths = [os.path.abspath(name) for name in names]
    own = {d.path: d for d in known}
    moved = {d.sha256: d for d in known if d.settings == settings and d.path not in paths}
    taken = {SUMMARY_FILE} | {d.folder.name.casefold() for d in known} | _foreign(out)
    jobs, ready = [], []
    for k, (name, path, digest) in enumerate(
        zip(names, paths, _digests(paths) if known else [None] * len(paths))
    ):
        done = own.get(path) or moved.get(digest or "")
        folder = done.folder if done else out / _free(_plain(Path(name).stem), taken)
        taken.add(folder.name.casefold())
        jobs.append(BatchJob(name, path, folder))
        if done and (done.sha256, done.settings) == (digest, settings):
            ready.append(k)
    return jobs, ready


def _foreign(out: Path) -> set[str]:
    """Names in a folder that are no folders, or hold files of other making with names of ours."""

    def free(path: Path) -> bool:
        return path.is_dir() and (
            is_ours(path) or not any((path / name).exists() for name in FILES)
        )

    return {path.name.casefold() for path in out.glob("*") if not free(path)}


def _known(out: Path) -> list[_Done]:
    """The finished analyses in a folder."""
    records = sorted(p for p in out.glob(f"*/{TRIALS_FILE}") if (p.parent / RESULT_FILE).exists())
    return [_done(p) for p in records]


def _done(path: Path) -> _Done:
    """What a record says."""
    content = read_json(path)
    if not isinstance(content, dict) or {k: type(v) for k, v in content.items()} != {
        "path": str,
        "sha256": str,
        "settings": dict,
    }:
        raise InputError(
            f"{path}: not the record of an analysis; move the file away and repeat the command"
        )
    return _Done(path.parent, **content)


def _row_of_before(job: BatchJob) -> dict:
    """The row of an image that an earlier call has analyzed."""
    path = job.folder / RESULT_FILE
    try:
        return summary_row(job, read_json(path))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the result of an analysis ({error}); move the file away and repeat the"
            " command"
        ) from error


def _digests(paths: list[str]) -> list[str | None]:
    """Hashes of files, None for what cannot be read."""
    return Parallel(n_jobs=-1, prefer="threads")(delayed(_digest)(path) for path in paths)


def _digest(path: str) -> str | None:
    try:
        return file_sha256(path)
    except OSError:
        return None


def _plain(stem: str) -> str:
    """A name for a folder that stays where it is put and can be seen and typed, made of that of a
    file.

    Examples
    --------
    >>> _plain("...tif"), _plain("scan 3\\n.b")
    ('image ...tif', 'scan 3_.b')
    """
    kept = "".join(c if c.isprintable() and c not in "/\\:" else "_" for c in stem)
    while len(kept.encode()) > _LONGEST:
        kept = kept[:-1]
    return f"image {kept}" if kept.startswith((".", "-")) else kept or "image"


def _free(stem: str, taken: set[str]) -> str:
    """A name for a folder that is not taken yet, whatever the case of its letters."""
    candidates = [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))]
    return next(name for name in candidates if name.casefold() not in taken)
