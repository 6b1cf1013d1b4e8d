"""Features of many tracks, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def extract_features(
    encode: Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    count: int,
) -> Tensor:
    """Runs ``encode`` over clips and puts the rows into the order of the tracks.

    Args:
        encode: uint8 clips [B, T, 3, H, W] and their track numbers [B] to features [B, D].
        batches: pairs of clips and their track numbers [B], every track once.
        count: number of tracks, N.

    Returns:
        [N, D] float32 on the CPU.

    Raises:
        ValueError: a track got no feature, or a feature is not finite.
    """
    features: Tensor | None = None
    seen = torch.zeros(count, dtype=torch.bool)
    for clips, index in batches:
        rows = encode(clips, index).float().cpu()
        if features is None:
            features = rows.new_zeros(count, rows.shape[1])
        features[index] = rows
        seen[index] = True
    if features is None or not bool(seen.all()):
        raise ValueError(f"{int((~seen).sum())} of {count} tracks got no feature")
    broken = (~torch.isfinite(features).all(dim=1)).nonzero().flatten()
    if len(broken):
        raise ValueError(
            f"features of {len(broken)} tracks are not finite (first: track {int(broken[0])}); "
            "the network has diverged"
        )
    return features
