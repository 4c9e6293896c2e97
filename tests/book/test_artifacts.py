"""What a notebook leaves is what the next one finds."""

import numpy as np
import pytest

from bfo_utils.book import Artifacts, Features, Labels
from bfo_utils.errors import InputError
from bfo_utils.search import Trial, default_parameters


def test_the_crystal_and_its_truth_come_back(junction, prepared, tmp_path):
    kept = Artifacts(tmp_path)
    kept.save(prepared)
    kept.save_truth(junction.truth)
    assert kept.prepared().fingerprint == prepared.fingerprint
    assert kept.work().networks == tmp_path / "networks"
    assert np.array_equal(kept.truth().cell_variant, junction.truth.cell_variant)


def test_a_real_image_after_a_phantom_has_no_truth(junction, tmp_path):
    kept = Artifacts(tmp_path)
    kept.save_truth(junction.truth)
    kept.save_truth(None)
    assert kept.truth() is None


def test_stages_do_not_share_their_results(tmp_path):
    for value, stage in enumerate(("default", "tuned")):
        kept = Artifacts(tmp_path, stage)
        kept.save(Features(np.full((3, 2), value), np.zeros((3, 4, 4))))
        kept.save(Labels(np.full((5, 5), value)))
        kept.save_rewards({"total": float(value)})
    for value, stage in enumerate(("default", "tuned")):
        kept = Artifacts(tmp_path, stage)
        assert (kept.features().values == value).all() and (kept.labels() == value).all()
        assert kept.rewards() == {"total": value}


def test_trials_come_back_as_they_were(tmp_path):
    trials = [Trial(0, "default", {"n_clusters": 4, "site": "A"}, {"total": 0.5}, 1.25)]
    Artifacts(tmp_path).save_trials(trials)
    assert Artifacts(tmp_path).trials() == trials


def test_the_tuned_parameters_come_back_complete(tmp_path):
    kept = Artifacts(tmp_path)
    kept.save_tuned({"n_clusters": 7})
    assert kept.tuned() == default_parameters() | {"n_clusters": 7}
    (tmp_path / "tuned.json").write_text("[7]")
    with pytest.raises(InputError, match="not the parameters of a search"):
        kept.tuned()


def test_a_notebook_out_of_turn_says_which_file_is_missing(tmp_path):
    with pytest.raises(
        InputError, match="prepared.npz: no such file; run the notebook that writes it first"
    ):
        Artifacts(tmp_path).prepared()
