"""Two results beside each other: what was chosen, its rewards, and where the maps differ, on
one page without a network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from ..compute import atomic, read_json, refuse_foreign
from ..errors import InputError
from ..figures import plot_differences, plot_rewards, png_bytes
from ..results import Units, check_run, result_path
from ..segmentation import rename_labels
from .export import domains_shown, walls_shown
from .pages import data_uri, fill_template

_SAME_PLACE = 1 / 3  # of a cell: closer than this, a cell of one result is a cell of the other
_COINCIDE = 0.9  # share of the cells that must lie at one place for two grids to count as one
_COUNTS = (
    "evidence",
    "n_columns",
    "n_cells",
    "n_analysed",
    "n_domains",
    "stability",
    "seed",
    "budget",
    "autoencoders",
)
# columns of cells.csv that a page needs
_CELLS = {"i": int, "j": int, "x_px": float, "y_px": float, "label": int}
_HEADING = "Comparison of two results"


@dataclass(frozen=True, eq=False)
class ComparedResult:
    """What one folder holds: the content of ``result.json``, the settings of a run, the cells, and
    where the pictures are.

    Attributes
    ----------
    folder : Path
        Folder of the files.
    name : str
        The folder as it was given.
    summary : mapping
        Content of ``result.json``.
    settings : mapping
        Parameters that ``bfo run`` was given, from its ``run.json``; else empty.
    cells : DataFrame
        Content of ``cells.csv``.
    """

    folder: Path
    name: str
    summary: Mapping
    settings: Mapping
    cells: pd.DataFrame = field(repr=False)


@dataclass(frozen=True, eq=False)
class Match:
    """Two label maps on one grid, the labels of the second renamed to those of the first that they
    share most cells with.

    Attributes
    ----------
    one, two : ndarray of int, shape (R, C)
        Labels, -1 where a cell was not analyzed.
    agree : float
        Share of the cells analyzed in both that have the same label.
    rand : float
        Their adjusted Rand index.
    n : int
        Number of cells analyzed in both.
    """

    one: np.ndarray
    two: np.ndarray
    agree: float
    rand: float
    n: int


def load_compared(folder: str | Path) -> ComparedResult:
    """Read the result of ``bfo analyze``, or that of ``bfo run`` in its folder ``artifacts``.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    ComparedResult

    Raises
    ------
    InputError
        If the folder holds no finished result.

    Examples
    --------
    >>> load_compared("nowhere")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: nowhere: no such folder; give the folder of a finished `bfo
    analyze` or `bfo run`
    """
    right = "give the folder of a finished `bfo analyze` or `bfo run`"
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder; {right}")
    path = result_path(folder)
    if not path.is_file():
        raise InputError(f"{folder}: contains no result; {right}")
    check_run(folder)
    summary = read_json(path)
    if not _sound(summary):
        raise InputError(f"{path}: is not a result; {right}")
    return ComparedResult(
        path.parent,
        str(folder),
        summary,
        _settings(Path(folder, "run.json"), right),
        _cells(path.parent, right),
    )


def _sound(summary) -> bool:
    """Whether the content of a file can be that of ``result.json``."""
    needed, more = ("parameters", "rewards", "input"), ("walls", "timings_s", "versions")
    return (
        isinstance(summary, dict)
        and {"verdict", "reason", *needed} <= set(summary)
        and all(isinstance(summary.get(part, {}), dict) for part in needed + more)
        and all(isinstance(value, (int, float)) for value in summary["rewards"].values())
    )


def _settings(path: Path, right: str) -> dict:
    content = read_json(path) if path.is_file() else {}
    given = content.get("parameters", {}) if isinstance(content, dict) else None
    if not isinstance(given, dict):
        raise InputError(f"{path}: is not the record of a run; {right}")
    return given


def _cells(folder: Path, right: str) -> pd.DataFrame:
    try:
        return pd.read_csv(folder / "cells.csv")[list(_CELLS)].astype(_CELLS)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder / 'cells.csv'}: no table of cells; {right}") from error


def match_runs(one: pd.DataFrame, two: pd.DataFrame) -> Match | None:
    """Compare the labels of cells that lie at the same place, whatever their indices and the names
    of their labels.

    Parameters
    ----------
    one, two : DataFrame
        Cells with the columns ``i, j, x_px, y_px, label``.

    Returns
    -------
    Match or None
        None where fewer than nine tenths of the cells of the larger grid have a cell of the other
        at their place, or no cell was analyzed in both.

    Examples
    --------
    >>> i, j = np.divmod(np.arange(36), 6)
    >>> one = pd.DataFrame({"i": i, "j": j, "x_px": 9.0 * j, "y_px": 9.0 * i, "label": j // 3})
    >>> match_runs(one, one.assign(label=1 - one["label"])).agree
    1.0
    """
    places, others = (table[["x_px", "y_px"]].to_numpy(float) for table in (one, two))
    if min(len(places), len(others)) < 2:
        return None
    cell = np.median(cKDTree(places).query(places, 2)[0][:, 1])
    distance, nearest = cKDTree(others).query(places)
    near = distance < _SAME_PLACE * cell
    labels = one["label"].to_numpy(int)[near], two["label"].to_numpy(int)[nearest[near]]
    both = (labels[0] >= 0) & (labels[1] >= 0)
    if near.sum() < _COINCIDE * max(len(one), len(two)) or not both.any():
        return None
    labels = labels[0], rename_labels(labels[1], labels[0])
    ij = one.loc[near, ["i", "j"]].to_numpy(int)
    return Match(
        _grid(ij, labels[0]),
        _grid(ij, labels[1]),
        float((labels[0] == labels[1])[both].mean()),
        float(adjusted_rand_score(labels[0][both], labels[1][both])),
        int(both.sum()),
    )


def _grid(ij: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels of a list of cells on the smallest grid that holds them."""
    ij = ij - ij.min(axis=0)
    grid = np.full(ij.max(axis=0) + 1, -1)
    grid[tuple(ij.T)] = labels
    return grid


def write_comparison(one: str | Path, two: str | Path, out: str | Path) -> Path:
    """Write the page that compares two results.

    Parameters
    ----------
    one, two : str or Path
        Folders of ``bfo analyze`` or ``bfo run``.
    out : str or Path
        Folder of the page; made where missing.

    Returns
    -------
    Path
        ``out/index.html``, which needs no other file.

    Raises
    ------
    InputError
        If a folder holds no result.
    """
    page, old = comparison_html(load_compared(one), load_compared(two)), Path(out, "index.html")
    refuse_foreign(
        [old],
        old.is_file() and _HEADING in old.read_text(errors="replace"),
        "give another folder with --out",
    )
    with atomic(Path(out, "index.html")) as part:
        part.write_text(page, encoding="utf-8")
    return Path(out, "index.html")


# ---- page ----------------------------------------------------------------------------


def comparison_html(a: ComparedResult, b: ComparedResult) -> str:
    """The whole page as text: no script, no other file, all names escaped.

    Parameters
    ----------
    a, b : ComparedResult

    Returns
    -------
    str
    """
    same, results = match_runs(a.cells, b.cells), {"A": a, "B": b}
    measured = {key: tables for key, r in results.items() if (tables := _measured(r))}
    return fill_template(
        "comparison.html",
        measured=measured,
        heading=_HEADING,
        results=results,
        words=_in_words(a, b, same),
        rows={
            "parameters": _rows(a.summary["parameters"], b.summary["parameters"]),
            "rewards": _rows(a.summary["rewards"], b.summary["rewards"], True),
            "counts": _rows(_counts(a), _counts(b)),
            "timings_s": _rows(
                a.summary.get("timings_s", {}), b.summary.get("timings_s", {}), True, marked=False
            ),
            "input": _rows(a.summary["input"], b.summary["input"]),
            "versions": _rows(a.summary.get("versions", {}), b.summary.get("versions", {})),
        },
        bars=data_uri(
            png_bytes(plot_rewards({k: r.summary["rewards"] for k, r in results.items()}))
        ),
        maps={k: data_uri(p.read_bytes()) for k, p in _pictures(results, "label_map").items()},
        fields={k: data_uri(p.read_bytes()) for k, p in _pictures(results, "polarization").items()},
        difference=same and data_uri(png_bytes(plot_differences(same.one, same.two, ("A", "B")))),
    )


def _in_words(a: ComparedResult, b: ComparedResult, same: Match | None) -> str:
    """What is the same and what is not, in sentences."""
    one, two = a.summary["parameters"], b.summary["parameters"]
    names = sorted(name for name in {*one, *two} if one.get(name) != two.get(name))
    sentences = [
        f"{len(names)} of {len({*one, *two})} parameters differ"
        + (f": {', '.join(names)}." if names else ".")
    ]
    hashes = {r.summary["input"].get("sha256") for r in (a, b)}
    if len(hashes) == 2:
        sentences.append("The images are not the same file.")
    if same is None:
        sentences.append(
            "The cells are at different positions, so the maps cannot be compared cell by cell."
        )
    else:
        sentences.append(
            f"The maps agree in {same.agree:.1%} of the {same.n:,} cells analyzed in both (adjusted"
            f" Rand index {same.rand:.3f})."
        )
    return " ".join(sentences)


def _counts(result: ComparedResult) -> dict:
    """Numbers of things, walls, and the settings that a run was given."""
    walls = {f"walls: {name}": value for name, value in result.summary.get("walls", {}).items()}
    return (
        {k: result.summary[k] for k in _COUNTS if k in result.summary}
        | walls
        | {f"run: {k}": v for k, v in result.settings.items()}
    )


def _rows(a: Mapping, b: Mapping, difference: bool = False, marked: bool = True) -> list[dict]:
    """Rows of a table of two mappings; differing rows have a sign and a color."""
    names = dict.fromkeys([*a, *b])
    return [_row(name, a.get(name), b.get(name), difference, marked) for name in names]


def _row(name: str, a, b, difference: bool, marked: bool) -> dict:
    numbers = all(isinstance(value, (int, float)) for value in (a, b))
    sign = (f"{b - a:+.3g}" if numbers and difference else "≠") if a != b else ""
    row = {"name": name, "a": _text(a), "b": _text(b), "sign": sign}
    return row | {"marked": marked and a != b}


def _text(value) -> str:
    """A value as it is read; what is not there is a dash."""
    if value is None or value == "":
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _measured(result: ComparedResult) -> dict[str, pd.DataFrame]:
    """The tables of domains and walls, where the result has them."""
    units = Units.of(result.summary["input"].get("pixel_size_nm"))
    try:
        domains, walls = (pd.DataFrame(result.summary[k]) for k in ("domains", "wall_segments"))
        found = {"domains": domains_shown(domains, units)}
        return found | ({"walls": walls_shown(walls, units)} if len(walls) else {})
    except (KeyError, TypeError, ValueError, AttributeError):  # of an older version
        return {}


def _pictures(results: Mapping[str, ComparedResult], what: str) -> dict[str, Path]:
    """The pictures of a kind that there are."""
    paths = {name: result.folder / f"{what}.png" for name, result in results.items()}
    return {name: path for name, path in paths.items() if path.is_file()}
