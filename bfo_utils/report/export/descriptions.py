"""What every column of every table is: one source for the README beside the tables, the units that
tables carry in Python, and the headers of exported files.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import pandas as pd

from ...compute import atomic
from ...search import PARAMETERS

README_FILE = "README.txt"
_HEADING = "What the tables beside this file hold (written by bfo_utils)"
_UNITS = {
    "px": "px",
    "pm": "pm",
    "nm": "nm",
    "nm2": "nm2",
    "px2": "px2",
    "deg": "degrees",
    "cells": "cells",
    "m2": "C/m2",
}
_TABLES = {
    "columns": "one row per atomic column",
    "cells": "one row per unit cell",
    "domains": "one row per label of cells.csv: means over its cells",
    "patches": "one row per connected patch of one label: means over its cells",
    "walls": "one row per segment of wall between two domains (its lines: walls.geojson)",
    "profiles": "one row per segment and distance across it: means over the cells there",
    "trials": "one row per evaluated configuration",
    "pareto": "the trials that no other exceeds in every reward",
    "oxygen": "one row per oxygen column of the second channel",
}
#: What the names without unit and without ``se_`` mean, in all tables or in those that are named.
_MEANINGS = {
    "id": "number of the column",
    "x": "position, to the right",
    "y": "position, downwards",
    "sublattice": "A or B",
    "intensity": "amplitude of the fitted peak above its background, in counts of the image",
    "sigma": "width (standard deviation) of the fitted peak",
    "ok": "1 if the fit is reliable",
    "background": "fitted background, in counts of the image",
    "i": "row in the lattice, along b (down)",
    "j": "column in the lattice, along a (right)",
    "px": "polar displacement along x, of B against its four A neighbors",
    "py": "polar displacement along y (down), of B against its four A neighbors",
    "p": "length of the mean polar displacement",
    "p_angle": "direction of the polarization, from right (0) to down (90)",
    "p_a": "polar displacement along edge a of its cell",
    "p_b": "polar displacement along edge b of its cell",
    "a": "edge a of the cell, the one closest to x",
    "b": "edge b of the cell, the one closest to y",
    "a_over_b": "ratio of the edges",
    "angle": "angle between a and b",
    "area": "area",
    "rotation": "rotation of the cell relative to the reference, positive from right to down",
    "exx": "strain along x relative to the reference",
    "eyy": "strain along y relative to the reference",
    "exy": "shear strain relative to the reference, half the engineering shear",
    "octahedral_tilt": "rotation of the octahedron about the beam",
    "edge": "cell edge, a or b, whose middle the column occupies",
    "div_p": "divergence of the polarization, displacement per length",
    "curl_p": "curl of the polarization, displacement per length, positive from right to down",
    "order": "local amplitude of the ordered displacement",
    "a_intensity": "amplitude of the A columns, in counts of the image",
    "b_intensity": "amplitude of the B columns, in counts of the image",
    "label": "number of the domain; -1 if the cell was not analyzed",
    "candidate_label": "the label, or a tentative label if the verdict is undecided",
    "posterior": (
        "probability that the label is right, from the reference field in and around the cell"
    ),
    "recurrence": "fraction of the nearly as good maps that agree with the label",
    "stability": "fraction of 16 clusterings of resampled cells that keep the label",
    "name": "name of the domain, and its share of the analyzed cells",
    "kind": "variant, non-polar, substrate, ordered, or state of strain",
    "n_cells": "number of cells",
    "share": "share of the analyzed cells",
    "patch": "number of the patch",
    "segment": "number of the segment",
    "label_1": "label on the side of negative distances",
    "label_2": "label on the side of positive distances",
    "name_1": "name of label_1",
    "name_2": "name of label_2",
    "length": "length along a smooth line",
    "direction": "direction of the wall, from right (0) over down (90), below 180",
    "straightness": "fraction of the length that is as straight as the lattice allows",
    "sinuosity": "length divided by the distance between the ends",
    "turn": "angle between the polarizations on both sides",
    "wall_types": "wall types compatible with this angle in projection",
    "p_step": "length of the step of the polarization",
    "width": "2 w, where the polarization follows tanh(x / w)",
    "charge": "head-to-head, tail-to-tail, neutral, or mixed along a wall that bends",
    "bound_charge_per_born": (
        "bound charge for a Born effective charge of 1 e: the step of the displacement along the"
        " normal times e, divided by the volume of a cell as deep as it is wide"
    ),
    "bound_charge": (
        "the same for the Born effective charge given by --born-charge; otherwise empty"
    ),
    "charge_share": "step of the polarization along the normal, divided by the whole step",
    "jump_exx": "strain exx of label_2 minus that of label_1",
    "jump_eyy": "strain eyy of label_2 minus that of label_1",
    "jump_exy": "strain exy of label_2 minus that of label_1",
    "strain_along": "jump of the strain along the wall; 0 if the lattices fit",
    "compatible": "nearest direction in which the lattices would fit",
    "off_compatible": "angle from that direction to the wall",
    "distance": "distance from the wall, negative on the side of label_1",
    "p_parallel": "polarization along the wall",
    "p_perpendicular": "polarization along the normal, which points to label_2",
    "number": "number of the trial, 0 the default configuration",
    "source": "method that proposed the configuration",
    "seconds": "wall time in s",
}
_OF_TABLE = {
    ("cells", "x"): "position of the cell's center, to the right",
    ("cells", "y"): "position of the cell's center, downwards",
    ("patches", "x"): "position of the patch's center, to the right",
    ("patches", "y"): "position of the patch's center, downwards",
    ("domains", "angle"): "mean angle between a and b",
    ("walls", "kind"): "domain wall, interface (to a substrate), or phase boundary",
    ("walls", "posterior"): "mean posterior of the cells at the wall",
    ("walls", "stability"): "mean stability of the cells at the wall",
    ("walls", "n_cells"): "number of measured cells at the wall",
}


def describe_column(table: str, column: str) -> tuple[str, str]:
    """Unit and meaning of a column of a table.

    Parameters
    ----------
    table : str
        Name of the table without ``.csv``.
    column : str
        Its end is the unit; before it, ``se_`` means a standard error.

    Returns
    -------
    unit, meaning : str
        The unit is empty for numbers without one.

    Raises
    ------
    KeyError
        If nothing is known of the column.

    Examples
    --------
    >>> describe_column("cells", "se_a_nm")
    ('nm', 'standard error of a_nm')
    >>> describe_column("cells", "i")
    ('', 'row in the lattice, along b (down)')
    """
    unit = "" if column in _MEANINGS else _UNITS.get(column.rpartition("_")[2], "")
    if column.startswith("se_"):
        return describe_column(table, column[3:])[0], f"standard error of {column[3:]}"
    stem = column.rpartition("_")[0].removesuffix("_C") if unit else column
    if table in ("trials", "pareto") and stem not in _MEANINGS:
        return unit, _chosen(column)
    return unit, _OF_TABLE.get((table, stem)) or _MEANINGS[stem]


def _chosen(name: str) -> str:
    """What a parameter is; other columns of trials are rewards."""
    known = {p.name: p.help + (f" ({p.unit})" if p.unit else "") for p in PARAMETERS}
    return known.get(name, "reward, 0 to 1")


def with_units(table: str, content: pd.DataFrame) -> pd.DataFrame:
    """A table with ``units`` and ``descriptions`` of its columns in its ``attrs``.

    Parameters
    ----------
    table : str
        Its name without ``.csv``.
    content : DataFrame

    Returns
    -------
    DataFrame
        A new one; the content is the same.

    Examples
    --------
    >>> with_units("cells", pd.DataFrame({"a_nm": [0.4]})).attrs["units"]
    {'a_nm': 'nm'}
    """
    found = {name: describe_column(table, name) for name in content.columns}
    done = content.copy()
    done.attrs = {
        "units": {name: unit for name, (unit, _) in found.items()},
        "descriptions": {name: meaning for name, (_, meaning) in found.items()},
    }
    return done


def readme_text(tables: Mapping[str, pd.DataFrame], convention: Mapping) -> str:
    """What the tables of a folder hold: their conventions, and every column with its unit.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By their names without ``.csv``.
    convention : mapping
        ``convention`` of ``result.json``.

    Returns
    -------
    str
    """
    parts = [f"{_HEADING}\n{'=' * len(_HEADING)}", *_conventions(convention)]
    for name, content in tables.items():
        lines = [f"{name}.csv: {_TABLES[name]}"]
        for column in content.columns:
            unit, meaning = describe_column(name, column)
            entry = f"{meaning} [{unit}]" if unit else meaning
            lines.append(fill(f"  {column:24} {entry}", 100, subsequent_indent=" " * 27))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _conventions(convention: Mapping) -> list[str]:
    """How axes, signs, references, errors and gaps are to be read."""
    told = [
        "Positions are in px of the image, x to the right and y down, with pixel centers at"
        " integers. Angles run from right (0) to down (90). A column name ends with its unit.",
        f"Polar displacement: {convention['polar_displacement']}. Polarization: its arrows and"
        f" signs go {'with' if convention['polar_sign'] > 0 else 'against'} that displacement"
        f" (polar sign {convention['polar_sign']:+d}). Brighter sublattice:"
        f" {convention['brighter_sublattice']}.",
        f"Strain reference: {convention['strain_reference']}, edges a and b"
        f" {convention['strain_reference_px']} px.",
        "A name with se_ in front is the standard error. Unknown values are empty.",
    ]
    return [fill(text, 100) for text in told]


def write_readme(
    stage: Path, folder: Path, tables: Mapping[str, pd.DataFrame], convention: Mapping
) -> None:
    """Write the README of a folder's tables, unless the folder holds a README of other making.

    Parameters
    ----------
    stage : Path
        Where to write it; its files go to the folder later.
    folder : Path
    tables, convention : mapping
        See :func:`readme_text`.
    """
    old = Path(folder, README_FILE)
    if os.path.lexists(old) and not _is_ours(old):
        return
    with atomic(Path(stage, README_FILE)) as part:
        part.write_text(readme_text(tables, convention), encoding="utf-8")


def _is_ours(path: Path) -> bool:
    """Whether a file begins as ours does."""
    return path.is_file() and path.read_bytes().startswith(_HEADING.encode())
