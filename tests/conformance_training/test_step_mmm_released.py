"""Terms, gradients and prototypes of stage two as the released code trains it."""

import re
from pathlib import Path

import torch
from training_vectors import arrays, each_vector
from vireid.datasets.track import Modality
from vireid.mmm.released_losses import ViewBatch, identity_losses, main_losses
from vireid.mmm.schedules import stage_two_schedule
from vireid.mmm.self_mimic import ViewPrototypes
from vireid.mmm.settings import StageTwoSettings
from vireid.models.network import BatchOutput

VIEWS = ("visible_1", "visible_2", "infrared")
TERMS = {
    "ce": "ID",
    "triplet": "triplet",
    "intra_visible": "visible mimic",
    "intra_infrared": "infrared mimic",
    "inter_visible": "visible alignment",
    "inter_infrared": "infrared alignment",
}
CLOSE = {"rtol": 1e-6, "atol": 1e-9}


def stacked(case, name):
    """The three blocks of ``name``, in double precision."""
    blocks = [torch.from_numpy(case[f"{name}_{view}"]) for view in VIEWS]
    return torch.cat(blocks).double()


def rows(labels, n, confidence=None):
    """The batch as the network saw it: plain visible, exchanged visible, infrared."""
    modalities = torch.tensor([Modality.VISIBLE] * 2 * n + [Modality.INFRARED] * n)
    exchanged = torch.arange(3 * n).div(n, rounding_mode="floor") == 1
    return ViewBatch(labels, modalities, exchanged, confidence)


def main_weights(**given):
    """Weights of the main phase as the stage's own schedule has them."""
    settings = StageTwoSettings(
        data_dir=Path("data"),
        output=Path("run"),
        dataset="sysu-mm01",
        variant="released",
        ce_epochs=5,
        alignment_from=6,
        epochs=100,
        **given,
    )
    return stage_two_schedule(settings).phase(5).losses


def output_of(pooled, logits):
    return BatchOutput(pooled, pooled, logits)


@each_vector("step_mmm_released_*.npz")
def test_the_warm_up_is_the_mean_cross_entropy_of_three_blocks(vector):
    case = arrays(vector)
    logits = stacked(case, "batch0_logits").requires_grad_()
    visible = torch.from_numpy(case["warm_labels_visible"])
    infrared = torch.from_numpy(case["warm_labels_infrared"])
    labels = torch.cat([visible, visible, infrared])
    output = output_of(stacked(case, "batch0_pooled"), logits)
    losses = identity_losses(output, rows(labels, len(visible)))
    assert set(losses) == {"ID"}
    torch.testing.assert_close(losses["ID"].detach(), torch.from_numpy(case["warm_loss"]), **CLOSE)
    losses["ID"].backward()
    torch.testing.assert_close(logits.grad, torch.from_numpy(case["warm_grad_logits"]), **CLOSE)


@each_vector("step_mmm_released_*.npz")
def test_epochs_of_the_main_phase(vector):
    case = arrays(vector)
    weights = main_weights(
        mimic_weight=float(case["intra_weight"]), alignment_weight=float(case["inter_weight"])
    )
    classes, width = int(case["n_class"]), case["batch0_pooled_visible_1"].shape[1]
    prototypes = ViewPrototypes(classes, width, torch.zeros(0, dtype=torch.float64))
    compared = 0
    totals = (re.fullmatch(r"epoch(\d+)_batch(\d+)_total", name) for name in case)
    steps = sorted((int(found[1]), int(found[2])) for found in totals if found)
    epochs = sorted({epoch for epoch, _ in steps})
    assert epochs == list(range(len(epochs))) and len(epochs) > 1
    for epoch in epochs:
        batches = [number for e, number in steps if e == epoch]
        for number in batches:
            inputs, start = f"batch{number}", f"epoch{epoch}_batch{number}"
            pooled = stacked(case, f"{inputs}_pooled").requires_grad_()
            logits = stacked(case, f"{inputs}_logits").requires_grad_()
            labels = torch.from_numpy(case[f"{inputs}_labels"])
            batch = rows(labels.repeat(3), len(labels), stacked(case, f"{inputs}_confidence"))
            losses = main_losses(
                output_of(pooled, logits),
                batch,
                prototypes,
                weights,
                margin=float(case["margin"]),
            )
            assert set(losses) == set(TERMS.values())
            for theirs, ours in TERMS.items():
                wanted = torch.from_numpy(case[f"{start}_{theirs}"])
                torch.testing.assert_close(losses[ours].detach(), wanted, **CLOSE)
            total = torch.stack(list(losses.values())).sum()
            wanted = torch.from_numpy(case[f"{start}_total"])
            torch.testing.assert_close(total.detach(), wanted, **CLOSE)
            for name, wanted in case.items():
                of, source = None, None
                for kind, leaf in (("grad_pooled_", pooled), ("grad_logits_", logits)):
                    if name.startswith(f"{start}_{kind}"):
                        of, source = name.removeprefix(f"{start}_{kind}"), leaf
                if source is None:
                    continue
                term = total if of == "total" else losses[TERMS[of]]
                grad = torch.autograd.grad(term, source, retain_graph=True)[0]
                torch.testing.assert_close(grad, torch.from_numpy(wanted), **CLOSE)
                compared += 1
        for number in batches:
            labels = torch.from_numpy(case[f"batch{number}_labels"]).repeat(3)
            confidence = stacked(case, f"batch{number}_confidence")
            batch = rows(labels, len(labels) // 3, confidence)
            features = stacked(case, f"batch{number}_pooled")
            prototypes.see(features, labels, batch.views, confidence)
        prototypes.renew()
        places = dict(zip(("visible_1", "infrared", "visible_2"), prototypes.values))
        for view in VIEWS:
            wanted = torch.from_numpy(case[f"prototypes_after_epoch{epoch}_{view}"])
            torch.testing.assert_close(places[view], wanted, **CLOSE)
    assert compared
