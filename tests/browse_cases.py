"""An index to look through: pictures, a calibration if wanted, and its session."""

from __future__ import annotations

import io
import json

import numpy as np
from index_rows import row, unit_vectors
from PIL import Image
from vireid.pseudo_labels.judgements import read_judgements


def photograph(number: int) -> bytes:
    """A strip of six frames in a colour of its own."""
    colour = np.random.default_rng(number).integers(40, 220, 3)
    buffer = io.BytesIO()
    Image.new("RGB", (240, 80), tuple(map(int, colour))).save(buffer, "jpeg")
    return buffer.getvalue()


def pairs_of_people(index, people: int = 6, **changed):
    """Twice as many tracklets: each person once by each camera, with vectors that are alike."""
    centres = unit_vectors(people, seed=5).astype(np.float32)
    rows = [row(number, **changed) for number in range(2 * people)]
    noise = 0.3 * unit_vectors(2 * people, seed=6).astype(np.float32)
    vectors = np.repeat(centres, 2, axis=0) + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index.store.add(
        rows, vectors.astype(np.float16), [photograph(n // 2) for n in range(len(rows))]
    )
    return index


def calibrate(index, threshold: float) -> None:
    """Says from which score two tracklets are the same person."""
    point = {"threshold": threshold, "gallery_size": 6, "fpir": 0.001, "fnir": None}
    point |= {"fmr": 0, "fnmr": None}
    directions = [
        {
            **{"query": query, "gallery": gallery, "thresholds": [point]},
            **{"query_camera": None, "gallery_camera": None},
        }
        for query, gallery in (("visible", "infrared"), ("infrared", "visible"))
    ]
    table = {"version": 1, "fingerprint": index.facts.fingerprint, "directions": directions}
    (index.path / "calibration.json").write_text(json.dumps(table))


def said(index) -> list[tuple[str, str, str]]:
    """Judgements that stand."""
    found = read_judgements(index.path / "judgements.jsonl")
    return [(one.first, one.second, one.answer) for one in found]
