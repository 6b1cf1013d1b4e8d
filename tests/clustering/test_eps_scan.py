"""The scan of eps reports what single runs find."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from vireid.clustering.dbscan import dbscan
from vireid.clustering.eps_scan import cluster_counts, distance_quantiles, scan_eps, suggest_eps
from vireid.clustering.jaccard import jaccard_distance


def people(count=12, each=9, spread=0.35, seed=0):
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(count), each)
    centre = rng.standard_normal((count, 24))
    return centre[identity] + spread * rng.standard_normal((len(identity), 24)), identity


def test_rows_equal_single_runs():
    features, identity = people(spread=0.9)
    graph = jaccard_distance(features, 8, 3)
    rows = scan_eps(graph, [0.7, 0.1, 0.4], 3, identity)
    assert [row.eps for row in rows] == [0.7, 0.1, 0.4]
    for row in rows:
        labels = dbscan(graph, row.eps, 3)
        noise = np.flatnonzero(labels == -1)
        alone = labels.copy()
        alone[noise] = 1000 + noise
        assert row.clusters == labels.max() + 1
        assert row.noise_share == pytest.approx((labels == -1).mean())
        assert row.largest == (np.bincount(labels[labels >= 0]).max() if row.clusters else 0)
        assert row.ari == pytest.approx(adjusted_rand_score(identity, alone))
    assert len({row.noise_share for row in rows}) > 1


def test_identities_are_optional_and_checked():
    graph = jaccard_distance(people()[0], 8, 3)
    assert scan_eps(graph, [0.5])[0].ari is None
    with pytest.raises(ValueError, match="identities"):
        scan_eps(graph, [0.5], identities=[1, 2])


def test_quantiles_say_what_share_is_dense():
    graph = jaccard_distance(people(spread=0.9)[0], 8, 3)
    quantiles = distance_quantiles(graph, 4)
    assert list(quantiles.values()) == sorted(quantiles.values())
    count = graph.shape[0]
    entries = graph.tocoo()
    for share, eps in quantiles.items():
        within = np.bincount(entries.row[entries.data <= eps], minlength=count)
        assert abs((within >= 4).mean() - share) <= 0.05 + 1 / count


def test_the_suggested_eps_finds_the_people():
    features, identity = people()
    graph = jaccard_distance(features, 8, 3)
    assert cluster_counts(dbscan(graph, suggest_eps(graph)))[0] == identity.max() + 1


def test_nothing_is_suggested_where_nothing_separates():
    assert suggest_eps(jaccard_distance(np.ones((10, 4)), 5, 1)) is None


def test_counts_of_nothing():
    assert cluster_counts(np.array([], np.int64)) == (0, 0.0, 0)
    assert cluster_counts(np.array([-1, -1])) == (0, 1.0, 0)
