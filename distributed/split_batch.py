"""A batch over several processes and in several parts, with the outputs of the whole batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..errors import UserError
from ..models.batch_norm import BatchGroups, group_batch_norm
from ..models.network import BatchOutput, Network
from ..random_streams import generator
from ..transfers import to_device
from . import ranks

Compute = Callable[[Tensor, Tensor], BatchOutput]


def split_batches(model: Network, *, bn_batch: int | None = None, accumulate: int = 1) -> None:
    """Lets a network in training mode run its share of each batch and give the outputs of all.

    Whoever calls ``forward_features`` sees the whole batch on both sides, so losses, memories and
    samplers do not know of processes and parts. Every learned parameter has to be used in
    ``compute``; gradients are then summed over the processes (``ranks.sum_gradients``). Nothing
    changes in one process without ``bn_batch`` and ``accumulate``.

    Args:
        model: on its device; all processes get the main one's weights.
        bn_batch: clips that share batch-norm statistics, about; None = all that run together.
        accumulate: parts in which a batch is computed, one after another.
    """
    ranks.same_state(model)
    if ranks.count() == 1 and bn_batch is None and accumulate == 1:
        return
    groups = BatchGroups(ranks.total if ranks.count() > 1 else None)
    group_batch_norm(model, groups)
    model.splitter = BatchSplitter(groups, bn_batch, accumulate, by_modality=model.two_streams)


def whole_batches(model: Network) -> None:
    """Takes back what :func:`split_batches` did."""
    model.splitter = None


@dataclass(frozen=True)
class Deal:
    """Who computes which clip of a batch.

    Attributes:
        parts: for each process, for each part of the batch, places of its clips, ascending.
        groups: batch-norm group of each clip within its part, [B] int64.
        count: batch-norm groups of a part.
    """

    parts: list[list[Tensor]]
    groups: Tensor
    count: int


def deal(
    clips: int,
    modalities: Tensor | None,
    *,
    parts: int,
    processes: int,
    bn_batch: int | None,
) -> Deal:
    """Deals the clips of a batch to parts, processes and batch-norm groups.

    Batches are ordered by identity or modality, and a group of one modality would be normalised
    by statistics of that modality alone. So the clips are dealt one by one: modality by modality
    where these are known, else in a fixed shuffled order. A modality with few clips is in some of
    the shares only. Parts and groups do not depend on the number of processes.

    Args:
        clips: B.
        modalities: [B] integers on the CPU, or None.
        parts: number of parts, one after another.
        processes: number of processes, which share each part.
        bn_batch: clips of a batch-norm group, about; None = a whole part.

    Raises:
        UserError: there are too few clips.
    """
    rank_of = torch.empty(clips, dtype=torch.int64)
    codes = torch.zeros(clips, dtype=torch.int64) if modalities is None else modalities
    for code in codes.unique():
        members = (codes == code).nonzero().squeeze(1)
        if modalities is None:
            members = members[torch.randperm(clips, generator=generator(clips))]
        # Each modality begins at the first share. So, where a share has as many clips of either,
        # they have the same groups, which is what ``BatchGroups.of_rows`` takes for granted.
        rank_of[members] = torch.arange(len(members))
    inner = rank_of // parts
    count = 1 if bn_batch is None else max(1, round(clips / parts / bn_batch))
    places = [
        [
            ((rank_of % parts == part) & (inner % processes == process)).nonzero().squeeze(1)
            for part in range(parts)
        ]
        for process in range(processes)
    ]
    if not all(len(share) for shares in places for share in shares):
        raise UserError(
            f"a batch of {clips} clips is too small for {processes} processes and --accumulate "
            f"{parts}: of its {processes * parts} shares one would be empty. Use fewer of them, or "
            "a larger --p-num or --k-num."
        )
    return Deal(places, inner % count, count)


class BatchSplitter:
    """The ``splitter`` of a network: this process's share, part by part, and the whole output.

    Args:
        groups: shared by the batch-norm layers of the network.
        bn_batch, accumulate: see :func:`split_batches`.
        by_modality: whether modalities are dealt apart; see :func:`deal`.
    """

    def __init__(
        self, groups: BatchGroups, bn_batch: int | None, accumulate: int, *, by_modality: bool
    ) -> None:
        self.groups = groups
        self.bn_batch = bn_batch
        self.accumulate = accumulate
        self.by_modality = by_modality
        self.modalities: frozenset[int] = frozenset()

    def __call__(self, compute: Compute, clips: Tensor, modalities: Tensor) -> BatchOutput:
        dealt = deal(
            len(clips),
            modalities if self.by_modality else None,
            parts=self.accumulate,
            processes=ranks.count(),
            bn_batch=self.bn_batch,
        )
        sizes = (sum(map(len, shares)) for shares in zip(*dealt.parts))  # over the processes
        smallest = min(sizes) * clips.shape[1]
        if smallest < 2:
            raise UserError(
                f"--accumulate {self.accumulate} leaves a part of the {len(clips)} clips with one "
                "frame, over which batch norm cannot normalise. Lower it, or raise --p-num, "
                "--k-num or --num-frames."
            )
        outputs = [
            self._part(dealt, part, compute, clips, modalities) for part in range(self.accumulate)
        ]
        return _joined(outputs, [torch.cat(parts) for parts in dealt.parts])

    def _part(
        self, dealt: Deal, part: int, compute: Compute, clips: Tensor, modalities: Tensor
    ) -> BatchOutput:
        places = dealt.parts[ranks.rank()][part]
        whole = frozenset(modalities.tolist())

        def run(clips: Tensor, modalities: Tensor) -> BatchOutput:
            self.modalities = whole  # a second pass may come after other batches
            with self.groups.batch(
                dealt.groups[places],
                dealt.count,
                modalities if self.by_modality else None,
                part=part,
                parts=self.accumulate,
            ):
                return compute(clips, modalities)

        mine = clips[to_device(places, clips.device)], modalities[places]
        if self.accumulate == 1:
            return run(*mine)
        # The loss needs the embeddings of all parts at once. A part's activations are dropped after
        # its first pass and computed again when the gradients of its embeddings are there.
        output: BatchOutput = checkpoint(
            run,
            *mine,
            use_reentrant=False,
            context_fn=lambda: (contextlib.nullcontext(), self.groups.again()),
        )
        return output


def _joined(outputs: list[BatchOutput], order: list[Tensor]) -> BatchOutput:
    """The output for the whole batch, from those of this process's parts."""
    clips = len(order[ranks.rank()])
    done: dict[int, Tensor] = {}  # pooled features may be the embeddings, and are exchanged once

    def whole(parts: tuple[Any, ...]) -> Any:
        first = parts[0]
        if not isinstance(first, Tensor):
            return None if first is None else tuple(map(whole, zip(*parts)))
        if id(first) not in done:
            rows = torch.cat(parts)
            each, rest = divmod(len(rows), clips)
            if rest:
                raise ValueError(
                    f"the network gave {len(rows)} rows for {clips} clips; over several processes "
                    "or parts every output has the same number of rows a clip"
                )
            done[id(first)] = ranks.gather_rows(rows, order, each)
        return done[id(first)]

    return BatchOutput(*map(whole, zip(*outputs)))
