"""A pair read as users read it: image, gaps, parameters and how far both agree."""

import numpy as np
import pytest

from bfo_utils import registry, series, smbfo
from bfo_utils.errors import InputError

IDS = ("Sm_0_1", "Sm_10_0", "Sm_20_0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pairs of a simulated series."""
    where = tmp_path_factory.mktemp("pairs")
    series.write(where, IDS, series.Style(cells=22))
    return where


@pytest.mark.parametrize("name", IDS)
def test_a_pair_is_read_with_its_gaps(folder, name):
    sample = smbfo.read(name.upper(), folder)
    assert sample.id == name and sample.samarium == registry.pair(name).samarium
    assert sample.image.name == registry.pair(name).image[:-3] and sample.image.sha256
    assert (~sample.image.valid).any() == (name in series.GAPS)
    assert sample.order == sample.comparison.order == "xy" and sample.comparison.positions == "yx"
    assert sample.polar.shape == sample.xy.shape == (*sample.parameters.shape, 2)
    assert len(sample.comparison.lines()) == 3


def test_centres_lie_where_the_image_has_its_cells(folder):
    sample = smbfo.read("Sm_20_0", folder)
    x, y = sample.xy[..., 0], sample.xy[..., 1]
    assert np.nanmedian(np.diff(x, axis=1)) == pytest.approx(18, rel=0.02) and np.nanmedian(np.diff(y, axis=0)) > 17
    ours = sample.crystal.lattice.cells.polar
    assert np.nanmean(np.hypot(*np.moveaxis(ours, -1, 0))) < 0.4


def test_a_reading_may_be_forced_and_the_disagreement_stays(folder):
    sample = smbfo.read("Sm_10_0", folder, order="yx")
    assert sample.order == "yx" and sample.comparison.order == "xy" and sample.comparison.decided
    assert np.array_equal(sample.polar, sample.parameters.vector("Pxy", "yx"), equal_nan=True)
    with pytest.raises(InputError, match="choose xy or yx"):
        smbfo.read("Sm_10_0", folder, order="down")


def test_the_pixel_size_is_the_users(folder):
    assert smbfo.read("Sm_10_0", folder).image.pixel_size_nm is None
    assert smbfo.read("Sm_10_0", folder, pixel_size_nm=0.02).image.pixel_size_nm == 0.02


def test_missing_files_say_how_to_get_them(folder, tmp_path):
    with pytest.raises(InputError, match="Sm_7_0_HAADF.h5: no such file; download it with: bfo fetch smbfo Sm_7_0"):
        smbfo.read("Sm_7_0", folder)
    with pytest.raises(InputError, match="no such file"):
        smbfo.read("Sm_10_0", tmp_path / "nothing")
    with pytest.raises(InputError, match="not in the Sm-BFO series"):
        smbfo.read("Sm_1_0", folder)


def test_the_folder_comes_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(folder))
    assert smbfo.read("Sm_10_0").id == "Sm_10_0"
