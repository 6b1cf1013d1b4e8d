"""Averaging with the mirror image: what is clustered, and what is ranked."""

import numpy as np
import torch
from torch import nn
from training_vectors import arrays, each_vector
from vireid.engine.encoder import Encoder
from vireid.engine.runtime import Runtime
from vireid.evaluation.features import collect_features


class Given(nn.Module):
    """Embeds clips of 1 x 2 pixels: the plain ones are dark on the left.

    The right pixel, or the left one of a mirrored clip, is the number of the feature.
    """

    def __init__(self, plain, mirrored):
        super().__init__()
        self.features = torch.stack([plain, mirrored])

    def embed(self, images, modalities):
        sides = images[:, 0, 0, 0]
        flipped = (sides[:, 0] > sides[:, 1]).long()
        order = images.amax((1, 2, 3, 4)).argsort().argsort()
        return self.features[flipped, order]


def extracted(data, **how):
    count = len(data["features_plain"])
    clips = torch.zeros(count, 1, 3, 1, 2, dtype=torch.uint8)
    clips[..., 1] = 1 + torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1)
    model = Given(*(torch.from_numpy(data[f"features_{view}"]) for view in ("plain", "mirrored")))
    encoder = Encoder(model, Runtime("cpu", "fp32"), **how)
    batches = [(clips, torch.arange(count))]
    return collect_features(lambda clips, index: encoder(clips), batches, count).numpy()


@each_vector("flip_average_*.npz")
def test_clustering_takes_the_plain_mean(vector):
    data = arrays(vector)
    found = extracted(data, flip=True, renormalise=False)
    np.testing.assert_allclose(found, data["extraction_for_clustering"], rtol=0, atol=1e-6)


@each_vector("flip_average_*.npz")
def test_ranking_normalises_again(vector):
    data = arrays(vector)
    found = extracted(data, flip=True)
    np.testing.assert_allclose(found, data["evaluation_stage_one"], rtol=0, atol=1e-6)


@each_vector("flip_average_*.npz")
def test_without_mirror_the_unit_feature_is_kept(vector):
    data = arrays(vector)
    for renormalise in (True, False):
        found = extracted(data, renormalise=renormalise)
        np.testing.assert_allclose(found, data["features_plain"], rtol=0, atol=1e-6)
