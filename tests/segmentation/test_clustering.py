import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from bfo_utils.errors import InputError
from bfo_utils.segmentation import COVARIANCES, cluster_vectors, number_by_value, rand_index


@pytest.fixture
def blobs():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [300, 200, 100])
    return np.array([[0, 0], [1, 0], [0, 1.0]])[truth] + 0.1 * rng.standard_normal((600, 2)), truth


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_mixtures_of_every_covariance_find_blobs(blobs, covariance):
    labels = cluster_vectors(blobs[0], 3, "gmm", covariance)
    assert adjusted_rand_score(blobs[1], labels) > 0.98


def test_kmeans_finds_blobs_and_names_them_by_size(blobs):
    labels = cluster_vectors(blobs[0], 3, "kmeans")
    assert (labels == blobs[1]).mean() > 0.99


def test_same_seed_same_labels(blobs):
    one, two = (cluster_vectors(blobs[0], 5, seed=7) for _ in range(2))
    assert np.array_equal(one, two)


def test_names_by_value_follow_the_value():
    labels = np.array([[2, 2, 0], [1, 0, -1]])
    assert number_by_value(labels, np.array([[9.0, 9, 1], [5, 1, 0]])).tolist() == [
        [2, 2, 0],
        [1, 0, -1],
    ]
    assert number_by_value(labels, -np.array([[9.0, 9, 1], [5, 1, 0]])).tolist() == [
        [0, 0, 2],
        [1, 2, -1],
    ]


def test_unknown_method_is_refused(blobs):
    with pytest.raises(InputError, match="method 'dbscan'"):
        cluster_vectors(blobs[0], 3, "dbscan")


@pytest.mark.parametrize(("k", "n"), [(1, 2), (2, 7), (3, 60), (5, 400)])
def test_the_rand_index_is_that_of_scikit_learn(k, n):
    rng = np.random.default_rng(n)
    for kinds in (1, k, k + 1):
        one, two = rng.integers(0, k, n), rng.integers(0, kinds, n)
        assert rand_index(one, two) == pytest.approx(adjusted_rand_score(one, two), abs=1e-12)
    assert rand_index(one, one) == 1
