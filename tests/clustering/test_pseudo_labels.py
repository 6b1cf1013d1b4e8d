"""Features become labels; a clustering that teaches nothing stops with a reason."""

import numpy as np
import pytest
from vireid.clustering.dbscan import dbscan
from vireid.clustering.jaccard import jaccard_distance
from vireid.clustering.pseudo_labels import (
    ClusterResult,
    DegenerateClustering,
    check_clustering,
    cluster,
)


def people(count=12, each=9, spread=0.35, seed=0):
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(count), each)
    centre = rng.standard_normal((count, 24))
    return centre[identity] + spread * rng.standard_normal((len(identity), 24)), identity


def test_clear_people_become_clusters():
    features, identity = people()
    result = cluster(features, k1=8, k2=3, eps=0.5)
    np.testing.assert_array_equal(result.labels, identity)
    assert (result.num_clusters, result.noise_share, result.largest) == (12, 0.0, 9)
    assert result.problem is None and result.suggested_eps is None
    check_clustering(result)


def test_it_is_the_three_steps_in_one():
    features, _ = people(spread=0.8)
    modality = np.arange(len(features)) % 2
    result = cluster(features, k1=10, k2=4, eps=0.4, min_samples=3, modality=modality)
    graph = jaccard_distance(features, 10, 4, modality=modality)
    np.testing.assert_array_equal(result.labels, dbscan(graph, 0.4, 3))


def strangers():
    """Two people among many samples that belong to nobody."""
    rng = np.random.default_rng(1)
    return np.concatenate([people(count=2)[0], 3 * rng.standard_normal((120, 24))])


@pytest.mark.parametrize(
    ("features", "eps", "min_samples", "reason"),
    [
        (people()[0], 0.0, 4, "no cluster"),
        (people(spread=0.8)[0], 0.99, 2, "one cluster"),
        (strangers(), 0.3, 4, "of the samples are noise"),
    ],
)
def test_a_degenerate_clustering_names_reason_quantiles_and_eps(features, eps, min_samples, reason):
    result = cluster(features, k1=12, k2=3, eps=eps, min_samples=min_samples)
    with pytest.raises(DegenerateClustering, match=reason) as caught:
        check_clustering(result, "infrared")
    message = str(caught.value)
    assert message.startswith("infrared: ")
    assert f"50%: {result.distance_quantiles[0.5]:.3f}" in message
    assert f"try ε = {result.suggested_eps:.2f}" in message
    again = cluster(features, k1=12, k2=3, eps=result.suggested_eps, min_samples=min_samples)
    check_clustering(again)


def test_one_sample_is_degenerate_and_no_crash():
    with pytest.raises(DegenerateClustering, match="no cluster"):
        check_clustering(cluster(np.ones((1, 4))))


def test_share_of_noise_at_the_limit():
    def with_noise(share):
        return ClusterResult(np.zeros(1, np.int64), 5, share, 3, 0.5, {0.5: 0.3}).problem

    assert with_noise(0.8) is None
    assert "81%" in with_noise(0.81)
