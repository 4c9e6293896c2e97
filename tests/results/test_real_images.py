"""Verdicts on real images that no one here made."""

from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.io import read_image
from bfo_utils.results import DOMAINS, analyze, ask_fields
from bfo_utils.search import SearchPlan, prepare_image

ORDERED, POLAR = "ordered state", "ferroelectric domains"


@pytest.mark.parametrize(
    ("name", "domains", "finding"),
    [
        # One uniform displacement of titanium; rows of the scan slipped, which strains the lattice.
        ("bto_crystal_2.dm4", False, None),
        ("dsco_zigzag.png", False, ORDERED),
        ("pto_sro_supercrystal.hspy", True, POLAR),
    ],
)
def test_a_real_image_is_judged_as_it_was_published(real_data, name, domains, finding):
    found = analyze(read_image(real_data / name), SearchPlan(budget=8))
    assert (found.verdict == DOMAINS) is domains, found.reason
    kinds = {f["kind"] for f in found.judgment.findings}
    assert finding is None or finding in kinds


def test_four_regions_around_a_hole_are_not_denied(real_data):
    image = read_image(real_data / "pto_junction_recovered.tif", pixel_size_nm=0.0192)
    kept = np.ones(image.shape, bool)
    kept[slice(*(image.shape[0] // 2 + np.array([-200, 200])))] = False
    kept[:, : image.shape[1] // 2 - 200] = kept[:, image.shape[1] // 2 + 200 :] = True
    strain = ask_fields(prepare_image(replace(image, region=kept)))["lattice"]
    assert strain.holds or strain.doubtful


def test_dumbbells_of_silicon_are_no_perovskite(real_data):
    with pytest.raises(InputError, match="si_110_dumbbells"):
        analyze(read_image(real_data / "si_110_dumbbells.png"), SearchPlan(budget=8))
