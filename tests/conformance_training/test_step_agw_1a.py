"""Iterations of stage 1a with the network and its optimiser, from given weights, by the loop."""

import math

import numpy as np
import pytest
import torch
from published_fill import checksums, fill_input, fill_state
from stage_one_vectors import batch_of, give, recipe, session_of
from training_vectors import arrays, each_vector, names
from vireid.baselines.intra_modality import IntraModality
from vireid.datasets import Modality
from vireid.engine.augment import AugmentedBatch
from vireid.engine.run_folder import RunFolder
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.models import AGW, load_official_agw, to_published_agw

# Steps of stage one have two memories.
EACH = each_vector("step_agw_*.npz", holding="memory_visible_before")


def filled_network(data):
    """The network with the deterministic weights, in float64, and all names of its state."""
    keys = names(data["keys_utf8"])
    shapes = {name: tensor.shape for name, tensor in to_published_agw(AGW(1)).items()}
    state = fill_state({name: shapes[name] for name in keys}, int(data["fill_key"]), "bottleneck")
    del state["classifier.weight"]  # stage one has none; the published one is never used
    model = load_official_agw(state).double().to(memory_format=torch.channels_last)
    return model.train(), keys


def views_of(data):
    """The images of an iteration as the augmentation gives them."""
    key = int(data["image_key"])
    first, second, infrared = (fill_input(data["shape"], key + view) for view in range(3))
    start = data["image_first"]
    np.testing.assert_allclose(first.flatten()[: len(start)], start, atol=1e-6)
    assert math.isclose(first.double().sum().item(), data["image_sum"], rel_tol=1e-9)
    return torch.cat([first, infrared, second]).double()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Losses, states after the steps, and the stage, of a vector."""
    done = {}

    def train(vector):
        if vector not in done:
            done[vector] = _train(arrays(vector), tmp_path_factory.mktemp("agw"))
        return done[vector]

    return train


def _train(data, folder):
    settings = recipe(folder, lr=float(data["lr"]))
    rows = len(data["labels_visible"]), len(data["labels_infrared"])
    session = session_of(settings, *rows)
    model, keys = filled_network(data)
    stage = IntraModality(session, settings, model)
    give(stage, data)
    tracks, modalities = batch_of(session)
    exchanged = torch.arange(len(tracks)) >= sum(rows)
    images = views_of(data)
    # The batch is given as it comes out of the augmentation.
    stage.augment = lambda clips, index, step: AugmentedBatch(images, modalities, tracks, exchanged)
    terms, states = [], []

    def losses(clips, index, step):
        found = stage.losses(clips, index, step)
        terms.append({name: float(value.detach()) for name, value in found.items()})
        return found

    def after_step():
        stage.after_step()
        state = {name: value.clone() for name, value in to_published_agw(model).items()}
        states.append(
            checksums({key: state.get(key, torch.zeros(1)) for key in keys}, data["checksum_key"])
        )

    steps = len(data["loss_visible"])
    run = RunFolder(folder / "run", "{}\n", resume=False)
    try:
        train_epoch(
            session.runtime,
            run,
            Position(stage.name, 0, stage.epochs, 0),
            make_optimiser(model, settings, stage.schedule.rate.base),
            stage.schedule.rate,
            [(images, torch.arange(sum(rows)))] * steps,
            steps,
            losses,
            after_step,
        )
    finally:
        run.close()
    return data, terms, states, stage


@EACH
def test_losses_of_every_step(vector, trained):
    data, terms, _, _ = trained(vector)
    assert len(terms) == len(data["loss_visible"]) > 0
    for side in ("visible", "infrared"):
        found = [step[f"{side} memory"] for step in terms]
        np.testing.assert_allclose(found, data[f"loss_{side}"], rtol=1e-5)


@EACH
def test_weights_and_statistics_after_the_steps(vector, trained):
    data, _, states, _ = trained(vector)
    used = data["used"].astype(bool)
    assert used.any()
    for step in (1, len(states)):
        expected = data[f"after_step{step}_checksum"][used]
        found = np.array([states[step - 1][key] for key in names(data["keys_utf8"])])[used]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=f"step {step}")


@EACH
def test_memories_after_the_last_step(vector, trained):
    data, _, _, stage = trained(vector)
    for modality in Modality:
        found = stage.memories[modality].prototypes
        np.testing.assert_allclose(
            found, data[f"memory_{modality.name.lower()}_after"], rtol=0, atol=1e-5
        )
