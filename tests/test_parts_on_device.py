"""Networks, losses, memories and augmentations stay on a CUDA device, and none waits for it."""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from vireid import losses
from vireid.datasets.track import Modality
from vireid.distributed.split_batch import split_batches
from vireid.engine.augment import Augmenter
from vireid.engine.encoder import Encoder
from vireid.engine.weight_average import WeightAverage
from vireid.losses.registry import LOSSES
from vireid.memory import ClusterMemory, MultiMemory, cluster_means, joint_prototypes
from vireid.memory.writes import PendingWrites
from vireid.mmm.alignment import soft_cluster_alignment, view_alignment
from vireid.mmm.self_mimic import confident_means
from vireid.mmm.settings import StageTwoSettings
from vireid.models import network as networks

from . import fake_session
from .fake_cuda import CUDA, FakeDevice, FakeGenerator, Synchronisation, assert_on_cuda
from .permitted_waits import STEP

B = 8
LABELS = torch.tensor([0, 0, 1, 1, 0, 0, 1, -1])
MODALITIES = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
NAMES = sorted(networks.NETWORKS)


@pytest.fixture
def device():
    return FakeDevice()


@contextlib.contextmanager
def unwatched(device):
    """For the making of what a step finds there."""
    with device.watched(count=True):
        yield


def rows(*shape):
    """Features on the device; a gradient is wanted."""
    return torch.zeros(*shape, device=CUDA, requires_grad=True)


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("backbone", ["thin-8", "resnet18"])
@pytest.mark.parametrize("name", NAMES)
def test_a_network(device, name, backbone, frames):
    if name == "agw" and frames > 1:
        pytest.skip("a network of images")
    model = device.put(fake_session.network(name, 3, backbone))
    with device.watched() as watch:
        clips = torch.zeros(B, frames, 3, 64, 32, device=CUDA)
        output = model.train()(clips, MODALITIES)
        assert_on_cuda([value for value in output if value is not None])
        assert_on_cuda(model.eval().embed(clips, MODALITIES))
        assert_on_cuda(model.embed(clips, Modality.INFRARED))
    assert tuple(watch.waits) == STEP


@pytest.mark.parametrize("parts", [{"bn_batch": 4}, {"accumulate": 2}])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_over_parts_of_a_batch(device, name, parts):
    model = device.put(fake_session.network(name, 3)).train()
    with unwatched(device):
        split_batches(model, **parts)
    with device.watched() as watch:
        output = model(torch.zeros(B, 1, 3, 64, 32, device=CUDA), MODALITIES)
        assert_on_cuda([value for value in output if value is not None])
    assert tuple(watch.waits) == STEP


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_features_of_a_batch(device, name, flip):
    runtime = SimpleNamespace(device=CUDA, test_autocast=contextlib.nullcontext)
    model = device.put(fake_session.network(name))
    clips = torch.zeros(B, 1, 3, 64, 32, dtype=torch.uint8)
    encoder = Encoder(model, runtime, flip=flip)
    with device.watched() as watch, torch.no_grad():
        # In inference mode a copy of real pixels does not reach the fake device.
        features = type(encoder).__call__.__wrapped__(encoder, clips, MODALITIES)
        assert_on_cuda(features)
    assert tuple(watch.waits) == STEP


def test_an_average_of_weights(device):
    model, average = fake_session.network("m3reid"), WeightAverage.__new__(WeightAverage)
    average.decay, average.updates, average.network = 0.9, 0, device.put(model)
    model = device.put(model)
    with device.watched() as watch:
        average.update(model)
        assert_on_cuda(average.state())
    assert tuple(watch.waits) == STEP


def test_a_two_stream_network_that_is_told_the_modalities_by_the_device_has_to_wait(device):
    model = device.put(fake_session.network("agw"))
    with device.watched(), pytest.raises(Synchronisation):
        codes = torch.zeros(B, dtype=torch.int64, device=CUDA)
        model(torch.zeros(B, 1, 3, 64, 32, device=CUDA), codes)


LOSS_CALLS = {
    "AdaptiveTripletLoss": lambda e, y, m: losses.AdaptiveTripletLoss(square=True)(e, y),
    "BatchHardTripletLoss": lambda e, y, m: losses.BatchHardTripletLoss(0.3)(e, y),
    "ContrastiveLoss": lambda e, y, m: losses.ContrastiveLoss()(e, y, m, y[:, None] == y),
    "MMDLoss": lambda e, y, m: losses.MMDLoss()(e[:3], e[3:]),
    "ModalityAlignmentLoss": lambda e, y, m: losses.ModalityAlignmentLoss()(e, y, m),
    "SeparationLoss": lambda e, y, m: losses.SeparationLoss()(e[None]),
    "WeightedTripletLoss": lambda e, y, m: losses.WeightedTripletLoss()(e, y),
}


def test_every_loss_is_called_here():
    assert set(LOSS_CALLS) == {name for name in losses.__all__ if name.endswith("Loss")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", [*LOSS_CALLS, *LOSSES])
def test_a_loss(device, name, dtype):
    call = LOSS_CALLS[name] if name in LOSS_CALLS else LOSSES[name]
    with device.watched() as watch:
        embeddings = rows(B, 16).to(dtype)
        value = call(embeddings, *(torch.zeros(B, dtype=torch.int64, device=CUDA),) * 2)
        assert_on_cuda(value)
        assert value.shape == () and value.requires_grad
    assert tuple(watch.waits) == STEP


def test_alignments_of_classes_that_the_host_knows(device):
    with device.watched() as watch:
        found = soft_cluster_alignment(rows(B, 16), LABELS, MODALITIES)
        exchanged = torch.arange(B) == 1
        assert_on_cuda([found, *view_alignment(rows(B, 16), LABELS, MODALITIES, exchanged)])
    assert tuple(watch.waits) == STEP


@pytest.mark.parametrize("counts", [None, True])
@pytest.mark.parametrize("kind", ["all", "hard", "multi"])
@pytest.mark.parametrize("known", [True, False], ids=["host labels", "device labels"])
def test_a_memory(device, kind, known, counts):
    with device.watched() as watch:
        prototypes = torch.zeros((3, 2, 16) if kind == "multi" else (3, 16), device=CUDA)
        memory = (
            MultiMemory(prototypes) if kind == "multi" else ClusterMemory(prototypes, mode=kind)
        )
        labels = LABELS if known else torch.zeros(B, dtype=torch.int64, device=CUDA)
        excluded = torch.zeros(B, 3, dtype=torch.bool, device=CUDA)
        assert_on_cuda(memory(rows(B, 16), labels, excluded))
        writes = PendingWrites()
        writes.only_if = None if counts is None else torch.ones((), dtype=torch.bool, device=CUDA)
        writes.later(memory, rows(B, 16), labels)
        writes.write()
        assert_on_cuda(memory.prototypes)
    assert tuple(watch.waits) == STEP


def test_first_prototypes_of_labels_that_the_host_knows(device):
    with device.watched() as watch:
        features, weights = rows(B, 16), torch.zeros(B, device=CUDA)
        assert_on_cuda(cluster_means(features, LABELS))
        assert_on_cuda(joint_prototypes(features, LABELS, MODALITIES))
        assert_on_cuda(confident_means(features, LABELS, weights, 2))
    assert tuple(watch.waits) == STEP


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("network", NAMES)
@pytest.mark.parametrize("kind", ["published", "recolour"])
def test_an_augmentation(device, kind, network, views, tmp_path, monkeypatch):
    monkeypatch.setattr("vireid.engine.augment.generator", lambda *key, device: FakeGenerator())
    settings = StageTwoSettings(
        dataset="folder", data_dir=tmp_path, output=tmp_path, augmentation=kind, network=network
    )
    session = fake_session.session(settings)
    augment = Augmenter(session, kind, network, 1, views=views)
    index = torch.arange(0, fake_session.TRACKS, 2)
    clips = torch.zeros(len(index), 1, 3, 32, 16, dtype=torch.uint8)
    with device.watched() as watch:
        batch = augment(clips, index, 0)
        assert_on_cuda(batch.images)
    assert tuple(watch.waits) == STEP
    again = batch.tracks[batch.exchanged]
    twice = kind == "published" and network == "agw" and views == 2
    visible = index[session.modalities[index] == Modality.VISIBLE]
    assert again.tolist() == (visible.tolist() if twice else [])
    assert len(batch.images) == len(batch.tracks) == len(batch.modalities) == len(batch.exchanged)
    assert batch.modalities.tolist() == session.modalities[batch.tracks].tolist()
