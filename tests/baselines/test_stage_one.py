"""What stage one draws, reads and writes, step by step."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_settings import SHORTEST_STAGE_ONE
from vireid.baselines.cross_modality import CrossModality
from vireid.baselines.intra_modality import IntraModality
from vireid.baselines.pretraining import Pretraining
from vireid.baselines.settings import BaselineSettings
from vireid.datasets import Modality
from vireid.engine.checkpoint import save_tensors
from vireid.engine.network import build_network
from vireid.engine.run_folder import RunFolder
from vireid.engine.session import Session
from vireid.memory import cluster_means, joint_prototypes
from vireid.models.state_files import load_plain


@pytest.fixture(scope="module")
def world(tiny_set, tmp_path_factory):
    """Settings, session and network of the smallest stage one."""
    given = {**SHORTEST_STAGE_ONE, "p_num": 3, "k_num": 4, "steps": 3, "contrast_weight": 1.0}
    settings = BaselineSettings(
        dataset="hitsz-vcm", data_dir=tiny_set, output=tmp_path_factory.mktemp("run"), **given
    )
    run = RunFolder(settings.output, "seed: 0\n", resume=False, pictures=False)
    session = Session(settings, "baseline", run, labelled=False)
    yield settings, session, build_network(settings, session)
    run.close()


def step(stage, clips, index, number=0):
    """Loss terms of a batch, with a backward pass."""
    losses = stage.losses(clips, index, number)
    sum(losses.values()).backward()
    return losses


def test_pretraining_shows_each_track_twice_among_tracks_of_one_camera(world):
    settings, session, model = world
    stage = Pretraining(session, settings, model)
    for clips, index in stage.batches(0):
        assert len(clips) == len(index) == 2 * len(set(index.tolist()))
        for modality in Modality:
            own = index[session.modalities[index] == modality]
            assert len(set(session.cameras[own].tolist())) == 1
        losses = step(stage, clips, index)
        assert set(losses) == {"visible contrast", "infrared contrast"}


def test_memories_of_1a_begin_as_means_and_are_written_after_the_step(world):
    settings, session, model = world
    stage = IntraModality(session, settings, model)
    stage.begin_epoch(0, 0)
    labels = torch.from_numpy(stage.labels)
    features = session.training_features(model)
    for modality in Modality:
        chosen = torch.from_numpy(session.modalities == modality)
        means = cluster_means(features[chosen], labels[chosen])
        torch.testing.assert_close(stage.memories[modality].prototypes, means)
    before = {m: stage.memories[m].prototypes.clone() for m in Modality}
    clips, index = next(iter(stage.batches(0)))
    assert [int((session.modalities[index] == m).sum()) for m in Modality] == [len(index) // 2] * 2
    losses = step(stage, clips, index)
    assert set(losses) == {"visible memory", "infrared memory", "contrast"}
    for modality in Modality:
        assert torch.equal(stage.memories[modality].prototypes, before[modality])
    stage.after_step()
    for modality in Modality:
        moved = (stage.memories[modality].prototypes != before[modality]).any(1)
        drawn = labels[index[session.modalities[index] == modality]].unique()
        assert moved.nonzero()[:, 0].tolist() == drawn.tolist()


def joint_of(session):
    """Joint labels of three clusters over both modalities, one of infrared tracks, and noise."""
    joint = np.arange(len(session.tracks)) % 4
    joint[(joint == 3) & (session.modalities == Modality.VISIBLE)] = -1
    assert set(joint) == {-1, 0, 1, 2, 3}
    return joint


def test_1b_takes_turns_and_its_joint_memory_holds_clusters_of_one_modality_too(world):
    settings, session, model = world
    stage = CrossModality(session, settings, model)
    stage.begin_epoch(0, 0)
    # Clusters that the untrained network would not find.
    features = session.training_features(model)
    stage.take_joint(features, joint_of(session))
    labels, modalities = torch.from_numpy(stage.joint), torch.from_numpy(session.modalities)
    prototypes = joint_prototypes(features, labels, modalities)
    torch.testing.assert_close(stage.joint_memory.prototypes, prototypes)
    assert len(prototypes) == 4
    terms = []
    for clips, index in stage.batches(0):
        losses = step(stage, clips, index)
        terms.append("joint visible memory" in losses)
        stage.after_step()
        if terms[-1]:
            assert set(losses) == {
                "joint visible memory",
                "joint infrared memory",
                "joint contrast",
            }
            assert set(stage.joint[index]) <= {0, 1, 2}
        assert set(losses) <= set(stage.phase.losses)
    assert terms == [False, True] * settings.steps
    assert torch.equal(stage.joint_memory.prototypes[3], prototypes[3])
    assert not torch.equal(stage.joint_memory.prototypes, prototypes)


def test_the_sides_of_a_joint_batch_are_drawn_apart(world):
    settings, session, model = world
    stage = CrossModality(session, settings, model)
    stage.labels = np.arange(len(session.tracks)) // 4 % 5
    joint = np.arange(len(session.tracks)) // 2 % 8
    stage.take_joint(torch.eye(len(joint)), joint)
    p, k, differ = settings.p_num, settings.k_num, []
    for epoch in range(4):
        for batch in stage.track_batches(epoch)[1::2]:
            index = np.array(batch)
            sides = [index[session.modalities[index] == modality] for modality in Modality]
            for side in sides:
                assert len(side) == p * k
                found, counts = np.unique(joint[side], return_counts=True)
                assert (len(found), set(counts)) == (p, {k})
            differ.append(set(joint[sides[0]]) != set(joint[sides[1]]))
    assert any(differ)


@pytest.mark.parametrize("kind", [IntraModality, CrossModality])
def test_an_epoch_goes_on_from_what_a_checkpoint_holds_of_it(world, tmp_path, kind):
    settings, session, model = world
    stage, other = kind(session, settings, model), kind(session, settings, model)
    stage.begin_epoch(0, 0)
    save_tensors(tmp_path / "state.pt", stage.epoch_state())
    other.continue_epoch(0, 0, load_plain(tmp_path / "state.pt"))
    assert other.labels.tolist() == stage.labels.tolist()
    for modality in Modality:
        kept, fresh = other.memories[modality].prototypes, stage.memories[modality].prototypes
        assert torch.equal(kept, fresh)
    for clips, index in other.batches(0, 1):
        assert step(other, clips, index)
    damaged = {**stage.epoch_state(), "labels": torch.zeros(0)}
    with pytest.raises(ValueError, match="labels"):
        other.continue_epoch(0, 0, damaged)


def test_without_a_joint_cluster_1b_goes_on_as_1a(world):
    settings, session, model = world
    stage = CrossModality(session, settings, model)
    stage.begin_epoch(0, 0)
    stage.take_joint(torch.eye(len(session.tracks)), session.modalities % 2)  # one of each
    assert stage.joint_memory is None
    batches = list(stage.batches(0))
    assert len(batches) == stage.steps == 2 * settings.steps
    for clips, index in batches:
        assert "visible memory" in step(stage, clips, index)


def test_mirror_averages_are_clustered_as_they_are_and_ranked_at_length_one(
    tiny_set, tmp_path, world
):
    _, _, model = world
    given = {**SHORTEST_STAGE_ONE, "flip": True}
    settings = BaselineSettings(
        dataset="hitsz-vcm", data_dir=tiny_set, output=tmp_path / "run", **given
    )
    run = RunFolder(settings.output, "seed: 0\n", resume=False, pictures=False)
    session = Session(settings, "baseline", run, labelled=False)
    lengths = session.training_features(model).norm(dim=1)
    assert (lengths < 0.9999).all()
    assert (lengths > 0.1).all()
    session.evaluate(model, "untrained", 0, 0, keep=True)
    run.close()
    stored = load_file(settings.output / "test_features.safetensors")["features"]
    torch.testing.assert_close(stored.norm(dim=1), torch.ones(len(stored)))
