"""What the memories ask of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

NOISE = -1


def memory_dtype(dtype: torch.dtype) -> torch.dtype:
    """Precision of a memory by that of its prototypes: float64 for float64, else float32."""
    return torch.promote_types(dtype, torch.float32)


def checked_prototypes(
    prototypes: Tensor, shape: str, temperature: float, momentum: float
) -> Tensor:
    """A memory's own copy of its prototypes.

    Raises:
        ValueError: prototypes of another shape than, for instance, ``[C, D]``, or a temperature
            that is not positive, or a momentum outside 0 to 1.
    """
    if prototypes.ndim != shape.count(",") + 1 or 0 in prototypes.shape:
        raise ValueError(
            f"prototypes: expected {shape} with at least one cluster, found shape "
            f"{tuple(prototypes.shape)}"
        )
    if not temperature > 0:
        raise ValueError(f"temperature: expected more than 0, found {temperature}")
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum: expected 0 to 1, found {momentum}")
    return prototypes.detach().to(memory_dtype(prototypes.dtype)).clone().contiguous()


def unit_features(features: Tensor, dtype: torch.dtype) -> Tensor:
    """Scales features to length 1 in float32 at least.

    Args:
        features: ``[B, D]``.
        dtype: precision of the memory.

    Returns:
        ``[B, D]`` in the higher of both precisions; a row of zeros stays zero.
    """
    wide = torch.promote_types(memory_dtype(features.dtype), dtype)
    return functional.normalize(features.to(wide), dim=1)


def check_batch(features: Tensor, labels: Tensor, clusters: int, width: int) -> None:
    """Refuses a batch that does not fit the memory.

    Values of labels are looked at on the CPU only, since looking stops a GPU; on that a label out
    of range ends in the device's own assertion.

    Args:
        features: ``[B, D]`` expected.
        labels: ``[B]`` expected, −1 … C − 1, on any device.
        clusters: C.
        width: D.

    Raises:
        ValueError: a wrong shape, or a label out of range.
        TypeError: labels that are not int64.
    """
    if features.ndim != 2 or features.shape[1] != width or labels.shape != features.shape[:1]:
        raise ValueError(
            f"expected features [B, {width}] and labels [B], found {tuple(features.shape)} and "
            f"{tuple(labels.shape)}"
        )
    if labels.dtype != torch.int64:
        raise TypeError(f"labels: expected int64, found {labels.dtype}")
    # Looking would break a compiled graph in two.
    if labels.device.type == "cpu" and len(labels) and not torch.compiler.is_compiling():
        low, high = int(labels.min()), int(labels.max())
        if low < NOISE or high >= clusters:
            raise ValueError(
                f"labels: expected -1 (noise) or 0 … {clusters - 1}, the clusters of this memory; "
                f"found {low} … {high}: build the memory anew after every clustering"
            )
