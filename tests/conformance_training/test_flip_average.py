"""Averaging with the mirror image: what is clustered, and what is ranked."""

import numpy as np
import torch
from torch import nn
from training_vectors import arrays, each_vector
from vireid.engine.encoder import Encoder
from vireid.engine.runtime import Runtime
from vireid.evaluation.features import collect_features


class Given(nn.Module):
    """Embeds clips of 1 x 2 pixels, of the tracks ``rows``: the plain ones are dark on the left."""

    def __init__(self, plain, mirrored):
        super().__init__()
        self.features = torch.stack([plain, mirrored])
        self.rows = None

    def embed(self, images, modalities):
        left, right = images[:, 0, 0, 0].unbind(1)
        return self.features[(left > right).long(), self.rows]


def extracted(data, **how):
    count = len(data["features_plain"])
    model = Given(*(torch.from_numpy(data[f"features_{view}"]) for view in ("plain", "mirrored")))
    encoder = Encoder(model, Runtime("cpu", "fp32"), **how)

    def encode(clips, index):
        model.rows = index
        return encoder(clips)

    clip = torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 1, 2)
    batches = [
        (clip.expand(len(rows), 1, 3, 1, 2), rows)
        for rows in torch.arange(count).flip(0).split(max(1, count // 2))
    ]
    return collect_features(encode, batches, count).numpy()


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
