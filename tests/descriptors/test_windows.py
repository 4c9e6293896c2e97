import numpy as np
import pytest

from bfo_utils.descriptors import (
    Patches,
    crop_windows,
    measured_vectors,
    normalize_windows,
    project_in_parts,
    project_vectors,
)
from bfo_utils.errors import InputError
from bfo_utils.search import SharedWork, prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom


def test_windows_are_centered_on_their_site(prepared):
    for site in ("A", "B", "cell"):
        patches = SharedWork(prepared).patches(site)
        assert patches.data.shape == (prepared.mask.sum(), 31, 31)
        mean = patches.data.mean(axis=0)
        peak = np.unravel_index(mean[8:23, 8:23].argmax(), (15, 15))
        assert (np.abs(np.array(peak) - 7) <= 2).all() or site != "A"
    a, b = (SharedWork(prepared).patches(s).data.mean(axis=0)[15, 15] for s in ("A", "B"))
    assert a > 1.3 * b


def test_windows_are_cut_as_large_as_asked_and_hold_the_same(prepared):
    all_of_them, few = SharedWork(prepared), SharedWork(prepared, many=False)
    for size, side in ((1.5, 19), (1.0, 19), (2.0, 31)):
        assert few.patches("A", size).data.shape[1] == side
        one, two = (crop_windows(work.patches("A", size), 1.0, size) for work in (all_of_them, few))
        assert np.array_equal(one, two)


def test_windows_do_not_depend_on_how_the_crystal_lies_in_the_frame():
    scores = []
    for rotation in (0, 30):
        p = simulate_phantom(
            Specimen(
                layout="single",
                cells=30,
                cell_px=18,
                dose=1e4,
                rotation_deg=rotation,
                bend_deg=0,
                jitter_px=0,
                mistilt_pm=0,
                illumination=0,
                composition=0,
            ),
            0,
        )
        c = prepare_image(p.image)
        scores.append(SharedWork(c).patches("A").data.mean(axis=0)[5:-5, 5:-5])
    inside = np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1]
    assert inside > 0.97  # the polar displacement turns against the frame, hence not 1


def test_crop_and_binning_keep_the_middle():
    data = np.zeros((1, 31, 31), np.float32)
    data[0, 15, 15] = 1
    patches = Patches(data)
    for height, width in ((0.5, 2.5), (1.54, 1.54), (2.5, 0.5)):
        window = crop_windows(patches, height, width)[0]
        assert window.shape[0] % 2 == window.shape[1] % 2 == 1
        assert window[window.shape[0] // 2, window.shape[1] // 2] == 1
    assert crop_windows(patches, 1.5, 1.5, 3).sum() == pytest.approx(1 / 9)


def test_normalizations(prepared):
    windows = crop_windows(SharedWork(prepared).patches("A"), 1, 1)
    z = normalize_windows(windows, "zscore")
    assert z.mean(axis=1) == pytest.approx(0, abs=1e-4) and z.std(axis=1) == pytest.approx(
        1, abs=1e-4
    )
    m = normalize_windows(windows, "minmax")
    assert (m.min(axis=1) == 0).all() and m.max(axis=1) == pytest.approx(1)
    assert np.array_equal(normalize_windows(windows, "none"), windows.reshape(len(windows), -1))


def test_normalisation_removes_gain_and_offset(prepared):
    windows = crop_windows(SharedWork(prepared).patches("A"), 1, 1)
    for how in ("zscore", "minmax"):
        assert normalize_windows(7 * windows + 3, how) == pytest.approx(
            normalize_windows(windows, how), abs=1e-3
        )


def test_projection_orders_components_and_caps_their_number():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6)) * [9, 4, 2, 1, 0.5, 0.1]
    scores = project_vectors(x.astype(np.float32), 10)
    assert scores.shape == (200, 6)
    assert (np.diff(scores.std(axis=0)) < 0).all() and scores[:, 0].std() == pytest.approx(1)


def test_physics_leaves_out_what_is_not_seen(prepared):
    assert measured_vectors(prepared.lattice.cells, prepared.mask).shape == (prepared.mask.sum(), 9)
    p = simulate_phantom(Specimen(cells=24, cell_px=16, b_intensity=0), 0)
    bare = prepare_image(p.image)
    assert measured_vectors(bare.lattice.cells, bare.mask).shape[1] == 6
    assert bare.sites == ("A", "cell")
    with pytest.raises(InputError, match="second sublattice is not seen"):
        SharedWork(bare).patches("B")


def test_unknown_choices_are_refused(prepared):
    with pytest.raises(InputError, match="site 'Q'"):
        SharedWork(prepared).patches("Q")
    with pytest.raises(InputError, match="normalisation 'log'"):
        normalize_windows(np.zeros((1, 2, 2)), "log")


def test_constant_windows_do_not_divide_by_zero():
    assert np.isfinite(normalize_windows(np.ones((3, 4, 4)), "zscore")).all()


def test_components_of_many_vectors_are_found_from_a_part_of_them():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((40_000, 6)) * [9, 4, 2, 1, 0.5, 0.1]).astype(np.float32)
    parts = project_in_parts(lambda index: x[index], len(x), 4)
    whole = project_vectors(x, 4)
    alike = [abs(np.corrcoef(p, w)[0, 1]) for p, w in zip(parts.T, whole.T)]
    assert parts.shape == whole.shape and min(alike) > 0.999
    assert parts[:, 0].std() == pytest.approx(1)
    few = project_in_parts(lambda index: x[index], 500, 4)
    assert np.array_equal(few, project_vectors(x[:500], 4))
