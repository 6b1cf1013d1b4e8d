"""A session without data, whose device is not there, for stages under a watch."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional
from vireid.datasets.track import Modality, Track
from vireid.engine.feature_room import FeatureRoom
from vireid.models.network import network_named
from vireid.pseudo_labels.artefact import Artefact

from .fake_cuda import CUDA

PEOPLE, EACH = 4, 4  # tracks of each person in each modality
FRAMES, HEIGHT, WIDTH, DIM = 2, 32, 16, 8
TRACKS = 2 * PEOPLE * EACH


class Anything:
    """Takes whatever it is told."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def people():
    """Person of each track; the labels that stage one found."""
    return np.tile(np.repeat(np.arange(PEOPLE), EACH), 2)


def features():
    """Unit features [N, D] in which each person is a cluster, on the host."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.eye(DIM)[people()] + 0.05 * torch.randn(TRACKS, DIM, generator=generator)
    return functional.normalize(rows, dim=1)


def session(settings, *, labelled=False, device=CUDA):
    """Tracks of a few people, whose clips are black."""
    codes = np.repeat([int(m) for m in Modality], PEOPLE * EACH)
    tracks = [
        Track((Path("0.jpg"),), Modality(code), n % 2, str(who) if labelled else None, str(n))
        for n, (code, who) in enumerate(zip(codes, people()))
    ]

    def training_clips(batches, seed, num_frames=None, *, first=0):
        for batch in list(batches)[first:]:
            shape = (len(batch), num_frames or settings.num_frames, 3, HEIGHT, WIDTH)
            yield torch.zeros(shape, dtype=torch.uint8), torch.tensor(batch)

    return SimpleNamespace(
        tracks=tracks,
        modalities=codes,
        cameras=np.array([track.camera for track in tracks]),
        runtime=SimpleNamespace(device=device, autocast=contextlib.nullcontext, scaler=None),
        options=settings,
        evaluator=Anything(),
        say=lambda text: None,
        training_clips=training_clips,
        training_features=lambda model: features(),
        feature_room=FeatureRoom(torch.device("cpu"), print),
    )


def network(name, identities=0, backbone="thin-8"):
    """A network on the host, in the memory layout in which it trains."""
    kind = network_named(name)
    model = kind.build(identities, num_frames=FRAMES, weights=None, backbone=backbone)
    return model.to(memory_format=torch.channels_last)


def artefact(folder):
    """What stage one left."""
    keys = [str(n) for n in range(TRACKS)]
    return Artefact(folder, keys, people(), *features().split(TRACKS // 2))
