"""Targets and losses of self-mimic."""

import torch
import torch.nn.functional as F
from vireid.mmm.self_mimic import absolute_mimic, confident_means, squared_mimic


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


def test_the_absolute_distance_leaves_out_classes_that_a_view_lacks():
    rows = torch.randn(4, 8, generator=torch.Generator().manual_seed(3)).requires_grad_()
    targets = F.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(4)), dim=1)
    targets[1] = 0
    kept = [0, 2, 3]
    wanted = F.l1_loss(F.normalize(rows, dim=1)[kept], targets[kept])
    loss = absolute_mimic(rows, targets)
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    assert (rows.grad[1] == 0).all()
    nothing = absolute_mimic(rows, torch.zeros(4, 8))
    assert nothing == 0
