import numpy as np
import pytest

from bfo_utils import evidence, phantom, workflow
from bfo_utils.errors import InputError


def test_evidence_is_polar_where_b_is_seen_else_strain(crystal):
    assert crystal.evidence.kind == "polar" and crystal.evidence.field.shape == (*crystal.mask.shape, 2)
    bare = workflow.prepare(phantom.simulate(phantom.Crystal(cells=24, cell_px=16, b_intensity=0), 0).image)
    assert bare.evidence.kind == "lattice" and bare.evidence.field.shape[-1] == 3
    with pytest.raises(InputError, match="use 'lattice'"):
        evidence.measure(bare.image, bare.lattice.cells, bare.mask, "polar")


@pytest.mark.parametrize("kind", evidence.KINDS)
def test_evidence_covers_the_mask_and_nothing_else(crystal, kind):
    field = evidence.measure(crystal.image, crystal.lattice.cells, crystal.mask, kind).field
    assert np.array_equal(np.isfinite(field).all(-1), crystal.mask)


def test_unknown_kind_is_refused(crystal):
    with pytest.raises(InputError, match="evidence 'gut'"):
        evidence.measure(crystal.image, crystal.lattice.cells, crystal.mask, "gut")


def test_autocorrelation_tells_domains_from_noise(crystal):
    noise = np.random.default_rng(0).standard_normal((60, 60, 2))
    assert abs(evidence.autocorrelation(noise)) < 0.05
    assert evidence.autocorrelation(crystal.evidence.field) > 0.6
    assert evidence.autocorrelation(np.full((9, 9, 2), np.nan)) == 0


def test_lattice_noise_alone_does_not_open_the_gate():
    flat = phantom.Crystal(layout="single", cells=40, cell_px=16, dose=15, b_intensity=0, bend_deg=0, drift_px=0,
                           jitter_px=0)
    crystal = workflow.prepare(phantom.simulate(flat, 0).image)
    assert evidence.autocorrelation(crystal.evidence.field) < evidence.GATE


def test_mask_leaves_the_edge_out_and_bridges_a_missing_column(crystal):
    cells, mask = crystal.lattice.cells, crystal.mask
    assert not mask[~cells.valid].any()
    assert 0.7 < mask.sum() / cells.n < 0.9
    holes = phantom.simulate(phantom.Crystal(cells=30, cell_px=16, missing=0.02, dose=100), 0)
    masked = workflow.prepare(holes.image)
    assert masked.mask.sum() > 0.6 * masked.lattice.cells.n
