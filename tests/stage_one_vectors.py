"""Stage one on given features: the stages themselves, on a session without data."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from vireid.baselines.settings import BaselineSettings
from vireid.commands.command_line import parse
from vireid.datasets import Modality
from vireid.engine.runtime import Runtime
from vireid.memory.cluster import cluster_memory

RECIPE = Path(__file__).parents[1] / "configs" / "mmm_sysu_mm01_baseline.yaml"
# Batches come as the augmentation gives them: visible and infrared clips, then second views.
VISIBLE = int(Modality.VISIBLE)
VIEWS = ("visible_1", "infrared", "visible_2")


def recipe(folder, **changed):
    """The published recipe, with what a vector has of its own."""
    flags = ["--config", str(RECIPE), "--data-dir", str(folder), "--output", str(folder / "run")]
    flags += ["--device", "cpu", "--precision", "fp32", "--weights", "none"]
    flags += [f"--{name.replace('_', '-')}={value}" for name, value in changed.items()]
    return parse(BaselineSettings, flags, program="vireid", description="")


def session_of(settings, visible, infrared, cameras=None):
    """A session of so many visible and infrared tracks."""
    modalities = np.repeat([int(Modality.VISIBLE), int(Modality.INFRARED)], [visible, infrared])
    return SimpleNamespace(
        runtime=Runtime("cpu", settings.precision),
        modalities=modalities,
        cameras=np.zeros(len(modalities), np.int64) if cameras is None else cameras,
        options=settings,
        tracks=[None] * len(modalities),
        evaluator=None,
        say=lambda text: None,
    )


def give(stage, data):
    """Gives a stage the labels and memories of each modality that a vector holds."""
    labels = [data["labels_visible"], data["labels_infrared"]]
    stage.labels = np.concatenate(labels)
    give_memories(stage, data)


def give_memories(stage, data):
    """Gives a stage the memories of each modality that a vector holds, in float64."""
    for modality in Modality:
        before = torch.from_numpy(data[f"memory_{modality.name.lower()}_before"]).double()
        stage.memories[modality] = cluster_memory(before, stage.settings)


def batch_of(session, tracks=None):
    """Track numbers and modalities of a batch, all tracks if None; visible ones are seen twice."""
    index = torch.arange(len(session.tracks)) if tracks is None else torch.as_tensor(tracks)
    index = torch.cat([index, index[torch.from_numpy(session.modalities)[index] == VISIBLE]])
    return index, torch.from_numpy(session.modalities)[index]


def features_of(data, prefix=""):
    """The views of a vector as leaves in float64, by name, and joined as the batch has them."""
    leaves = {
        view: torch.from_numpy(data[prefix + view]).double().requires_grad_() for view in VIEWS
    }
    return leaves, torch.cat(list(leaves.values()))


def near(found, expected, name=""):
    """Equal to 1e-9 of the largest value: both sides are computed in float64."""
    found = np.asarray(found.detach() if isinstance(found, torch.Tensor) else found)
    scale = max(1e-3, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale, err_msg=name)
