"""Which latent carries what, on data whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from bfo_utils.vae import (
    align_latents,
    disentanglement_score,
    explained_share,
    factor_table,
    known_quantities,
    principal_components,
    rotate_latents,
)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_a_line_and_a_curve_are_seen_alike(rng):
    x = rng.uniform(-2, 2, size=2000)
    for values in (x, -3 * x + 1, x**2, np.cos(2 * x)):
        assert explained_share(x, values) > 0.94


def test_noise_takes_its_share(rng):
    x = rng.normal(size=20_000)
    for signal in (0.25, 0.5, 0.9):
        values = np.sqrt(signal) * x + np.sqrt(1 - signal) * rng.normal(size=len(x))
        assert explained_share(x, values) == pytest.approx(signal, abs=0.03)


def test_an_unrelated_latent_explains_nothing(rng):
    shares = [explained_share(rng.normal(size=400), rng.normal(size=400)) for _ in range(40)]
    assert np.mean(shares) < 0.02 and min(shares) == 0.0


def test_a_latent_of_few_values_is_not_cut_at_random(rng):
    label = rng.integers(0, 3, 900).astype(float)
    values = np.array([0.0, 5.0, 1.0])[label.astype(int)] + 0.1 * rng.normal(size=900)
    assert explained_share(label, values) > 0.99
    assert explained_share(rng.permutation(label), values) < 0.02


def test_a_constant_has_nothing_to_explain(rng):
    assert explained_share(rng.normal(size=100), np.ones(100)) == 0.0
    assert explained_share(np.ones(100), rng.normal(size=100)) == 0.0


def test_share_does_not_depend_on_scale_and_sign(rng):
    x, values = rng.normal(size=500), rng.normal(size=500)
    values += x
    assert explained_share(-7 * x, 3 * values + 2) == pytest.approx(
        explained_share(x, values), abs=0.02
    )


@pytest.mark.parametrize(("k", "quantities"), [(2, 2), (2, 4), (3, 2), (1, 3)])
def test_turned_latents_line_up_with_quantities(rng, k, quantities):
    truth = rng.normal(size=(400, max(k, quantities)))
    axes = np.linalg.qr(rng.normal(size=(k, k)))[0]
    measured = {str(i): truth[:, i] * (i + 1) for i in range(quantities)}
    latents = truth[:, :k] @ axes
    back = rotate_latents(latents, measured)
    match = np.abs(np.corrcoef(back.T, truth[:, : min(k, quantities)].T)[:k, k:])
    assert match.max(axis=0).min() > 0.99
    distances = [np.linalg.norm(z[1:] - z[:-1], axis=1) for z in (latents, back)]
    assert np.allclose(*distances)  # a rigid body


def test_poses_stay_where_they_are(rng):
    latents = rng.normal(size=(300, 5))
    out = align_latents(
        latents, 3, {"a": latents[:, 3] + latents[:, 4], "b": latents[:, 3] - latents[:, 4]}
    )
    assert np.array_equal(out[:, :3], latents[:, :3]) and not np.allclose(
        out[:, 3:], latents[:, 3:]
    )


def test_quantities_of_labeled_cells(prepared, truth_map):
    cells = prepared.lattice.cells
    measured = known_quantities(cells, truth_map)
    assert set(measured) == {
        "strain",
        "shear",
        "rotation",
        "A intensity",
        "polar x",
        "polar y",
        "B intensity",
        "mistilt x",
        "mistilt y",
    }
    assert all(
        v.shape == ((truth_map >= 0).sum(),) and np.isfinite(v).all() for v in measured.values()
    )
    assert np.allclose(measured["strain"], np.log(cells.a / cells.b)[truth_map >= 0])
    assert measured["mistilt x"].std() < 0.5 * measured["polar x"].std()


def test_the_mistilt_is_what_varies_slowly_inside_domains(prepared, truth_map):
    measured = known_quantities(prepared.lattice.cells, truth_map)
    variant = truth_map[truth_map >= 0].astype(float)
    of_polar, of_slow = (
        explained_share(variant, measured[f"{name} x"]) for name in ("polar", "mistilt")
    )
    assert of_polar > 0.5 and of_slow < of_polar / 2


def test_without_b_columns_those_of_a_alone(prepared, truth_map):
    one_kind = replace(
        prepared.lattice.cells,
        has_b=False,
        polar=np.full_like(prepared.lattice.cells.polar, np.nan),
    )
    assert set(known_quantities(one_kind, truth_map)) == {
        "strain",
        "shear",
        "rotation",
        "A intensity",
    }


def test_the_table_names_the_carrier(rng):
    outputs = rng.normal(size=(600, 3))
    measured = {
        "one": outputs[:, 1] ** 3,
        "two": outputs[:, 0] + 0.5 * rng.normal(size=600),
        "none": rng.normal(size=600),
    }
    table = factor_table(outputs, ["angle", "latent 1", "latent 2"], measured)
    assert list(table.columns) == [
        "angle",
        "latent 1",
        "latent 2",
        "carried by",
        "share",
        "information",
    ]
    assert list(table.index) == ["one", "two", "none"]
    assert list(table["carried by"][:2]) == ["latent 1", "angle"]
    assert (table["share"] == table[["angle", "latent 1", "latent 2"]].max(axis=1)).all()
    assert (
        table["information"]["one"]
        > table["information"]["two"]
        > 0.3
        > table["information"]["none"]
    )


def test_the_disentanglement_score_is_the_mean_of_what_is_best_carried(rng):
    outputs = rng.normal(size=(3000, 2))
    measured = {
        "strain": outputs[:, 0],
        "rotation": rng.normal(size=3000),
        "shear": rng.normal(size=3000),
    }
    assert disentanglement_score(outputs, measured) == pytest.approx(
        0.5, abs=0.03
    )  # the shear does not count


def test_components_are_scores_of_windows(rng):
    windows = rng.normal(size=(200, 1, 1)) * np.ones((1, 4, 5)) + 0.01 * rng.normal(
        size=(200, 4, 5)
    )
    scores = principal_components(windows, 2)
    assert scores.shape == (200, 2) and scores[:, 0].std() > 50 * scores[:, 1].std()
    assert explained_share(scores[:, 0], windows.mean(axis=(1, 2))) > 0.94
