"""Rows of a tiny index: vectors and pictures that a test chooses, and a network of one line."""

from __future__ import annotations

import numpy as np
from torch.nn import functional
from vireid.retrieval.embedding import Embedder

DIM = 16


def unit_vectors(count: int, dim: int = DIM, seed: int = 0) -> np.ndarray:
    """Random directions, half precision."""
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def row(number: int, **changed) -> dict:
    """What the table holds of a tracklet; odd numbers are infrared, by camera "thermal"."""
    infrared = bool(number % 2)
    return {
        "key": f"p{number:04d}",
        "content": f"content {number}",
        "camera": "thermal" if infrared else "door",
        "modality": "infrared" if infrared else "visible",
        "start_time": float(10 * number),
        "end_time": float(10 * number + 5),
        "frames": 4,
        "added": 0.0,
        **changed,
    }


def pictures(count: int, seed: int = 0) -> list[bytes]:
    """Bytes that no file holds by chance."""
    rng = np.random.default_rng(seed)
    return [rng.bytes(300) for _ in range(count)]


def by_colour(clips, modalities):
    """Features [B, 16] of clips by their pixels: equal for equal frames."""
    mean = clips.float().mean((1, 4))  # [B, 3, H]
    rows = functional.adaptive_avg_pool1d(mean.flatten(1)[:, None], DIM)[:, 0] - 127
    return functional.normalize(rows + modalities[:, None], dim=1)


def colour_embedder(fingerprint: str = "f" * 32) -> Embedder:
    """An embedder without a network."""
    meta = {"img_h": 32, "img_w": 16, "num_frames": 2, "test_frames": 2}
    return Embedder(by_colour, meta, fingerprint, batch_size=4)


def stored_keys(index) -> list[str]:
    """Keys of an index, sorted."""
    return sorted(found["key"] for found in index.store.rows("", ("key",)))
