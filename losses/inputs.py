"""What every loss does with its arguments: full precision and a check of shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def in_full_precision(method: Callable[..., Result]) -> Callable[..., Result]:
    """Makes a method compute in float32 or better, also under autocast.

    Differences of distances and sums of exponentials lose their meaning in half precision. Tensors
    of half precision are widened, float64 stays, and autocast is off inside.

    Args:
        method: a method whose positional arguments are tensors, the first of them features.

    Returns:
        The wrapped method.
    """

    @wraps(method)
    def run(self: Any, features: Tensor, *others: Tensor) -> Result:
        with torch.autocast(features.device.type, enabled=False):
            return method(self, *(at_least_float32(tensor) for tensor in (features, *others)))

    return run


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half-precision numbers as float32; anything else as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check_batch(loss: str, embeddings: Tensor, **labels: Tensor) -> None:
    """Checks that embeddings are rows and that each of them is labelled.

    Args:
        loss: name for the message.
        embeddings: [B, D], B > 0.
        **labels: [B] each.

    Raises:
        ValueError: a shape is another.
    """
    if embeddings.ndim != 2 or not len(embeddings):
        raise ValueError(
            f"{loss} takes embeddings [B, D] with B > 0; got {list(embeddings.shape)} (frames of "
            "clips: embeddings.flatten(0, 1), with the labels repeated for each frame)"
        )
    for name, label in labels.items():
        if label.shape != embeddings.shape[:1]:
            raise ValueError(
                f"{loss} takes {name} [B], one for each of the {len(embeddings)} embeddings; got "
                f"{list(label.shape)}"
            )
