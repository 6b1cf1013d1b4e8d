"""Random features with the structure of a person data set."""

from __future__ import annotations

import torch
from torch import Tensor

SIGHTINGS = 30
CAMERAS = 6
ALIKE = 6  # identities in similar clothes
POSES = 12
BLOCK = 4096


def people(count: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features of ``count`` sightings: identities, look-alikes, cameras, poses and noise.

    Args:
        count: N sightings; an identity has about 30, between 10 and 50.
        width: D.
        seed: of everything.

    Returns:
        Unit rows ``[N, D]`` float32, identities ``[N]`` and cameras ``[N]``, in mixed order.
    """
    generator = torch.Generator().manual_seed(seed)

    def directions(number: int) -> Tensor:
        return torch.randn(number, width, generator=generator) / width**0.5

    identities = max(1, count // SIGHTINGS)
    sizes = torch.randint(10, 51, (identities,), generator=generator).double().cumsum(0)
    place = torch.rand(count, generator=generator).double() * sizes[-1]
    identity = torch.searchsorted(sizes, place).clamp_max(identities - 1)
    camera = torch.randint(0, CAMERAS, (count,), generator=generator)
    pose = torch.randint(0, POSES, (count,), generator=generator)
    own, clothes = directions(identities), directions(identities // ALIKE + 1)
    cameras, poses = directions(CAMERAS), directions(POSES)
    features = torch.empty(count, width)
    for start in range(0, count, BLOCK):
        rows = slice(start, start + BLOCK)
        who = identity[rows]
        block = own[who] + clothes[who // ALIKE] + 0.6 * cameras[camera[rows]]
        block += 0.8 * poses[pose[rows]] + 1.4 * directions(len(who))
        features[rows] = torch.nn.functional.normalize(block, dim=1)
    return features, identity, camera
