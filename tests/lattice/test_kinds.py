"""Lattices that are none of a perovskite along [001]: refused, with the true reason."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.columns import find_columns
from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array, read_cell
from bfo_utils.lattice import build_lattice

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


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"a": [16, 0]}, "cell.json: states no vectors a and b; give a cell such as"),
        ({"a": [16, 0], "b": [32, 0]}, "cell.json: its vectors span no cell in px or nm"),
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
    with pytest.raises(InputError, match="--cell: only .* of the columns have another one at"):
        build_lattice(replace(image, cell=cell), find_columns(image))


def test_one_kind_of_column_on_a_square_lattice_is_analyzed_by_its_strain():
    image = crystal([(1, 0), (0, 1)], [(0, 0)], [1])
    assert not build_lattice(image, find_columns(image)).cells.has_b
