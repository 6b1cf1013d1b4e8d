"""What each variant of stage two does by epoch, known from the settings alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engine.schedule import (
    Batch,
    Phase,
    StageSchedule,
    clips_of_batch,
    learning_rate,
    optimiser_rule,
)
from ..losses.registry import parse_losses
from .epoch_length import fixed_steps
from .settings import StageTwoSettings

PASS = "one pass over the larger modality: its tracks / (P x K/2), rounded down, + 1"
UNIFIED = "unified clusters, K/2 clips of each modality; K of the one where there is one"


def stage_two_schedule(settings: StageTwoSettings) -> StageSchedule:
    """The schedule of the one stage, as the variant has it.

    Args:
        settings: of the command.
    """
    return StageSchedule(
        "mmm",
        learning_rate(settings, settings.epochs),
        optimiser_rule(settings),
        PHASES[settings.variant](settings),
        fixed_steps(settings) or PASS,
        "encoder of stage one",
        _settings(settings),
    )


def _vireid(settings: StageTwoSettings) -> tuple[Phase, ...]:
    weight = settings.memory_weight
    losses = {
        "memory": weight,
        "own memory": settings.own_memory_weight * weight,
        "cross memory": settings.cross_memory_weight * weight,
        "contrast": settings.contrast_weight,
        "mimic": settings.mimic_weight,
        **_separation(settings),
        **parse_losses(settings.extra_loss),
    }
    memory = "unified clusters and those of each modality, anew each epoch; all clips after a step"
    return _with_alignment(settings, losses, memory)


def _paper(settings: StageTwoSettings) -> tuple[Phase, ...]:
    losses = {
        **{f"{side} memory": settings.memory_weight for side in ("visible", "infrared", "union")},
        "contrast": settings.contrast_weight,
        "mimic": settings.mimic_weight,
        **_separation(settings),
        **parse_losses(settings.extra_loss),
    }
    memory = "visible, infrared and joint clusters, anew each epoch; own clips after a step"
    return _with_alignment(settings, losses, memory)


def _released(settings: StageTwoSettings) -> tuple[Phase, ...]:
    first = {"ID": 1.0, **_separation(settings)}
    if settings.network != "agw":
        first["ID frame"] = 1.0
    later = {**first, "triplet": 1.0, "mimic": settings.mimic_weight}
    batches = (_batch(settings),)
    phases = [Phase(0, _kept(first), batches)] if settings.ce_epochs else []
    found = _with_alignment(settings, later, "")
    phases += [
        Phase(max(phase.first, settings.ce_epochs), phase.losses, batches)
        for number, phase in enumerate(found)
        if number + 1 == len(found) or found[number + 1].first > settings.ce_epochs
    ]
    return tuple(phases)


PHASES: Mapping[str, Callable[[StageTwoSettings], tuple[Phase, ...]]] = {
    "vireid": _vireid,
    "paper": _paper,
    "released": _released,
}


def _with_alignment(
    settings: StageTwoSettings, losses: Mapping[str, float], memory: str
) -> tuple[Phase, ...]:
    """One phase, and a second that adds the alignment where it comes later."""
    batches = (_batch(settings),)
    before = Phase(0, _kept(losses), batches, memory)
    if not settings.alignment_weight:
        return (before,)
    first = max(0, settings.alignment_from - 1)
    after = {**losses, "alignment": settings.alignment_weight}
    later = Phase(first, _kept(after), batches, memory)
    return (before, later) if first else (later,)


def _kept(losses: Mapping[str, float]) -> dict[str, float]:
    """The terms that have a weight."""
    return {name: weight for name, weight in losses.items() if weight}


def _separation(settings: StageTwoSettings) -> dict[str, float]:
    """M3-ReID's separation; a network of images has neither frames nor masks."""
    weight = 0.0 if settings.network == "agw" else settings.separation_weight
    return {"OFR": weight, "DAC": weight}


def _batch(settings: StageTwoSettings) -> Batch:
    half = settings.p_num * settings.k_num // 2
    return Batch(UNIFIED, settings.p_num, settings.k_num, clips_of_batch(settings, half, half))


def _settings(settings: StageTwoSettings) -> dict[str, Any]:
    names = ["img_h", "img_w", "seed", "flip", "variant", "memories", "cost", "matcher"]
    if settings.variant != "released":
        names += ["rematch_interval", "k1", "k2", "eps", "min_samples"]
        names += ["memory_temperature", "memory_momentum", "memory_mode"]
    if settings.variant == "paper":
        names += ["joint_k1", "joint_k2", "joint_eps"]
    return {name: getattr(settings, name) for name in names}
