"""Unit-length vectors."""

import torch
from torch import Tensor


def l2_normalize(vectors: Tensor, dim: int = -1) -> Tensor:
    """Divides vectors by their Euclidean length.

    Half-precision input is normalised in float32 (a square overflows float16 above 256); float32
    and float64 keep their type. A vector of zeros stays zero, and the gradient that it receives is
    finite.

    Args:
        vectors: any shape, floating point.
        dim: the dimension that holds the components of a vector.

    Returns:
        Same shape, length 1 along ``dim``; float32, or float64 for float64 input.
    """
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    length = vectors.norm(dim=dim, keepdim=True)
    return vectors / torch.where(length > 0, length, 1.0)
