"""What training from labels does by epoch, known from the settings alone."""

from __future__ import annotations

from ..engine.schedule import Batch, Phase, StageSchedule, learning_rate, optimiser_rule, weighted
from ..losses.registry import parse_losses
from .settings import SupervisedSettings

# What the batch of each sampler holds beside P identities x K clips.
RULES = {
    "identity": "whatever their modality",
    "modality-ratio": "half of them infrared",
    "half-random": "half infrared and half visible, drawn at random",
    "half-identity": "infrared half, then the visible half of the same",
    "interleaved": "infrared and visible by turns",
}


def supervised_schedule(settings: SupervisedSettings) -> StageSchedule:
    """The schedule of the one stage.

    Args:
        settings: of the command.
    """
    p, k = settings.p_num, settings.k_num
    batch = Batch(f"{settings.sampler}: {RULES[settings.sampler]}", p, k, {"clips": p * k})
    names = ("num_frames", "img_h", "img_w", "contrast_temperature", "seed")
    return StageSchedule(
        "supervised",
        learning_rate(settings, settings.epochs),
        optimiser_rule(settings),
        (Phase(0, _losses(settings), (batch,)),),
        settings.steps or "full batches of one pass of the sampler",
        settings.weights,
        {name: getattr(settings, name) for name in names},
    )


def _losses(settings: SupervisedSettings) -> dict[str, float]:
    """Weights; a network of images has no frames."""
    frames = 0.0 if settings.network == "agw" else 1.0
    losses = {
        "ID clip": 1.0,
        "ID frame": frames,
        "MMA clip": settings.mma_weight,
        "MMA frame": frames * settings.mma_weight,
        "OFR": frames * settings.separation_weight,
        "DAC": frames * settings.separation_weight,
        "contrast": settings.contrast_weight,
    }
    return weighted(losses) | parse_losses(settings.extra_loss)
