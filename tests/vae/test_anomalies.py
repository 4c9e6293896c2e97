import numpy as np
import pytest

from bfo_utils.io import image_from_array
from bfo_utils.search import (
    AUTOENCODER_CHOICES,
    SharedWork,
    cell_windows,
    complete_parameters,
    prepare_image,
)
from bfo_utils.vae import decode_manifold, find_anomalies, vae_available, widest_latents

PARAMETERS = complete_parameters(AUTOENCODER_CHOICES | {"epochs": 8, "n_clusters": 3})

pytestmark = pytest.mark.skipif(not vae_available(), reason="torch and AtomAI are not installed")


def anomalies_of(prepared):
    return find_anomalies(
        SharedWork(prepared).autoencoder(PARAMETERS),
        cell_windows(prepared, PARAMETERS),
        prepared.mask,
    )


@pytest.fixture(scope="module")
def contaminated(junction):
    """The phantom with a bright speck of dirt in its middle."""
    y, x = np.indices(junction.image.shape)
    middle = np.array(junction.image.shape) / 2
    dirt = 80 * np.exp(-((x - middle[1]) ** 2 + (y - middle[0]) ** 2) / (2 * 12**2))
    return prepare_image(image_from_array(junction.image.data + dirt, pixel_size_nm=0.02))


def test_dirt_stands_out_and_clean_crystal_does_not(contaminated):
    found = anomalies_of(contaminated).found
    xy = contaminated.lattice.cells.xy
    away = np.hypot(
        *(np.moveaxis(xy, -1, 0) - np.array(contaminated.image.shape)[::-1, None, None] / 2)
    )
    near, far = contaminated.mask & (away < 18), contaminated.mask & (away > 80)
    assert found[near].mean() > 0.5
    assert found[far].mean() < 0.02


def test_scores_are_unknown_outside_the_mask(contaminated):
    scores = anomalies_of(contaminated)
    assert (
        np.isnan(scores.error[~contaminated.mask]).all()
        and np.isfinite(scores.distance[contaminated.mask]).all()
    )


def test_a_walk_ends_where_the_latents_do(prepared):
    network = SharedWork(prepared).autoencoder(PARAMETERS)
    encoded = network.encode(cell_windows(prepared, PARAMETERS))
    first, second = widest_latents(encoded, network.settings.poses)
    drawn = decode_manifold(network, encoded, encoded, first, second, steps=3)
    assert drawn.shape == (3, 3, *network.decode(encoded[:1]).shape[1:])
    corner = np.median(encoded, axis=0)
    corner[[first, second]] = np.quantile(encoded[:, [first, second]], 0.02, axis=0)
    assert np.allclose(drawn[0, 0], network.decode(corner[None])[0], atol=1e-3 * abs(drawn).max())


def test_one_latent_has_no_second():
    assert widest_latents(np.eye(3)[:, :1], 0) == (0, 0)
