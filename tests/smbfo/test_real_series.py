"""The real files, where they have been fetched: conventions and regions that others have published.

Readings and regions are those of the notebook ``data_creation.ipynb`` of the public repository
estump-1999/ai-ml-microscopy-hackathon-ds-uc. Its regions are taken as [rows, columns] in px.
"""

import numpy as np
import pytest

from bfo_utils.smbfo import coherent_length, data_folder, pair_of, read_sample
from bfo_utils.smbfo.registry import locate_file

SUBSTRATE = np.s_[3000:3150, 400:550]
DOMAINS = (
    np.s_[2000:2150, 1000:1150],
    np.s_[3000:3150, 2000:2150],
    np.s_[1000:1150, 2000:2150],
)


@pytest.fixture(scope="module")
def sample():
    pytest.importorskip("pooch")
    pair, folder = pair_of("Sm_0_1"), data_folder()
    if not all(locate_file(folder, name) for name in (pair.image, pair.parameters)):
        pytest.skip(f"{folder} holds no Sm_0_1; fetch it with: bfo fetch smbfo Sm_0_1")
    return read_sample("Sm_0_1")


def inside(cells, region):
    """Indices of the cells whose centers lie in a region of the image."""
    rows, columns = region
    x, y = np.moveaxis(cells.xy, -1, 0)
    return (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)


@pytest.mark.slow  # a real image of 4,400 x 4,450 px
def test_rows_are_read_as_others_read_them(sample):
    assert sample.comparison.positions == "xy" and sample.comparison.order == "xy"
    assert sample.comparison.decided and sample.comparison.matched > 0.9


@pytest.mark.slow
def test_labelled_domains_are_polar_and_the_labelled_substrate_is_not(sample):
    cells = sample.prepared.lattice.cells
    mean = {}
    for k, region in enumerate((SUBSTRATE, *DOMAINS)):
        own = inside(cells, region)
        assert own.sum() > 15, region
        mean[k] = np.linalg.norm(np.nanmean(cells.polar[own], axis=0))
    assert min(mean[k] for k in (1, 2, 3)) > 2 * mean[0]
    assert coherent_length(cells.polar) > 0
