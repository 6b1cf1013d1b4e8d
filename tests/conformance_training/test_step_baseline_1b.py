"""An iteration of stage 1b on given features: joint memory, drawn tracks, both of its steps."""

import numpy as np
import pytest
import torch
from stage_one_vectors import batch_of, features_of, give_memories, near, recipe, session_of
from training_vectors import arrays, each_vector
from vireid.baselines.cross_modality import CrossModality
from vireid.datasets import Modality
from vireid.memory.cluster import cluster_memory

EPOCHS = 3


def joined(data, prefix):
    return np.concatenate([data[prefix + "visible"], data[prefix + "infrared"]])


def stage_of(tmp_path, data, tracks, cameras=None, **changed):
    settings = recipe(
        tmp_path,
        memory_temperature=float(data["temperature"]),
        memory_momentum=float(data["momentum"]),
        **changed,
    )
    return CrossModality(session_of(settings, *tracks, cameras), settings, None)


def stage_of_training_set(tmp_path, data, **changed):
    """The stage with the vector's joint clusters of the whole training set."""
    tracks = len(data["joint_labels_visible"]), len(data["joint_labels_infrared"])
    cameras = np.arange(sum(tracks)) % 3
    stage = stage_of(tmp_path, data, tracks, cameras, **changed)
    stage.labels = joined(data, "joint_labels_")  # any labels do for the batches of 1a
    features = torch.from_numpy(joined(data, "train_features_")).double()
    stage.take_joint(features, joined(data, "joint_labels_"))
    return stage


@each_vector("step_baseline_1b_*.npz")
def test_the_joint_memory_starts_with_a_row_for_every_joint_cluster(vector, tmp_path):
    data = arrays(vector)
    stage = stage_of_training_set(tmp_path, data)
    near(stage.joint_memory.prototypes, data["joint_memory_start"])


@each_vector("step_baseline_1b_*.npz")
def test_joint_batches_hold_what_the_released_ones_can_hold(vector, tmp_path):
    data = arrays(vector)
    visible = len(data["joint_labels_visible"])
    expected = set(data["joint_sample_visible"]) | set(data["joint_sample_infrared"] + visible)
    shared = len(set(data["joint_labels_visible"][data["joint_sample_visible"]]))
    p, k = max(1, shared // 2), 4
    steps = visible + len(data["joint_labels_infrared"])
    stage = stage_of_training_set(tmp_path, data, p_num=p, k_num=k, steps=steps)
    modalities = stage.session.modalities
    drawn, clusters = set(), set()
    for epoch in range(EPOCHS):
        for batch in stage.track_batches(epoch)[1::2]:
            index = np.array(batch)
            drawn |= set(batch)
            sides = [index[modalities[index] == modality] for modality in Modality]
            for side in sides:
                assert (len(side), len(set(stage.joint[side]))) == (p * k, p)
            clusters.add(tuple(frozenset(stage.joint[side]) for side in sides))
    assert drawn == expected
    # The sides are drawn apart.
    assert any(one != other for one, other in clusters) or shared == 1


@pytest.fixture
def step(tmp_path):
    """The stage before an iteration of a vector, its arrays, and both batches of the iteration.

    The tracks of the second batch follow those of the first on each side.
    """

    def start(vector):
        data = arrays(vector)
        kinds = ("labels_", "joint_batch_labels_")
        sizes = [[len(data[kind + side]) for kind in kinds] for side in ("visible", "infrared")]
        stage = stage_of(tmp_path, data, [sum(side) for side in sizes])
        kind_of = np.repeat([0, 1, 0, 1], [*sizes[0], *sizes[1]])
        stage.labels, stage.joint = np.full((2, len(kind_of)), -1)
        stage.labels[kind_of == 0] = joined(data, kinds[0])
        stage.joint[kind_of == 1] = joined(data, kinds[1])
        give_memories(stage, data)
        before = torch.from_numpy(data["joint_memory_before"]).double()
        stage.joint_memory = cluster_memory(before, stage.settings)
        batches = [batch_of(stage.session, np.flatnonzero(kind_of == kind)) for kind in (0, 1)]
        return stage, data, batches

    return start


@each_vector("step_baseline_1b_*.npz")
def test_an_iteration_takes_the_step_of_1a_and_then_the_joint_one(vector, step):
    stage, data, (intra, joint) = step(vector)
    leaves, features = features_of(data)
    losses = stage.feature_losses(features, *intra)
    near(losses["visible memory"], data["loss_visible"])
    near(losses["infrared memory"], data["loss_infrared"])
    sum(losses.values()).backward()
    for name, leaf in leaves.items():
        near(leaf.grad, data[f"grad_{name}"], name)
    stage.after_step()
    for modality in Modality:
        after = data[f"memory_{modality.name.lower()}_after"]
        near(stage.memories[modality].prototypes, after)
    near(stage.joint_memory.prototypes, data["joint_memory_before"])

    leaves, features = features_of(data, "joint_")
    losses = stage.feature_losses(features, *joint)
    near(losses["joint visible memory"], data["joint_loss_visible"])
    near(losses["joint infrared memory"], data["joint_loss_infrared"])
    total = sum(losses.values())
    near(total, data["joint_loss_total"])
    total.backward()
    visible = torch.cat([leaves["visible_1"].grad, leaves["visible_2"].grad])
    near(visible, data["expected_joint_grad_visible"])
    near(leaves["infrared"].grad, data["expected_joint_grad_infrared"])
    stage.after_step()
    near(stage.joint_memory.prototypes, data["joint_memory_after"])
