"""Provenance: how long the steps of a run took, and the command that makes its result again."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from .files import read_json


def durations(out: str | Path) -> dict[str, float]:
    """Seconds that every executed notebook of a run took, as papermill noted them, in the order of their execution.

    Parameters
    ----------
    out : str or Path
        Folder of the run; without executed notebooks there are no durations.

    Returns
    -------
    dict of str to float
        By part and notebook; the report itself, which asks, is left out.
    """
    noted = {path: read_json(path)["metadata"].get("papermill", {}) for path in Path(out, "notebooks").glob("*/*.ipynb")}
    timed = [path for path in noted if path.parent.name != "report" and noted[path].get("duration") is not None]
    return {f"{path.parent.name} {path.stem}": float(noted[path]["duration"])
            for path in sorted(timed, key=lambda path: (noted[path]["start_time"], path))}


def command(out: str | Path, result: Mapping) -> str:
    """The command that makes a result again: that of the run in a folder, else that of the analysis alone.

    Parameters
    ----------
    out : str or Path
        Folder of the run, with ``run.json``.
    result : mapping
        Content of ``result.json``.

    Returns
    -------
    str
        One line for a shell; what needs quotes has them.

    Examples
    --------
    >>> command("/nowhere", {"input": {"path": "my scan.dm4", "pixel_size_nm": 0.02}, "seed": 1, "budget": 64})
    "bfo analyze 'my scan.dm4' --out again --seed 1 --pixel-size 0.02 --budget 64"
    """
    record = Path(out, "run.json")
    if not record.exists():
        given = result["input"]
        words = ["bfo", "analyze", given["path"] or "IMAGE", *_options(result["seed"], given["pixel_size_nm"])]
        return shlex.join([*words, "--budget", str(result["budget"])])
    run = read_json(record)
    words = ["bfo", "run", *([run["image"]] if run["image"] else []), *_options(run["seed"], run["pixel_size_nm"])]
    words += ["--dataset", run["dataset"]] if run["dataset"] else []
    return shlex.join(words + [word for name, value in run["parameters"].items() for word in ("-p", f"{name}={value}")])


def _options(seed: int, pixel_size_nm: float | None) -> list[str]:
    return ["--out", "again", "--seed", str(seed), *(["--pixel-size", f"{pixel_size_nm:g}"] if pixel_size_nm else [])]
