"""Augmentation draws on the device of the clips, from a generator of its own for each step."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_cuda import CUDA, FakeDevice
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from vireid.engine import augment
from vireid.engine.augment import Augmenter
from vireid.random_streams import generator as real_generator

KINDS = [
    pytest.param(augmentation, network, views, id=f"{augmentation}, {network}, {views} views")
    for augmentation, network, views in (
        ("published", "m3reid", 1),
        ("published", "agw", 1),
        ("published", "agw", 2),
        ("recolour", "m3reid", 1),
        ("recolour", "agw", 2),
    )
]
INDEX = torch.tensor([3, 0, 2, 1])


def augmenter(device, augmentation, network, views):
    session = SimpleNamespace(
        runtime=SimpleNamespace(device=torch.device(device)),
        modalities=np.array([0, 1, 0, 1]),
        options=SimpleNamespace(seed=5),
    )
    return Augmenter(session, augmentation, network, stream=3, views=views)


def clips():
    draw = torch.Generator().manual_seed(0)
    return torch.randint(256, (4, 2, 3, 24, 12), generator=draw, dtype=torch.uint8)


class Seeded(TorchDispatchMode):
    """Counts the operations that draw, however they were called, and notes their devices."""

    def __init__(self):
        super().__init__()
        self.devices = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.devices.append(tree_leaves(result)[0].device)
        return result


class Generators(TorchFunctionMode):
    """Notes the generator of every call that names one."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if (kwargs or {}).get("generator") is not None:
            self.seen.append(kwargs["generator"])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("augmentation, network, views", KINDS)
def test_every_draw_is_from_the_generator_of_the_step(augmentation, network, views, monkeypatch):
    made = []

    def noted(*key, device="cpu"):
        made.append(real_generator(*key, device=device))
        return made[-1]

    monkeypatch.setattr(augment, "generator", noted)
    augment_, pixels = augmenter("cpu", augmentation, network, views), clips()
    with Generators() as generators, Seeded() as seeded:
        augment_(pixels, INDEX, 7)
    assert len(made) == 1 and made[0].device == torch.device("cpu")
    assert len(seeded.devices) >= 4 and set(seeded.devices) == {made[0].device}
    # As many calls with the step's own generator as draws: none is from that of everybody.
    assert generators.seen == made * len(seeded.devices)


class OnCard(torch.Generator):
    """Says that it lives on a CUDA device, where none can be made without one."""

    device = CUDA


@pytest.mark.parametrize("augmentation, network, views", KINDS)
def test_on_a_card_every_draw_is_made_there(augmentation, network, views, monkeypatch):
    asked = []

    def noted(*key, device="cpu"):
        asked.append(torch.device(device).type)
        return OnCard()

    monkeypatch.setattr(augment, "generator", noted)
    augment_, pixels = augmenter("cuda", augmentation, network, views), clips()
    # The clips and their numbers come from the host, as a loader hands them over.
    with Generators() as generators, FakeDevice().watched(), Seeded() as seeded:
        batch = augment_(pixels, INDEX, 7)
    assert asked == ["cuda"]
    assert batch.images.device.type == "cuda"
    assert len(seeded.devices) >= 4 and {device.type for device in seeded.devices} == {"cuda"}
    assert [type(one) for one in generators.seen] == [OnCard] * len(seeded.devices)


@pytest.mark.parametrize("augmentation, network, views", KINDS)
def test_a_step_is_augmented_alike_whatever_was_drawn_before(augmentation, network, views):
    found = []
    for before in (0, 3):
        augment_ = augmenter("cpu", augmentation, network, views)
        for step in range(before):
            augment_(clips(), INDEX, step)
        torch.manual_seed(before)
        found.append(augment_(clips(), INDEX, 7).images)
    assert torch.equal(*found)
    other = augmenter("cpu", augmentation, network, views)(clips(), INDEX, 8).images
    assert not torch.equal(found[0], other)
