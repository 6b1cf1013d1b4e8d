"""Confidence of the tracks from the logits of all of them."""

import numpy as np
import torch
import torch.nn.functional as F
from vireid.mmm.confidence import clean_probability, normalise_losses
from vireid.mmm.track_confidence import track_confidence, view_confidence


def logits_of(labels, wrong, seed):
    """Right for all but the rows in ``wrong``, whose logits point at the next class."""
    rows = 0.3 * torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(seed))
    targets = labels.clamp_min(0).clone()
    targets[wrong] = (targets[wrong] + 1) % 4
    return rows + 4 * F.one_hot(targets, 4)


def test_wrong_labels_are_distrusted_in_each_modality_and_noise_is_not_trusted():
    labels = torch.arange(40) % 4
    labels[[3, 25]] = -1
    modalities = np.repeat([0, 1], 20)
    wrong = [0, 7, 22, 30]
    confidence = track_confidence(logits_of(labels, wrong, 0), labels, modalities)
    right = [n for n in range(40) if n not in (*wrong, 3, 25)]
    assert confidence[right].min() > 0.9
    assert confidence[wrong].max() < 0.1
    assert (confidence[[3, 25]] == 0).all()


def test_visible_views_are_scaled_apart_and_fitted_together():
    labels = torch.arange(40) % 4
    modalities = np.repeat([0, 1], 20)
    plain, second = logits_of(labels, [1, 6], 1), 3 * logits_of(labels, [2, 6], 2)
    losses = [F.cross_entropy(r, labels, reduction="none") for r in (plain, second)]
    found = view_confidence(torch.stack(losses), labels, modalities)
    joined = torch.cat([normalise_losses(x[:20]) for x in losses])
    torch.testing.assert_close(
        found[:, :20], clean_probability(joined).float().unflatten(0, (2, 20))
    )
    torch.testing.assert_close(found[0, 20:], clean_probability(losses[0][20:]))
    assert (found[1, 20:] == 0).all()
