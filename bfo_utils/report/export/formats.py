"""Positions and fields as files that other tools read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...compute import atomic, locked_folder, refuse_foreign, write_csv
from ...errors import InputError
from .answer import Answer
from .descriptions import describe_column

_MAKER = "bfo_utils"  # stands in every file, by which an earlier export is known
_ANGSTROM = 10.0  # per nm
_MARKER_COLORS = {"A": "orange", "B": "deepskyblue"}


def export_answer(answer: Answer, formats: Sequence[str], out: str | Path) -> list[Path]:
    """Write a result for other tools.

    Parameters
    ----------
    answer : Answer
    formats : sequence of {"hspy", "xyz", "csv"}
        A HyperSpy signal of the image with the columns as markers; positions of the columns in
        Ångström; positions and cells with units and meanings in the header.
    out : str or Path
        Folder; made where missing.

    Returns
    -------
    list of Path
        The files, called after the image.

    Raises
    ------
    InputError
        For an unknown format, or files of other making that have these names.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"--to: '{name}' is not a format; choose from {', '.join(FORMATS)}")
    plain = (c if c.isprintable() and c not in "/\\:" else "_" for c in answer.name)
    stem = "".join(plain) or "image"
    files = [(Path(out, stem + end), write) for f in formats for end, write in FORMATS[f]]
    for path, _ in files:
        refuse_foreign([path], is_made_here(path), "give another folder with --out")
    with locked_folder(out):
        for path, write in files:
            with atomic(path) as part:
                write(answer, part)
    return [path for path, _ in files]


def is_made_here(path: Path) -> bool:
    """Whether a file of any kind says that this package made it."""
    if path.is_file() and path.suffix == ".hspy":
        import h5py

        try:
            with h5py.File(path) as file:
                return _MAKER in file["Experiments"] or any(
                    _MAKER in group.get("metadata", {}) for group in file["Experiments"].values()
                )
        except (OSError, KeyError, AttributeError):
            return False
    return path.is_file() and _MAKER.encode() in path.read_bytes()


def _hspy(answer: Answer, path: Path) -> None:
    """The picture with its scale, the columns of both sublattices as markers."""
    from rsciio.hspy import file_writer

    size, step = answer.summary["input"]["pixel_size_nm"], answer.picture.step
    per_px = size or 1.0
    axes = [
        {
            "_type": "UniformDataAxis",
            "name": name,
            "units": "nm" if size else "px",
            "navigate": False,
            "size": n,
            "scale": step * per_px,
            "offset": (step - 1) / 2 * per_px,
        }
        for name, n in zip("yx", answer.picture.levels.shape)
    ]
    signal: dict[str, Any] = {
        "data": answer.picture.levels,
        "axes": axes,
        "metadata": {
            "General": {"title": answer.name},
            "Signal": {"signal_type": ""},
            "Markers": _markers(answer, per_px),
            _MAKER: {
                "verdict": answer.summary["verdict"],
                "sha256": answer.summary["input"]["sha256"] or "",
                "version": answer.summary["versions"]["bfo_utils"],
                "data": "gray levels of the analyzed image",
            },
        },
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "models": {},
        "tmp_parameters": {},
    }
    maker = {"package": "hyperspy", "package_version": "2.0"}  # whose class the signal is of
    file_writer(str(path), signal | maker | {"package_info": maker})


def _markers(answer: Answer, per_px: float) -> dict:
    """Points on the columns, and arrows of the polarization where it is seen."""
    found = {}
    for letter, own in answer.columns.groupby("sublattice"):
        found[f"{letter} columns"] = {
            "class": "Points",
            "name": f"{letter} columns",
            "plot_on_signal": True,
            "kwargs": {
                "offsets": own[["x_px", "y_px"]].to_numpy() * per_px,
                "sizes": np.array([4.0]),
                "facecolors": _MARKER_COLORS[str(letter)],
            },
        }
    return found


def _xyz(answer: Answer, path: Path) -> None:
    """Extended XYZ: columns as atoms in one plane, y up as these programs draw it."""
    size, table = answer.summary["input"]["pixel_size_nm"], answer.columns
    per_px = _ANGSTROM * size if size else 1.0
    height, width = (n * per_px for n in answer.summary["input"]["shape"])
    lines = [
        str(len(table)),
        f'Lattice="{width:.4f} 0 0 0 {height:.4f} 0 0 0 1" pbc="F F F"'
        " Properties=species:S:1:pos:R:3:id:I:1:intensity:R:1:ok:I:1"
        f" origin={_MAKER} unit={'angstrom' if size else 'px'}"
        ' axes="x to the right, y up: height minus y of columns.csv"',
    ]
    rows = table[["sublattice", "x_px", "y_px", "id", "intensity", "ok"]]
    lines += [
        f"{letter} {x * per_px:.5f} {height - y * per_px:.5f} 0.0 {number} {intensity:.6g} {ok}"
        for letter, x, y, number, intensity, ok in rows.itertuples(index=False)
    ]
    path.write_text("\n".join(lines) + "\n")


def _described(name: str) -> Callable[[Answer, Path], None]:
    """A writer of a table below lines that begin with # and say what its columns are."""

    def write(answer: Answer, path: Path) -> None:
        table: pd.DataFrame = getattr(answer, name)
        lines = [f"# {name} of {answer.name!r}, written by {_MAKER}"]
        for column in table.columns:
            unit, meaning = describe_column(name, column)
            lines.append(f"# {column} ({unit or '1'}): {meaning}")
        write_csv(path, table)
        path.write_text("\n".join(lines) + "\n" + path.read_text())

    return write


FORMATS: dict[str, list[tuple[str, Callable[[Answer, Path], None]]]] = {
    "hspy": [(".hspy", _hspy)],
    "xyz": [(".xyz", _xyz)],
    "csv": [("-columns.csv", _described("columns")), ("-cells.csv", _described("cells"))],
}
