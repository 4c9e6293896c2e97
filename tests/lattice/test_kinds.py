"""Lattices that are none of a perovskite along [001]: refused, with the true reason."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from bfo_utils.columns import find_columns, with_bright_columns
from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array, read_cell
from bfo_utils.lattice import build_lattice
from bfo_utils.simulation import Specimen, simulate_phantom, simulate_second

SIDE, CELL = 420, 16.0
HEXAGON = np.array([[1, 0], [0.5, np.sqrt(3) / 2]])


def crystal(vectors, motif, amplitudes, sigma=2.2, turn=7.0, dose=60):
    """An image of columns at the motif's places (fractions of the cell) with counting noise."""
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    vectors = CELL * np.asarray(vectors) @ rotation
    n = np.arange(-80, 80)
    nodes = np.stack(np.meshgrid(n, n), -1).reshape(-1, 2)
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.full((SIDE, SIDE), 0.15)
    for place, amplitude in zip(motif, amplitudes):
        for cx, cy in (nodes + place) @ vectors + SIDE / 2:
            if -8 < cx < SIDE + 8 and -8 < cy < SIDE + 8:
                top, left = max(int(cy) - 9, 0), max(int(cx) - 9, 0)
                part = np.s_[top : int(cy) + 10, left : int(cx) + 10]
                r2 = (x[part] - cx) ** 2 + (y[part] - cy) ** 2
                image[part] += amplitude * np.exp(-r2 / (2 * sigma**2))
    return image_from_array(np.random.default_rng(0).poisson(dose * image))


@pytest.mark.parametrize(
    ("vectors", "motif", "amplitudes", "reason"),
    [
        (HEXAGON, [(0, 0)], [1], "hexagonal .* with one column per cell"),
        (
            1.6 * HEXAGON,
            [(0, 0), (1 / 3, 1 / 3)],
            [1, 1],
            "complete unit cells found .corners .*honeycomb",
        ),
        ([(1.4, 0), (0, 0.99)], [(0, 0), (0.5, 0.5)], [1, 1], "centered rectangular"),
        ([(1, 0), (0.5, 0.8)], [(0, 0)], [1], "that is"),
    ],
    ids=["hexagonal", "honeycomb", "fcc 110", "oblique"],
)
def test_other_lattices_are_refused_with_their_reason(vectors, motif, amplitudes, reason):
    image = crystal(vectors, motif, amplitudes)
    with pytest.raises(InputError, match=reason):
        build_lattice(image, find_columns(image))


@pytest.mark.parametrize(
    ("vectors", "has_b"),
    [([(1, 0), (0, 1)], True), ([(1.05, 0), (0, 0.95)], True), ([(1, 0), (0.09, 1)], True)],
)
def test_cells_that_are_nearly_rectangular_are_analyzed(vectors, has_b):
    image = crystal(vectors, [(0, 0), (0.5, 0.5)], [1, 0.4])
    assert build_lattice(image, find_columns(image)).cells.has_b == has_b


@pytest.mark.parametrize("step", [-0.05, 0.0, 0.03])
def test_rows_of_two_kinds_are_analyzed_along_the_row(step):
    image = crystal([(1, 0), (0, 1.41)], [(0, 0), (0, 0.5 + step)], [1, 0.45], turn=7.0)
    found = build_lattice(image, find_columns(image))
    assert found.zone == "110"
    assert found.cells.has_b
    assert found.cells.n > 0.85 * (SIDE / CELL - 3) ** 2 / 1.41
    turn = np.deg2rad(7.0)
    row = np.array([-np.sin(turn), np.cos(turn)])
    polar = np.nanmedian(found.cells.polar, axis=(0, 1))
    assert polar @ row == pytest.approx(step * 1.41 * CELL, abs=0.03)
    assert polar @ [row[1], -row[0]] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(("tilt", "dose"), [(0, 60), (5, 30)])
def test_an_image_that_shows_oxygen_has_the_cell_of_the_cations(tilt, dose):
    film = simulate_phantom(Specimen(layout="halves", cells=16, cell_px=20, dose=80), 2)
    image = with_bright_columns(image_from_array(simulate_second(film, tilt, dose=dose, seed=2)))
    found = build_lattice(image, find_columns(image))
    assert image.inverted
    assert found.cells.has_b
    assert found.cells.basis.cell_px == pytest.approx(20, rel=0.01)
    distance, near = cKDTree(film.truth.column_xy).query(found.columns.xy)
    assert np.quantile(distance, 0.98) < 2
    assert (film.truth.column_sublattice[near] == found.sublattice)[distance < 2].all()


def stated(tmp_path, **cell):
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(cell))
    return read_cell(path)


def turned(vector, turn=7.0):
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (CELL * np.asarray(vector) @ rotation).round(1).tolist()


@pytest.mark.parametrize(
    ("vectors", "motif", "amplitudes"),
    [
        (HEXAGON, [(0, 0)], [1]),
        ([(1, 0), (0, 1)], [(0, 0), (0.5, 0.5)], [1, 0.4]),
        ([(1, 0), (0, 1.41)], [(0, 0), (0, 0.5)], [1, 0.45]),
    ],
    ids=["hexagonal", "perovskite 001", "perovskite 110"],
)
def test_a_cell_that_is_stated_is_taken(vectors, motif, amplitudes, tmp_path):
    image = crystal(vectors, motif, amplitudes)
    a, b = (turned(v) for v in vectors)
    cell = stated(tmp_path, a=a, b=b, sites=motif)
    found = build_lattice(replace(image, cell=cell), find_columns(image))
    area = CELL**2 * abs(np.linalg.det(vectors))
    assert found.cells.has_b == (len(motif) == 2)
    assert found.cells.basis.cell_px == pytest.approx(np.sqrt(area), rel=0.005)
    assert found.cells.n > 0.75 * SIDE**2 / area
    nm = stated(tmp_path, a=[0.02 * v for v in a], b=[0.02 * v for v in b], unit="nm", sites=motif)
    again = build_lattice(replace(image, cell=nm, pixel_size_nm=0.02), find_columns(image))
    assert again.cells.n == found.cells.n


def cif(edges, sites, angles=(90, 90, 90), rest=""):
    """A CIF with its usual ornaments: comments, quotes, uncertainties, a text of several lines."""
    names = [f"_cell_length_{n} {v}(2)" for n, v in zip("abc", edges)]
    names += [f"_cell_angle_{n} {v}" for n, v in zip(("alpha", "beta", "gamma"), angles)]
    loop = "loop_\n_atom_site_label\n" + "".join(f"_atom_site_fract_{n}\n" for n in "xyz")
    note = "_publ_section_title\n;\nA loop_ of 'words\n;\n"
    return "\n".join(["data_x # a crystal", *names, note + rest, loop + "\n".join(sites)])


PBTIO3 = cif((3.9, 3.9, 4.15), ["Pb1 0 0 0", "Ti 0.5 0.5 0.54", "O1 .5 .5 .1", "O2 0 .5 .6"])
ROCK_SALT = cif(
    (4.2, 4.2, 4.2),
    ["Mg2+ 0 0 0", "O2- 0.5 0.5 0.5"],
    rest="loop_\n_symmetry_equiv_pos_as_xyz\n 'x, y, z'\n 'x+1/2,y+1/2,z'\n 'x+1/2,y,1/2+z'\n"
    " 'x,y+1/2,z+1/2'\n",
)
WC = cif((2.9, 2.9, 2.84), ["W 0 0 0", "C 0.3333 0.6667 0.5"], (90, 90, 120))
ZONE = "_bfo_zone_axis '{}'\n"
ORTHOFERRITE = cif(
    (5.4, 5.7, 7.9),
    ["Dy .983 .067 .25", "Dy .017 .933 .75", "Dy .483 .433 .75", "Dy .517 .567 .25"]
    + [f"Fe {x} {y} {z}" for x, y in ((0.5, 0), (0, 0.5)) for z in (0, 0.5)],
)


@pytest.mark.parametrize(
    ("text", "edges", "angle", "has_b"),
    [
        (PBTIO3, (0.39, 0.39), 90, True),
        (PBTIO3.replace("data_x", ZONE.format("1 0 0")), (0.39, 0.415), 90, True),
        (PBTIO3.replace("data_x", ZONE.format("1 1 0")), (0.2758, 0.4983), 56.4, True),
        (ROCK_SALT, (0.21, 0.21), 90, False),
        (WC, (0.29, 0.29), 60, False),
        (ORTHOFERRITE, (0.3926, 0.3926), 93.1, True),
    ],
    ids=["perovskite", "along a", "along 110", "rock salt", "hexagonal", "orthoferrite"],
)
def test_a_cif_gives_the_cell_that_is_seen_along_the_beam(text, edges, angle, has_b, tmp_path):
    path = tmp_path / "crystal.cif"
    path.write_text(text)
    cell = read_cell(path)
    lengths = np.sort(np.hypot(*cell.vectors.T))
    cosine = cell.vectors[0] @ cell.vectors[1] / lengths.prod()
    assert lengths == pytest.approx(np.array(edges), rel=2e-3)
    assert abs(cosine) == pytest.approx(abs(np.cos(np.deg2rad(angle))), abs=5e-3)
    assert (cell.has_b, cell.in_nm, cell.placed) == (has_b, True, False)


@pytest.mark.parametrize(
    ("text", "vectors", "motif", "nm"),
    [
        (PBTIO3, [(1, 0), (0, 1)], [(0, 0), (0.5, 0.5)], 0.39),
        (ROCK_SALT, [(1, 0), (0, 1)], [(0, 0)], 0.21),
        (WC, HEXAGON, [(0, 0)], 0.29),
        (
            PBTIO3.replace("data_x", ZONE.format("1 1 0")),
            [(1, 0), (0, 1.505)],
            [(0, 0), (0, 0.54)],
            0.2758,
        ),
    ],
    ids=["perovskite", "rock salt", "hexagonal", "perovskite 110"],
)
def test_a_cif_is_placed_in_the_image(text, vectors, motif, nm, tmp_path):
    (tmp_path / "crystal.CIF").write_text(text)
    image = replace(
        crystal(vectors, motif, [1, 0.4]),
        cell=read_cell(tmp_path / "crystal.CIF"),
        pixel_size_nm=nm / CELL,
    )
    found = build_lattice(image, find_columns(image))
    area = CELL**2 * abs(np.linalg.det(vectors))
    assert found.cells.has_b == (len(motif) == 2)
    assert found.cells.basis.cell_px == pytest.approx(np.sqrt(area), rel=0.01)
    assert found.cells.n > 0.75 * SIDE**2 / area


def test_a_cif_of_another_scale_is_refused(tmp_path):
    (tmp_path / "crystal.cif").write_text(PBTIO3)
    image = crystal([(1, 0), (0, 1)], [(0, 0), (0.5, 0.5)], [1, 0.4])
    image = replace(image, cell=read_cell(tmp_path / "crystal.cif"), pixel_size_nm=0.39 / 21)
    with pytest.raises(InputError, match="--cell: the image shows no vectors of .* px at 90"):
        build_lattice(image, find_columns(image))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no _cell_length_a; give a CIF with cell lengths and angles"),
        (PBTIO3.replace("_cell_angle_beta 90", ""), "has no _cell_angle_beta"),
        (PBTIO3.replace("_fract_x", "_cartn_x"), "has no atom sites"),
        (PBTIO3.replace("Ti 0.5", "Xx 0.5"), "atom site 'Xx': is not an element"),
        (PBTIO3 + " 0.5", "its loop of _atom_site_label is truncated"),
        (WC.replace("120", "190"), "its cell has no volume"),
        (WC.replace("data_x", "_space_group_name_H-M_alt 'P -6 m 2'"), "without its operations"),
        (WC.replace("data_x", "_symmetry_equiv_pos_as_xyz 'x,y,2z'"), "'x,y,2z': cannot be read"),
        (WC.replace("data_x", ZONE.format("0 0")), "_bfo_zone_axis '0 0': is not a zone axis"),
        (WC.replace("C ", "Mo "), "only B at the center"),
        (WC + "\nW .3333 .6667 .5", r"along \[0 0 1\] its cell has 2 columns of the highest"),
        (PBTIO3.replace("3.9(2)", "wide"), "could not convert string to float: 'wide'"),
    ],
)
def test_a_bad_cif_is_one_line(text, message, tmp_path):
    (tmp_path / "crystal.cif").write_text(text)
    with pytest.raises(InputError, match=f"crystal.cif: .*{message}"):
        read_cell(tmp_path / "crystal.cif")


@pytest.mark.parametrize("faint", [0.08, 0.15])
def test_faint_columns_of_a_stated_cell_are_looked_for(faint, tmp_path):
    image = crystal([(1, 0), (0, 1)], [(0, 0), (0.5, 0.5)], [1, faint], dose=200)
    cell = stated(tmp_path, a=turned((1, 0)), b=turned((0, 1)))
    found, plain = (
        build_lattice(replace(image, cell=c), find_columns(image)).cells for c in (cell, None)
    )
    assert found.has_b
    assert found.n == plain.n > 400


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"a": [16, 0]}, "cell.json: has no vectors a and b; give a cell such as"),
        ({"a": [16, 0], "b": [32, 0]}, "cell.json: its vectors do not span a cell in px or nm"),
        ({"a": [1, 0], "b": [0, 1], "sites": [[0, 0], [0.3, 0.1]]}, "only B at the center"),
        ({"a": "wide", "b": [0, 1]}, "cell.json: "),
    ],
)
def test_what_is_no_cell_is_one_line(cell, message, tmp_path):
    with pytest.raises(InputError, match=message):
        stated(tmp_path, **cell)


def test_a_cell_of_another_crystal_is_refused(tmp_path):
    image = crystal([(1, 0), (0, 1)], [(0, 0), (0.5, 0.5)], [1, 0.4])
    cell = stated(tmp_path, a=[22, 5], b=[-5, 22])
    with pytest.raises(InputError, match="--cell: only .* of the columns have a neighbor at"):
        build_lattice(replace(image, cell=cell), find_columns(image))


def test_one_kind_of_column_on_a_square_lattice_is_analyzed_by_its_strain():
    image = crystal([(1, 0), (0, 1)], [(0, 0)], [1])
    assert not build_lattice(image, find_columns(image)).cells.has_b
