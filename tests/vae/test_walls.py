"""Walls and places that latents show: no network is needed to draw them."""

import numpy as np

from bfo_utils.lattice import Cells, measure_cells
from bfo_utils.lattice.cells import Basis
from bfo_utils.vae import Anomalies, anomaly_table, sign_maps, sign_walls

SHAPE = (20, 24)
MASK = np.ones(SHAPE, bool)
MASK[0] = False
Y, X = np.indices(SHAPE)
LABELS = np.where(MASK, (X > 10).astype(int), -1)


def test_a_latent_of_two_levels_draws_the_wall_between_them():
    rng = np.random.default_rng(0)
    latent = 3 + 0.5 * (X > 10) + rng.normal(0, 0.2, SHAPE)  # both above zero
    angle = (170 + 30 * (X > 10) + rng.normal(0, 8, SHAPE) + 180) % 360 - 180  # across the turn
    noise = rng.normal(size=SHAPE)
    values = np.stack([v[MASK] for v in (angle, latent, noise)], axis=1)
    signs = sign_maps(values, ["angle", "latent 1", "latent 2"], MASK)
    for name in ("angle", "latent 1"):
        assert (signs[name][~MASK] == -1).all()
        assert ((signs[name] == LABELS) | (np.abs(X - 10.5) < 2))[MASK].mean() > 0.97
    table = sign_walls(signs, LABELS)
    assert (table.loc[["angle", "latent 1"], "of the map's walls"] > 0.95).all()
    assert table.loc["latent 1", "on the map's walls"] > 0.8
    assert table.loc["latent 2", "on the map's walls"] < 0.4


def test_a_constant_latent_has_no_walls():
    signs = sign_maps(np.zeros((int(MASK.sum()), 1)), ["latent 1"], MASK)
    table = sign_walls(signs, LABELS)
    assert table.loc["latent 1", "wall cells"] == 0
    assert np.isnan(table.loc["latent 1", "on the map's walls"])


def cells() -> Cells:
    node = np.stack(np.meshgrid(np.arange(25.0), np.arange(21.0)), axis=-1) * 16
    return measure_cells(Basis(16 * np.eye(2), False), node, np.ones(node.shape[:2]), None)


def test_the_places_of_anomalies_are_listed_from_the_strongest():
    error, distance = np.zeros(SHAPE), np.where(MASK, 1.0, np.nan)
    error[5, 7], distance[5, 7] = 9, 12
    error[8, 3], distance[2, 4] = 30, 7
    table = anomaly_table(Anomalies(error, distance), cells())
    assert table[["i", "j"]].to_numpy().tolist() == [[8, 3], [5, 7], [2, 4]]
    assert table["why"].tolist() == ["window", "both", "latents"]
    assert table.loc[1, ["x_px", "y_px"]].tolist() == [120, 88]
    assert len(anomaly_table(Anomalies(0 * error, 0 * distance), cells())) == 0
