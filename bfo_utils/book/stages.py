"""Both stages of a run on one page, the run time of its steps, and the command that repeats it."""

import ast
import base64
import re
import shlex
import struct
from collections.abc import Mapping
from pathlib import Path

from ..compute import read_json
from ..io import Reading

_WIDE = 1.3  # width over height from which on two pictures stand below each other
_FOLDED = {
    "mystnb": {"code_prompt_show": "Show the parameters", "code_prompt_hide": "Hide the parameters"}
}


def stage_durations(out: str | Path) -> dict[str, float]:
    """Run time in seconds of every executed notebook, as recorded by papermill, in the order of
    execution.

    Parameters
    ----------
    out : str or Path
        Folder of the run; without executed notebooks there are no durations.

    Returns
    -------
    dict of str to float
        Keys are part and notebook. The report itself is still running and is left out.
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
    """The command that repeats a result: that of its run, else one that reads its provenance.

    Parameters
    ----------
    artifacts : str or Path
        Folder of the result; ``run.json`` of the run lies in the folder above.

    Returns
    -------
    str
        One line for a shell, quoted where needed.

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
    if run.get("profile", "quick") != "quick":  # its chapters; its budgets are parameters
        words += ["--profile", run["profile"]]
    for name in (*vars(Reading()), "scan_axis"):
        if run.get(name, "auto") not in ("", 0, "auto"):
            option = name.replace("_", "-") if name != "pixel_size_nm" else "pixel-size"
            words += [f"--{option}", *([] if run[name] is True else [str(run[name])])]
    return shlex.join(
        words
        + [word for name, value in run["parameters"].items() for word in ("-p", f"{name}={value}")]
    )


def as_shown(notebook: dict) -> dict:
    """A notebook as the book shows it: its parameters with the values of the run, folded, and
    without the cell that papermill put in.

    Parameters
    ----------
    notebook : dict
        As papermill has executed it.

    Returns
    -------
    dict
        A new notebook, without folders of this machine; the image appears by its name only.

    Examples
    --------
    >>> cell = lambda tag, line: {"metadata": {"tags": [tag]}, "source": [line]}
    >>> declared = cell("parameters", "cells: int = 60  # along each side")
    >>> done = {"metadata": {}, "cells": [declared, cell("injected-parameters", "cells = 24")]}
    >>> [cell["source"] for cell in as_shown(done)["cells"]]
    [['cells: int = 24  # along each side']]
    """
    given = _injected(notebook)
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "parameters" in tags and "remove-input" not in tags:
            lines = [_filled(line, given) for line in cell["source"]]
            metadata = cell["metadata"] | _FOLDED | {"tags": sorted({*tags, "hide-input"})}
            cell = cell | {"source": lines, "metadata": metadata}
        if "injected-parameters" not in tags:
            cells.append(cell)
    metadata = {k: v for k, v in notebook["metadata"].items() if k != "papermill"}
    return notebook | {"cells": cells, "metadata": metadata}


def _injected(notebook: dict) -> dict[str, str]:
    """What papermill gave the parameters of a notebook, as Python text; folders are left out."""
    lines = [
        line.rstrip("\n").partition(" = ")
        for cell in notebook["cells"]
        if "injected-parameters" in cell["metadata"].get("tags", [])
        for line in cell["source"]
        if " = " in line
    ]
    given = {name: value for name, _, value in lines if name not in ("artifacts", "series")}
    if "image" in given:
        given["image"] = f'"{Path(ast.literal_eval(given["image"])).name}"'
    return given


def _filled(line: str, given: Mapping[str, str]) -> str:
    """The line that declares a parameter, with its value."""
    name = line.partition(":")[0]
    return re.sub(r"= .*?  #", lambda _: f"= {given[name]}  #", line) if name in given else line


def with_tuned(notebook: dict, tuned: dict, folder: Path) -> dict:
    """One notebook with the outputs of both its runs: figures side by side, with the default and
    with the tuned parameters.

    Parameters
    ----------
    notebook, tuned : dict
        The same notebook, executed at the stages ``default`` and ``tuned``.
    folder : Path
        Folder of the page; its pictures are written to ``both`` there.

    Returns
    -------
    dict
        The notebook at the default parameters. Lines of text that differ appear below each other;
        a cell tagged ``compared`` has its output of the stage ``tuned``.
    """
    runs, cells = {cell["id"]: cell for cell in tuned["cells"]}, []
    for cell in notebook["cells"]:
        other, tags = runs.get(cell["id"], cell), cell["metadata"].get("tags", [])
        ours, theirs = _pictures(cell), _pictures(other)
        if "parameters" in tags:
            cells.append(_chosen(cell, notebook, tuned) or cell)
        elif "compared" in tags:
            cells.append(cell | {"outputs": other["outputs"]})
        elif "solution" in tags or (ours and ours == theirs):
            cells.append(cell)
        elif not (ours and theirs):
            cells.append(_both_texts(cell, other))
        else:
            cells += [cell | {"outputs": []}, _beside(cell, ours[0], theirs[0], folder)]
    return notebook | {"cells": cells}


def _pictures(cell: dict) -> list[str]:
    """The pictures among the outputs of a cell, in base64."""
    outputs = [output.get("data", {}) for output in cell.get("outputs", ())]
    return ["".join(data["image/png"]).strip() for data in outputs if "image/png" in data]


def _both_texts(cell: dict, other: dict) -> dict:
    """A cell that prints what it printed in both runs; what differs is called by its stage."""
    ours, theirs = (
        "".join("".join(output.get("text", "")) for output in one.get("outputs", ())).splitlines()
        for one in (cell, other)
    )
    if ours == theirs or len(ours) != len(theirs):
        return cell
    lines = [
        line
        for a, b in zip(ours, theirs, strict=True)
        for line in ([a] if a == b else [f"default: {a}", f"tuned:   {b}"])
    ]
    stream = {"output_type": "stream", "name": "stdout", "text": [f"{line}\n" for line in lines]}
    return cell | {"outputs": [stream]}


def _chosen(cell: dict, notebook: dict, tuned: dict) -> dict | None:
    """The parameters of both runs in a table, in the place of the cell that declares them; what the
    search has changed is in bold. None where both runs have none.
    """
    ours, theirs = _injected(notebook), _injected(tuned)
    meanings = dict(re.findall(r"(\w+):.*?  # (.*)", "".join(cell["source"])))
    names = [name for name in ours if name != "stage"]
    rows = [
        f"| `{n}` | {ours[n]} | {theirs[n] if ours[n] == theirs[n] else f'**{theirs[n]}**'}"
        f" | {meanings.get(n, '')} |"
        for n in names
    ]
    head = "This page shows two runs of one notebook. Bold: values changed by the search.\n\n"
    table = "| parameter | default | tuned | meaning |\n| --- | --- | --- | --- |\n"
    text = (head + table + "\n".join(rows)).replace('"', "")
    return _markdown("chosen", text) if names else None


def _beside(cell: dict, ours: str, theirs: str, folder: Path) -> dict:
    """Two pictures of one cell beside each other, wide ones below each other."""
    alt = cell["metadata"]["mystnb"]["image"]["alt"]
    items = []
    for stage, picture in (("default", ours), ("tuned", theirs)):
        data, name = base64.b64decode(picture), f"both/{cell['id']}-{stage}.png"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        figure = f":::{{figure}} {name}\n:alt: {alt}, {stage} parameters\n\n"
        said = f"With the **{stage}** parameters: {alt[0].lower()}{alt[1:]}.\n:::\n"
        items.append(f"::::{{grid-item}}\n{figure}{said}::::\n")
    width, height = struct.unpack(">II", data[16:24])
    across = 2 if width < _WIDE * height else 1
    return _markdown(
        f"{cell['id']}-both", f":::::{{grid}} 1 1 {across} {across}\n{''.join(items)}:::::\n"
    )


def _markdown(name: str, text: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}
