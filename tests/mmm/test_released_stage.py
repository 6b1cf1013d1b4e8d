"""The released variant as a stage: what it reads, in which order it passes over the tracks."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from vireid.datasets.track import Modality, Track
from vireid.engine.feature_room import FeatureRoom
from vireid.engine.runtime import Runtime
from vireid.errors import UserError
from vireid.mmm.settings import StageTwoSettings
from vireid.mmm.variant_released import ReleasedVariant
from vireid.models import AGW
from vireid.pseudo_labels.artefact import Artefact

PEOPLE, EACH = 4, 3  # of each modality


class Counter(SimpleNamespace):
    """Takes whatever the stage tells it."""

    def confidence(self, values, *_):
        self.seen.append(values.clone())

    def __getattr__(self, name):
        return lambda *a, **k: None


def make(tmp_path, *, labels=None, **given) -> ReleasedVariant:
    """A stage on little pictures, one colour a person, whose labels stage one found."""
    people = np.tile(np.repeat(np.arange(PEOPLE), EACH), 2)
    modalities = np.repeat([int(Modality.VISIBLE), int(Modality.INFRARED)], PEOPLE * EACH)
    found = people.copy() if labels is None else np.asarray(labels)
    generator = torch.Generator().manual_seed(0)
    features = torch.eye(8)[people] + 0.05 * torch.randn(len(people), 8, generator=generator)
    features = 0.8 * torch.nn.functional.normalize(features, dim=1)
    tracks = [
        Track((Path(f"{n}.jpg"),), Modality(code), 0, None, str(n))
        for n, code in enumerate(modalities)
    ]
    visible = len(people) // 2
    artefact = Artefact(
        tmp_path, [t.key for t in tracks], found, features[:visible], features[visible:]
    )
    settings = StageTwoSettings(
        data_dir=tmp_path,
        output=tmp_path,
        dataset="sysu-mm01",
        backbone="thin-8",
        **{"variant": "released", "ce_epochs": 1, "alignment_from": 2, "p_num": 2, "k_num": 4}
        | {"matcher": "nearest", "cost": "released", "weights": "none", "epochs": 4}
        | given,
    )
    pictures = torch.randint(256, (len(people), 1, 3, 32, 16), generator=generator).to(torch.uint8)

    def training_clips(batches, seed, num_frames=None, *, first=0):
        for batch in batches[first:]:
            index = torch.tensor(batch)
            yield pictures[index], index

    session = SimpleNamespace(
        tracks=tracks,
        modalities=modalities,
        cameras=np.zeros(len(tracks), int),
        runtime=Runtime("cpu", "fp32"),
        options=SimpleNamespace(seed=0),
        evaluator=Counter(seen=[]),
        say=lambda text: None,
        feature_room=FeatureRoom(torch.device("cpu"), print),
        training_clips=training_clips,
    )
    torch.manual_seed(0)
    return ReleasedVariant(session, settings, AGW(0, backbone="thin-8"), artefact)


def train(stage, epoch) -> list[dict]:
    """One epoch without optimiser steps; the terms of each batch."""
    stage.begin_epoch(epoch, 0)
    stage.model.train()
    losses = [
        {name: float(value.detach()) for name, value in stage.losses(*batch, number).items()}
        for number, batch in enumerate(stage.batches(epoch))
    ]
    stage.end_epoch(epoch, 0)
    return losses


def test_a_batch_of_a_pass_beyond_the_range_of_fp16_leaves_no_trace(tmp_path, monkeypatch):
    stage = make(tmp_path)
    stage.session.runtime.scaler = torch.amp.GradScaler("cpu")
    original, calls = ReleasedVariant._forward, []

    def spoilt(self, batch):
        calls.append(batch.tracks)
        factor = float("inf") if len(calls) == 2 else 1.0
        return original(self, batch._replace(images=batch.images * factor))

    monkeypatch.setattr(ReleasedVariant, "_forward", spoilt)
    stage.begin_epoch(2, 0)
    missed = set(calls[1].tolist()) - {n for i, c in enumerate(calls) if i != 1 for n in c.tolist()}
    assert missed and len(calls) > 2
    confidence = stage.session.evaluator.seen[-1]
    assert confidence.isfinite().all() and all(confidence[n] == 0 for n in missed)
    assert all(buffer.isfinite().all() for buffer in stage.model.buffers())
    calls.clear()
    stage.end_epoch(2, 0)
    assert len(calls) > 2
    assert stage.prototypes.values.isfinite().all() and stage.prototypes.values.any()
    assert all(buffer.isfinite().all() for buffer in stage.model.buffers())


def test_the_stored_features_are_matched_as_they_are(tmp_path, monkeypatch):
    seen = []
    original = ReleasedVariant._match
    monkeypatch.setattr(
        ReleasedVariant,
        "_match",
        lambda self, features, labels: seen.append(features) or original(self, features, labels),
    )
    stage = make(tmp_path)
    assert len(seen) == 1
    torch.testing.assert_close(seen[0].norm(dim=1), torch.full((len(seen[0]),), 0.8))
    assert stage.classes == PEOPLE


def test_first_epochs_show_unrelated_sides_then_pairs_of_one_label(tmp_path):
    labels = np.tile(np.repeat(np.arange(PEOPLE), EACH), 2)
    labels[[1, 14]] = -1
    stage = make(tmp_path, labels=labels)
    half = 4

    def lists(epoch):
        stage.begin_epoch(epoch, 0)
        return [index.numpy() for _, index in stage.batches(epoch)]

    for epoch in (0, 1):
        found = lists(epoch)
        assert not {1, 14} & {int(row) for batch in found for row in batch}
        assert all(len(batch) == 2 * half for batch in found)
    warm = [stage.unified[batch] for batch in lists(0)]
    assert any((batch[:half] != batch[half:]).any() for batch in warm)
    # Every kept image of the larger side; 11 in batches of 4.
    assert len(warm) == 3
    # The rest of 11 / 4, and one.
    assert len(lists(1)) == 11 // half + 1
    modalities = stage.session.modalities
    for batch in lists(1):
        visible, infrared = (batch[modalities[batch] == code] for code in (0, 1))
        assert (stage.unified[visible] == stage.unified[infrared]).all()
        assert len(np.unique(stage.unified[batch])) == 2


def test_prototypes_are_zero_in_the_first_main_epoch_and_come_after_each(tmp_path):
    stage = make(tmp_path)
    first = train(stage, 0)
    assert all(set(terms) == {"ID"} for terms in first)
    assert (stage.confidence == 1).all()
    assert not stage.session.evaluator.seen

    moved = stage.model.neck.running_mean.clone()
    stage.begin_epoch(1, 0)
    # The pass for the confidences runs in training mode: the running statistics move.
    assert not torch.equal(moved, stage.model.neck.running_mean)
    assert len(stage.session.evaluator.seen) == 1
    assert (stage.prototypes.values == 0).all()
    stage.model.train()
    terms = [stage.losses(*batch, n) for n, batch in enumerate(stage.batches(1))]
    wanted = {"ID", "triplet", "visible mimic", "infrared mimic"}
    assert set(terms[0]) == wanted | {"visible alignment", "infrared alignment"}
    assert (stage.prototypes.values == 0).all()
    moved = stage.model.neck.running_mean.clone()
    weights = {name: p.detach().clone() for name, p in stage.model.named_parameters()}
    stage.end_epoch(1, 0)
    assert not torch.equal(moved, stage.model.neck.running_mean)
    assert (stage.prototypes.values[:, stage.paired[stage.paired >= 0]] != 0).any()
    for name, parameter in stage.model.named_parameters():
        assert torch.equal(weights[name], parameter)
        assert parameter.grad is None


def test_confidences_are_of_each_view_and_every_kept_track_is_visited(tmp_path, monkeypatch):
    from vireid.mmm import variant_released as module

    seen = []
    original = module.view_confidence
    monkeypatch.setattr(
        module,
        "view_confidence",
        lambda losses, *a, **k: seen.append(losses) or original(losses, *a, **k),
    )
    labels = np.tile(np.repeat(np.arange(PEOPLE), EACH), 2)
    labels[[1, 14]] = -1
    stage = make(tmp_path, labels=labels, steps=1)
    stage.begin_epoch(1, 0)
    losses, visible = seen[0], torch.from_numpy(stage.session.modalities == 0)
    kept = torch.from_numpy(labels >= 0)
    assert torch.isfinite(losses[0, kept]).all()
    assert torch.isfinite(losses[1, kept & visible]).all()
    assert losses[:, ~kept].isnan().all()
    assert (losses[0, kept & visible] != losses[1, kept & visible]).any()
    assert (stage.confidence[:, ~kept] == 0).all()


def test_a_resumed_run_takes_the_prototypes_back(tmp_path):
    whole = make(tmp_path)
    for epoch in range(3):
        train(whole, epoch)
    again = make(tmp_path)
    again.model.load_state_dict(whole.model.state_dict())
    again.load_state(whole.state())
    assert train(again, 3) == train(whole, 3)


def test_it_does_not_go_on_with_other_labels_of_stage_one(tmp_path):
    state = make(tmp_path).state()
    other = np.array([1, 0, 2, 3]).repeat(EACH)
    with pytest.raises(UserError, match="other labels than when this run began"):
        make(tmp_path, labels=np.tile(other, 2)).load_state(state)


def test_without_pairs_the_message_says_what_to_do(tmp_path):
    labels = np.concatenate([np.zeros(12, int), np.zeros(12, int)])
    with pytest.raises(UserError, match="1 clusters with tracks of both modalities"):
        make(tmp_path, labels=labels)
