"""Reads a run folder: settings, everything that was measured, test tracks and their features."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ..datasets.track import Dataset, Track
from ..datasets.track_table import read_track_table
from ..models.state_files import check_finite, read_tensors
from ..reading import (
    parse_json,
    parse_yaml,
    read_bytes,
    read_table,
    read_text,
    shortened,
)
from ..run_format import require_readable, version_of
from .record_schema import check_record, check_settings


@dataclass(frozen=True)
class RunRecord:
    """One run, and the stage-one run on which it stands.

    Attributes:
        path: the run folder.
        config: resolved settings; empty if ``config.yaml`` is missing.
        records: objects of ``metrics.jsonl`` in order of time.
        baseline: the stage-one run that ``config`` names, None without one.
        notes: sentences about what could not be read.
    """

    path: Path
    config: dict[str, Any]
    records: list[dict[str, Any]]
    baseline: RunRecord | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def history(self) -> list[dict[str, Any]]:
        """All records in order of time, the baseline's first."""
        before = self.baseline.history if self.baseline else []
        return before + self.records

    def of_kind(self, kind: str, *, own: bool = False) -> list[dict[str, Any]]:
        """Records of a kind, such as ``evaluation``, in order of time; ``own``: no baseline's."""
        source = self.records if own else self.history
        return [record for record in source if record.get("kind") == kind]

    @property
    def unfinished(self) -> str:
        """How far a training came that has not ended, in words; empty of any other run.

        The records tell, not the network's file: scores stay good where weights were deleted.
        """
        planned = self.of_kind("schedule", own=True)  # all stages in order; none of an evaluation
        ended = {record["stage"] for record in self.of_kind("stage_time", own=True)}
        if not planned or planned[-1]["stage"] in ended:  # written after its last evaluation
            return ""
        done = Counter(record.get("stage") for record in self.of_kind("train", own=True))
        # A stage whose labels settled has ended with fewer epochs than were planned.
        wanted = sum(done[r["stage"]] if r["stage"] in ended else r["epochs"] for r in planned)
        return f"{done.total()} of {wanted} epochs are done and the training has not ended"

    def setting(self, name: str) -> Any:
        """A setting from ``config.yaml``, or from the run's own first record; None if unknown."""
        value = self.config.get(name)
        if value is None:
            for record in self.of_kind("run", own=True):
                value = record.get(name, value)
        return value


def read_run(path: Path) -> RunRecord:
    """Reads a run folder that may still be written to.

    A last line of ``metrics.jsonl`` that was cut off in the middle is left out and noted. The run
    comes with its baseline, if ``config.yaml`` names one that can be read.

    Raises:
        FileNotFoundError: there is no ``metrics.jsonl``.
        UserError: an earlier version wrote the run, or its stage one.
        ValueError: a line before the last one is no JSON object, or ``config.yaml`` is malformed.
    """
    return _read_run(path, seen=frozenset())


def _read_run(path: Path, seen: frozenset[Path]) -> RunRecord:
    metrics = path / "metrics.jsonl"
    if not metrics.is_file():
        raise FileNotFoundError(
            f"{path} is no run folder: metrics.jsonl is missing. "
            "Give the folder that a training command got as --output."
        )
    notes: list[str] = []
    numbered = _read_lines(metrics, notes)
    records = [record for _, record in numbered]
    if records:  # one that was killed at once holds none, and nothing to misread
        started = next((r for r in records if r.get("kind") == "run"), {})
        require_readable(version_of(started), path)
    for number, record in numbered:
        try:
            check_record(record)
        except ValueError as error:
            raise ValueError(f"{metrics}, line {number}: {error}") from error
    config = _read_config(path / "config.yaml", notes)
    baseline = None
    if config.get("baseline"):
        named = Path(str(config["baseline"]))
        # A run folder may have been moved together with its neighbour since it was written.
        places = [named, path / named, path.parent / named.name]
        known = seen | {path.resolve()}
        found = [p for p in places if (p / "metrics.jsonl").is_file() and p.resolve() not in known]
        if found:
            baseline = _read_run(found[0], known)
        else:
            notes.append(
                f"The stage-one run {named} is not there, so its curves and rows are missing."
            )
    return RunRecord(path, config, records, baseline, notes)


def _read_lines(path: Path, notes: list[str]) -> list[tuple[int, dict[str, Any]]]:
    lines = read_bytes(path).rstrip().split(b"\n")
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
            if not isinstance(record, dict):
                raise ValueError("no JSON object")
        except ValueError as error:
            if number == len(lines):
                notes.append(f"The last line of {path.name} was cut off and is left out.")
                break
            raise ValueError(
                f"{path}, line {number}: expected one JSON object, "
                f"found {shortened(line)} ({error})"
            ) from error
        records.append((number, record))
    return records


def _read_config(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        notes.append("config.yaml is not there, so the settings are not shown.")
        return {}
    try:
        text = read_text(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    try:
        config = parse_yaml(text) or {}
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    try:
        check_settings(config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return dict(config)


def read_test_tracks(run: RunRecord) -> Dataset:
    """The test split that a run was evaluated on, from its ``test_tracks.csv``.

    Returns:
        A data set without training tracks. ``query`` and ``gallery`` follow the file; each track
        carries its sampled frames only, as paths below the data folder.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: columns or a row are malformed, or the data set's name is not recorded.
    """
    path = run.path / "test_tracks.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not in the run folder")
    name, root = run.setting("dataset"), Path(str(run.setting("data_dir") or ""))
    if not name:
        raise ValueError("neither config.yaml nor metrics.jsonl names the data set")
    sides: dict[str, list[Track]] = {"query": [], "gallery": []}
    tracks, rows = read_track_table(path, root)
    for number, (track, row) in enumerate(zip(tracks, rows), start=2):
        if row["split"] not in sides:
            raise ValueError(
                f"{path}, line {number}: not a test track (its split is {row['split']!r})"
            )
        sides[row["split"]].append(track)
    options: dict[str, object] = {"trial": int(run.setting("trial") or 1)}
    return Dataset(str(name), root, [], sides["query"], sides["gallery"], options)


def read_test_features(run: RunRecord) -> tuple[Tensor, list[str]]:
    """Features of all test tracks and the tracks' keys, row by row.

    Returns:
        Features [N, D] float32 and N keys, in the order of ``test_tracks.csv``.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the numbers of rows differ, or there is no tensor ``features``.
    """
    path = run.path / "test_features.safetensors"
    table = run.path / "test_tracks.csv"
    for file in (path, table):
        if not file.is_file():
            raise FileNotFoundError(f"{file.name} is not in the run folder")
    tensors, _ = read_tensors(path)
    columns, rows = read_table(table)
    if "key" not in columns:
        raise ValueError(f"{table}: there is no column key")
    keys = [row["key"] for row in rows]
    features = tensors.get("features")
    if features is not None:
        check_finite({"features": features}, str(path))
    if features is None or features.ndim != 2 or len(features) != len(keys):
        found = "none" if features is None else tuple(features.shape)
        raise ValueError(
            f"{path}: expected a tensor `features` with {len(keys)} rows, as {table.name} lists "
            f"that many tracks; found {found}"
        )
    if not features.is_floating_point():
        raise ValueError(f"{path}: expected floating-point features, found {features.dtype}")
    return features, keys
