"""One short name for all that decides a network's features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

from ..datasets.transforms.normalise import IMAGENET_MEAN, IMAGENET_STD
from ..models.network import Network

# Beside the weights. A feature of a ranking is of unit length, with a mirrored clip or without.
DECIDING = ("img_h", "img_w", "test_resize", "test_frames", "flip")
# What no feature depends on: classifiers, and counters of batch norm.
UNUSED = ("classifier.weight", "classifier.bias", "num_batches_tracked")


def model_fingerprint(model: Network, facts: Mapping[str, Any]) -> str:
    """Names what decides a network's features; two networks of one name give the same ones.

    It covers the class of the network and of its backbone, every weight and running statistic, the
    size of a frame and the filter that makes it, the frames of a clip, the mirrored clip, and the
    normalisation of pixels. Classifiers are left out, and so are where and when was trained. The
    device does not matter.

    Args:
        model: the network.
        facts: as ``load_model`` gives them beside it; ``img_h``, ``img_w``, ``test_resize``,
            ``test_frames`` and ``flip`` are read. One that is missing counts as None.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    described = {name: facts.get(name) for name in DECIDING}
    described |= {"network": type(model).__name__, "backbone": facts.get("backbone")}
    described["normalisation"] = [IMAGENET_MEAN, IMAGENET_STD]
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if not name.endswith(UNUSED):
            values = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
