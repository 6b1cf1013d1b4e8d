"""What the records and settings of a run folder look like: refused here, not met later on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..reading import is_number, is_whole, shortened
from .schedule_schema import check_schedule

TEXTS = frozenset(
    {
        *("kind", "stage", "protocol", "direction", "rule", "gallery_kind", "modality", "command"),
        *("dataset", "data_dir", "device", "verification", "split"),
        *("training_precision", "test_precision"),
    }
)
COUNTS = frozenset(
    {
        *("epoch", "step", "steps", "trial", "trials", "query", "gallery", "valid_queries"),
        *("clusters", "largest", "identities", "visible_clusters", "infrared_clusters", "matched"),
        *("batch", "bn_batch", "accumulate", "processes", "count", "seed"),
    }
)
NUMBERS = frozenset(
    {
        *("rank1", "rank5", "rank10", "rank20", "mAP", "mINP", "loss", "lr", "seconds"),
        *("clips_per_second", "peak_memory_mib", "memory_mib", "noise", "camera_purity"),
        *("silhouette", "ari", "nmi", "ami", "v_measure", "purity", "ari_all", "stability"),
        *("mixed", "margin", "accuracy", "precision", "recall", "mean", "trusted"),
    }
)
FLAGS = frozenset({"flip", "rerank"})
TABLES = frozenset({"losses", "std", "versions"})
# What a record of a kind is of no use without.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "evaluation": ("stage", "epoch", "protocol", "rule", "query", "gallery"),
    "stage_time": ("stage",),
}
LONGEST_TEXT = 100_000


def check_record(record: Mapping[str, Any]) -> None:
    """Refuses a record that no run writes.

    Args:
        record: a line of ``metrics.jsonl``; fields that nothing reads may hold anything.

    Raises:
        ValueError: a field has another type than it should, or is missing.
    """
    for name, value in record.items():
        wanted = _wanted(name, value)
        if wanted:
            raise ValueError(f"{shortened(name)}: expected {wanted}, found {shortened(value)}")
    for name in REQUIRED.get(str(record.get("kind")), ()):
        if record.get(name) is None:
            raise ValueError(f"{record['kind']}: there is no {name}")
    if record.get("kind") == "schedule":
        check_schedule(record)


def _wanted(name: str, value: Any) -> str:
    """What a field should hold; empty where it does, or holds nothing."""
    if value is None:
        return "a text" if name == "kind" else ""
    if name in TEXTS:
        return "" if isinstance(value, str) and len(value) <= LONGEST_TEXT else "a text"
    if name in COUNTS:
        return "" if is_whole(value) else "a whole number from 0"
    if name in NUMBERS:
        return "" if is_number(value) else "a number"
    if name in FLAGS:
        return "" if isinstance(value, bool) else "true or false"
    if name in TABLES:
        kind = str if name == "versions" else float
        fits = isinstance(value, Mapping) and all(
            one is None or (isinstance(one, str) if kind is str else is_number(one))
            for one in value.values()
        )
        return "" if fits else f"{'texts' if kind is str else 'numbers'} by name"
    return ""


def check_settings(config: Any) -> None:
    """Refuses settings that no run writes.

    Args:
        config: what ``config.yaml`` holds.

    Raises:
        ValueError: it is no mapping of names to plain values, or a value has another type.
    """
    if not isinstance(config, dict):
        raise ValueError(f"expected settings by name, found {type(config).__name__}")
    for name, value in config.items():
        if not isinstance(name, str):
            raise ValueError(f"expected the name of a setting, found {shortened(name)}")
        listed = value if isinstance(value, list) else [value]
        if not all(one is None or isinstance(one, (str, int, float)) for one in listed):
            raise ValueError(f"{shortened(name)}: expected a plain value, found {shortened(value)}")
        texts = ("dataset", "data_dir", "baseline", "desc", "network", "backbone", "protocol")
        if name in texts and not (value is None or isinstance(value, str)):
            raise ValueError(f"{name}: expected a text, found {shortened(value)}")
        if name == "trial" and not (value is None or (isinstance(value, int) and value >= 0)):
            raise ValueError(f"{name}: expected a whole number, found {shortened(value)}")
        if "\0" in name or any("\0" in one for one in listed if isinstance(one, str)):
            raise ValueError(f"{shortened(name)}: a value holds a NUL character")
