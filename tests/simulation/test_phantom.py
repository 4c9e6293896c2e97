import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.io import read_image
from bfo_utils.simulation import (
    Specimen,
    cell_gradient,
    compatible_displacement,
    layout_names,
    load_truth,
    save_phantom,
    simulate_phantom,
)


@pytest.mark.parametrize("layout", layout_names())
def test_every_layout_gives_an_image_and_its_variants(layout):
    p = simulate_phantom(Specimen(layout=layout, cells=20, cell_px=10), 0)
    variants = set(p.truth.cell_variant.tolist())
    assert p.image.shape == (200, 200)
    assert variants <= {0, 1, 2, 3}
    assert (len(variants) == 1) == (layout == "single")


def test_same_seed_same_phantom_other_seed_another():
    specimen = Specimen(cells=16, cell_px=10)
    one, two, three = (simulate_phantom(specimen, s).image.data for s in (3, 3, 4))
    assert np.array_equal(one, two) and not np.array_equal(one, three)


def test_dose_sets_the_counts_at_a_peak():
    specimen = Specimen(
        layout="single", cells=16, cell_px=16, dose=1000, illumination=0, composition=0
    )
    p = simulate_phantom(specimen, 0)
    at = np.rint(p.truth.column_xy[p.truth.column_sublattice == "A"]).astype(int)
    peaks = p.image.data[at[:, 1], at[:, 0]]
    assert np.median(peaks) == pytest.approx(1000 * (1 + specimen.background), rel=0.05)


def test_polar_displacement_is_b_minus_mean_of_its_corners():
    specimen = Specimen(
        layout="halves", cells=16, mistilt_pm=0, jitter_px=0, drift_px=0, rotation_deg=0
    )
    t = simulate_phantom(specimen, 0).truth
    b = t.column_xy[t.column_sublattice == "B"]
    shift = b[np.argmin(((b[:, None] - t.cell_xy[None]) ** 2).sum(-1), axis=0)] - t.cell_xy
    assert shift * specimen.pm_per_px == pytest.approx(t.cell_p_pm, abs=0.2)
    far = t.cell_wall > 4
    assert np.hypot(*t.cell_p_pm[far].T) == pytest.approx(specimen.polarization_pm, rel=0.02)


def test_compatible_strain_is_exact_for_twins_and_has_no_curl():
    eigen = np.zeros((32, 32, 2, 2))
    shear = np.where(np.arange(32) < 16, 0.01, -0.01)[None]
    eigen[..., 0, 1] = eigen[..., 1, 0] = shear
    gradient = cell_gradient(compatible_displacement(eigen))
    strain = (gradient + gradient.swapaxes(-1, -2)) / 2
    assert strain[8:24, 4:12, 0, 1] == pytest.approx(0.01, abs=2e-3)
    assert strain[8:24, 20:28, 0, 1] == pytest.approx(-0.01, abs=2e-3)


def test_missing_columns_and_substrate_are_in_the_truth():
    full = simulate_phantom(Specimen(cells=24, cell_px=10), 0).truth
    holes = simulate_phantom(Specimen(cells=24, cell_px=10, missing=0.1, substrate=0.25), 0).truth
    a_columns = [(t.column_sublattice == "A").sum() for t in (full, holes)]
    assert 0.85 < a_columns[1] / a_columns[0] < 0.95
    strip = holes.cell_variant == -1
    assert strip.any() and holes.cell_xy[strip, 0].max() < 0.3 * 240
    assert np.abs(holes.cell_p_pm[strip & (holes.cell_xy[:, 0] < 30)]).max() < 1


def test_file_round_trip(tmp_path, junction):
    path = tmp_path / "p.h5"
    save_phantom(junction, path)
    image, truth = read_image(path), load_truth(path)
    assert np.array_equal(image.data, junction.image.data)
    assert image.pixel_size_nm == pytest.approx(junction.image.pixel_size_nm)
    for name, value in vars(junction.truth).items():
        assert np.array_equal(getattr(truth, name), value), name
    assert list(tmp_path.iterdir()) == [path]


def test_other_files_hold_no_truth(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.eye(40))
    assert load_truth(path) is None


@pytest.mark.parametrize("change", [{"layout": "spiral"}, {"cells": 3}, {"dose": 0}])
def test_impossible_crystals_are_refused(change):
    with pytest.raises(InputError):
        simulate_phantom(Specimen(**({"cells": 16} | change)))
