"""Soft cluster-level alignment (SCA): one identity looks the same in both modalities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..losses import MMDLoss
from ..transfers import to_device

_MMD = MMDLoss()


def soft_cluster_alignment(embeddings: Tensor, labels: Tensor, modalities: Tensor) -> Tensor:
    """Mean over identities of ½[MMD²(V, sg R) + MMD²(R, sg V)] (MMM, soft cluster alignment).

    Args:
        embeddings: [B, D], normalised here.
        labels: [B] int64 unified labels; negative ones are left out. On the CPU, whatever the
            device of the embeddings: the host then waits for nothing.
        modalities: [B] int64, on the CPU, too.

    Returns:
        Scalar; 0 with a gradient of 0 where no identity is in both modalities.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    visible = modalities.cpu() == Modality.VISIBLE
    terms = []
    for seen, infrared in _sets(unit, labels.cpu(), [visible], ~visible):
        terms.append(_MMD.of_each(seen, infrared.detach()))
        terms.append(_MMD.of_each(infrared, seen.detach()))
    return torch.cat(terms).mean() if terms else embeddings.sum() * 0


def view_alignment(
    features: Tensor, labels: Tensor, modalities: Tensor, exchanged: Tensor
) -> tuple[Tensor, Tensor]:
    """The alignment of the released code: each visible view by itself, on features as they are.

    For each class of the batch the discrepancies of its visible views with its infrared rows are
    summed; the result is the mean of these sums over the classes. Source: the code released with
    MMM.

    Args:
        features: [B, D], floating point, used without normalisation.
        labels: [B] int64 unified labels; negative ones are left out. On the CPU, whatever the
            device of the features: the host then waits for nothing.
        modalities: [B] int64, on the CPU, too.
        exchanged: [B] bool, second views of visible images; on the CPU, too.

    Returns:
        What moves the visible rows, with the infrared ones fixed, and the reverse; scalars, 0 with
        a gradient of 0 where no class is in both modalities.
    """
    labels, modalities, exchanged = labels.cpu(), modalities.cpu(), exchanged.cpu()
    visible = modalities == Modality.VISIBLE
    views = [visible & ~exchanged, visible & exchanged]
    sums = [features.sum() * 0, features.sum() * 0]
    for seen, infrared in _sets(features, labels, views, ~visible):
        sums[0] = sums[0] + _MMD.of_each(seen, infrared.detach()).sum()
        sums[1] = sums[1] + _MMD.of_each(infrared, seen.detach()).sum()
    classes = max(len(labels[labels >= 0].unique()), 1)
    return sums[0] / classes, sums[1] / classes


def _sets(
    rows: Tensor, labels: Tensor, views: Sequence[Tensor], infrared: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of each class in each visible view and in infrared, for the classes that have both.

    Sets of equal sizes come together, so that a batch of P x K is one pair of tensors a view.

    Args:
        rows: [B, D].
        labels: [B] int64, on the CPU, as all that follows.
        views: each [B] bool.
        infrared: [B] bool.

    Yields:
        [G, n, D] and [G, m, D].
    """
    by_sizes: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
    for label in labels[labels >= 0].unique():
        mine = labels == label
        there = (mine & infrared).nonzero().squeeze(1)
        for view in views:
            seen = (mine & view).nonzero().squeeze(1)
            if len(seen) and len(there):
                by_sizes.setdefault((len(seen), len(there)), []).append((seen, there))
    for pairs in by_sizes.values():
        seen, there = map(torch.stack, zip(*pairs))
        yield _gathered(rows, seen), _gathered(rows, there)


def _gathered(rows: Tensor, where: Tensor) -> Tensor:
    """[G, n, D] of rows [B, D] at places [G, n] that the host knows."""
    chosen = rows.index_select(0, to_device(where.flatten(), rows.device))
    return chosen.unflatten(0, where.shape)
