"""Stages, encoders and checkpoints take every network by one interface."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from vireid.baselines.settings import BaselineSettings
from vireid.datasets.track import Modality
from vireid.engine.augment import Augmenter
from vireid.engine.checkpoint import load_model, save_model
from vireid.engine.encoder import Encoder
from vireid.engine.network import network_meta
from vireid.engine.runtime import Runtime
from vireid.engine.training import make_optimiser
from vireid.errors import UserError
from vireid.losses.separation import separation_losses
from vireid.models import network_named


def build(name, identities=0):
    torch.manual_seed(0)
    return network_named(name).build(identities, num_frames=1, weights=None, backbone="thin-8")


def config(tmp_path, **given):
    settings = {"dataset": "folder", "data_dir": tmp_path, "output": tmp_path, **given}
    return BaselineSettings(backbone="thin-8", weights="none", device="cpu", **settings)


@pytest.mark.parametrize("name", ["m3reid", "agw"])
def test_a_checkpoint_gives_the_same_network_and_features_back(name, tmp_path):
    model = build(name, 3)
    settings = config(tmp_path, network=name)
    session = SimpleNamespace(options=settings)
    meta = network_meta(settings, session, model, stage="x", step=1)
    save_model(tmp_path / "model.safetensors", model, meta)
    again, said = load_model(tmp_path / "model.safetensors")
    assert type(again) is type(model)
    assert said["network"] == type(model).__name__
    clips = torch.randint(256, (4, 1, 3, 32, 16), dtype=torch.uint8)
    modality_of = torch.tensor([0, 1, 1, 0])
    runtime = Runtime("cpu", "fp32")
    first, second = (Encoder(m, runtime)(clips, modality_of) for m in (model, again))
    assert torch.equal(first, second)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(4))


def test_weights_that_meant_something_else_are_refused(tmp_path):
    model, file = build("m3reid", 3), tmp_path / "model.safetensors"
    session = SimpleNamespace(options=config(tmp_path))
    meta = network_meta(session.options, session, model, stage="x", step=1)
    model.revision -= 1
    save_model(file, model, meta)
    with pytest.raises(UserError, match=r"compute something else.*train again, or use that vers"):
        load_model(file)


@pytest.mark.parametrize("name", ["m3reid", "agw"])
def test_flip_averages_with_the_mirror_image(name):
    runtime = Runtime("cpu", "fp32")
    model = build(name)
    clips = torch.randint(256, (3, 1, 3, 32, 16), dtype=torch.uint8)
    modality_of = torch.tensor([0, 1, 0])
    unit = Encoder(model, runtime)(clips, modality_of)
    mirrored = Encoder(model, runtime)(clips.flip(-1), modality_of)
    wanted = torch.nn.functional.normalize(unit + mirrored, dim=1)
    torch.testing.assert_close(Encoder(model, runtime, flip=True)(clips, modality_of), wanted)
    assert model.training


def test_a_two_stream_network_has_to_be_told_the_modality():
    encoder = Encoder(build("agw"), Runtime("cpu", "fp32"))
    clips = torch.randint(256, (2, 1, 3, 32, 16), dtype=torch.uint8)
    with pytest.raises(ValueError, match="which modality"):
        encoder(clips)
    mixed = encoder(clips, torch.tensor([0, 1]))
    torch.testing.assert_close(encoder(clips, Modality.VISIBLE)[0], mixed[0])
    with pytest.raises(ValueError, match="one frame"):
        encoder(clips.expand(2, 3, 3, 32, 16), Modality.VISIBLE)


def test_an_image_network_has_no_separation_terms():
    clips, modality_of = torch.randn(4, 2, 3, 32, 16), torch.tensor([0, 1, 0, 1])
    video = build("m3reid").forward_features(clips, modality_of)
    weights = {"OFR": 0.5, "DAC": 0.5}
    assert set(separation_losses(video, weights)) == {"OFR", "DAC"}
    assert separation_losses(video, {}) == {}
    image = build("agw").forward_features(clips[:, :1], modality_of)
    assert separation_losses(image, weights) == {}
    assert (image.pooled >= 0).all()


def test_visible_images_are_seen_twice_and_the_second_time_in_one_channel():
    session = SimpleNamespace(
        runtime=Runtime("cpu", "fp32"),
        modalities=np.array([0, 1, 0]),
        options=SimpleNamespace(seed=0),
    )
    clips = torch.randint(256, (3, 1, 3, 32, 16), dtype=torch.uint8)
    index = torch.tensor([2, 1, 0])
    batch = Augmenter(session, "published", "agw", 5, views=2)(clips, index, 0)
    assert batch.modalities.tolist() == [0, 1, 0, 0, 0]
    assert batch.tracks.tolist() == [2, 1, 0, 2, 0]
    assert batch.exchanged.tolist() == [False, False, False, True, True]
    single = Augmenter(session, "published", "agw", 5)(clips, index, 0)
    assert torch.equal(single.images, batch.images[:3])
    video = Augmenter(session, "published", "m3reid", 5, views=2)(clips, index, 0)
    assert len(video.images) == 3


def test_the_backbone_has_its_own_rate(tmp_path):
    model = build("agw", 4)
    settings = config(tmp_path, network="agw", optimiser="sgd", backbone_rate=0.1)
    backbone, head = make_optimiser(model, settings, 0.1).param_groups
    assert (backbone["factor"], head["factor"]) == (0.1, 1.0)
    assert head["nesterov"]
    assert head["momentum"] == 0.9
    assert {id(p) for p in head["params"]} == {id(model.neck.weight), id(model.classifier.weight)}
    trained = [p for p in model.parameters() if p.requires_grad]
    assert len(backbone["params"]) + 2 == len(trained)
