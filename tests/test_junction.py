"""The PbTiO3 junction against the cell centers that its authors published.

The published centers scatter by 0.24 px, ours by 0.06 px; that scatter limits what any measurement
can reach cell by cell. Both are therefore compared averaged over 3 x 3 cells; `python -m benchmarks
junction` prints both ways.
"""

import pytest

from benchmarks import junction
from bfo_utils.io import read_image
from bfo_utils.results import DOMAINS, analyze, judge_domains
from bfo_utils.rewards import Segmentation
from bfo_utils.search import (
    SearchPlan,
    SharedWork,
    evaluate_configuration,
    preferred_autoencoder,
    prepare_image,
    search_autoencoders,
)
from bfo_utils.vae import vae_available


@pytest.mark.slow
def test_an_autoencoder_finds_the_domains_and_the_judge_shows_no_worse_map(real_data, tmp_path):
    if not vae_available():
        pytest.skip("torch and AtomAI are not installed")
    prepared = prepare_image(
        read_image(real_data / "pto_junction_recovered.tif", pixel_size_nm=0.0192)
    )
    work = SharedWork(prepared, tmp_path)
    ratio, _ = junction.lattice_of(junction.published_grid(prepared.lattice.cells))
    published = junction.two_domains(ratio)
    trials = search_autoencoders(prepared, 2, work=work)
    last = [t for t in trials if t.source == trials[-1].source]
    found = {t.number: evaluate_configuration(prepared, t.parameters, work=work) for t in last}
    # which of them has the higher total depends on the processor that trained them
    maps = [Segmentation(o.labels, prepared.reference).clean for o in found.values()]
    assert max(junction.agreement(labels, published) for labels in maps) >= 0.97
    preferred = found[preferred_autoencoder(trials).number]
    shown = judge_domains(prepared, preferred)
    assert shown.verdict == DOMAINS and junction.agreement(shown.candidate, published) >= 0.98


@pytest.fixture(scope="module")
def figures(real_data):
    image = read_image(real_data / "pto_junction_recovered.tif", pixel_size_nm=0.0192)
    return junction.compare(analyze(image, SearchPlan(48, 0)))


def test_lattice_parameters_agree(figures):
    assert figures["a/b, both averaged over 3 x 3 cells"] >= 0.98
    assert figures["rotation, both averaged over 3 x 3 cells"] >= 0.98
    assert figures["a/b, cell by cell"] >= 0.97
    assert figures["rotation, cell by cell"] >= 0.92


def test_domains_agree(figures):
    assert figures["domain agreement, both averaged over 3 x 3"] >= 0.988
    assert figures["domain agreement, a/b of the cells"] >= 0.988
    assert figures["domain agreement, tuned map"] >= 0.97


def test_our_centers_scatter_less_than_the_published_ones(figures):
    assert (
        figures["noise of our centers (px)"] < 0.5 * figures["noise of the published centers (px)"]
    )
