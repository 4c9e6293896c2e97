"""Provenance: how long the steps of a run took, and the command that makes its result again."""

import shlex
from pathlib import Path

from ..compute import read_json
from ..io import Reading


def stage_durations(out: str | Path) -> dict[str, float]:
    """Seconds that every executed notebook of a run took, as papermill noted them, in the order of
    their execution.

    Parameters
    ----------
    out : str or Path
        Folder of the run; without executed notebooks there are no durations.

    Returns
    -------
    dict of str to float
        By part and notebook; the report itself, which asks, is left out.
    """
    noted = {
        path: read_json(path)["metadata"].get("papermill", {})
        for path in Path(out, "notebooks").glob("*/*.ipynb")
    }
    timed = [
        path
        for path in noted
        if path.parent.name != "report" and noted[path].get("duration") is not None
    ]
    return {
        f"{path.parent.name} {path.stem}": float(noted[path]["duration"])
        for path in sorted(timed, key=lambda path: (noted[path]["start_time"], path))
    }


def repeat_command(artifacts: str | Path) -> str:
    """The command that makes a result again: that of its run, else one that reads its provenance.

    Parameters
    ----------
    artifacts : str or Path
        Folder of the result; ``run.json`` of the run lies in the folder above.

    Returns
    -------
    str
        One line for a shell; what needs quotes has them.

    Examples
    --------
    >>> repeat_command("my scans/artifacts")
    "bfo rerun 'my scans/artifacts' --out again"
    """
    record = Path(artifacts).parent / "run.json"
    if not record.exists():
        return shlex.join(["bfo", "rerun", str(artifacts), "--out", "again"])
    run = read_json(record)
    words = [
        "bfo",
        "run",
        *([run["image"]] if run["image"] else []),
        "--out",
        "again",
        "--seed",
        str(run["seed"]),
    ]
    for name in (*vars(Reading()), "scan_axis"):
        if run.get(name, "auto") not in ("", 0, "auto"):
            option = name.replace("_", "-") if name != "pixel_size_nm" else "pixel-size"
            words += [f"--{option}", *([] if run[name] is True else [str(run[name])])]
    return shlex.join(
        words
        + [word for name, value in run["parameters"].items() for word in ("-p", f"{name}={value}")]
    )
