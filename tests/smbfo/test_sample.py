"""A pair read as users read it: image, gaps, parameters and how far both agree."""

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.smbfo import (
    FOLDER_VARIABLE,
    GAP_SHARE,
    SeriesStyle,
    pair_of,
    read_sample,
    write_series,
)

IDS = ("Sm_0_1", "Sm_10_0", "Sm_20_0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pairs of a simulated series."""
    where = tmp_path_factory.mktemp("pairs")
    write_series(where, IDS, SeriesStyle(cells=22))
    return where


@pytest.mark.parametrize("name", IDS)
def test_a_pair_is_read_with_its_gaps(folder, name):
    sample = read_sample(name.upper(), folder)
    assert sample.id == name and sample.samarium == pair_of(name).samarium
    assert sample.image.name == pair_of(name).image[:-3] and sample.image.sha256
    assert (~sample.image.valid).any() == (name in GAP_SHARE)
    assert sample.order == sample.comparison.order == "xy" and sample.comparison.positions == "yx"
    assert sample.polar.shape == sample.xy.shape == (*sample.parameters.shape, 2)
    assert len(sample.comparison.lines()) == 3


def test_centers_lie_where_the_image_has_its_cells(folder):
    sample = read_sample("Sm_20_0", folder)
    x, y = sample.xy[..., 0], sample.xy[..., 1]
    assert (
        np.nanmedian(np.diff(x, axis=1)) == pytest.approx(18, rel=0.02)
        and np.nanmedian(np.diff(y, axis=0)) > 17
    )
    ours = sample.prepared.lattice.cells.polar
    assert np.nanmean(np.hypot(*np.moveaxis(ours, -1, 0))) < 0.4


def test_a_reading_may_be_forced_and_the_disagreement_stays(folder):
    sample = read_sample("Sm_10_0", folder, order="yx")
    assert sample.order == "yx" and sample.comparison.order == "xy" and sample.comparison.decided
    assert np.array_equal(sample.polar, sample.parameters.vector("Pxy", "yx"), equal_nan=True)
    with pytest.raises(InputError, match="choose xy or yx"):
        read_sample("Sm_10_0", folder, order="down")


def test_the_pixel_size_is_the_users(folder):
    assert read_sample("Sm_10_0", folder).image.pixel_size_nm is None
    assert read_sample("Sm_10_0", folder, pixel_size_nm=0.02).image.pixel_size_nm == 0.02


def test_missing_files_say_how_to_get_them(folder, tmp_path):
    with pytest.raises(
        InputError, match="Sm_7_0_HAADF.h5: no such file; download it with: bfo fetch smbfo Sm_7_0"
    ):
        read_sample("Sm_7_0", folder)
    with pytest.raises(InputError, match="no such file"):
        read_sample("Sm_10_0", tmp_path / "nothing")
    with pytest.raises(InputError, match="not in the Sm-BFO series"):
        read_sample("Sm_1_0", folder)


def test_the_folder_comes_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    assert read_sample("Sm_10_0").id == "Sm_10_0"
