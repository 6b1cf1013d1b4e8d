"""Two warm-up steps and one main step of stage two with AGW, by the stage and the loop."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from published_fill import checksums, fill_input, fill_state
from training_vectors import arrays, each_vector, names
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings
from vireid.datasets.track import Modality, Track
from vireid.engine.augment import AugmentedBatch
from vireid.engine.feature_room import FeatureRoom
from vireid.engine.runtime import Runtime
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.mmm.schedules import stage_two_schedule
from vireid.mmm.variant_released import ReleasedVariant
from vireid.models import AGW, load_official_agw
from vireid.models.published_agw import to_published_agw
from vireid.pseudo_labels.artefact import Artefact

RECIPE = Path(__file__).parents[2] / "configs" / "mmm_sysu_mm01_released.yaml"
TERMS = {
    "ce": "ID",
    "triplet": "triplet",
    "intra_visible": "visible mimic",
    "intra_infrared": "infrared mimic",
    "inter_visible": "visible alignment",
    "inter_infrared": "infrared alignment",
}


def network(case, keys):
    """AGW with the filled state of the vector, in double precision."""
    shapes = {name: t.shape for name, t in to_published_agw(AGW(int(case["class_num"]))).items()}
    assert sorted(shapes) == keys
    state = fill_state(shapes, int(case["fill_key"]), "bottleneck.")
    return load_official_agw(state).double()


def settings_of(case):
    """The recipe, with the base rate that the vector's first step was made with."""
    flags = ["--config", str(RECIPE), "--data-dir", "data", "--output", "run", "--baseline", "run"]
    recipe = parse(MMMSettings, flags, program="vireid", description="")
    # The vector's last step is the first of the main phase.
    recipe = replace(recipe, ce_epochs=int(case["epochs"][2]), alignment_from=0)
    first = stage_two_schedule(recipe).rates(int(case["epochs"][0]))[1]
    lr, rate = float(case["lr_head"][0]), float(case["lr_backbone"][0] / case["lr_head"][0])
    return replace(recipe, lr=recipe.lr * lr / first, backbone_rate=rate)


def images_of(case):
    """Plain visible, infrared and exchanged visible images, as the augmentation gives them."""
    plain, exchanged, infrared = (
        fill_input(case["shape"], int(case["image_key"]) + view) for view in range(3)
    )
    assert plain.flatten()[:8].tolist() == pytest.approx(case["image_first"].tolist(), abs=0)
    assert float(plain.double().sum()) == pytest.approx(float(case["image_sum"]))
    return torch.cat([plain, infrared, exchanged]).double()


class Batches:
    """The tracks of a vector: those of the warm-up, of the main step, and one of every class.

    The last ones show that every class is of both modalities, as the matching leaves them.
    """

    def __init__(self, case):
        self.images, self.n = images_of(case), int(case["shape"][0])
        every = np.arange(int(case["class_num"]))
        sides = (
            np.concatenate([case[f"warm_labels_{side}"], case["labels"], every])
            for side in ("visible", "infrared")
        )
        self.labels = np.concatenate(list(sides))
        self.side = len(self.labels) // 2
        self.modalities = np.repeat([int(Modality.VISIBLE), int(Modality.INFRARED)], self.side)

    def tracks(self, main):
        """Track numbers of a batch: visible, then infrared."""
        rows = torch.arange(self.n) + (self.n if main else 0)
        return torch.cat([rows, rows + self.side])

    def augment(self, clips, index, step):
        """Both views of the visible images, the second one last."""
        tracks = torch.cat([index, index[: self.n]])
        exchanged = torch.arange(3 * self.n) >= 2 * self.n
        modalities = torch.from_numpy(self.modalities)[tracks]
        return AugmentedBatch(self.images, modalities, tracks, exchanged)

    def confidence(self, case):
        """Of every track in its plain and its exchanged view."""
        found = torch.zeros(2, len(self.labels), dtype=torch.float64)
        visible, infrared = self.tracks(main=True).split(self.n)
        found[0, visible] = torch.from_numpy(case["confidence_visible_1"])
        found[1, visible] = torch.from_numpy(case["confidence_visible_2"])
        found[0, infrared] = torch.from_numpy(case["confidence_infrared"])
        return found


def stage_of(case, batches, settings, model, folder):
    """The stage on the tracks of a vector, with the vector's labels, confidences and images."""
    tracks = [
        Track((Path(f"{n}.jpg"),), Modality(code), 0, None, str(n))
        for n, code in enumerate(batches.modalities)
    ]
    features = torch.eye(int(case["class_num"]))[torch.from_numpy(batches.labels)]
    artefact = Artefact(
        folder, [t.key for t in tracks], batches.labels, *features.split(batches.side)
    )
    ignore = SimpleNamespace(confidence=lambda *a: None)
    session = SimpleNamespace(
        tracks=tracks,
        modalities=batches.modalities,
        cameras=np.zeros(len(tracks), int),
        runtime=Runtime("cpu", "fp32"),
        options=settings,
        evaluator=ignore,
        say=lambda text: None,
        feature_room=FeatureRoom(torch.device("cpu"), print),
        # The pass for the prototypes sees the main step's batch again.
        training_clips=lambda lists, seed, **_: [(batches.images, batches.tracks(main=True))],
    )
    state = {name: value.clone() for name, value in model.state_dict().items()}
    stage = ReleasedVariant(session, settings, model, artefact)
    assert stage.unified.tolist() == batches.labels.tolist()
    model.load_state_dict(state)  # the stage makes a classifier of its own
    stage.augment = batches.augment
    stage.looks = dict.fromkeys(stage.looks, batches.augment)
    # The vector has no pass for the confidences.
    stage._confidence = lambda epoch: batches.confidence(case)
    return stage


@each_vector("step_agw_*.npz", holding="warm_losses")
def test_weights_after_each_step_and_after_the_pass_for_prototypes(vector, tmp_path):
    case = arrays(vector)
    keys, used = names(case["keys_utf8"]), case["used"].astype(bool)
    model, settings, batches = network(case, keys), settings_of(case), Batches(case)
    stage = stage_of(case, batches, settings, model, tmp_path)
    for epoch, *rates in zip(case["epochs"], case["lr_backbone"], case["lr_head"]):
        assert stage.schedule.rates(int(epoch)) == pytest.approx([float(rate) for rate in rates])
    optimiser = make_optimiser(model, settings, stage.schedule.rate.base)
    run = SimpleNamespace(path=tmp_path, record=lambda *a, **k: None, log=lambda *a: None)
    found = {}

    def losses(clips, index, step):
        terms = stage.losses(clips, index, step)
        found.update({name: float(value.detach()) for name, value in terms.items()})
        return terms

    def take(number, main):
        found.clear()
        epoch = int(case["epochs"][number])
        stage.begin_epoch(epoch, number)
        model.train()
        train_epoch(
            stage.session.runtime,
            run,
            Position(stage.name, epoch, stage.epochs, number),
            optimiser,
            stage.schedule.rate,
            [(batches.images, batches.tracks(main))],
            1,
            losses,
            stage.after_step,
        )

    def compare(name):
        ours = checksums(to_published_agw(model), int(case["checksum_key"]))
        ours, wanted = np.array([ours[k] for k in keys]), case[f"after_{name}_checksum"]
        np.testing.assert_allclose(ours[used], wanted[used], rtol=1e-6, atol=1e-6, err_msg=name)

    for number in range(2):
        take(number, main=False)
        assert found == {"ID": pytest.approx(float(case["warm_losses"][number]), rel=1e-6)}
        compare(f"warm{number + 1}")

    take(2, main=True)
    assert set(found) == set(TERMS.values())
    for theirs, ours in TERMS.items():
        assert found[ours] == pytest.approx(float(case[f"main_{theirs}"]), rel=1e-6)
    assert sum(found.values()) == pytest.approx(float(case["main_total"]), rel=1e-6)
    compare("main")

    stage.end_epoch(int(case["epochs"][2]), 3)
    compare("prototype_pass")
    prototypes = stage.prototypes.values[[0, 2, 1]]  # ours has the exchanged view last
    norms, first = case["prototypes_norm"], case["prototypes_first"]
    np.testing.assert_allclose(prototypes.norm(dim=2), norms, rtol=1e-6, atol=1e-9)
    shown = prototypes[:, :, : first.shape[2]]
    np.testing.assert_allclose(shown, first, rtol=1e-6, atol=1e-9)
