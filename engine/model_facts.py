"""What a network's file says about its network, checked before anything is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..reading import shortened

LARGEST_SIDE, MOST_FRAMES = 4096, 4096
COUNTS = {
    "num_identities": (0, 2**31 - 1),
    "num_frames": (1, MOST_FRAMES),
    "test_frames": (1, MOST_FRAMES),
    "img_h": (1, LARGEST_SIDE),
    "img_w": (1, LARGEST_SIDE),
    "step": (0, 2**63 - 1),
}
OPTIONAL_COUNTS = {"trial": (1, 1000), "seed": (0, 2**63 - 1), "revision": (1, 1000)}
TEXTS = ("network", "backbone", "stage")
OPTIONAL_CHOICES = dict.fromkeys(("resize", "test_resize"), ("bilinear", "bicubic", "lanczos"))


# What an ONNX file says, in which identities and training have no place.
ONNX_COUNTS = {name: COUNTS[name] for name in ("test_frames", "img_h", "img_w")}
ONNX_TEXTS = ("network", "fingerprint")


def check_onnx_facts(facts: Any) -> dict[str, Any]:
    """Refuses facts that no export writes.

    Args:
        facts: what an ONNX file holds beside its network.

    Returns:
        The facts; a filter that is not named is bilinear.

    Raises:
        ValueError: as :func:`check_facts`.
    """
    if isinstance(facts, Mapping) and facts.get("test_resize") is None:
        facts = {**facts, "test_resize": "bilinear"}
    return check_facts(facts, counts=ONNX_COUNTS, texts=ONNX_TEXTS)


def check_facts(
    facts: Any,
    *,
    counts: Mapping[str, tuple[int, int]] = COUNTS,
    texts: tuple[str, ...] = TEXTS,
) -> dict[str, Any]:
    """Refuses facts that no training writes.

    Args:
        facts: what the file holds beside its weights.
        counts: the numbers that it has to name, and their bounds.
        texts: the texts that it has to name.

    Returns:
        The facts.

    Raises:
        ValueError: one is missing, or is of another type or size than it can be.
    """
    if not isinstance(facts, Mapping):
        raise ValueError(f"expected facts by name, found {shortened(facts)}")
    missing = [name for name in (*counts, *texts, "flip") if name not in facts]
    if missing:
        raise ValueError(f"there is no {', '.join(missing)}")
    for name, (least, most) in {**counts, **OPTIONAL_COUNTS}.items():
        value = facts.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(
                f"{name}: expected a whole number from {least} to {most}, found {shortened(value)}"
            )
    for name in texts:
        if not isinstance(facts[name], str):
            raise ValueError(f"{name}: expected a text, found {shortened(facts[name])}")
    for name, choices in OPTIONAL_CHOICES.items():
        if facts.get(name, choices[0]) not in choices:
            raise ValueError(
                f"{name}: expected one of {', '.join(choices)}, found {shortened(facts[name])}"
            )
    if not isinstance(facts["flip"], bool):
        raise ValueError(f"flip: expected true or false, found {shortened(facts['flip'])}")
    return dict(facts)
