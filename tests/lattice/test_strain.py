import numpy as np
import pytest

from bfo_utils.columns import column_errors
from bfo_utils.errors import InputError
from bfo_utils.lattice import (
    Basis,
    cell_edges,
    cell_errors,
    measure_cells,
    measure_strain,
    reference_cell,
)

from ..exactness import indexed, rms, true_cells


def lattice_of(matrix, n=6, edge=10.0):
    """Cells of a lattice that a matrix has deformed."""
    j, i = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0))
    node = edge * np.stack([j, i], -1) @ np.transpose(matrix)
    return measure_cells(Basis(np.eye(2) * edge, False), node, np.ones(node.shape[:2]), None)


@pytest.mark.parametrize("angle", [0, 3, -30])
def test_a_known_deformation_is_recovered(angle):
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretch = np.array([[1.02, 0.005], [0.005, 0.97]])
    found = measure_strain(lattice_of(rotation @ stretch), np.eye(2) * 10)
    for values, true in (
        (found.exx, 0.02),
        (found.eyy, -0.03),
        (found.exy, 0.005),
        (found.rotation, angle),
    ):
        assert values == pytest.approx(np.full((6, 6), true), abs=1e-9)


def test_errors_of_the_cells_are_those_found_against_the_truth():
    made, found = indexed(5, jitter_px=0, dose=40)
    se = column_errors(made.image, found.columns, 0.45 * found.columns.spacing_px)
    reference = reference_cell(found.cells)
    errors, (truth, inner) = cell_errors(found, se.xy, reference), true_cells(made, found)
    for name in ("polar", "a", "b", "angle", "rotation"):
        off = (getattr(found.cells, name) - getattr(truth, name))[inner]
        assert rms(getattr(errors, name)[inner]) / rms(off) == pytest.approx(
            np.ones(off.shape[1:]), abs=0.1
        ), name
    got, true = (measure_strain(cells, reference) for cells in (found.cells, truth))
    for name in ("exx", "eyy", "exy"):
        off = (getattr(got, name) - getattr(true, name))[inner]
        assert rms(getattr(errors, name)[inner]) / rms(off) == pytest.approx(1, abs=0.1), name


def test_edges_are_told_from_lengths_and_angles():
    cells = lattice_of([[1.03, 0.1], [-0.04, 0.98]])
    a, b = cell_edges(cells)
    assert a[2, 2] == pytest.approx([10.3, -0.4]) and b[2, 2] == pytest.approx([1.0, 9.8])


def test_references():
    cells = lattice_of([[1.02, 0], [0, 1]])
    assert reference_cell(cells) == pytest.approx(np.diag([10.2, 10]))
    assert reference_cell(cells, "0,0,40,40") == pytest.approx(np.diag([10.2, 10]))
    assert reference_cell(cells, "0.4,0.41", 0.04) == pytest.approx(np.diag([10, 10.25]))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("silicon", "unknown; give mean"),
        ("1,2,3", "unknown; give mean"),
        ("-1,2", "unknown; give mean"),
        ("0,0,12,12", "holds 1 cells"),
        ("0.4,0.4", "need a pixel size"),
    ],
)
def test_a_reference_that_is_none_is_refused(reference, said):
    with pytest.raises(InputError, match=said):
        reference_cell(lattice_of(np.eye(2)), reference)
