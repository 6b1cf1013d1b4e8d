"""What a training does by epoch, as a table: of the schedule records of a run, or before one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

HEADS = ("epochs", "learning rate", "loss weights")
# Names of an optimiser's own settings, in the order in which they are told.
OPTIMISER = ("weight_decay", "betas", "eps", "amsgrad", "momentum", "dampening", "nesterov")


def schedule_rows(schedule: Mapping[str, Any]) -> list[dict[str, str]]:
    """The stretches of epochs in which nothing changes.

    Args:
        schedule: a record of kind ``schedule``; see ``StageSchedule.record``.

    Returns:
        ``epochs``, ``learning rate`` and ``loss weights`` of each stretch. A cosine changes with
        every batch; there a stretch lasts as long as a phase, with the rates at its ends.
    """
    starts = [*_starts(schedule), schedule["epochs"] + 1]
    rows = []
    for first, after in pairwise(starts):
        losses = _phase(schedule, first)["losses"]
        rows.append(
            {
                "epochs": str(first) if after == first + 1 else f"{first}-{after - 1}",
                "learning rate": _rates(schedule, first, after - 1),
                "loss weights": ", ".join(f"{name} {weight:g}" for name, weight in losses.items()),
            }
        )
    return rows


def _starts(schedule: Mapping[str, Any]) -> list[int]:
    """First epochs of the stretches, from 1."""
    starts = {phase["from_epoch"] for phase in schedule["phases"]}
    if schedule["lr_schedule"] == "step":
        for group in schedule["groups"]:
            rates = group["lr_by_epoch"]
            starts |= {n + 2 for n, (a, b) in enumerate(pairwise(rates)) if a != b}
    return sorted(first for first in starts if first <= schedule["epochs"])


def _phase(schedule: Mapping[str, Any], epoch: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = [p for p in schedule["phases"] if p["from_epoch"] <= epoch][-1]
    return found


def _rates(schedule: Mapping[str, Any], first: int, last: int) -> str:
    """Rates of the groups in a stretch of epochs, from 1."""
    texts = []
    for group in schedule["groups"]:
        rates = group["lr_by_epoch"]
        text = f"{rates[first - 1]:.3g}"
        if schedule["lr_schedule"] != "step":
            text += f" to {rates[last - 1]:.3g}"
        texts.append(text if group["members"] == "all" else f"{group['members']} {text}")
    return ", ".join(texts)


def schedule_remarks(schedule: Mapping[str, Any]) -> list[str]:
    """What holds in all epochs, and the batches and memories of each phase, in sentences."""
    own = ", ".join(f"{n} {_said(schedule[n])}" for n in OPTIMISER if n in schedule)
    fixed = ", ".join(f"{name} {_said(value)}" for name, value in schedule["settings"].items())
    remarks = [
        f"{schedule['epochs']} epochs of {_batches_of(schedule['batches_per_epoch'])}, each with "
        f"an optimiser step; starts from {schedule['start']}",
        f"{schedule['optimiser']}: {own}",
        f"learning rate: {_rate(schedule)}",
        *([f"settings: {fixed}"] if fixed else []),
    ]
    before: Mapping[str, Any] = {}
    for phase in schedule["phases"]:
        when = f"from epoch {phase['from_epoch']}"
        if phase["batches"] != before.get("batches"):
            kinds = "; then ".join(map(_batch, phase["batches"]))
            remarks.append(f"batches {when}: {kinds}")
        if phase["memory"] != before.get("memory", ""):
            remarks.append(f"memories {when}: {phase['memory']}")
        before = phase
    return remarks


def _said(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _batches_of(steps: int | str) -> str:
    return (
        f"{steps} batches" if isinstance(steps, int) else f"batches that the data decide ({steps})"
    )


def _rate(schedule: Mapping[str, Any]) -> str:
    if schedule["lr_schedule"] == "step":
        return "by epoch, the same in all batches of one"
    highest = f"{schedule['lr']:g}"
    return f"a cosine by batch, up to {highest}; the table gives the first batches of epochs"


def _batch(batch: Mapping[str, Any]) -> str:
    clips = " + ".join(f"{count} {name}" for name, count in batch["clips"].items())
    return f"{batch['p']} x {batch['k']}, {batch['rule']} ({clips} in the forward pass)"


def schedule_text(schedules: Sequence[Mapping[str, Any]]) -> str:
    """The schedules of a training for a terminal.

    Args:
        schedules: records of its stages, in order.
    """
    return "\n\n".join("\n".join(_lines(schedule)) for schedule in schedules)


def _lines(schedule: Mapping[str, Any]) -> Iterator[str]:
    yield schedule["stage"]
    yield from (f"  {remark}" for remark in schedule_remarks(schedule))
    rows = [dict(zip(HEADS, HEADS)), *schedule_rows(schedule)]
    widths = [max(len(row[head]) for row in rows) for head in HEADS]
    for row in rows:
        cells = [f"{row[head]:<{width}}" for head, width in zip(HEADS, widths)]
        yield ("  " + "  ".join(cells)).rstrip()
