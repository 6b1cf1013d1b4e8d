"""What a stage does by epoch, as data: the training loop and the stages read what is printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..pseudo_labels.options import HURRY
from .augment import sees_two_views
from .options import LoopOptions, OptimiserOptions

STEP_FACTOR = 0.1
COSINE_RAMP = 30
COSINE_FLOOR = 0.05
ADAM: Mapping[str, Any] = {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False}
SGD: Mapping[str, Any] = {"momentum": 0.9, "dampening": 0, "nesterov": True}


@dataclass(frozen=True)
class LearningRate:
    """Rate of a stage, a function of where it stands, so that a resumed run needs no state.

    Attributes:
        kind: ``step`` (by the epoch alone: a rise over the warm-up epochs, x0.1 at each milestone)
            or ``cosine`` (by the batch: a ramp of 30 batches, then half a cosine down to 5 %).
        base: rate that ``step`` starts from or rises to.
        epochs: epochs of the stage.
        milestones: numbers of finished epochs from which on ``step`` decays.
        warmup_epochs: epochs in which ``step`` rises to the base rate, constant within each.
        hurried_from: epoch, from 0, from whose start the schedule runs ``HURRY`` times as fast;
            None = at the pace of the epochs.
    """

    kind: str
    base: float
    epochs: int
    milestones: tuple[int, ...] = ()
    warmup_epochs: int = 0
    hurried_from: int | None = None

    @property
    def last_epoch(self) -> int:
        """Number of epochs in which the whole schedule passes."""
        since = self.hurried_from
        return self.epochs if since is None else since + math.ceil((self.epochs - since) / HURRY)

    def at(self, epoch: int, batch: int = 0, batches: int = 1) -> float:
        """Rate of a batch.

        Args:
            epoch: of the stage, from 0.
            batch: of the epoch, from 0; ``step`` does not look at it.
            batches: batches of an epoch; the same.
        """
        since = self.hurried_from
        if since is not None and epoch >= since:
            # Where an unhurried stage with as many batches an epoch would stand.
            far = HURRY * ((epoch - since) * batches + batch)
            epoch, batch = since + far // batches, far % batches
        if self.kind == "step":
            rise = min(1.0, (epoch + 1) / max(1, self.warmup_epochs))
            decays = sum(epoch >= milestone for milestone in self.milestones)
            return self.base * rise * STEP_FACTOR**decays
        steps, step = self.epochs * batches, epoch * batches + batch
        rise = min(1.0, (step + 1) / min(COSINE_RAMP, max(1, steps // 5)))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))
        return self.base * rise * (COSINE_FLOOR + (1 - COSINE_FLOOR) * fall)


def learning_rate(
    options: OptimiserOptions,
    epochs: int,
    *,
    base: float | None = None,
    milestones: tuple[int, ...] | None = None,
) -> LearningRate:
    """The rate that the options ask for.

    Args:
        options: kind, base rate, milestones, warm-up.
        epochs: of the stage.
        base: rate of a stage that has its own; None takes ``--lr``.
        milestones: epochs of a stage that has its own; None takes ``--lr-steps``.
    """
    return LearningRate(
        options.schedule,
        options.lr if base is None else base,
        epochs,
        options.lr_steps if milestones is None else milestones,
        options.lr_warmup_epochs,
    )


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with a rate of their own.

    Attributes:
        members: ``all``, ``backbone``, or ``head`` (what a network calls so).
        factor: multiplies the stage's rate.
    """

    members: str
    factor: float = 1.0


@dataclass(frozen=True)
class OptimiserRule:
    """How the weights move.

    Attributes:
        name: ``adam``, ``adamw`` or ``sgd``.
        weight_decay: of all groups.
        settings: the optimiser's own, by the names that torch gives them.
        groups: of parameters.
    """

    name: str
    weight_decay: float
    settings: Mapping[str, Any]
    groups: tuple[ParameterGroup, ...]


def optimiser_rule(options: OptimiserOptions) -> OptimiserRule:
    """The optimiser that the options ask for; ``--backbone-rate`` gives the backbone a group."""
    groups = [ParameterGroup("all")]
    if options.backbone_rate != 1:
        groups = [ParameterGroup("backbone", options.backbone_rate), ParameterGroup("head")]
    settings = SGD if options.optimiser == "sgd" else ADAM
    return OptimiserRule(options.optimiser, options.wd, settings, tuple(groups))


@dataclass(frozen=True)
class Batch:
    """What a batch holds.

    Attributes:
        rule: of the sampler, in a few words.
        p: identities or clusters; 0 where the rule does not count them.
        k: clips of each.
        clips: clips of each kind in the forward pass, by kind; at most, where clusters are few.
    """

    rule: str
    p: int
    k: int
    clips: Mapping[str, int] = field(default_factory=dict)


def clips_of_batch(options: LoopOptions, visible: int, infrared: int) -> dict[str, int]:
    """Clips in the forward pass of a stage that may see visible ones twice.

    Args:
        options: network and augmentation, which decide it.
        visible, infrared: clips that are drawn.
    """
    views = 2 if sees_two_views(options.augmentation, options.network) else 1
    return {"visible": views * visible, "infrared": infrared}


def weighted(losses: Mapping[str, float]) -> dict[str, float]:
    """The terms of a phase that have a weight.

    Args:
        losses: weight of each term; those of 0 are left out.
    """
    return {name: weight for name, weight in losses.items() if weight}


@dataclass(frozen=True)
class Phase:
    """What holds from an epoch on until the next phase.

    Attributes:
        first: its first epoch, from 0.
        losses: weight of each loss term, by the name that the stage gives it; what is not in here
            is not computed.
        batches: kinds of batches, which take turns.
        memory: what the memories take in and when; empty without memories.
    """

    first: int
    losses: Mapping[str, float]
    batches: tuple[Batch, ...] = ()
    memory: str = ""


@dataclass(frozen=True)
class StageSchedule:
    """All that a stage does by epoch, known from the settings alone.

    Attributes:
        stage: its name.
        rate: learning rate, and with it the epochs.
        optimiser: made anew at the start of the stage.
        phases: by first epoch, the first from epoch 0.
        steps: batches of an epoch, each with its optimiser step, or in words what decides them.
        start: where the weights come from.
        settings: what else is fixed over the epochs, by name.
    """

    stage: str
    rate: LearningRate
    optimiser: OptimiserRule
    phases: tuple[Phase, ...]
    steps: int | str
    start: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Epochs of the stage; 0 leaves it out."""
        return self.rate.epochs

    def phase(self, epoch: int) -> Phase:
        """The phase that holds in an epoch, counted from 0."""
        return [phase for phase in self.phases if phase.first <= epoch][-1]

    def rates(self, epoch: int) -> list[float]:
        """Learning rate of each parameter group at the first batch of an epoch, from 0.

        A cosine whose batches the data decide is given as if an epoch were one batch.
        """
        batches = self.steps if isinstance(self.steps, int) else 1
        rate = self.rate.at(epoch, 0, batches)
        return [rate * group.factor for group in self.optimiser.groups]

    def record(self) -> dict[str, Any]:
        """The schedule as plain values that JSON takes; epochs count from 1."""
        rates = [self.rates(epoch) for epoch in range(self.epochs)]
        return {
            "stage": self.stage,
            "epochs": self.epochs,
            "batches_per_epoch": self.steps,
            "start": self.start,
            "lr_schedule": self.rate.kind,
            "lr": self.rate.base,
            "optimiser": self.optimiser.name,
            "weight_decay": self.optimiser.weight_decay,
            **{name: _plain(value) for name, value in self.optimiser.settings.items()},
            "groups": [
                {"members": group.members, "lr_by_epoch": [row[number] for row in rates]}
                for number, group in enumerate(self.optimiser.groups)
            ],
            "phases": [
                {
                    "from_epoch": phase.first + 1,
                    "losses": dict(phase.losses),
                    "batches": [_plain(asdict(batch)) for batch in phase.batches],
                    "memory": phase.memory,
                }
                for phase in self.phases
            ],
            "settings": {name: _plain(value) for name, value in self.settings.items()},
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
