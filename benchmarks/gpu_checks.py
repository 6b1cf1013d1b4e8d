"""What has to work on a card, each a function that raises where it does not and says what it saw.

Everything goes through the package's own functions, so that neither an installed command nor its
parser is needed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from vireid.baselines.settings import BaselineSettings
from vireid.baselines.train import run_baseline
from vireid.clustering.dbscan import dbscan
from vireid.clustering.jaccard import jaccard_distance
from vireid.engine.runtime import Runtime
from vireid.engine.step_memory import StepShape, training_step_memory
from vireid.errors import Stopped
from vireid.evaluation import rank_metrics
from vireid.mmm.settings import StageTwoSettings
from vireid.mmm.train import train_stage_two
from vireid.supervised.m3reid_stage import Supervised
from vireid.supervised.settings import SupervisedSettings
from vireid.supervised.train import train_supervised

from . import train_step
from .gpu_place import Place, losses_of, near, need, records, said
from .measure import measure
from .optimisers import fused_and_plain_apart
from .people import people

# Two dozen tracks of a modality: with longer lists everything becomes one cluster.
TINY_LISTS: dict[str, Any] = {"k1": 6, "k2": 3, "min_samples": 2}


def precisions(place: Place) -> str:
    """fp16 with its scaled loss, bf16 and float32 from the published augmentation on."""
    found = []
    for precision in ("fp16", "bf16", "fp32"):
        run = place.from_labels(f"precision-{precision}", precision=precision)
        (first,) = records(run, "run")
        wanted = precision if place.device == "cuda" else first["training_precision"]
        need(first["training_precision"] == wanted, f"{first['training_precision']} was computed")
        state = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
        need(bool(state["scaler"]) == (wanted == "fp16"), f"scaler {state['scaler']}")
        found.append(f"{wanted}: {said(run)}")
    return "; ".join(found)


def optimisers(place: Place) -> str:
    """Fused optimisers, with and without a scaled loss, beside plain ones; SGD in a run."""
    apart = fused_and_plain_apart(place.torch_device)
    need(apart < 1e-4, f"fused optimisers are {apart:.1e} from plain ones")
    return f"{apart:.1e} apart; SGD: {said(place.from_labels('sgd', optimiser='sgd'))}"


def compiled(place: Place) -> str:
    """`--compile`, beside the same steps without."""
    plain, run = (place.from_labels(f"compile-{on}", compile=on) for on in (False, True))
    log = (run / "log.txt").read_text(encoding="utf-8")
    need("goes on without compiling" not in log, "the compiler's tools are not there")
    return f"{near(run, plain)}; {said(run)}"


def parts(place: Place) -> str:
    """`--accumulate 2` and `--bn-batch`: the same batch-norm groups give the same losses."""
    half = (12 if place.small else 32) // 2
    split = place.from_labels("accumulate", accumulate=2)
    groups = place.from_labels("bn-batch", bn_batch=half)
    peaks = [records(run, "train")[-1]["peak_memory_mib"] for run in (split, groups)]
    return f"{near(split, groups)}; peak of the process {peaks[0]:.0f} and {peaks[1]:.0f} MiB"


def resume(place: Place) -> str:
    """A run that a scheduler stops in the middle of an epoch, against the whole run."""
    steps = 3 if place.small else 10
    given = {"epochs": 2, "steps": steps, "precision": "fp16"}
    whole = place.from_labels("resume-whole", **given)
    settings = SupervisedSettings(**place.settings("resume-stopped", **given))
    stopped = False
    try:
        with stopped_at(steps + 1):
            train_supervised(settings)
    except Stopped:
        stopped = True
    need(stopped, "the run was not stopped")
    again = place.train(dataclasses.replace(settings, resume="output"))
    states = [
        torch.load(run / "checkpoints" / "last.pt", weights_only=True, map_location="cpu")
        for run in (whole, again)
    ]
    need(states[0]["scaler"] == states[1]["scaler"], "the scale of the loss is another")
    need(states[0]["step"] == states[1]["step"], "the number of steps is another")
    pairs = [(states[0]["model"][name], states[1]["model"][name]) for name in states[0]["model"]]
    same = all(torch.equal(one, other) for one, other in pairs)
    precision = records(whole, "run")[0]["training_precision"]
    return (
        f"in {precision}: {near(again, whole)}; weights equal to the bit: {'yes' if same else 'no'}"
    )


@contextmanager
def stopped_at(batch: int) -> Iterator[None]:
    """A scheduler's word in this batch of a training from labels."""
    losses, seen = Supervised.losses, []

    def counted(self: Supervised, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        seen.append(step)
        if len(seen) == batch:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(self, clips, index, step)

    Supervised.losses = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Supervised.losses = losses  # type: ignore[method-assign]


def two_processes(place: Place) -> str:
    """Two processes that share the device and exchange by gloo, against one."""
    one = place.from_labels("one-process")
    given = place.settings("two-processes", epochs=1, steps=3 if place.small else 20)
    file = place.folder / "two-processes.json"
    file.write_text(json.dumps(given, default=str), encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [sys.executable, *launcher, "-m", "benchmarks.gpu_worker", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    need(done.returncode == 0, (done.stdout + done.stderr)[-2000:])
    (first,) = records(place.folder / "two-processes", "run")
    need(first["processes"] == 2, f"{first['processes']} processes")
    return near(place.folder / "two-processes", one)


def stage_one(place: Place) -> str:
    """AGW in 1a and 1b, with clusterings between."""
    run = run_baseline(BaselineSettings(**stage_one_settings(place)))
    assert run is not None
    losses_of(run.path)
    stages = {one["stage"] for one in records(run.path, "train")}
    need({"intra_modality", "cross_modality"} <= stages, f"only {sorted(stages)} were trained")
    return said(run.path)


def stage_one_settings(place: Place) -> dict[str, Any]:
    """Of a short stage one, with labels good enough for stage two."""
    short: dict[str, Any] = {"pretrain_epochs": 1, "pretrain_steps": 2, "pretrain_tracks": 6}
    if not place.small:
        short = {"pretrain_epochs": 3, "pretrain_steps": 20, "pretrain_tracks": 32}
    lists = {**TINY_LISTS, "joint_k1": 8, "joint_k2": 4} if place.small else {}
    more = {"intra_epochs": 1, "cross_epochs": 1, "steps": 3 if place.small else 20}
    name = "stage-one"
    return place.settings(name, network="agw", on_collapse="relax", **short, **lists, **more)


def stage_two(place: Place, variant: str) -> str:
    """MMM as the paper or the released code has it, from the stage one of the check before."""
    given = place.settings(
        f"mmm-{variant}",
        network="agw",
        variant=variant,
        baseline=place.folder / "stage-one",
        on_collapse="relax",
        epochs=2,
        steps=3 if place.small else 20,
        **(TINY_LISTS if place.small else {}),
    )
    if variant == "released":
        given |= {"ce_epochs": 1, "alignment_from": 2}
    run = train_stage_two(StageTwoSettings(**given))
    assert run is not None
    losses_of(run.path)
    return said(run.path)


def labels_and_metrics(place: Place) -> str:
    """Clustering and ranking give on the device what they give on the CPU."""
    count = 300 if place.small else 5000
    rows, ids, cameras = people(count, place.sizes.width)
    found = [dbscan(jaccard_distance(part), 0.6) for part in (rows, rows.to(place.device))]
    need(bool((found[0] == found[1]).all()), "labels differ")
    similarity, half = rows[: count // 5] @ rows[count // 5 :].T, count // 5
    given = similarity, ids[:half], ids[half:], cameras[:half], cameras[half:]
    here, there = rank_metrics(*given), rank_metrics(*(part.to(place.device) for part in given))
    need(here.mAP == there.mAP, f"mAP {here.mAP} and {there.mAP}")
    return f"{found[0].max() + 1} clusters, mAP {here.mAP:.4f}"


def memory(place: Place) -> str:
    """The peak of a step against what `--dry-run` expects of it."""
    clips, frames, height, width = place.sizes.step
    device, precision = place.torch_device, "bf16" if place.device == "cuda" else "fp32"
    dtype = torch.bfloat16 if place.device == "cuda" else torch.float32
    model = train_step.network(place.sizes.backbone)
    step = train_step.ours(model, device, dtype)
    shape = StepShape(clips // 2, clips - clips // 2, frames, height, width)
    expected = training_step_memory(step.model, shape, Runtime(place.device, precision))  # type: ignore[arg-type]
    batch = train_step.batch_of(clips, frames, height, width)
    step(batch)
    taken = measure(lambda: step(batch), device).mebibytes
    if taken is None:
        return "the system does not tell the peak"
    # The gradients of the step before are held all the time, and expected as part of the step.
    share = (taken * 2**20 + expected.gradients) / expected.activations
    text = f"{taken:,.0f} MiB beside gradients; the step takes {share:.2f} of what was expected"
    if place.device == "cuda":
        need(0.7 < share < 1.1, text)
    return text


CHECKS: dict[str, Callable[[Place], str]] = {
    "fp16, bf16, fp32": precisions,
    "fused optimisers": optimisers,
    "AGW in 1a and 1b": stage_one,
    "MMM, paper": lambda place: stage_two(place, "paper"),
    "MMM, released": lambda place: stage_two(place, "released"),
    "compile": compiled,
    "accumulate and bn-batch": parts,
    "resume in fp16": resume,
    "two processes, one device": two_processes,
    "labels and metrics of the CPU": labels_and_metrics,
    "memory as a dry run expects": memory,
}
