"""Reads a run folder: settings, everything that was measured, test tracks and their features."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file
from torch import Tensor

from ..datasets.track import Dataset, Modality, Track

TRACK_COLUMNS = ("index", "key", "split", "modality", "camera", "identity", "frames")


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
        """Records of one kind in order of time.

        Args:
            kind: value of ``kind``, for instance ``evaluation``.
            own: leave out the baseline's.
        """
        source = self.records if own else self.history
        return [record for record in source if record.get("kind") == kind]

    def setting(self, name: str) -> Any:
        """A setting from ``config.yaml``, or from the run's own first record; None if unknown."""
        value = self.config.get(name)
        if value is None:
            for record in self.of_kind("run", own=True):
                value = record.get(name, value)
        return value


def read_run(path: Path) -> RunRecord:
    """Reads a run folder that may still be written to.

    A last line of ``metrics.jsonl`` that was cut off in the middle is left out and noted.

    Args:
        path: folder with ``metrics.jsonl`` and usually ``config.yaml``.

    Returns:
        The run with its baseline, if ``config.yaml`` names one that can be read.

    Raises:
        FileNotFoundError: there is no ``metrics.jsonl``.
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
    records = _read_lines(metrics, notes)
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


def _read_lines(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    lines = path.read_bytes().split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("no JSON object")
        except ValueError as error:
            if number == len(lines):
                notes.append(f"The last line of {path.name} was cut off and is left out.")
                break
            raise ValueError(
                f"{path}, line {number}: expected one JSON object, found {line[:60]!r} ({error})"
            ) from error
        records.append(record)
    return records


def _read_config(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        notes.append("config.yaml is not there, so the settings are not shown.")
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected settings by name, found {type(config).__name__}")
    return config


def read_test_tracks(run: RunRecord) -> Dataset:
    """The test split that a run was evaluated on, from its ``test_tracks.csv``.

    Args:
        run: a run whose data set's name and folder are known.

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
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != TRACK_COLUMNS:
            raise ValueError(
                f"{path}: the columns should be {', '.join(TRACK_COLUMNS)}; "
                f"found {', '.join(reader.fieldnames or ()) or 'none'}"
            )
        for number, row in enumerate(reader, start=2):
            try:
                sides[row["split"]].append(track_of_row(row, root))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{path}, line {number}: not a test track ({type(error).__name__}: {error})"
                ) from error
    options: dict[str, object] = {"trial": int(run.setting("trial") or 1)}
    return Dataset(str(name), root, [], sides["query"], sides["gallery"], options)


def track_of_row(row: dict[str, str], root: Path) -> Track:
    """A track from a row with the columns of ``TRACK_COLUMNS``; index and split are not read.

    Args:
        row: values by column.
        root: data folder, below which the frames lie.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: the row is malformed.
    """
    return Track(
        frames=tuple(root / frame for frame in row["frames"].split("|") if frame),
        modality=Modality[row["modality"].upper()],
        camera=int(row["camera"]),
        identity=int(row["identity"]) if row["identity"] else None,
        key=row["key"],
    )


def read_test_features(run: RunRecord) -> tuple[Tensor, list[str]]:
    """Features of all test tracks and the tracks' keys, row by row.

    Args:
        run: a run with ``test_features.safetensors`` and ``test_tracks.csv``.

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
    tensors = load_file(path)
    with table.open(newline="", encoding="utf-8") as stream:
        keys = [row["key"] for row in csv.DictReader(stream)]
    features = tensors.get("features")
    if features is None or features.ndim != 2 or len(features) != len(keys):
        found = "none" if features is None else tuple(features.shape)
        raise ValueError(
            f"{path}: expected a tensor `features` with {len(keys)} rows, as {table.name} lists "
            f"that many tracks; found {found}"
        )
    return features, keys
