"""Where two runs part: the data, the settings, or the first record that differs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .run_record import RunRecord

# What two runs of one command never share, or what the machine's speed decides.
OWN_SETTINGS = frozenset({"output", "resume", "desc", "data_dir", "baseline", "workers"})
TIMES = frozenset(
    {"seconds", "clips_per_second", "memory_mib", "peak_memory_mib", "data_dir", "time"}
)
MISSING = "nothing"


@dataclass(frozen=True)
class Difference:
    """One value that is not the same in both runs.

    Attributes:
        what: its place, for instance ``setting eps`` or ``mmm epoch 3, pseudo-labels: clusters``.
        first: value in the first run.
        second: value in the second run.
    """

    what: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare_runs` found.

    Attributes:
        settings: settings that differ.
        setup: differences of data counts, versions and device.
        parting: differences of the first pair of records that is not the same; empty if all are.
        same_records: pairs of records before it.
        result: differences of the last evaluations.
    """

    settings: list[Difference]
    setup: list[Difference]
    parting: list[Difference]
    same_records: int
    result: list[Difference]

    @property
    def same(self) -> bool:
        """Whether nothing at all differs."""
        return not (self.settings or self.setup or self.parting)


def compare_runs(first: RunRecord, second: RunRecord, tolerance: float = 0.0) -> Comparison:
    """Finds where two runs part, in the order in which a run does things.

    Folders, descriptions and times are left out of the comparison. Records are compared pair by
    pair from the first on, the stage-one run of a stage-two run before it.

    Args:
        first, second: the runs.
        tolerance: largest difference of two numbers that still counts as none, relative to the
            larger (0: the very same).

    Raises:
        ValueError: the tolerance is negative.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance: expected at least 0, found {tolerance}")
    settings = [
        Difference(f"setting {name}", a, b)
        for name, a, b in _pairs(_settings(first), _settings(second))
        if not _equal(a, b, tolerance)
    ]
    start, other = (next(iter(run.of_kind("run")), {}) for run in (first, second))
    setup = _differences(start, other, "run", tolerance)
    histories = [[r for r in run.history if r.get("kind") != "run"] for run in (first, second)]
    same = 0
    parting: list[Difference] = []
    for a, b in itertools.zip_longest(*histories):
        parting = _differences(a or {}, b or {}, _place(a or b), tolerance)
        if parting:
            break
        same += 1
    last = [{r["protocol"]: r for r in run.of_kind("evaluation")} for run in (first, second)]
    result = [
        Difference(f"{protocol} {score}", old.get(score), new.get(score))
        for protocol, old, new in _pairs(*last)
        if isinstance(old, Mapping) and isinstance(new, Mapping)
        for score in ("rank1", "mAP")
        if not _equal(old.get(score), new.get(score), tolerance)
    ]
    return Comparison(settings, setup, parting, same, result)


def _settings(run: RunRecord) -> dict[str, Any]:
    own = {name: v for name, v in run.config.items() if name not in OWN_SETTINGS}
    if run.baseline is not None:
        own |= {f"{name} (stage one)": v for name, v in _settings(run.baseline).items()}
    return own


def _place(record: Mapping[str, Any] | None) -> str:
    """Where a record stands, for people."""
    found = record or {}
    kind = str(found.get("kind", "record")).replace("_", "-")
    words = [str(found[name]) for name in ("protocol", "modality", "trial") if name in found]
    epoch = f"{found['stage']} epoch {found['epoch']}, " if "epoch" in found else ""
    return " ".join([f"{epoch}{kind}", *words])


def _differences(
    first: Mapping[str, Any], second: Mapping[str, Any], where: str, tolerance: float
) -> list[Difference]:
    found = []
    for name, a, b in _pairs(first, second):
        if name in TIMES:
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += _differences(a, b, f"{where}: {name}", tolerance)
        elif isinstance(a, str) and isinstance(b, str) and "\n" in a + b:
            # The verification's table: the first line that differs says it all.
            for old, new in itertools.zip_longest(a.splitlines()[1:], b.splitlines()[1:]):
                if old != new:
                    found.append(Difference(f"{where}: {name}", old, new))
                    break
        elif not _equal(a, b, tolerance):
            found.append(Difference(f"{where}: {name}", a, b))
    return found


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = [*first, *(name for name in second if name not in first)]
    return [(name, first.get(name, MISSING), second.get(name, MISSING)) for name in names]


def _equal(a: Any, b: Any, tolerance: float) -> bool:
    numbers = (int, float)
    if isinstance(a, numbers) and isinstance(b, numbers) and not isinstance(a, bool):
        both_nan = math.isnan(a) and math.isnan(b)
        return both_nan or math.isclose(a, b, rel_tol=tolerance, abs_tol=0.0)
    return bool(a == b)
