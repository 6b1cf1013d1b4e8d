"""Unit-length vectors."""

import torch
from torch import Tensor


def l2_normalize(vectors: Tensor) -> Tensor:
    """Divides vectors by their Euclidean length.

    Half-precision input is normalised in float32 (a square overflows float16 above 256); float32
    and float64 keep their type. A vector of zeros stays zero, and the gradient that it receives is
    finite.

    Args:
        vectors: [..., D], floating point.

    Returns:
        Same shape, of length 1; float32, or float64 for float64 input.
    """
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    length = vectors.norm(dim=-1, keepdim=True)
    return vectors / torch.where(length > 0, length, 1.0)
