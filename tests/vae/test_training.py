"""Trained models on disk: read again, gone on with, never mixed up; their latents as
descriptors.
"""

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.search import complete_parameters, default_parameters
from bfo_utils.vae import (
    VAE,
    VAESettings,
    independent_axes,
    load_vae,
    model,
    settings_of,
    trained_vae,
    vae_available,
)

PLAIN = VAESettings("none", 1)


@pytest.fixture(scope="module")
def windows():
    """Windows of one varying height."""
    if not vae_available():
        pytest.skip("torch and AtomAI are not installed")
    heights = np.random.default_rng(0).normal(size=(100, 1, 1))
    return heights * np.hanning(7)[None, :, None] * np.ones((1, 1, 7))


@pytest.fixture
def fits(monkeypatch):
    """Epochs that every call of fit added."""
    seen, fit = [], VAE.fit

    def counted(model, windows, epochs=30, checkpoint=None, classes=None):
        before = len(model.history) if model._training else 0
        fit(model, windows, epochs, checkpoint)
        seen.append(len(model.history) - before)
        return model

    monkeypatch.setattr(VAE, "fit", counted)
    return seen


def test_parameters_describe_a_model():
    given = complete_parameters(
        {
            "invariance": "both",
            "latent_dim": 2,
            "kl_weight": 0.2,
            "kl_schedule": "cyclic",
            "learning_rate": 0.003,
            "vae_seed": 4,
        }
    )
    assert settings_of(given) == VAESettings("both", 2, 0.2, "cyclic", 0.003, 4)
    assert settings_of(default_parameters()) == VAESettings()


def test_a_stored_model_is_read_not_trained(windows, tmp_path, fits):
    first = trained_vae(windows, PLAIN, 3, tmp_path)
    second = trained_vae(windows, PLAIN, 3, tmp_path)
    assert fits == [3] and np.array_equal(first.encode(windows), second.encode(windows))
    assert [path.suffix for path in tmp_path.iterdir()] == [".vae"]


def test_a_stored_model_is_trained_on_from_where_it_is(windows, tmp_path, fits):
    for epochs in (2, 3, 7):
        further = trained_vae(windows, PLAIN, epochs, tmp_path)
    assert fits == [2, 1, 4]
    assert np.array_equal(further.encode(windows), VAE(PLAIN).fit(windows, 7).encode(windows))
    assert len(trained_vae(windows, PLAIN, 2, tmp_path).history) == 2


def test_other_settings_and_windows_have_other_files(windows, tmp_path):
    trained_vae(windows, PLAIN, 1, tmp_path)
    trained_vae(windows, VAESettings("none", 2), 1, tmp_path)
    trained_vae(windows + 0.1, PLAIN, 1, tmp_path)
    assert len(list(tmp_path.glob("*.vae"))) == 3


def test_an_interrupted_training_goes_on(windows, tmp_path, monkeypatch, fits):
    monkeypatch.setattr(model, "_PAUSE", 0.0)
    save, saved = VAE.save, []

    def dies(model, path):
        save(model, path)
        saved.append(path)
        if len(saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(VAE, "save", dies)
        trained_vae(windows, PLAIN, 5, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    assert len(load_vae(saved[-1]).history) == 2
    whole = trained_vae(windows, PLAIN, 5, tmp_path)
    assert np.array_equal(whole.encode(windows), VAE(PLAIN).fit(windows, 5).encode(windows))
    assert [path.suffix for path in tmp_path.iterdir()] == [".vae"]


def test_a_damaged_file_in_the_folder_is_named(windows, tmp_path):
    trained_vae(windows, PLAIN, 1, tmp_path)
    stored = next(tmp_path.iterdir())
    stored.write_bytes(stored.read_bytes()[:-10])
    for epochs in (1, 2):
        with pytest.raises(InputError, match=f"{stored.name}: truncated or damaged"):
            trained_vae(windows, PLAIN, epochs, tmp_path)


def test_without_a_folder_nothing_is_kept(windows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained_vae(windows, PLAIN, 1)
    assert not list(tmp_path.iterdir())


def test_independent_axes_undo_a_turn():
    rng = np.random.default_rng(1)
    truth = np.column_stack(
        [
            rng.normal(size=800),
            rng.choice([-1.0, 1.0], 800) + 0.1 * rng.normal(size=800),
            rng.exponential(size=800),
        ]
    )
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    axes = independent_axes(truth @ turn)
    assert np.allclose(axes.std(axis=0), 1)
    match = np.abs(np.corrcoef(axes.T, truth.T)[:3, 3:])
    assert match[0, 1] > 0.98  # the most bimodal axis comes first
    assert match.max(axis=0).min() > 0.95


def test_angle_and_shift_are_not_mixed_into_the_content():
    rng = np.random.default_rng(2)
    angle, bell, few = (
        rng.normal(size=800),
        rng.normal(size=800),
        (rng.random(800) < 0.15) + 0.1 * rng.normal(size=800),
    )
    axes = independent_axes(np.column_stack([angle, few + bell + angle, few - bell]), poses=1)
    assert np.isclose(
        np.corrcoef(axes[:, 2], angle)[0, 1], 1
    )  # the angle is there as it was, and last
    bimodal = independent_axes(np.column_stack([angle, few + bell, few - bell]), poses=1)[:, 0]
    assert (
        np.abs(np.corrcoef(bimodal, few)[0, 1]) > 0.95
    )  # modes of very different size come first, too


def test_a_single_axis_is_only_scaled():
    values = np.array([[1.0], [2.0], [4.0]])
    assert np.allclose(independent_axes(values), (values - values.mean()) / values.std())
    assert np.array_equal(independent_axes(np.ones((5, 1))), np.zeros((5, 1)))
