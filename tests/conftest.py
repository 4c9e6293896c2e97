"""Phantoms and crystals that several tests share; made once per session."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bfo_utils import phantom, workflow

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a busy machine is no failure

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real images."""
    if not SHARED.is_dir():
        pytest.skip("the real images (../shared/data) are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def junction():
    """A small phantom with three variants."""
    return phantom.simulate(phantom.Crystal(layout="junction", cells=36, cell_px=18), 1)


@pytest.fixture(scope="session")
def crystal(junction):
    """Its prepared crystal."""
    return workflow.prepare(junction.image)


@pytest.fixture(scope="session")
def truth_map(junction, crystal):
    """Its true variants on the grid that was found."""
    return phantom.true_map(junction.truth, crystal.lattice.cells, crystal.mask)
