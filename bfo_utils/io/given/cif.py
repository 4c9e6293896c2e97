"""The few data of a CIF that the projection of a crystal along the beam needs: cell, symmetry,
sites (Hall, Allen and Brown, Acta Cryst. A47, 655, 1991).
"""

import re
from itertools import product

import numpy as np

from ...errors import InputError

_ELEMENTS = re.findall(
    "[A-Z][a-z]?",
    "HHeLiBeBCNOFNeNaMgAlSiPSClArKCaScTiVCrMnFeCoNiCuZnGaGeAsSeBrKrRbSrYZrNbMoTcRuRhPdAgCdInSnSb"
    "TeIXeCsBaLaCePrNdPmSmEuGdTbDyHoErTmYbLuHfTaWReOsIrPtAuHgTlPbBiPoAtRnFrRaAcThPaUNpPuAmCm",
)
_LIGHT = 10  # elements up to neon are not looked for, beside heavier ones
_CONTRAST = 1.7  # exponent of the atomic number in HAADF
_SAME_KIND = 0.8  # of the highest contrast: these columns are of one kind
_SAME_ATOM, _SAME_COLUMN = 0.02, 0.1  # nm between equivalent places, atoms of one column, at most
# of the distance between columns: how far they may lie off a lattice, by tilted octahedra or P
_OFF_LATTICE = 0.25
_WORD = re.compile(r"'(.*?)'(?=\s|$)|\"(.*?)\"(?=\s|$)|(\S+)")
_TERM = re.compile(r"([+-]?)(?:([xyz])|(\d+(?:\.\d*)?|\.\d+)(?:/(\d+))?)")
_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_GROUPS = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m")
_ZONE = "_bfo_zone_axis"


def projected_cell(text: str) -> dict:
    """The cell of the heavy columns that a crystal shows along its zone axis.

    Parameters
    ----------
    text : str
        A CIF. The zone axis is [001], or what an item ``_bfo_zone_axis '1 1 0'`` says.

    Returns
    -------
    dict
        Vectors ``a`` and ``b`` (nm) between columns of the highest contrast, ``sites`` of these and
        of the others in fractions of the cell, and ``unit``: "nm".

    Raises
    ------
    InputError
        For a file without cell, sites or symmetry, or a cell of several such columns.

    Examples
    --------
    >>> cell = "".join(f"_cell_length_{n} 3.905 _cell_angle_{m} 90 " for n, m in
    ...                (("a", "alpha"), ("b", "beta"), ("c", "gamma")))
    >>> loop = "loop_ _atom_site_label _atom_site_fract_x _atom_site_fract_y _atom_site_fract_z "
    >>> found = projected_cell(cell + loop + "Sr 0 0 0 Ti .5 .5 .5 O .5 .5 0 O .5 0 .5 O 0 .5 .5")
    >>> found["sites"], round(found["a"][0], 4)
    ([[0.0, 0.0], [0.5, 0.5]], 0.3905)
    """
    items, loops = _data(text)
    axes, zone = _axes(items), np.array([float(n) for n in items.get(_ZONE, "0 0 1").split()])
    if zone.shape != (3,) or not zone.any() or (zone % 1).any():
        raise InputError(f"{_ZONE} '{items[_ZONE]}': is not a zone axis; give three whole numbers")
    beam = zone @ axes
    vectors = _in_plane(axes, beam / np.linalg.norm(beam))
    places, contrast = _columns(vectors, axes, *_atoms(items, loops, axes))
    bright = contrast > _SAME_KIND * contrast.max()
    vectors, at = _reduced(vectors, places[bright], places[~bright])
    if len(at[0]) != 1 or len(at[1]) > 1:
        raise InputError(
            f"along [{' '.join(f'{n:.0f}' for n in zone)}] its cell has {len(at[0])} columns of the"
            f" highest contrast and {len(at[1])} others; only one, and at most one other, can be"
            f" analyzed: give another zone axis with {_ZONE}, or a json file of the intended cell"
        )
    sites = np.concatenate([at[0], at[1]]) - at[0]
    halves = (2 * sites).round() / 2
    near = np.linalg.norm((sites - halves) @ vectors, axis=1) < _spacing(vectors, len(sites))
    sites = np.where(near[:, None], halves, sites) % 1
    a, b = vectors.tolist()
    return {"a": a, "b": b, "sites": sites.tolist(), "unit": "nm"}


def _spacing(vectors: np.ndarray, n: int) -> float:
    """How far (nm) n columns per cell may lie off their lattice."""
    return float(_OFF_LATTICE * np.sqrt(abs(np.linalg.det(vectors)) / n))


def _data(text: str) -> tuple[dict[str, str], list[dict[str, list[str]]]]:
    """Items and loops of the first data block, names in lower case."""
    items: dict[str, str] = {}
    loops: list[dict[str, list[str]]] = []
    words = _words(text)
    at = 0
    while at < len(words):
        word, bare = words[at][0].lower(), words[at][1]
        at += 1
        if bare and word == "loop_":
            start = at
            while at < len(words) and _is_name(words[at]):
                at += 1
            names = [name.lower() for name, _ in words[start:at]]
            start = at
            while at < len(words) and not _is_name(words[at]) and words[at] != ("loop_", True):
                at += 1
            values = [value for value, _ in words[start:at]]
            if not names or len(values) % len(names):
                first = names[0] if names else "nothing"
                raise InputError(f"its loop of {first} is truncated; give a complete file")
            loops.append({name: values[k :: len(names)] for k, name in enumerate(names)})
        elif bare and word.startswith("_") and at < len(words):
            items[word] = words[at][0]
            at += 1
        elif bare and word.startswith("data_") and (items or loops):
            break
    return items, loops


def _is_name(word: tuple[str, bool]) -> bool:
    return word[1] and word[0].startswith("_")


def _words(text: str) -> list[tuple[str, bool]]:
    """The words of a CIF, and whether each stands without quotes; texts of several lines are one
    word, comments are left out.
    """
    words: list[tuple[str, bool]] = []
    for k, part in enumerate(re.split(r"^;", text, flags=re.MULTILINE)):
        if k % 2:
            words.append((part, False))
            continue
        for line in part.splitlines():
            for found in _WORD.finditer(line):
                if found[0].startswith("#"):
                    break
                words.append((next(g for g in found.groups() if g is not None), bool(found[3])))
    return words


def _number(text: str) -> float:
    """A number without its standard uncertainty."""
    return float(text.split("(")[0])


def _axes(items: dict[str, str]) -> np.ndarray:
    """Axes of the cell (rows) in nm."""
    names = [f"_cell_length_{n}" for n in "abc"]
    names += [f"_cell_angle_{n}" for n in ("alpha", "beta", "gamma")]
    gone = next((name for name in names if name not in items), None)
    if gone:
        raise InputError(f"has no {gone}; give a CIF with cell lengths and angles")
    a, b, c = (_number(items[name]) / 10 for name in names[:3])
    angles = np.array([_number(items[name]) for name in names[3:]])
    alpha, beta, gamma = np.cos(np.deg2rad(angles))
    sine = np.sqrt(1 - gamma**2)
    third = np.array([beta, (alpha - beta * gamma) / sine])
    high = 1 - third @ third
    if not min(a, b, c) > 0 or not high > 0 or not np.all((angles > 0) & (angles < 180)):
        raise InputError("its cell has no volume; give lengths in Angstrom and angles in degrees")
    return np.array([[a, 0, 0], [b * gamma, b * sine, 0], [*(c * third), c * np.sqrt(high)]])


def _in_plane(axes: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Two vectors (2, 3) across the beam that span the projected lattice."""
    nodes = np.array(list(product(range(-3, 4), repeat=3))) @ axes
    return _shortest(nodes - np.outer(nodes @ beam, beam))


def _shortest(vectors: np.ndarray) -> np.ndarray:
    """The two shortest independent ones of the vectors of a plane lattice, which span it."""
    length = np.linalg.norm(vectors, axis=1).round(9)
    vectors = vectors[np.lexsort((*(-vectors.T[::-1].round(6)), length))]
    vectors = vectors[np.linalg.norm(vectors, axis=1) > 0.01]
    for other in vectors[1:]:
        cosine = vectors[0] @ other / np.linalg.norm(vectors[0]) / np.linalg.norm(other)
        if abs(cosine) < 0.95:
            return np.array([vectors[0], other])
    raise InputError(
        "its projection along the zone axis has no two lattice vectors; give another zone axis"
    )


def _atoms(
    items: dict[str, str], loops: list[dict[str, list[str]]], axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fractions (N, 3) and contrast (N,) of all atoms of the cell."""
    sites: dict[str, list[str]] = next((s for s in loops if "_atom_site_fract_x" in s), {})
    symbols = sites.get("_atom_site_type_symbol", sites.get("_atom_site_label"))
    if symbols is None or not {f"_atom_site_fract_{n}" for n in "yz"} <= set(sites):
        raise InputError("has no atom sites; give a CIF with symbols and fractions x, y, z")
    xyz = np.array([[_number(v) for v in sites[f"_atom_site_fract_{n}"]] for n in "xyz"]).T
    share = [
        _number(v) if v not in ".?" else 1.0
        for v in sites.get("_atom_site_occupancy", ["1"] * len(symbols))
    ]
    contrast = [s * _atomic_number(name) ** _CONTRAST for s, name in zip(share, symbols)]
    turns = _symmetry(items, loops)
    orbits = [
        _unlike(np.concatenate([_moved(place[None], turn) for turn in turns]), axes, _SAME_ATOM)
        for place in xyz
    ]
    return np.concatenate(orbits), np.repeat(contrast, [len(orbit) for orbit in orbits])


def _atomic_number(symbol: str) -> int:
    """Of an element, with charge or number behind its symbol."""
    found = re.match(r"[A-Za-z]{1,2}", symbol)
    for name in (found[0], found[0][0]) if found else ():
        if name.capitalize() in _ELEMENTS:
            return _ELEMENTS.index(name.capitalize()) + 1
    raise InputError(f"atom site '{symbol}': is not an element; give a symbol such as Ti or O2-")


def _symmetry(items: dict[str, str], loops: list[dict[str, list[str]]]) -> list[str]:
    """The operations as texts, x, y, z alone where the group has no others."""
    for name in _OPERATIONS:
        found = next((loop[name] for loop in loops if name in loop), None)
        if found or name in items:
            return found or [items[name]]
    group = next((items[name] for name in _GROUPS if name in items), "P 1")
    if group.replace(" ", "").upper() != "P1":
        raise InputError(
            f"gives the space group {group} without its operations"
            " (_space_group_symop_operation_xyz); export the CIF with them, or in P 1"
        )
    return ["x,y,z"]


def _moved(xyz: np.ndarray, operation: str) -> np.ndarray:
    """Fractions after an operation such as ``-x+1/2, y, z``."""
    out = []
    for part in operation.lower().replace(" ", "").split(","):
        terms = _TERM.findall(part)
        if not terms or not all(sign for sign, *_ in terms[1:]) or _TERM.sub("", part):
            raise InputError(f"symmetry operation '{operation}': cannot be read; give -x,y+1/2,z")
        values = [
            (-1 if s == "-" else 1)
            * (xyz[:, "xyz".index(x)] if x else np.full(len(xyz), float(n) / float(d or 1)))
            for s, x, n, d in terms
        ]
        out.append(np.sum(values, axis=0))
    if len(out) != 3:
        raise InputError(f"symmetry operation '{operation}': has {len(out)} parts; give x,y,z")
    return np.array(out).T


def _columns(
    vectors: np.ndarray, axes: np.ndarray, xyz: np.ndarray, contrast: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places (fractions of the projected cell) and contrast of the columns of heavy atoms."""
    heavy = contrast > (_LIGHT + 0.5) ** _CONTRAST
    xyz, contrast = (xyz[heavy], contrast[heavy]) if heavy.any() else (xyz, contrast)
    at = xyz @ axes @ np.linalg.pinv(vectors)
    places = _unlike(at, vectors, _SAME_COLUMN)
    column = np.array([np.argmin(_distances(place, places, vectors)) for place in at])
    off = at - places[column]
    off, count = off - off.round(), np.bincount(column)
    mean = np.stack([np.bincount(column, part) / count for part in off.T], axis=1)
    return places + mean, np.bincount(column, contrast)


def _distances(place: np.ndarray, others: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Distances (nm) of a place from others (N, D), the cell repeating."""
    off = others - place
    return np.linalg.norm((off - off.round()) @ vectors, axis=1)


def _unlike(places: np.ndarray, vectors: np.ndarray, least: float) -> np.ndarray:
    """The places that lie farther than that (nm) from those before them."""
    kept = places[:0]
    for place in places:
        if not len(kept) or _distances(place, kept, vectors).min() > least:
            kept = np.vstack([kept, place])
    return kept


def _reduced(
    vectors: np.ndarray, bright: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The smallest cell that repeats the columns, but for small displacements: its vectors (2, 2)
    in the plane, and the places of both kinds in its fractions.
    """
    first = vectors[0] / np.linalg.norm(vectors[0])
    second = vectors[1] - (vectors[1] @ first) * first
    plane = vectors @ np.stack([first, second / np.linalg.norm(second)]).T
    off = _spacing(plane, len(bright) + len(others))
    shifts = [
        np.array(s)
        for s in {(i / n, j / n) for n in (2, 3, 4) for i in range(n) for j in range(n)}
        if all(
            _distances(p + s, kind, plane).min() < off for kind in (bright, others) for p in kind
        )
    ]
    nodes = np.array([s + n for s in shifts for n in product(range(-2, 3), repeat=2)]) @ plane
    small = _shortest(nodes)

    turn = plane @ np.linalg.inv(small)
    return small, tuple(_unlike(kind @ turn, small, off) for kind in (bright, others))
