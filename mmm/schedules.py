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
    weighted,
)
from ..losses.registry import parse_losses
from .epoch_length import fixed_steps
from .settings import StageTwoSettings

PASS = "one pass over the larger modality: its tracks / (P x K/2), rounded down, + 1"
UNIFIED = "unified clusters, K/2 clips of each modality; K of the one where there is one"
PAIRED = "labels of both modalities; the i-th visible and the i-th infrared clip share one"
UNPAIRED = "each modality shuffled by itself, every clip of the larger one once"
PROTOTYPES = "class prototypes of each view, 0 in the first of these epochs; anew after each epoch"


def goes_on(settings: StageTwoSettings) -> bool:
    """Whether stage two trains stage one's network on.

    The other variants start from ``--weights`` and read only labels and features of stage one.

    Args:
        settings: of the command.
    """
    return settings.variant == "vireid"


def reads_union(settings: StageTwoSettings) -> bool:
    """Whether joint clusters of both modalities (CMC) teach.

    Args:
        settings: of the command.
    """
    beside = settings.variant == "vireid" and settings.union_weight > 0
    return beside or settings.variant == "paper"


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
        "encoder of stage one" if goes_on(settings) else settings.weights,
        _settings(settings),
    )


def _vireid(settings: StageTwoSettings) -> tuple[Phase, ...]:
    weight = settings.memory_weight
    losses = {
        "memory": weight,
        **weighted(
            {
                "own memory": settings.own_memory_weight * weight,
                "cross memory": settings.cross_memory_weight * weight,
                "union memory": settings.union_weight * weight,
                "union contrast": settings.union_weight * settings.contrast_weight,
            }
        ),
        **_beside(settings),
    }
    clusters = "unified and joint clusters" if reads_union(settings) else "unified clusters"
    memory = f"{clusters} and those of each modality, anew each epoch; all clips after a step"
    return _with_alignment(settings, losses, memory)


def _paper(settings: StageTwoSettings) -> tuple[Phase, ...]:
    losses = {
        **{f"{side} memory": settings.memory_weight for side in ("visible", "infrared", "union")},
        **_beside(settings),
    }
    memory = "visible, infrared and joint clusters, anew each epoch; own clips after a step"
    return _with_alignment(settings, losses, memory)


def _released(settings: StageTwoSettings) -> tuple[Phase, ...]:
    identity = {"ID": 1.0, **_separation(settings)}
    if settings.network != "agw":
        identity["ID frame"] = 1.0
    sides = ("visible", "infrared")
    mimic = {f"{side} mimic": settings.mimic_weight for side in sides}
    alignment = {f"{side} alignment": settings.alignment_weight for side in sides}
    pairs, main = _batch(settings, PAIRED), settings.ce_epochs
    phases = [Phase(0, weighted(identity), (_batch(settings, UNPAIRED),))] if main else []
    losses = {**identity, "triplet": 1.0, **mimic}
    aligned = max(main, settings.alignment_from - 1)
    if settings.alignment_weight and aligned == main:
        losses |= alignment
    phases.append(Phase(main, weighted(losses), (pairs,), PROTOTYPES))
    if settings.alignment_weight and aligned > main:
        phases.append(Phase(aligned, weighted({**losses, **alignment}), (pairs,), PROTOTYPES))
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
    before = Phase(0, losses, batches, memory)
    if not settings.alignment_weight:
        return (before,)
    first = max(0, settings.alignment_from - 1)
    after = {**losses, "alignment": settings.alignment_weight}
    later = Phase(first, after, batches, memory)
    return (before, later) if first else (later,)


def _beside(settings: StageTwoSettings) -> dict[str, float]:
    """What memories are trained with, as far as it has a weight."""
    losses = {
        "contrast": settings.contrast_weight,
        "mimic": settings.mimic_weight,
        **_separation(settings),
    }
    return weighted(losses) | parse_losses(settings.extra_loss)


def _separation(settings: StageTwoSettings) -> dict[str, float]:
    """M3-ReID's separation; a network of images has neither frames nor masks."""
    weight = 0.0 if settings.network == "agw" else settings.separation_weight
    return {"OFR": weight, "DAC": weight}


def _batch(settings: StageTwoSettings, rule: str = UNIFIED) -> Batch:
    half = settings.p_num * settings.k_num // 2
    return Batch(rule, settings.p_num, settings.k_num, clips_of_batch(settings, half, half))


def _settings(settings: StageTwoSettings) -> dict[str, Any]:
    names = ["img_h", "img_w", "seed", "flip", "variant", "memories", "cost", "matcher"]
    if settings.variant != "released":
        names += ["rematch_interval", "k1", "k2", "eps", "min_samples"]
        names += ["memory_temperature", "memory_momentum", "memory_mode"]
    if reads_union(settings):
        names += ["joint_k1", "joint_k2", "joint_eps"]
    if settings.shorten_when_settled:  # then the epochs above are the most there are
        names.append("shorten_when_settled")
    return {name: getattr(settings, name) for name in names}
