"""Provenance: what a result was made from, stored in its ``result.json`` so that it can be
repeated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from ..compute import read_json
from ..errors import InputError
from ..io import Image, Reading, file_sha256, read_image
from ..search import SearchPlan, check_parameters
from ..simulation import Specimen, simulate_phantom

SCHEMA_VERSION = 1  # of result.json and run.json; 0 are those that hold none
COMPARED_TABLES = (
    "columns.csv",
    "cells.csv",
    "oxygen.csv",
    "domains.csv",
    "patches.csv",
    "walls.csv",
    "profiles.csv",
    "trials.csv",
    "pareto.csv",
)


@dataclass(frozen=True)
class Simulation:
    """A simulated image: its specimen and the seed."""

    specimen: Specimen
    seed: int


@dataclass(frozen=True)
class Plugin:
    """A user's file that registers rewards, by path and hash."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """Everything that a result depends on besides the program and the bytes of its image.

    Attributes
    ----------
    plan : SearchPlan
        The search, as it was asked for.
    reading : Reading
        How the image was read: what was given besides its file.
    phantom : Simulation or None
        What was simulated, where no image was given.
    plugin : Plugin or None
        Rewards of the user's own.
    files : dict of str to str
        Hashes of the files that the reading names, by path.
    """

    plan: SearchPlan = field(default_factory=SearchPlan)
    reading: Reading = field(default_factory=Reading)
    phantom: Simulation | None = None
    plugin: Plugin | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def plain(self) -> dict:
        """The provenance as plain values, for JSON; the total as a list of pairs, for its product
        depends on their order by a digit.
        """
        values = asdict(self)
        values |= values.pop("reading")
        values["plan"]["total"] = [list(pair) for pair in self.plan.total.items()]
        return values


def plugin_of(path: str | None) -> Plugin | None:
    """A plugin with its hash, None where there is none."""
    return Plugin(path, file_sha256(path)) if path else None


def provenance_from_plain(values: Mapping) -> Provenance:
    """The provenance that :attr:`Provenance.plain` describes, its parameters checked.

    Raises
    ------
    InputError
        For what describes none.

    Examples
    --------
    >>> plan = SearchPlan(seed=3, fixed={"site": "cell"})
    >>> provenance_from_plain(Provenance(plan).plain).plan.fixed
    {'site': 'cell'}
    """
    try:
        plan = _plan(values["plan"])
        made = values["phantom"] and _simulation(values["phantom"])
        own = values["plugin"] and Plugin(**values["plugin"])
        reading = Reading(**{n: values[n] for n in vars(Reading()) if n in values})
        return Provenance(plan, reading, made, own, dict(values.get("files", {})))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"provenance: not written by this version ({type(error).__name__}: {error}); repeat the"
            " command that made the result"
        ) from error


def _simulation(values: Mapping) -> Simulation:
    """What was simulated; results of schema 0 and 1 call the specimen a crystal."""
    specimen = values["specimen"] if "specimen" in values else values["crystal"]
    return Simulation(Specimen(**specimen), int(values["seed"]))


def _plan(values: Mapping) -> SearchPlan:
    """A plan with the types of the default one, which replaces missing values."""
    total = {str(name): float(exponent) for name, exponent in values["total"]}
    values = {**vars(SearchPlan()), **values, "total": total}
    for name, default in vars(SearchPlan()).items():
        if type(values[name]) is not type(default):
            raise TypeError(f"{name} is {values[name]!r}")
    return SearchPlan(**{**values, "fixed": check_parameters(values["fixed"])})


def check_schema(path: str | Path, content: Mapping) -> None:
    """Check that this version can read a ``result.json`` or a ``run.json``.

    Parameters
    ----------
    path : str or Path
        File, for the message.
    content : mapping
        What it holds.

    Raises
    ------
    InputError
        If a newer version wrote it, or its ``schema_version`` is no whole number.

    Examples
    --------
    >>> check_schema("result.json", {"schema_version": SCHEMA_VERSION})
    >>> check_schema("result.json", {"schema_version": 99})
    Traceback (most recent call last):
    bfo_utils.errors.InputError: result.json: has schema_version 99, written by a newer version of
    bfo_utils; this one reads up to 1; update it
    """
    schema = content.get("schema_version", 0)
    if type(schema) is not int or schema < 0:
        raise InputError(f"{path}: schema_version is {schema!r}; it must be a whole number")
    if schema > SCHEMA_VERSION:
        raise InputError(
            f"{path}: has schema_version {schema}, written by a newer version of bfo_utils; this"
            f" one reads up to {SCHEMA_VERSION}; update it"
        )


def check_run(folder: str | Path) -> None:
    """See that this version can read the records of a run, where they are there; see
    :func:`check_schema`.
    """
    for path in (Path(folder, "run.json"), result_path(folder)):
        content = read_json(path) if path.is_file() else {}
        check_schema(path, content if isinstance(content, dict) else {})


@dataclass(frozen=True)
class StoredResult:
    """A stored ``result.json``: its path, its provenance, the image's path and hash, and the
    versions that it was made with.
    """

    path: Path
    provenance: Provenance
    image: str | None
    sha256: str | None
    versions: Mapping[str, str]


def read_result(path: str | Path) -> StoredResult:
    """Read a ``result.json``, or that of a folder of results, see :func:`result_path`.

    Raises
    ------
    InputError
        One line, where it is missing, no result, or was written without its provenance.
    """
    path = result_path(path) if Path(path).is_dir() else Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the result.json of an analysis")
    stored = stored_json(path)
    if not isinstance(stored, dict) or not {"input", "versions"} <= set(stored):
        raise InputError(
            f"{path}: is not the result of an analysis; give the result.json that it wrote"
        )
    check_schema(path, stored)
    made_from = stored.get("provenance") or stored.get("recipe")  # its name until version 1
    if not made_from:
        raise InputError(
            f"{path}: has no provenance, because an earlier version or Python code wrote it; repeat"
            " the command that made it"
        )
    try:
        return StoredResult(
            path,
            provenance_from_plain(made_from),
            stored["input"]["path"],
            stored["input"]["sha256"],
            stored["versions"],
        )
    except (InputError, KeyError, TypeError) as error:
        raise InputError(f"{path}: {error}") from error


def stored_json(path: Path):
    """The content of a file that should be a ``result.json``; the user's other files are only
    said to be none.
    """
    try:
        return read_json(path)
    except InputError:
        raise InputError(
            f"{path}: is not the result of an analysis; give the result.json that it wrote"
        ) from None


def result_path(folder: str | Path) -> Path:
    """The ``result.json`` of a folder: that of an analysis, else that of a run in its folder
    ``artifacts``.
    """
    places = [Path(folder, "result.json"), Path(folder, "artifacts", "result.json")]
    return next((place for place in places if place.is_file()), places[0])


def result_image(result: StoredResult, moved_to: str | None = None) -> Image:
    """The image of a result, read or simulated again.

    Parameters
    ----------
    result : StoredResult
    moved_to : str, optional
        Where the file is now. By default it is looked for where it was, from the present folder and
        from those of the result.

    Returns
    -------
    Image

    Raises
    ------
    InputError
        If the file is gone or has changed since, or is none that the result was made from.
    """
    provenance = result.provenance
    if provenance.phantom:
        return simulate_phantom(provenance.phantom.specimen, provenance.phantom.seed).image
    if not result.image or not result.sha256:
        raise InputError(
            f"{result.path}: its image was an array in Python, not a file; it cannot be read again"
        )
    path = Path(moved_to) if moved_to else _place(result)
    if not path.is_file():
        raise InputError(
            f"{path}: the image of {result.path} is missing; give its path with --image FILE"
        )
    for name, digest in provenance.files.items():
        if not Path(name).is_file() or file_sha256(name) != digest:
            raise InputError(
                f"{name}: is missing or has changed since {result.path} was made; restore it"
            )
    found = read_image(path, **vars(provenance.reading))
    if found.sha256 != result.sha256:
        raise InputError(
            f"{path}: has changed since {result.path} was made (different sha256); give the"
            " original image with --image FILE"
        )
    return found


def _place(result: StoredResult) -> Path:
    """The image's path as it was given, from where it leads to a file."""
    given = result.image or ""
    places = [Path(given), *(folder / given for folder in list(result.path.absolute().parents)[:3])]
    return next((place for place in places if place.is_file()), places[0])


def check_plugin(result: StoredResult, path: str | None) -> None:
    """See that the file of rewards is the one that a result was made with; only the user says that
    it may be run.

    Raises
    ------
    InputError
        If it is not given, has changed, or is one too many.
    """
    before = result.provenance.plugin
    if before and not path:
        raise InputError(
            f"--plugin: the result was made with rewards of '{before.path}'; give that file with"
            " --plugin; it will be executed"
        )
    if path and not before:
        raise InputError(f"--plugin: the result was made without a plugin; omit {path}")
    if before and file_sha256(path) != before.sha256:
        raise InputError(
            f"--plugin: {path} has changed since the result was made (different sha256); give the"
            " original file"
        )


def changed_versions(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Versions that differ, as a phrase; empty if none differ.

    Examples
    --------
    >>> changed_versions({"python": "3.11.2", "numpy": "2.1"}, {"python": "3.11.2", "numpy": "2.4"})
    'numpy was 2.1, is 2.4'
    """
    names = sorted(set(before) | set(now))
    return "; ".join(
        f"{name} was {before.get(name, 'absent')}, is {now.get(name, 'absent')}"
        for name in names
        if before.get(name) != now.get(name)
    )


def compare_tables(before: Path, after: Path) -> Iterator[tuple[str, bool]]:
    """Name of every table in both folders, and whether it is the same, apart from wall times.

    Parameters
    ----------
    before, after : Path

    Yields
    ------
    name : str
    same : bool
    """
    for name in COMPARED_TABLES:
        if (before / name).exists():
            one, two = (
                pd.read_csv(folder / name, dtype=str).drop(columns="seconds", errors="ignore")
                for folder in (before, after)
            )
            yield name, one.equals(two)
