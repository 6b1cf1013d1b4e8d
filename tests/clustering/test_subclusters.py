"""Sub-cluster centres are the best K-means of every cluster."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from vireid.clustering import subclusters
from vireid.clustering.subclusters import subcluster_centres

VECTORS = sorted((Path(__file__).parents[1] / "conformance").glob("mmm_matching_*.npz"))


def inertia(points, centres):
    return torch.cdist(points.double(), centres.double()).amin(1).square().sum().item()


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("side", ["vis", "ir"])
def test_published_centres(path, side):
    case = np.load(path)
    labels = torch.from_numpy(case[f"labels_{side}"])
    centres, sizes = subcluster_centres(torch.from_numpy(case[f"features_{side}"]), labels)
    wanted = torch.from_numpy(case[f"centers_{side}"])
    assert centres.shape == wanted.shape and centres.dtype == torch.float32
    apart = torch.cdist(centres.double(), wanted)
    assert apart.amin(1).max() < 1e-4 and apart.amin(2).max() < 1e-4
    np.testing.assert_array_equal(sizes.sum(1), case[f"size_{side}"])


def test_all_vectors_are_here():
    assert len(VECTORS) == 5


@pytest.mark.parametrize("width", [3, 40])
def test_inertia_is_that_of_the_best_of_ten_runs(width):
    generator = torch.Generator().manual_seed(width)
    sizes = [4, 5, 9, 30, 31, 70]
    labels = torch.repeat_interleave(torch.arange(6), torch.tensor(sizes))
    points = torch.randn(len(labels), width, generator=generator) + 3.0
    ours, theirs = 0.0, 0.0
    for number, centres in enumerate(subcluster_centres(points, labels)[0]):
        members = points[labels == number]
        ours += inertia(members, centres)
        theirs += KMeans(4, n_init=10, random_state=0).fit(members.numpy()).inertia_
    assert ours <= 1.01 * theirs


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 80), st.integers(1, 6), st.integers(1, 12), st.integers(0, 10_000))
def test_centres_are_means_of_the_nearest_members(count, k, clusters, seed):
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(-1, clusters, count))
    # A coarse grid: duplicates, and clusters with fewer than k different members.
    points = torch.from_numpy(rng.integers(0, 3, (count, 2)).astype(np.float64))
    centres, sizes = subcluster_centres(points, labels, k)
    names = labels[labels >= 0].unique()
    assert centres.shape == (len(names), k, 2) and sizes.shape == (len(names), k)
    for row, name in enumerate(names):
        members = points[labels == name]
        assert sizes[row].sum() == len(members)
        if len(members) < k:
            torch.testing.assert_close(centres[row], members.mean(0).expand(k, 2))
            assert sizes[row, 0] == len(members)
            continue
        different = len(members.unique(dim=0))
        assert (sizes[row] > 0).sum() == min(k, different)
        if different <= k:
            assert inertia(members, centres[row]) < 1e-12
        weighted = (centres[row] * sizes[row][:, None]).sum(0) / len(members)
        torch.testing.assert_close(weighted, members.mean(0))


def test_names_and_company_of_a_cluster_do_not_matter():
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(-1, 5, (90,), generator=generator)
    points = torch.randn(90, 7, generator=generator)
    centres, sizes = subcluster_centres(points, labels)
    renamed = torch.where(labels >= 0, 40 - 7 * labels, labels)
    again, sizes_again = subcluster_centres(points, renamed)
    torch.testing.assert_close(again.flip(0), centres)
    assert torch.equal(sizes_again.flip(0), sizes)
    alone, _ = subcluster_centres(points[labels == 3], labels[labels == 3])
    torch.testing.assert_close(alone[0], centres[3])


def test_a_cluster_too_large_for_inner_products(monkeypatch):
    points = torch.randn(60, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    labels = torch.zeros(60, dtype=torch.int64)
    usual = inertia(points, subcluster_centres(points, labels)[0][0])
    monkeypatch.setattr(subclusters, "LARGEST_GRAM", 10)
    monkeypatch.setattr(subclusters, "BUCKET_VALUES", 1)
    centres, sizes = subcluster_centres(points, labels)
    assert sizes.sum() == 60
    assert inertia(points, centres[0]) == pytest.approx(usual, rel=0.03)
    same, sizes = subcluster_centres(torch.ones(20, 3), torch.zeros(20, dtype=torch.int64))
    assert (same == 1).all() and sizes.sum() == 20


def test_seed_repeats_and_form_does_not_matter():
    rng = np.random.default_rng(0)
    points, labels = rng.standard_normal((50, 6)).astype(np.float32), rng.integers(0, 3, 50)
    centres, _ = subcluster_centres(points, labels, seed=4)
    assert torch.equal(subcluster_centres(points, labels, seed=4)[0], centres)
    strided = torch.from_numpy(np.asfortranarray(points)).requires_grad_()
    assert torch.equal(subcluster_centres(strided, torch.from_numpy(labels), seed=4)[0], centres)
    half = subcluster_centres(torch.from_numpy(points).half(), labels)[0]
    assert half.dtype == torch.float32


def test_nothing_but_noise_and_nothing_at_all():
    centres, sizes = subcluster_centres(torch.ones(4, 3), torch.full((4,), -1))
    assert centres.shape == (0, 4, 3) and sizes.shape == (0, 4)
    assert subcluster_centres(torch.ones(0, 3), torch.ones(0).long(), 2)[0].shape == (0, 2, 3)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="labels: expected one for each of the 4 rows"):
        subcluster_centres(torch.ones(4, 3), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="k: expected"):
        subcluster_centres(torch.ones(4, 3), torch.zeros(4, dtype=torch.int64), 0)
    with pytest.raises(ValueError, match="row 2 of 4"):
        bad = torch.ones(4, 3)
        bad[2] = torch.nan
        subcluster_centres(bad, torch.zeros(4, dtype=torch.int64))
