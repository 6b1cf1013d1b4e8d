"""A step of every stage and variant stays on a CUDA device, and the host waits for it nowhere."""

import contextlib

import numpy as np
import pytest
import torch
from vireid.baselines.cross_modality import CrossModality
from vireid.baselines.intra_modality import IntraModality
from vireid.baselines.pretraining import Pretraining
from vireid.baselines.settings import BaselineSettings
from vireid.mmm import variant_released
from vireid.mmm.settings import StageTwoSettings
from vireid.mmm.variants import VARIANTS
from vireid.models.network import NETWORKS
from vireid.supervised.m3reid_stage import Supervised
from vireid.supervised.settings import SupervisedSettings

from . import fake_session
from .fake_cuda import CUDA, FakeDevice, FakeGenerator, assert_on_cuda
from .fake_session import FRAMES, HEIGHT, TRACKS, WIDTH
from .permitted_waits import PASS_FOR_CONFIDENCES, STEP

COMMON = {
    **{"dataset": "folder", "backbone": "thin-8", "weights": "none", "p_num": 3, "k_num": 4},
    **{"steps": 2, "img_h": HEIGHT, "img_w": WIDTH, "k1": 6, "k2": 3, "min_samples": 2},
    **{"joint_k1": 8, "joint_k2": 4, "contrast_weight": 1.0, "on_collapse": "relax"},
}
LOOKS = {
    "m3reid": [{"augmentation": "published", "num_frames": FRAMES}],
    "agw": [
        {"augmentation": "published", "num_frames": 1},
        {"augmentation": "recolour", "num_frames": 1},
    ],
}
STAGES = [(name, look) for name in sorted(LOOKS) for look in LOOKS[name]]
NAMED = [f"{name}-{look['augmentation']}" for name, look in STAGES]
every_network = pytest.mark.parametrize("network, look", STAGES, ids=NAMED)


@pytest.fixture
def device(monkeypatch):
    """A device on which augmentation draws."""
    monkeypatch.setattr("vireid.engine.augment.generator", lambda *key, device: FakeGenerator())
    return FakeDevice()


@pytest.fixture
def start(device, tmp_path):
    """Makes settings, session and network of a command."""

    def make(kind, network, look, identities=0, **given):
        given = {**COMMON, **look, "network": network, **given}
        if kind is SupervisedSettings:
            for name in ("k1", "k2", "min_samples", "joint_k1", "joint_k2", "on_collapse"):
                given.pop(name)
        settings = kind(data_dir=tmp_path, output=tmp_path, **given)
        session = fake_session.session(settings, labelled=kind is SupervisedSettings)
        model = device.put(fake_session.network(network, identities)).train()
        return session, settings, model

    return make


@contextlib.contextmanager
def beginning(device):
    """The beginning of an epoch, which clusters on the host and may wait."""
    with device.watched(count=True):
        yield


def take_steps(device, stage, epoch=0):
    """Two steps without their backward passes; names of the terms."""
    terms = []
    batches = list(stage.batches(epoch))[:2]
    assert len(batches) == 2
    with device.watched() as watch:
        for number, (clips, index) in enumerate(batches):
            losses = stage.losses(clips, index, number)
            assert_on_cuda(losses)
            assert all(value.shape == () and value.requires_grad for value in losses.values())
            stage.after_step()
            terms.append(set(losses))
    assert tuple(watch.waits) == STEP
    return terms


def test_every_network_and_every_variant_is_here():
    assert set(LOOKS) == set(NETWORKS)
    assert {case.values[0] for case in TWO} == set(VARIANTS)


@every_network
def test_pretraining(device, start, network, look):
    stage = Pretraining(*start(BaselineSettings, network, look, pretrain_tracks=3))
    assert take_steps(device, stage) == [{"visible contrast", "infrared contrast"}] * 2


@every_network
@pytest.mark.parametrize("mode", ["all", "hard"])
def test_stage_1a(device, start, network, look, mode):
    stage = IntraModality(*start(BaselineSettings, network, look, memory_mode=mode))
    with beginning(device):
        stage.begin_epoch(0, 0)
        give_memories(stage)
    assert take_steps(device, stage) == [{"visible memory", "infrared memory", "contrast"}] * 2
    assert_on_cuda([memory.prototypes for memory in stage.memories.values()])


def give_memories(stage):
    """Memories as wide as the network's features, which are wider than those on the host."""
    width = stage.model.neck.num_features
    for modality, memory in stage.memories.items():
        stage.memories[modality] = stage._memory(widened(memory.prototypes, width))


def widened(rows, width):
    return rows.new_zeros(*rows.shape[:-1], width)


@every_network
def test_stage_1b(device, start, network, look):
    stage = CrossModality(*start(BaselineSettings, network, look))
    with beginning(device):
        stage.begin_epoch(0, 0)
        stage.take_joint(fake_session.features(), fake_session.people())
        give_memories(stage)
        width = stage.model.neck.num_features
        stage.joint_memory = stage._memory(widened(stage.joint_memory.prototypes, width))
    own, joint = take_steps(device, stage)
    assert own == {"visible memory", "infrared memory", "contrast"}
    assert joint == {f"joint {name}" for name in own}


TWO = [
    pytest.param("vireid", {}, id="vireid"),
    pytest.param(
        "vireid",
        {
            **{"memory_prototypes": 2, "own_memory_weight": 0.2, "separation_weight": 1.0},
            **{"extra_loss": "weighted-triplet=0.5", "matcher": "partial"},
        },
        id="vireid, several prototypes",
    ),
    pytest.param("vireid", {"union_weight": 0.5}, id="vireid, joint clusters beside"),
    pytest.param("paper", {}, id="paper"),
    pytest.param("released", {}, id="released"),
]


@every_network
@pytest.mark.parametrize("variant, given", TWO)
def test_stage_two(device, start, tmp_path, monkeypatch, variant, given, network, look):
    given = {"alignment_from": 0, "ce_epochs": 1, "epochs": 3, "matcher": "nearest", **given}
    session, settings, model = start(StageTwoSettings, network, look, variant=variant, **given)
    with beginning(device):
        stage = VARIANTS[variant](session, settings, model, fake_session.artefact(tmp_path))
        stage.begin_epoch(0, 0)
    if variant == "released":
        (first, _) = take_steps(device, stage)
        assert "ID" in first and "triplet" not in first
        return
    with beginning(device):
        width = model.neck.num_features
        stage.targets = widened(stage.targets, width)
        prototypes = stage.memories.prototypes()
        # A class that is not spared has to be known, too.
        classes = len(prototypes.get("unified", ()))
        if classes:
            stage.ambiguous = torch.zeros(classes, classes, dtype=torch.bool, device=CUDA)
        stage.memories = stage._memories_of(
            {name: widened(rows, width) for name, rows in prototypes.items()}
        )
    assert take_steps(device, stage) == [set(stage.phase.losses) - absent(network)] * 2
    assert_on_cuda(stage.memories.prototypes())


def absent(network):
    """Terms that a network of images has no outputs for."""
    return {"OFR", "DAC"} if network == "agw" else set()


@every_network
def test_the_main_phase_of_the_released_variant(
    device, start, tmp_path, monkeypatch, network, look
):
    given = {"alignment_from": 0, "ce_epochs": 1, "epochs": 3, "matcher": "nearest"}
    session, settings, model = start(
        StageTwoSettings, network, look, variant="released", cost="released", **given
    )
    fitted = []

    def fit(losses, labels, modalities, *, seed):
        fitted.append(losses)
        return torch.ones(2, TRACKS)

    monkeypatch.setattr(variant_released, "view_confidence", fit)
    with beginning(device):
        stage = variant_released.ReleasedVariant(
            session, settings, model, fake_session.artefact(tmp_path)
        )
    with device.watched(*PASS_FOR_CONFIDENCES) as watch:
        stage.begin_epoch(2, 0)
        assert stage.in_main_phase
    assert tuple(watch.waits) == PASS_FOR_CONFIDENCES
    twice = stage.augment.exchange is not None
    assert fitted[0].shape == (1 + twice, TRACKS)
    wanted = set(stage.phase.losses)
    assert {"triplet", "visible mimic", "infrared alignment"} <= wanted
    assert take_steps(device, stage, 2) == [wanted] * 2
    with device.watched() as watch:
        stage.end_epoch(2, 0)
    assert tuple(watch.waits) == STEP
    assert_on_cuda(stage.prototypes.values)


@every_network
def test_supervised(device, start, network, look):
    given = {"extra_loss": "weighted-triplet=0.5", "separation_weight": 1.0}
    session, settings, model = start(SupervisedSettings, network, look, identities=4, **given)
    classes = np.asarray(fake_session.people(), np.int64)
    stage = Supervised(session, settings, model, classes)
    assert take_steps(device, stage) == [set(stage.phase.losses)] * 2
