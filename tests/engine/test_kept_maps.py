"""Maps of frozen first stages are computed once, and give the bits that computing them gives."""

import numpy as np
import pytest
import torch
from vireid.engine.encoder import Encoder
from vireid.engine.kept_maps import KeptMaps, keeps_maps
from vireid.engine.runtime import Runtime
from vireid.models import AGW, M3ReID

MODALITIES = torch.tensor([0, 1, 1, 0])
PLENTY = 1 << 30


@pytest.fixture
def clips():
    return torch.randint(256, (4, 1, 3, 32, 16), dtype=torch.uint8)


def network(kind):
    model = kind(0, backbone="thin-4").to(memory_format=torch.channels_last)
    model.freeze(["stem", "layer1"])
    return model


def counted(model):
    """Counts the runs of the first stage."""
    runs = []
    model.trunk.layer1.register_forward_hook(lambda *_given: runs.append(1))
    return runs


@pytest.mark.parametrize("kind", [M3ReID, AGW])
@pytest.mark.parametrize("flip", [False, True])
def test_a_second_pass_runs_the_frozen_stages_no_more(kind, flip, clips):
    model, runtime = network(kind), Runtime("cpu", "fp32")
    runs = counted(model)
    keeping = Encoder(model, runtime, flip=flip, kept=KeptMaps(PLENTY))
    first, views = keeping(clips, MODALITIES), len(runs)
    torch.nn.init.normal_(next(model.trunk.layer2.parameters()))  # training goes on
    again = keeping(clips, MODALITIES)
    assert len(runs) == views == 1 + flip
    assert not torch.equal(first, again)
    assert torch.equal(again, Encoder(model, runtime, flip=flip)(clips, MODALITIES))
    assert model.keep is None


def test_other_pixels_modalities_or_weights_are_computed(clips):
    model, runtime = network(AGW), Runtime("cpu", "fp32")
    runs = counted(model)
    keeping = Encoder(model, runtime, kept=KeptMaps(PLENTY))
    keeping(clips, MODALITIES)
    other = clips.clone()
    other[2, 0, 1, 5, 5] ^= 1
    for number, given in enumerate([(other, MODALITIES), (clips, 1 - MODALITIES)], start=2):
        found = keeping(*given)
        assert len(runs) == number
        assert torch.equal(found, Encoder(network_like(model), runtime)(*given))
    with torch.no_grad():
        next(model.visible_stem.parameters()).mul_(-1)
    assert torch.equal(
        keeping(clips, MODALITIES), Encoder(network_like(model), runtime)(clips, MODALITIES)
    )
    assert len(runs) == 4


def network_like(model):
    other = network(type(model))
    other.load_state_dict(model.state_dict())
    return other


def test_no_more_is_kept_than_there_is_room_for(clips):
    model, runtime = network(M3ReID), Runtime("cpu", "fp32")
    kept = KeptMaps(PLENTY)
    Encoder(model, runtime, kept=kept)(clips, MODALITIES)
    one = kept.bytes
    assert one == 4 * 4 * 16 * 8 * np.float32().nbytes
    kept = KeptMaps(one)
    keeping, runs = Encoder(model, runtime, kept=kept), counted(model)
    keeping(clips, MODALITIES)
    keeping(255 - clips, MODALITIES)
    keeping(255 - clips, MODALITIES)
    keeping(clips, MODALITIES)
    assert (kept.bytes, len(runs)) == (one, 3)


def test_it_pays_for_frozen_stages_on_the_cpu_alone():
    model, cpu = network(M3ReID), torch.device("cpu")
    assert keeps_maps(model, cpu)
    assert not keeps_maps(model, torch.device("cuda"))
    model = M3ReID(0, backbone="thin-4")
    model.freeze(["stem", "layer2"])
    assert not keeps_maps(model, cpu)
