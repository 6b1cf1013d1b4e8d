"""Targets and losses of self-mimic."""

import torch
import torch.nn.functional as F
from vireid.mmm.self_mimic import ViewPrototypes, absolute_mimic, confident_means, squared_mimic


def test_a_distrusted_member_does_not_move_the_mean_but_a_class_of_them_keeps_its_own():
    features = F.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    labels = torch.tensor([0, 0, 1, 1, -1, 3])
    means = confident_means(features, labels, torch.tensor([1.0, 0, 0, 0, 1, 0.5]), 4)
    torch.testing.assert_close(means[0], features[0], atol=2e-4, rtol=0)
    plain = F.normalize(features[2] + features[3], dim=0)
    torch.testing.assert_close(means[1], plain, atol=1e-5, rtol=0)
    assert (means[2] == 0).all()
    torch.testing.assert_close(means[3], features[5])


def test_the_squared_distance_is_two_minus_two_cosines():
    rows = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    targets = F.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(2)), dim=1)
    wanted = (2 - 2 * F.cosine_similarity(rows, targets)).mean()
    torch.testing.assert_close(squared_mimic(rows, targets), wanted)


def test_the_absolute_distance_is_weighted_and_takes_the_rows_as_they_are():
    rows = torch.randn(4, 8, generator=torch.Generator().manual_seed(3))
    targets, weights = rows + torch.tensor([1.0, -2, 0, 4])[:, None], torch.tensor([1, 0.5, 1, 0])
    found = absolute_mimic(rows, targets, weights)
    torch.testing.assert_close(found, torch.tensor([1.0, 1, 0, 0]))


def test_prototypes_are_zero_until_a_pass_ends_and_a_class_without_a_row_keeps_its_own():
    prototypes = ViewPrototypes(3, 2, torch.zeros(0))
    rows = torch.tensor([[2.0, 4], [4, 0], [6, 6]])
    prototypes.see(
        rows, torch.tensor([0, 0, 2]), torch.tensor([0, 0, 1]), torch.tensor([1, 0.5, 1])
    )
    assert (prototypes.values == 0).all()
    prototypes.renew()
    # Divided by the number of rows, not by the sum of the confidences.
    torch.testing.assert_close(prototypes.values[0, 0], torch.tensor([2.0, 2]))
    torch.testing.assert_close(prototypes.values[1, 2], torch.tensor([6.0, 6]))
    assert (prototypes.values[2] == 0).all()
    prototypes.see(rows[:1], torch.tensor([2]), torch.tensor([1]), torch.tensor([0.5]))
    prototypes.renew()
    torch.testing.assert_close(prototypes.values[1, 2], torch.tensor([1.0, 2]))
    torch.testing.assert_close(prototypes.values[0, 0], torch.tensor([2.0, 2]))
