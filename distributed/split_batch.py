"""A batch over several processes and in several parts, with the outputs of the whole batch."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..engine.options import BatchOptions
from ..errors import UserError
from ..models.batch_norm import BatchGroups, group_batch_norm
from ..random_streams import generator
from . import ranks


def split_batches(model: nn.Module, config: BatchOptions) -> None:
    """Lets a network in training mode run its share of each batch and give the outputs of all.

    Whoever calls the network sees the whole batch on both sides, so losses, memories and samplers
    do not know of processes and parts. Every learned parameter has to be used inside the network's
    forward; gradients are then summed over the processes (``ranks.sum_gradients``). Nothing changes
    in one process without ``--bn-batch`` and ``--accumulate``.

    Args:
        model: on its device; all processes get the main one's weights.
        config: ``bn_batch`` and ``accumulate``.
    """
    ranks.same_state(model)
    if ranks.count() == 1 and config.bn_batch is None and config.accumulate == 1:
        return
    groups = BatchGroups(ranks.total if ranks.count() > 1 else None)
    group_batch_norm(model, groups)
    run = _SplitForward(model, groups, config.bn_batch, config.accumulate)
    model.forward = run


def whole_batches(model: nn.Module) -> None:
    """Takes back what :func:`split_batches` did to the network's forward."""
    model.__dict__.pop("forward", None)


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
    where these are known, else in a fixed shuffled order. Parts and groups do not depend on the
    number of processes.

    Args:
        clips: B.
        modalities: [B] integers, or None.
        parts: number of parts, one after another.
        processes: number of processes, which share each part.
        bn_batch: clips of a batch-norm group, about; None = a whole part.

    Raises:
        UserError: there are too few clips.
    """
    rank_of = torch.empty(clips, dtype=torch.int64)
    codes = torch.zeros(clips, dtype=torch.int64) if modalities is None else modalities.cpu()
    for code in codes.unique():
        members = (codes == code).nonzero().squeeze(1)
        if len(members) < parts * processes:
            what = "" if modalities is None else " of each modality"
            raise UserError(
                f"a batch needs at least {parts * processes} clips{what} for {processes} processes "
                f"and --accumulate {parts}; it has {len(members)}. Use fewer of them, or a larger "
                "--p-num or --k-num."
            )
        if modalities is None:
            members = members[torch.randperm(clips, generator=generator(clips))]
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
    return Deal(places, inner % count, count)


class _SplitForward:
    """Stands for the forward of a network."""

    def __init__(
        self, model: nn.Module, groups: BatchGroups, bn_batch: int | None, accumulate: int
    ) -> None:
        self.model = model
        self.inner: Callable[..., Any] = model.forward
        self.groups = groups
        self.bn_batch = bn_batch
        self.accumulate = accumulate

    def __call__(self, clips: Tensor, *arguments: Any, **named: Any) -> Any:
        if not self.model.training:
            return self.inner(clips, *arguments, **named)
        modalities = next(
            (v for v in (*arguments, *named.values()) if isinstance(v, Tensor) and v.ndim == 1),
            None,
        )
        dealt = deal(
            len(clips),
            modalities,
            parts=self.accumulate,
            processes=ranks.count(),
            bn_batch=self.bn_batch,
        )
        outputs = [
            self._part(dealt, part, modalities, clips, *arguments, **named)
            for part in range(self.accumulate)
        ]
        order = [torch.cat(parts) for parts in dealt.parts]
        return _joined(outputs, order)

    def _part(
        self, dealt: Deal, part: int, modalities: Tensor | None, *arguments: Any, **named: Any
    ) -> Any:
        places = dealt.parts[ranks.rank()][part]
        whole = len(arguments[0])

        def own(value: Any) -> Any:
            if isinstance(value, Tensor) and value.ndim and len(value) == whole:
                return value[places.to(value.device)]
            return value

        def run(*mine: Any, **also: Any) -> Any:
            with self.groups.batch(
                dealt.groups[places],
                dealt.count,
                None if modalities is None else modalities.cpu()[places],
                part=part,
                parts=self.accumulate,
            ):
                return self.inner(*mine, **also)

        mine = [own(value) for value in arguments]
        also = {name: own(value) for name, value in named.items()}
        if self.accumulate == 1:
            return run(*mine, **also)
        # The loss needs the embeddings of all parts at once. A part's activations are dropped after
        # its first pass and computed again when the gradients of its embeddings are there.
        return checkpoint(
            run,
            *mine,
            use_reentrant=False,
            context_fn=lambda: (contextlib.nullcontext(), self.groups.again()),
            **also,
        )


def _joined(outputs: list[Any], order: list[Tensor]) -> Any:
    """One output for the whole batch, of the structure of the parts'."""
    first = outputs[0]
    if isinstance(first, Tensor):
        rows = torch.cat(outputs)
        each, rest = divmod(len(rows), len(order[ranks.rank()]))
        if rest:
            raise ValueError(
                f"the network gave {len(rows)} rows for {len(order[ranks.rank()])} clips; over "
                "several processes or parts every output has the same number of rows a clip"
            )
        return ranks.gather_rows(rows, order, each)
    if isinstance(first, (tuple, list)):
        values = [_joined(list(parts), order) for parts in zip(*outputs)]
        return type(first)(*values) if hasattr(first, "_fields") else type(first)(values)
    if isinstance(first, dict):
        return {name: _joined([output[name] for output in outputs], order) for name in first}
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        fields = [field.name for field in dataclasses.fields(first)]
        joined = {name: _joined([getattr(o, name) for o in outputs], order) for name in fields}
        return dataclasses.replace(first, **joined)
    return first
