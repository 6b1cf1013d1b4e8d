"""Reads what a run wrote of itself, without the package's own reader."""

import json
from pathlib import Path

import vireid

# What a run folder needs to be read: who wrote it.
STARTED = {"kind": "run", "versions": {"vireid": vireid.__version__}}


def records(run: Path | str, kind: str) -> list[dict]:
    """The records of a kind in ``metrics.jsonl``, in order of time."""
    lines = (Path(run) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]
