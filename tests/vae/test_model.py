"""The autoencoder behind its interface: what it learns, that it repeats itself, and what it
refuses to read.
"""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.decomposition import PCA

from bfo_utils.compute import installation
from bfo_utils.errors import InputError
from bfo_utils.search import (
    AUTOENCODER_CHOICES,
    cell_windows,
    complete_parameters,
    effective_parameters,
    prepare_image,
)
from bfo_utils.simulation import Specimen, simulate_phantom
from bfo_utils.vae import (
    INVARIANCES,
    MIN_EXPLAINED,
    SCHEDULES,
    VAE,
    VAESettings,
    load_vae,
    vae_available,
)
from bfo_utils.vae.model import _MAGIC

CHILD = """
import sys, time
import numpy as np
from bfo_utils.vae import VAE, VAESettings, model, networks

networks.torch.set_num_threads(1)
model._PAUSE, save = 0.0, VAE.save

def slowly(trained, path):
    save(trained, path)
    print(len(trained.history), flush=True)
    time.sleep(0.3)

VAE.save = slowly
VAE(VAESettings("both", 2)).fit(np.load(sys.argv[1]), 12, sys.argv[2])
"""


@pytest.fixture(scope="module")
def networks():
    """The module that knows torch, on one thread."""
    if not vae_available():
        pytest.skip("torch and AtomAI are not installed")
    from bfo_utils.vae import networks

    networks.torch.set_num_threads(1)
    return networks


def windows_of(image):
    """Crystal of an image and the windows that an autoencoder learns by default."""
    prepared = prepare_image(image)
    return prepared, cell_windows(
        prepared, complete_parameters(effective_parameters(prepared, AUTOENCODER_CHOICES))
    )


@pytest.fixture(scope="module")
def windows(networks):
    return windows_of(simulate_phantom(Specimen(cells=32, cell_px=20, dose=60), 1).image)[1]


@pytest.fixture(scope="module")
def few(windows):
    """As many windows as the tests of the machinery need."""
    return windows[:200]


@pytest.fixture(scope="module")
def model(few):
    return VAE(VAESettings("both", 2)).fit(few, 6)


@pytest.fixture
def stored(model, tmp_path):
    model.save(tmp_path / "m.vae")
    return tmp_path / "m.vae"


def test_a_model_read_from_its_file_is_the_same(model, stored, few):
    again = load_vae(stored)
    latents = model.encode(few)
    assert again.settings == model.settings and again.history == model.history
    assert np.array_equal(again.encode(few), latents)
    assert np.array_equal(again.decode(latents), model.decode(latents))
    assert np.array_equal(again.informative(few), model.informative(few))


def test_latents_and_windows_have_their_shapes(model, few):
    latents = model.encode(few)
    assert latents.shape == (len(few), len(model.settings.names))
    assert model.decode(latents).shape == few.shape
    assert [row["epoch"] for row in model.history] == [1, 2, 3, 4, 5, 6]


def test_the_decoder_turns_and_shifts_what_it_draws(model):
    upright, turned = model.decode(np.zeros((1, 5))), model.decode(np.array([[90.0, 0, 0, 0, 0]]))
    assert np.allclose(turned[0], np.rot90(upright[0], -1), atol=1e-4)
    assert not np.allclose(turned[0], upright[0], atol=1e-2)
    step = 2 / (upright.shape[2] - 1)  # one sample, in half windows
    shifted = model.decode(np.array([[0, step, 0, 0, 0]]))
    assert np.allclose(shifted[0, :, 1:], upright[0, :, :-1], atol=1e-4)


def test_the_seed_decides(model, few):
    again, other = (VAE(VAESettings("both", 2, seed=seed)).fit(few, 6) for seed in (0, 1))
    assert np.abs(again.encode(few) - model.encode(few)).max() <= 1e-5
    assert np.abs(other.encode(few) - model.encode(few)).max() > 0.1


def test_the_seed_of_others_is_left_alone(few):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    VAE(VAESettings("none", 1)).fit(few, 1)
    assert torch.rand(1) == expected


@pytest.mark.parametrize("through_file", [False, True])
def test_stopping_and_going_on_is_one_go(model, few, tmp_path, through_file):
    parts = VAE(VAESettings("both", 2)).fit(few, 2)
    if through_file:
        parts.save(tmp_path / "m.vae")
        parts = load_vae(tmp_path / "m.vae")
    parts.fit(few, 6)
    assert len(parts.history) == 6
    assert np.array_equal(parts.encode(few), model.encode(few))


def test_training_ends_where_nothing_is_gained(networks):
    flat = np.random.default_rng(0).normal(size=(60, 5, 5))
    short = VAE(VAESettings("none", 1)).fit(flat, 500)
    assert short.ended and 16 < len(short.history) < 100


@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_checkpoint(few, tmp_path):
    np.save(tmp_path / "w.npy", few)
    checkpoint = tmp_path / "m.part"
    code = [sys.executable, "-c", CHILD, str(tmp_path / "w.npy"), str(checkpoint)]
    with subprocess.Popen(
        code, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env=os.environ
    ) as child:
        for _ in range(3):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    begun = len(load_vae(checkpoint).history)
    assert 3 <= begun < 12
    resumed = VAE(VAESettings("both", 2)).fit(few, 12, checkpoint)
    undisturbed = VAE(VAESettings("both", 2)).fit(few, 12)
    assert np.abs(resumed.encode(few) - undisturbed.encode(few)).max() <= 1e-5
    assert [row["explained"] for row in resumed.history] == [
        row["explained"] for row in undisturbed.history
    ]


def test_a_checkpoint_of_another_training_is_refused(stored, few):
    for settings in (
        VAESettings("both", 2, seed=1),
        VAESettings("none", 2),
        VAESettings("both", 2, kl_weight=0.2),
    ):
        with pytest.raises(InputError, match="m.vae: belongs to another training .*; give another"):
            VAE(settings).fit(few, 8, stored)
    with pytest.raises(InputError, match="m.vae: belongs to another training .*; give another"):
        VAE(VAESettings("both", 2)).fit(few + 0.1, 8, stored)


def test_a_refused_checkpoint_leaves_the_model_as_it_was(stored, few):
    fresh = VAE(VAESettings("both", 2))
    with pytest.raises(InputError):
        fresh.fit(few + 0.1, 8, stored)
    assert len(fresh.fit(few, 8, stored).history) == 8


def test_a_model_is_not_trained_on_with_other_windows(few):
    with pytest.raises(InputError, match="trained on other windows; fit a new model"):
        VAE(VAESettings("none", 1)).fit(few, 1).fit(few + 0.1, 2)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:20],
        lambda whole: whole + b"\0",
        lambda whole: whole[:-1000] + bytes([whole[-1000] ^ 1]) + whole[-999:],
    ],
    ids=["half", "head", "longer", "flipped"],
)
def test_a_damaged_file_is_refused(stored, few, damage):
    stored.write_bytes(damage(stored.read_bytes()))
    for use in (load_vae, lambda path: VAE(VAESettings("both", 2)).fit(few, 8, path)):
        with pytest.raises(
            InputError, match="^[^\n]*m.vae: truncated or damaged; move it away[^\n]*$"
        ):
            use(stored)


@pytest.mark.parametrize(
    "content",
    [b"", pickle.dumps({"model": 1}), b"latents\n1 2 3\n"],
    ids=["empty", "pickle", "text"],
)
def test_a_file_that_is_not_ours_is_refused(networks, tmp_path, content):
    (tmp_path / "m.vae").write_bytes(content)
    with pytest.raises(InputError, match="^[^\n]*m.vae: not a model of bfo_utils[^\n]*$"):
        load_vae(tmp_path / "m.vae")


def test_a_missing_file_is_named(networks, tmp_path):
    with pytest.raises(
        InputError, match="^[^\n]*none.vae: cannot be read .*; give a file that VAE.save wrote$"
    ):
        load_vae(tmp_path / "none.vae")


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("form", ["pickle", "torch", "state of nothing", "noise"])
def test_no_code_of_a_file_is_run(networks, tmp_path, form):
    import torch

    trace, body, path = tmp_path / "ran", tmp_path / "body", tmp_path / "m.vae"
    with body.open("wb") as file:
        if form == "pickle":
            pickle.dump(Evil(trace), file)
        elif form == "noise":
            file.write(b"noise")
        else:
            torch.save(Evil(trace) if form == "torch" else {"settings": "{}"}, file)
    digest = hashlib.sha256(body.read_bytes()).hexdigest().encode()
    path.write_bytes(_MAGIC + digest + b"\n" + body.read_bytes())
    with pytest.raises(
        InputError, match="^[^\n]*m.vae: not readable .*expected a model that VAE.save wrote[^\n]*$"
    ):
        load_vae(path)
    assert not trace.exists()


def test_without_the_extra_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    for use in (VAE, lambda: load_vae(tmp_path / "m.vae")):
        with pytest.raises(
            InputError,
            match=r"^the autoencoder: needs torch.*pip install '\.\[vae\]'",
        ):
            use()


def test_unknown_names_are_refused():
    with pytest.raises(
        InputError, match="invariance 'mirror': unknown; choose one of none, rotation, shift, both"
    ):
        VAESettings("mirror")
    with pytest.raises(
        InputError, match="schedule 'sudden': unknown; choose one of constant, warmup, cyclic"
    ):
        VAESettings(kl_schedule="sudden")


def test_too_few_windows_and_no_training_are_refused(networks):
    with pytest.raises(InputError, match="too few to learn from"):
        VAE().fit(np.zeros((19, 5, 5)))
    with pytest.raises(InputError, match="has not been fitted; call fit first"):
        VAE().encode(np.zeros((30, 5, 5)))


def test_schedules():
    weights = {
        name: [VAESettings(kl_weight=2.0, kl_schedule=name).weight_at(e) for e in (0, 4, 9, 10, 25)]
        for name in SCHEDULES
    }
    assert weights["constant"] == [2.0] * 5
    assert weights["warmup"] == pytest.approx([0.2, 1.0, 2.0, 2.0, 2.0])
    assert weights["cyclic"] == pytest.approx([0.2, 1.0, 2.0, 0.2, 1.2])


def test_the_schedule_reaches_the_training(few):
    history = VAE(VAESettings("none", 1, kl_weight=1.0, kl_schedule="warmup")).fit(few, 4).history
    assert [row["kl_weight"] for row in history] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def explained_by_components(windows):
    """Share that eight principal components explain of the windows that a training holds out."""
    order = np.random.default_rng(0).permutation(len(windows))
    flat = windows.reshape(len(windows), -1)[order].astype(float)
    held, rest = np.split(flat, [len(order) // 10])
    components = PCA(8, random_state=0).fit(rest)
    drawn = components.inverse_transform(components.transform(held))
    return 1 - ((held - drawn) ** 2).sum() / ((held - rest.mean(axis=0)) ** 2).sum()


@pytest.mark.slow
@pytest.mark.parametrize("invariance", INVARIANCES)
def test_models_explain_nearly_what_eight_components_explain(windows, invariance):
    assert VAE(VAESettings(invariance)).fit(windows, 20).explained >= 0.8 * explained_by_components(
        windows
    )


@pytest.mark.parametrize("invariance", INVARIANCES)
def test_an_untrained_network_explains_little(windows, invariance):
    untrained = VAE(VAESettings(invariance)).fit(windows, 0)
    drawn = untrained.decode(untrained.encode(windows))
    assert untrained.explained == 0.0
    assert (
        1 - ((windows - drawn) ** 2).sum() / ((windows - windows.mean(axis=0)) ** 2).sum()
        < MIN_EXPLAINED
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_angle_is_the_rotation_of_the_lattice(networks, seed):
    made = simulate_phantom(Specimen(bend_deg=8, rotation_deg=2, cells=40, cell_px=20, dose=60), 2)
    prepared, cut = windows_of(made.image)
    near = cKDTree(made.truth.cell_xy).query(prepared.lattice.cells.xy[prepared.mask])[1]
    angle = VAE(VAESettings("rotation", seed=seed)).fit(cut, 20).encode(cut)[:, 0]
    assert abs(np.corrcoef(angle, made.truth.cell_rotation_deg[near])[0, 1]) >= 0.9
