"""K-means on inner products: many small point sets and many restarts in one batch.

Lloyd's steps need only the inner products of the points. With n points of length D (n ≪ D) an
iteration then costs n² and not n·D, and all restarts of a set are columns of one product.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .. import transfers

RESTARTS = 10
CANDIDATES = 3  # of each greedy k-means++ step
MAX_ITERATIONS = 300
# On a device a look at what still moves costs more than steps that move nothing.
STEPS_PER_LOOK = 8
# An empty part takes the worst placed point only if that is farther off than rounding can tell.
DISTINCT = 1e-10


def gram_kmeans(points: Tensor, mask: Tensor, k: int, seed: int) -> Tensor:
    """Splits each set of points into k parts of least total squared distance to their means.

    Args:
        points: ``[B, n, D]`` floating point, anything where padded; best centred on 0.
        mask: ``[B, n]`` bool, False for padding; every set has a point.
        k: number of parts.
        seed: of the starts; every set gets the same random numbers.

    Returns:
        Part of each point, ``[B, n]`` int64, of the best of all restarts. Parts stay empty only
        where a set has fewer than k different points.
    """
    gram = (points @ points.mT).double()
    gram *= mask[:, None] & mask[..., None]
    square = gram.diagonal(dim1=1, dim2=2).contiguous()
    parts = _start(gram, square, mask, k, seed)
    active = torch.arange(len(points), device=points.device)
    inertia = square.new_full((len(points), RESTARTS), torch.inf)
    steps_per_look = 1 if transfers.is_host(points) else STEPS_PER_LOOK
    for step in range(1, MAX_ITERATIONS + 1):
        old = parts[active]
        new, inertia[active] = _step(gram, square[active], mask[active], old, k)
        parts[active] = new
        if step % steps_per_look:
            continue
        moved = transfers.to_host((new != old).flatten(1).any(1))
        if not moved.any():
            break
        if not moved.all():
            still = transfers.to_device(np.flatnonzero(moved), points.device)
            active, gram = active[still], gram[still]
    best = inertia.argmin(1)
    return parts.gather(2, best[:, None, None].expand(-1, parts.shape[1], 1)).squeeze(2)


def _start(gram: Tensor, square: Tensor, mask: Tensor, k: int, seed: int) -> Tensor:
    """Parts ``[B, n, R]`` around greedy k-means++ points (Arthur and Vassilvitskii, 2007)."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(k, RESTARTS, CANDIDATES, generator=generator, dtype=torch.float64)
    uniform = uniform.to(gram.device, non_blocking=True)
    sets = torch.arange(len(gram), device=gram.device)
    count = mask.sum(1)
    valid = mask[:, None].double()

    def distances(chosen: Tensor) -> Tensor:
        """Squared distances ``[B, …, n]`` of all points to chosen ones ``[B, …]``."""
        flat = chosen.flatten(1)
        found = square.gather(1, flat)[..., None] + square[:, None] - 2 * gram[sets[:, None], flat]
        return (found.clamp_min(0) * valid).unflatten(1, chosen.shape[1:])

    chosen = (uniform[0, :, 0] * count[:, None]).long()
    to_chosen = [distances(chosen)]
    closest = to_chosen[0]
    for step in range(1, k):
        total = closest.cumsum(2)
        wanted = uniform[step] * total[..., -1:]
        candidate = torch.searchsorted(total, wanted, right=True)
        candidate = torch.minimum(candidate, count[:, None, None] - 1)
        to_candidate = distances(candidate)
        nearer = torch.minimum(to_candidate, closest[:, :, None])
        best = nearer.sum(3).argmin(2)[..., None, None].expand(-1, -1, 1, gram.shape[1])
        to_chosen.append(to_candidate.gather(2, best).squeeze(2))
        closest = nearer.gather(2, best).squeeze(2)
    return torch.stack(to_chosen).argmin(0).mT.contiguous()


def _step(
    gram: Tensor, square: Tensor, mask: Tensor, parts: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """One Lloyd step: parts ``[B, n, R]`` → new parts, and the inertia that they have then."""
    sets, points, restarts = parts.shape
    weight = torch.nn.functional.one_hot(parts, k).to(gram.dtype) * mask[..., None, None]
    size = weight.sum(1)
    sums = (gram @ weight.flatten(2)).view(sets, points, restarts, k)
    spread = (weight * sums).sum(1) / size.clamp_min(1).square()
    distance = square[..., None, None] - 2 * sums / size.clamp_min(1)[:, None] + spread[:, None]
    distance = distance.masked_fill((size == 0)[:, None], torch.inf)
    nearest, new = distance.min(3)
    nearest = nearest.clamp_min(0) * mask[..., None]
    empty = size == 0
    # Without an empty part what follows changes nothing; only on the host is it free to ask.
    if not transfers.is_host(empty) or bool(empty.any()):
        # One empty part a step takes over the point that lies worst.
        worst, place = nearest.max(1)
        wanted = empty.any(2) & (worst > DISTINCT * square.amax(1, keepdim=True))
        refuge = torch.where(wanted, empty.int().argmax(2), new.gather(1, place[:, None])[:, 0])
        new = new.scatter(1, place[:, None], refuge[:, None])
    return new, nearest.sum(1)
