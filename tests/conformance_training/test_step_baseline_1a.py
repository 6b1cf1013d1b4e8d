"""An iteration of stage 1a on given features: losses, gradients, memory writes."""

import pytest
from stage_one_vectors import batch_of, features_of, give, near, recipe, session_of
from training_vectors import arrays, each_vector
from vireid.baselines.intra_modality import IntraModality
from vireid.datasets import Modality


@pytest.fixture
def given(tmp_path):
    """The stage with labels and memories of a vector, and the vector's arrays."""

    def start(vector):
        data = arrays(vector)
        settings = recipe(
            tmp_path,
            memory_temperature=float(data["temperature"]),
            memory_momentum=float(data["momentum"]),
        )
        sides = (len(data["labels_visible"]), len(data["labels_infrared"]))
        stage = IntraModality(session_of(settings, *sides), settings, None)
        give(stage, data)
        return stage, data

    return start


@each_vector("step_baseline_1a_*.npz")
def test_losses_and_gradients(vector, given):
    stage, data = given(vector)
    leaves, features = features_of(data)
    index, modalities = batch_of(stage.session)
    losses = stage.feature_losses(features, index, modalities)
    assert set(losses) == {"visible memory", "infrared memory"}
    near(losses["visible memory"], data["loss_visible"])
    near(losses["infrared memory"], data["loss_infrared"])
    total = sum(losses.values())
    near(total, data["loss_total"])
    total.backward()
    for name, leaf in leaves.items():
        near(leaf.grad, data[f"grad_{name}"], name)


@each_vector("step_baseline_1a_*.npz")
def test_the_memories_are_written_after_the_step(vector, given):
    stage, data = given(vector)
    _, features = features_of(data)
    stage.feature_losses(features, *batch_of(stage.session))
    near(stage.memories[Modality.VISIBLE].prototypes, data["memory_visible_before"])
    stage.after_step()
    near(stage.memories[Modality.VISIBLE].prototypes, data["memory_visible_after"])
    near(stage.memories[Modality.INFRARED].prototypes, data["memory_infrared_after"])
