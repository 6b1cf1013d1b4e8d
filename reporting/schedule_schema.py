"""What the schedule of a stage looks like in a run's records: refused here, not met later on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..options import MOST_EPOCHS
from ..reading import is_number, is_whole, shortened

LONGEST_TEXT = 10_000

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float)) or _text(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _by_name(check: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(map(check, value.values()))


def _with(**fields: Check) -> Check:
    return lambda value: (
        isinstance(value, Mapping)
        and all(name in value and check(value[name]) for name, check in fields.items())
    )


def _plain_or_list(value: Any) -> bool:
    return _plain(value) or _list_of(_plain)(value)


BATCH = _with(rule=_text, p=is_whole, k=is_whole, clips=_by_name(is_whole))
PHASE = _with(
    from_epoch=is_whole, losses=_by_name(is_number), batches=_list_of(BATCH), memory=_text
)
FIELDS: Mapping[str, Check] = {
    "stage": _text,
    "epochs": lambda value: is_whole(value) and 1 <= value <= MOST_EPOCHS,
    "batches_per_epoch": lambda value: is_whole(value) or _text(value),
    "start": _text,
    "lr_schedule": _text,
    "lr": is_number,
    "optimiser": _text,
    "groups": _list_of(_with(members=_text, lr_by_epoch=_list_of(is_number))),
    "phases": _list_of(PHASE),
    "settings": _by_name(_plain_or_list),
}


def check_schedule(record: Mapping[str, Any]) -> None:
    """Refuses the schedule of a stage that no run writes.

    Args:
        record: of kind ``schedule``; see ``StageSchedule.record``.

    Raises:
        ValueError: a field is missing or is of another kind than it should be.
    """
    for name, check in FIELDS.items():
        if name not in record:
            raise ValueError(f"schedule: there is no {name}")
        if not check(record[name]):
            raise ValueError(f"schedule: {name} cannot be {shortened(record[name])}")
    if any(len(group["lr_by_epoch"]) != record["epochs"] for group in record["groups"]):
        raise ValueError("schedule: a group has another number of rates than there are epochs")
    firsts = [phase["from_epoch"] for phase in record["phases"]]
    if firsts[:1] != [1] or firsts != sorted(set(firsts)):
        raise ValueError(f"schedule: the phases begin at the epochs {shortened(firsts)}")
    for name, value in record.items():
        if name not in FIELDS and not _plain_or_list(value):
            raise ValueError(f"schedule: {shortened(name)} cannot be {shortened(value)}")
