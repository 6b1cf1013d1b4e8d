"""Two warm-up steps and one main step of stage two, with AGW and its optimiser."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from published_fill import checksums, fill_input, fill_state
from training_vectors import arrays, each_vector, names
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings
from vireid.datasets.track import Modality
from vireid.engine.runtime import Runtime
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.mmm.released_losses import ViewBatch, identity_losses, main_losses
from vireid.mmm.schedules import stage_two_schedule
from vireid.mmm.self_mimic import ViewPrototypes
from vireid.models import AGW, load_official_agw
from vireid.models.published_agw import to_published_agw

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
    """Plain visible, exchanged visible and infrared images, one after another."""
    views = [fill_input(case["shape"], int(case["image_key"]) + n) for n in range(3)]
    assert views[0].flatten()[:8].tolist() == pytest.approx(case["image_first"].tolist(), abs=0)
    assert float(views[0].double().sum()) == pytest.approx(float(case["image_sum"]))
    return torch.cat(views).double()


@each_vector("step_agw_*.npz", holding="warm_losses")
def test_weights_after_each_step_and_after_the_pass_for_prototypes(vector, tmp_path):
    case = arrays(vector)
    keys, used = names(case["keys_utf8"]), case["used"].astype(bool)
    model, images = network(case, keys), images_of(case)
    n = int(case["shape"][0])
    modalities = torch.tensor([Modality.VISIBLE] * 2 * n + [Modality.INFRARED] * n)
    exchanged = torch.arange(3 * n).div(n, rounding_mode="floor") == 1
    confidence = torch.cat(
        [torch.from_numpy(case[f"confidence_{v}"]) for v in ("visible_1", "visible_2", "infrared")]
    )
    settings = settings_of(case)
    schedule = stage_two_schedule(settings)
    for epoch, *rates in zip(case["epochs"], case["lr_backbone"], case["lr_head"]):
        assert schedule.rates(int(epoch)) == pytest.approx([float(rate) for rate in rates])
    optimiser = make_optimiser(model, settings, settings.lr)
    runtime = Runtime("cpu", "fp32")
    prototypes = ViewPrototypes(
        int(case["class_num"]), model.classifier.in_features, model.classifier.weight
    )
    found = {}

    def take(step, losses_of):
        def kept(clips, index, number):
            found.update(losses_of(model.forward_features(clips, modalities)))
            return found

        found.clear()
        model.train()
        train_epoch(
            runtime,
            SimpleNamespace(path=tmp_path, record=lambda *a, **k: None, log=lambda *a: None),
            Position("mmm", int(case["epochs"][step]), settings.epochs, step),
            optimiser,
            schedule.rate,
            [(images, torch.arange(3 * n))],
            1,
            kept,
        )

    def compare(name):
        wanted, ours = case[f"after_{name}_checksum"], checksums(to_published_agw(model), key)
        ours = torch.tensor([ours[k] for k in keys], dtype=torch.float64)[used]
        torch.testing.assert_close(ours, torch.from_numpy(wanted)[used], rtol=1e-6, atol=1e-6)

    key = int(case["checksum_key"])
    visible, infrared = (
        torch.from_numpy(case[f"warm_labels_{s}"]) for s in ("visible", "infrared")
    )
    warm = ViewBatch(torch.cat([visible, visible, infrared]), modalities, exchanged)
    for step in range(2):
        take(step, lambda output: identity_losses(output, warm))
        assert float(found["ID"].detach()) == pytest.approx(case["warm_losses"][step], rel=1e-6)
        compare(f"warm{step + 1}")

    main = ViewBatch(torch.from_numpy(case["labels"]).repeat(3), modalities, exchanged, confidence)
    weights = schedule.phase(int(case["epochs"][2])).losses
    take(2, lambda output: main_losses(output, main, prototypes, weights))
    for theirs, ours in TERMS.items():
        wanted = float(case[f"main_{theirs}"])
        assert float(found[ours].detach()) == pytest.approx(wanted, rel=1e-6)
    total = sum(float(value.detach()) for value in found.values())
    assert total == pytest.approx(float(case["main_total"]), rel=1e-6)
    compare("main")

    with torch.no_grad():
        output = model.forward_features(images, modalities)
    prototypes.see(output.pooled, main.labels, main.views, confidence)
    prototypes.renew()
    compare("prototype_pass")
    found_prototypes = prototypes.values[[0, 2, 1]]  # ours has the exchanged view last
    wanted = torch.from_numpy(case["prototypes_norm"])
    torch.testing.assert_close(found_prototypes.norm(dim=2), wanted, rtol=1e-6, atol=1e-9)
    first = torch.from_numpy(case["prototypes_first"])
    shown = found_prototypes[:, :, : first.shape[2]]
    torch.testing.assert_close(shown, first, rtol=1e-6, atol=1e-9)
