"""Prototypes start as the means of their clusters."""

import pytest
import torch
from torch.nn import functional
from vireid.memory.means import cluster_means, joint_prototypes


def features(count=40, seed=0):
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)).double()


def test_means_equal_a_loop_over_the_clusters():
    given = features()
    labels = torch.arange(40) % 6 - 1
    means = cluster_means(given, labels)
    for cluster in range(5):
        wanted = functional.normalize(given[labels == cluster].mean(0), dim=0)
        torch.testing.assert_close(means[cluster], wanted)


def test_an_empty_cluster_is_named():
    with pytest.raises(ValueError, match=r"clusters \[1\] of 3"):
        cluster_means(features(3), torch.tensor([0, 2, 2]))
    with pytest.raises(ValueError, match=r"clusters \[2, 3\] of 4"):
        cluster_means(features(3), torch.tensor([0, 1, 1]), 4)
    with pytest.raises(ValueError, match="found 2"):
        cluster_means(features(3), torch.tensor([0, 1, 2]), 2)


def test_nothing_but_noise_has_no_means():
    assert cluster_means(features(3), torch.full((3,), -1)).shape == (0, 5)


def test_both_modalities_weigh_the_same():
    given = features(9)
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1, -1, -1])
    modality = torch.tensor([0, 0, 1, 1, 1, 1, 0, 1, 0])
    wanted = torch.stack([given[:2].mean(0) + given[2], given[6] + given[3:6].mean(0)])
    wanted = functional.normalize(wanted, dim=1)
    for codes in (modality, 1 - modality, 3 + 4 * modality):
        torch.testing.assert_close(joint_prototypes(given, labels, codes), wanted)


def test_a_cluster_of_one_modality_starts_from_its_own_mean():
    given = features(6)
    labels = torch.tensor([0, 0, 1, 1, 2, -1])
    modality = torch.tensor([0, 1, 1, 1, 0, 0])
    wanted = torch.stack([given[0] + given[1], given[2] + given[3], given[4]])
    wanted = functional.normalize(wanted, dim=1)
    torch.testing.assert_close(joint_prototypes(given, labels, modality), wanted)
    one = joint_prototypes(given, labels, torch.ones(6).long())
    torch.testing.assert_close(one, cluster_means(given, labels))


def test_a_joint_cluster_without_a_sample_is_named():
    with pytest.raises(ValueError, match=r"clusters \[1\] of 3"):
        joint_prototypes(features(3), torch.tensor([0, 0, 2]), torch.tensor([0, 1, 1]))


def test_nothing_but_noise_has_no_joint_prototypes():
    assert joint_prototypes(features(2), torch.full((2,), -1), torch.arange(2)).shape == (0, 5)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="two codes"):
        joint_prototypes(features(3), torch.zeros(3).long(), torch.arange(3))
    with pytest.raises(ValueError, match="modality"):
        joint_prototypes(features(3), torch.zeros(3).long(), torch.arange(2))
    with pytest.raises(ValueError, match="labels"):
        cluster_means(features(3), torch.zeros(2).long())
