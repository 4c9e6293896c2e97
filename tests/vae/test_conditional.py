"""Conditional autoencoders are told the cation, so that their latents need not hold it."""

import numpy as np
import pytest

from bfo_utils.errors import InputError
from bfo_utils.search import SharedWork, effective_parameters, evaluate_configuration
from bfo_utils.vae import INVARIANCES, VAE, VAESettings, load_vae, settings_of, vae_available

pytestmark = pytest.mark.skipif(not vae_available(), reason="the extra vae is not installed")

CONDITIONAL = {
    "descriptor": "vae",
    "site": "columns",
    "condition": "cation",
    "invariance": "none",
    "binning": 3,
    "epochs": 2,
    "n_clusters": 3,
}


def two_kinds(n=160, seed=0):
    """Windows of two classes, a bright spot and a ring with a dark one, whose spot moves with one
    and the same factor; the factor, and the class.
    """
    rng = np.random.default_rng(seed)
    factor, kind = rng.uniform(-1, 1, 2 * n), np.repeat([0, 1], n)
    y, x = np.mgrid[-1:1:9j, -1:1:9j]
    spot = np.exp(-((x - 0.4 * factor[:, None, None]) ** 2 + y**2) / 0.1)
    ring = np.exp(-((np.hypot(x, y) - 0.7) ** 2) / 0.05)
    windows = np.where(kind[:, None, None] == 0, spot, ring - 0.8 * spot)
    return windows + 0.05 * rng.standard_normal(windows.shape), factor, kind


def held(latents, target):
    """Share of the variance of a target that a quadratic function of the latents holds."""
    design = np.column_stack([np.ones(len(latents)), latents, latents**2])
    rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return 1 - rest.var() / target.var()


@pytest.fixture(scope="module")
def told_and_not():
    windows, factor, kind = two_kinds()
    one, two = VAESettings("none", 1, 1.0), VAESettings("none", 1, 1.0, conditions=2)
    return (
        VAE(one).fit(windows, 40).encode(windows),
        VAE(two).fit(windows, 40, classes=kind).encode(windows, kind),
        factor,
        kind,
    )


def test_what_is_told_leaves_the_latents_and_the_factor_stays(told_and_not):
    plain, conditional, factor, kind = told_and_not
    assert held(plain, kind * 1.0) > 0.5 > 0.15 > held(conditional, kind * 1.0)
    for k in (0, 1):
        assert held(conditional[kind == k], factor[kind == k]) > 0.9


@pytest.mark.parametrize("invariance", INVARIANCES)
def test_every_kind_of_autoencoder_can_be_conditional(tmp_path, invariance):
    windows, _, kind = two_kinds(40)
    model = VAE(VAESettings(invariance, 2, conditions=2)).fit(windows, 2, classes=kind)
    latents = model.encode(windows, kind)
    assert latents.shape == (80, len(model.settings.names))
    drawn = model.decode(latents[:1].repeat(2, axis=0), [0, 1])
    assert drawn.shape == (2, 9, 9) and np.abs(drawn[0] - drawn[1]).max() > 0.1
    model.save(tmp_path / "model.vae")
    again = load_vae(tmp_path / "model.vae")
    assert np.array_equal(again.encode(windows, kind), latents) and again.settings.conditions == 2


def test_the_mean_of_a_class_explains_nothing():
    windows, _, kind = two_kinds(60)
    untrained = VAE(VAESettings("none", 1, conditions=2)).fit(windows, 0, classes=kind)
    plain = VAE(VAESettings("none", 1)).fit(windows, 0)
    assert untrained.explains(windows, kind) < 0.1 and plain.explains(windows) < 0.1


@pytest.mark.parametrize(
    ("conditions", "classes", "message"),
    [
        (2, None, "conditioned on 2 classes; give one per window"),
        (0, [0] * 80, "conditioned on 0 classes; leave them out"),
        (2, [0, 1], "give one integer from 0 to 1 per window, 80 in all"),
        (2, [2] * 80, "give one integer from 0 to 1"),
    ],
)
def test_classes_that_do_not_fit_are_refused(conditions, classes, message):
    with pytest.raises(InputError, match=message):
        VAE(VAESettings("none", 1, conditions=conditions)).fit(two_kinds(40)[0], 1, classes=classes)


def test_a_configuration_can_be_conditioned_on_the_cation(prepared):
    p, work = effective_parameters(prepared, CONDITIONAL), SharedWork(prepared)
    assert settings_of(p).conditions == 2
    outcome = evaluate_configuration(prepared, p, work=work)
    n = int(prepared.mask.sum())
    assert (outcome.labels >= 0).sum() == n and "explained" in outcome.rewards
    assert work.classes(p).tolist() == [0] * n + [1] * n
    cells = effective_parameters(prepared, CONDITIONAL | {"site": "cell"})
    assert cells["condition"] == "none" and settings_of(cells).conditions == 0
