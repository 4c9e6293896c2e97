import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.rewards import MIN_CORRELATION, REFERENCE_KINDS, autocorrelation, measure_reference
from bfo_utils.search import prepare_image
from bfo_utils.simulation import Specimen, simulate_phantom


def test_evidence_is_polar_where_b_is_seen_else_strain(prepared):
    assert prepared.reference.kind == "polar" and prepared.reference.field.shape == (
        *prepared.mask.shape,
        2,
    )
    bare = prepare_image(simulate_phantom(Specimen(cells=24, cell_px=16, b_intensity=0), 0).image)
    assert bare.reference.kind == "lattice" and bare.reference.field.shape[-1] == 3
    with pytest.raises(InputError, match="use 'lattice'"):
        measure_reference(bare.image, bare.lattice.cells, bare.mask, "polar")


@pytest.mark.parametrize("kind", [kind for kind in REFERENCE_KINDS if kind != "order"])
def test_evidence_covers_the_mask_and_nothing_else(prepared, kind):
    field = measure_reference(prepared.image, prepared.lattice.cells, prepared.mask, kind).field
    assert np.array_equal(np.isfinite(field).all(-1), prepared.mask)


def test_unknown_kind_is_refused(prepared):
    with pytest.raises(InputError, match="evidence 'gut'"):
        measure_reference(prepared.image, prepared.lattice.cells, prepared.mask, "gut")


def test_autocorrelation_tells_domains_from_noise(prepared):
    noise = np.random.default_rng(0).standard_normal((60, 60, 2))
    assert abs(autocorrelation(noise)) < 0.05
    assert autocorrelation(prepared.reference.field) > 0.6
    assert autocorrelation(np.full((9, 9, 2), np.nan)) == 0


def test_lattice_noise_alone_does_not_open_the_gate():
    flat = Specimen(
        layout="single",
        cells=40,
        cell_px=16,
        dose=15,
        b_intensity=0,
        bend_deg=0,
        drift_px=0,
        jitter_px=0,
    )
    prepared = prepare_image(simulate_phantom(flat, 0).image)
    assert autocorrelation(prepared.reference.field) < MIN_CORRELATION


def test_mask_leaves_the_edge_out_and_bridges_a_missing_column(prepared):
    cells, mask = prepared.lattice.cells, prepared.mask
    assert not mask[~cells.valid].any()
    assert 0.7 < mask.sum() / cells.n < 0.9
    holes = simulate_phantom(Specimen(cells=30, cell_px=16, missing=0.02, dose=100), 0)
    masked = prepare_image(holes.image)
    assert masked.mask.sum() > 0.6 * masked.lattice.cells.n
