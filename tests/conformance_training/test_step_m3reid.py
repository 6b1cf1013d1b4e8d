"""Three steps of supervised M3-ReID, from given weights, by the stage and its loop."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from published_fill import checksums, fill_input, fill_state
from training_vectors import arrays, each_vector, names
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings
from vireid.datasets import Modality
from vireid.engine.augment import AugmentedBatch
from vireid.engine.run_folder import RunFolder
from vireid.engine.runtime import Runtime
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.models import M3ReID, load_official_m3reid, to_published_m3reid
from vireid.models.published_m3reid import published_name
from vireid.supervised.m3reid_stage import Supervised

RECIPE = Path(__file__).parents[2] / "configs" / "m3reid_hitsz_vcm.yaml"
# The published terms by our names.
TERMS = {
    "ID clip": "loss_id",
    "ID frame": "loss_id_frames",
    "MMA clip": "loss_mma_clip",
    "MMA frame": "loss_mma_frames",
    "OFR": "loss_ofr",
    "DAC": "loss_dac",
}


def recipe(tmp_path, lr, batch):
    """The published recipe with the learning rate and the batch size of the vector."""
    flags = ["--config", str(RECIPE), "--data-dir", str(tmp_path), "--lr", repr(lr)]
    flags += ["--output", str(tmp_path / "run"), "--device", "cpu", "--precision", "fp32"]
    flags += ["--p-num", "1", "--k-num", str(batch)]
    return parse(MMMSettings, flags, program="vireid", description="")


def filled_network(data):
    """The network with the deterministic weights, in float64."""
    shapes = {
        name: tensor.shape
        for name, tensor in to_published_m3reid(M3ReID(int(data["class_num"]))).items()
    }
    assert sorted(shapes) == names(data["keys_utf8"])
    state = fill_state(shapes, int(data["fill_key"]), "bn_neck")
    model = load_official_m3reid(state, int(data["shape"][1])).double()
    return model.to(memory_format=torch.channels_last).train()


def gradient_norms(model, tops):
    """Norm of the gradients of each top module, by published names."""
    squares = dict.fromkeys(tops, 0.0)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            published = published_name(name)
            (top,) = (top for top in tops if published.startswith(top + "."))
            squares[top] += float(parameter.grad.square().sum())
    return np.sqrt(list(squares.values()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What three steps of a vector give: loss terms, gradient norms, the state at the end."""
    done = {}

    def train(vector):
        if vector not in done:
            done[vector] = _train(arrays(vector), tmp_path_factory.mktemp("m3reid"))
        return done[vector]

    return train


def _train(data, folder):
    clips = fill_input(data["shape"], int(data["clip_key"]))
    torch.testing.assert_close(
        clips.flatten()[: len(data["clip_first"])], torch.from_numpy(data["clip_first"])
    )
    assert math.isclose(clips.double().sum().item(), data["clip_sum"], rel_tol=1e-9)
    steps, identities = len(data["loss_total"]), data["ids"].astype(np.int64)
    settings = recipe(folder, float(data["lr"]), len(identities))
    modalities = np.where(data["mods"] == 1, int(Modality.INFRARED), int(Modality.VISIBLE))
    runtime = Runtime("cpu", settings.precision)
    session = SimpleNamespace(
        runtime=runtime, modalities=modalities, options=settings, say=lambda text: None
    )
    model = filled_network(data)
    stage = Supervised(session, settings, model, identities)
    # The batch is given as it comes out of the augmentation.
    images, index = clips.double(), torch.arange(len(clips))
    codes = torch.from_numpy(modalities)
    nothing = torch.zeros(len(clips), dtype=torch.bool)
    stage.augment = lambda clips, index, step: AugmentedBatch(clips, codes, index, nothing)
    terms, norms, hits = [], [], []
    classes = torch.from_numpy(identities)
    model.classifier.register_forward_hook(
        lambda _, given, logits: hits.append((logits.argmax(1) == classes).double().mean().item())
    )

    def losses(clips, index, step):
        losses = stage.losses(clips, index, step)
        terms.append({name: float(value.detach()) for name, value in losses.items()})
        return losses

    def after_step():
        stage.after_step()
        norms.append(gradient_norms(model, names(data["top_modules_utf8"])))

    run = RunFolder(folder / "run", "{}\n", resume=False)
    try:
        train_epoch(
            runtime,
            run,
            Position(stage.name, 0, 1, 0),
            make_optimiser(model, settings, stage.schedule.rate.base),
            stage.schedule.rate,
            [(images, index)] * steps,
            steps,
            losses,
            after_step,
        )
    finally:
        run.close()
    return data, terms, norms[0], to_published_m3reid(model), hits


def tolerance(step):
    return 1e-6 if step == 0 else 1e-4


@each_vector("step_m3reid_*.npz")
def test_losses_of_every_step(vector, trained):
    data, found, _, _, hits = trained(vector)
    np.testing.assert_allclose(hits, data["cls_acc"])
    assert len(found) == len(data["loss_total"]) > 0
    for step, terms in enumerate(found):
        assert set(terms) == set(TERMS)
        for name, published in TERMS.items():
            assert terms[name] == pytest.approx(data[published][step], rel=tolerance(step)), name
        total = sum(terms.values())
        assert total == pytest.approx(data["loss_total"][step], rel=tolerance(step))


@each_vector("step_m3reid_*.npz")
def test_gradient_norms_of_the_first_step(vector, trained):
    data, _, norms, _, _ = trained(vector)
    np.testing.assert_allclose(norms, data["grad_norm"], rtol=1e-6)


@each_vector("step_m3reid_*.npz")
def test_weights_and_statistics_after_the_last_step(vector, trained):
    data, _, _, state, _ = trained(vector)
    keys = names(data["keys_utf8"])
    values = [state[key].detach().double() for key in keys]
    mean, std = data["after_mean"], data["after_std"]
    np.testing.assert_allclose([v.mean() for v in values], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose([v.std(correction=0) for v in values], std, rtol=1e-4, atol=1e-6)
    sums = checksums(state, int(data["checksum_key"]))
    found = [sums[key] for key in keys]
    np.testing.assert_allclose(found, data["after_checksum"], rtol=1e-4, atol=1e-3)
