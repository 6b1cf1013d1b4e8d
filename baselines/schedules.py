"""What each part of stage one does by epoch, known from the settings alone."""

from __future__ import annotations

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
from .settings import BaselineSettings

MEMORY = "means of the epoch's clusters; after each step, "


def stage_one_schedules(settings: BaselineSettings) -> list[StageSchedule]:
    """The schedules of pre-training, 1a and 1b, in order; a stage of 0 epochs is left out."""
    found = [make(settings) for make in (pretraining, intra_modality, cross_modality)]
    return [schedule for schedule in found if schedule.epochs]


def pretraining(settings: BaselineSettings) -> StageSchedule:
    """Tracklet contrast."""
    n = settings.pretrain_tracks
    batch = Batch(
        "n tracks of one camera, of each modality", n, 2, {"visible": 2 * n, "infrared": 2 * n}
    )
    return StageSchedule(
        "pretrain",
        learning_rate(
            settings,
            settings.resolved_pretrain_epochs,
            base=settings.pretrain_lr,
            milestones=(),
        ),
        optimiser_rule(settings),
        (Phase(0, {"visible contrast": 1.0, "infrared contrast": 1.0}, (batch,)),),
        settings.pretrain_steps,
        settings.weights,
        {"contrast_temperature": settings.contrast_temperature, "seed": settings.seed},
    )


def intra_modality(settings: BaselineSettings) -> StageSchedule:
    """Stage 1a."""
    return StageSchedule(
        "intra_modality",
        learning_rate(settings, settings.intra_epochs),
        optimiser_rule(settings),
        (
            Phase(
                0,
                _intra_losses(settings),
                (_batch(settings, "clusters of each modality"),),
                MEMORY + "visible clips (first views, then second), then infrared ones",
            ),
        ),
        settings.steps,
        "pretrain" if settings.resolved_pretrain_epochs else settings.weights,
        _settings(settings, "k1", "k2"),
    )


def cross_modality(settings: BaselineSettings) -> StageSchedule:
    """Stage 1b."""
    joint = {f"joint {side} memory": settings.memory_weight for side in ("visible", "infrared")}
    joint |= weighted({"joint contrast": settings.contrast_weight})
    before = ["intra_modality"] * bool(settings.intra_epochs)
    before = before or ["pretrain"] * bool(settings.resolved_pretrain_epochs)
    return StageSchedule(
        "cross_modality",
        learning_rate(settings, settings.cross_epochs),
        optimiser_rule(settings),
        (
            Phase(
                0,
                {**_intra_losses(settings), **joint},
                (
                    _batch(settings, "clusters of each modality"),
                    _batch(settings, "joint clusters of both modalities, drawn on each side"),
                ),
                MEMORY + "visible clips (first views, then second), then infrared ones",
            ),
        ),
        2 * settings.steps,
        (before or [settings.weights])[0],
        _settings(settings, "k1", "k2", "joint_k1", "joint_k2", "joint_eps"),
    )


def _intra_losses(settings: BaselineSettings) -> dict[str, float]:
    losses = {f"{side} memory": settings.memory_weight for side in ("visible", "infrared")}
    return losses | weighted({"contrast": settings.contrast_weight})


def _batch(settings: BaselineSettings, rule: str) -> Batch:
    p, k = settings.p_num, settings.k_num
    return Batch(rule, p, k, clips_of_batch(settings, p * k, p * k))


def _settings(settings: BaselineSettings, *more: str) -> dict[str, Any]:
    memory = ("memory_temperature", "memory_momentum", "memory_mode")
    # With it, the epochs are the most there are.
    shortened = ("shorten_when_settled",) if settings.shorten_when_settled else ()
    names = ("img_h", "img_w", "eps", "min_samples", *more, *memory, *shortened, "seed")
    return {name: getattr(settings, name) for name in names}
