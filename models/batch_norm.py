"""Batch normalisation over chosen groups of a batch, within one process or over several."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..transfers import to_device

Total = Callable[[Tensor], Tensor]


class BatchGroups:
    """Which clips of the present batch share statistics; one object for all layers of a network.

    Args:
        total: sums a tensor over the processes that hold parts of the batch, and returns the sum
            in each of them; None where this process holds the whole batch.
    """

    def __init__(self, total: Total | None = None) -> None:
        self.total: Total = total or (lambda values: values)
        self.frozen = False
        self.groups: Tensor | None = None  # None while no batch runs
        self.modalities: Tensor | None = None
        self.count = 1
        self.part, self.parts = 0, 1
        self._known: dict[tuple[int, torch.device], Tensor] = {}

    @contextlib.contextmanager
    def batch(
        self,
        groups: Tensor,
        count: int,
        modalities: Tensor | None = None,
        *,
        part: int = 0,
        parts: int = 1,
    ) -> Iterator[None]:
        """Runs the network on a batch.

        Args:
            groups: group of each clip that this process holds, [B] int64 in 0 … count − 1, on the
                CPU.
            count: number of groups, over all processes.
            modalities: [B] integers on the CPU, for networks in which a layer sees one modality
                only.
            part: number of this part of a batch that is run part by part.
            parts: number of its parts; running statistics take the mean over the groups of all.
        """
        self.groups, self.count, self.modalities = groups, count, modalities
        self.part, self.parts = part, parts
        try:
            yield
        finally:
            self.groups = self.modalities = None
            self._known.clear()

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Runs a batch a second time, without a second change of the running statistics."""
        self.frozen = True
        try:
            yield
        finally:
            self.frozen = False

    def on_device(self, rows: int, device: torch.device) -> Tensor:
        """As :meth:`of_rows`, on a device; copied once a batch, for all layers.

        Args:
            rows: that the layer sees.
            device: of the layer.
        """
        if (rows, device) not in self._known:
            self._known[rows, device] = to_device(self.of_rows(rows), device)
        return self._known[rows, device]

    def of_rows(self, rows: int) -> Tensor:
        """Group of each row that a layer sees, [rows] int64.

        Args:
            rows: a multiple of the clips (their frames one after another), or the clips of one
                modality in their order.

        Raises:
            ValueError: neither fits.
        """
        assert self.groups is not None
        clips = len(self.groups)
        if rows % clips == 0:
            return self.groups.repeat_interleave(rows // clips)
        if self.modalities is not None:
            for code in self.modalities.unique():
                chosen = self.groups[self.modalities == code]
                if len(chosen) == rows:
                    return chosen
        raise ValueError(
            f"batch norm by groups: {rows} rows are neither the {clips} clips of the batch, nor "
            "their frames, nor the clips of one modality"
        )


class _Normalise(torch.autograd.Function):
    """Normalises each group by its own mean and variance, which may span processes."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor,
        groups: Tensor,
        count: int,
        eps: float,
        total: Total,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
        members = F.one_hot(groups, count).T.to(wide.dtype)
        positions = prod(rows.shape[2:])
        size = members.sum(1, keepdim=True) * positions
        sums = total(torch.cat([members @ _over_positions(wide), size], dim=1))
        found = sums[:, -1:]
        size = found.clamp_min(1)
        mean = sums[:, :-1] / size
        # A second pass, because mean square minus squared mean loses digits.
        centred = wide - _each(mean, groups, rows)
        variance = total(members @ _over_positions(centred.square())) / size
        scale = (variance + eps).rsqrt()
        result = centred * _each(scale * weight, groups, rows) + _spread(bias, rows)
        ctx.save_for_backward(rows, weight, groups, mean, scale, size)
        ctx.total = total
        ctx.mark_non_differentiable(mean, variance, found)
        return result.to(rows.dtype), mean, variance, found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, groups, mean, scale, size = ctx.saved_tensors
        gradient = gradients[0].to(mean.dtype)
        members = F.one_hot(groups, len(mean)).T.to(mean.dtype)
        unit = (rows.to(mean.dtype) - _each(mean, groups, rows)) * _each(scale, groups, rows)
        plain = members @ _over_positions(gradient)
        along = members @ _over_positions(gradient * unit)
        # Weight and bias belong to this process's rows: their gradients are summed with all others.
        of_weight, of_bias = along.sum(0), plain.sum(0)
        width = plain.shape[1]
        sums = ctx.total(torch.cat([plain, along], dim=1)) / size
        centred = gradient - _each(sums[:, :width], groups, rows)
        centred = centred - unit * _each(sums[:, width:], groups, rows)
        of_rows = centred * _each(scale * weight, groups, rows)
        return of_rows.to(rows.dtype), of_weight, of_bias, None, None, None, None


def _over_positions(rows: Tensor) -> Tensor:
    """Sums [N, C, ...] to [N, C]."""
    return rows.sum(dim=tuple(range(2, rows.ndim))) if rows.ndim > 2 else rows


def _each(values: Tensor, groups: Tensor, like: Tensor) -> Tensor:
    """[G, C] as [N, C, 1, ...], a row for each sample."""
    return values[groups].view(len(groups), values.shape[1], *[1] * (like.ndim - 2))


def _spread(values: Tensor, like: Tensor) -> Tensor:
    """[C] as [1, C, 1, ...]."""
    return values.view(1, len(values), *[1] * (like.ndim - 2))


class GroupedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of any dimension that, while a batch of ``groups`` trains, takes each by itself.

    Args:
        layer: whose parameters, buffers and settings it takes over.
        groups: which clips belong together.
    """

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, groups: BatchGroups) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self._parameters, self._buffers = layer._parameters, layer._buffers
        self.groups = groups
        # Between the parts of a batch: statistics before it, sums over its groups, their number.
        self._seen: tuple[Tensor, Tensor, Tensor] | None = None
        self.train(layer.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Takes any; torch's layers differ in nothing else."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalises each group by itself in training, by the running statistics in evaluation."""
        groups = self.groups
        if not self.training or groups.groups is None:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            result, mean, variance, size = _Normalise.apply(
                input,
                self.weight,
                self.bias,
                groups.on_device(len(input), input.device),
                groups.count,
                self.eps,
                groups.total,
            )
        if not groups.frozen:
            self._remember(mean, variance * (size / (size - 1).clamp_min(1)), size)
        return result

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, size: Tensor) -> None:
        """Running statistics move once a batch, towards the mean over its groups.

        A layer that sees one modality may have groups without rows [G, 1], which say nothing.
        """
        if self.running_mean is None or self.running_var is None:
            return
        momentum = 0.1 if self.momentum is None else self.momentum
        before = torch.stack([self.running_mean, self.running_var])
        sums = torch.zeros_like(before, dtype=mean.dtype)
        groups = sums.new_zeros(())
        if self.groups.part:
            assert self._seen is not None
            before, sums, groups = self._seen
        elif self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        filled = size > 0
        sums = sums + torch.stack([(filled * mean).sum(0), (filled * variance).sum(0)])
        groups = groups + filled.sum()
        # On the device: whether any group had rows is not waited for.
        share = momentum * (groups > 0).to(sums.dtype)
        now = before + share * (sums / groups.clamp_min(1) - before)
        self.running_mean.copy_(now[0])
        self.running_var.copy_(now[1])
        last = self.groups.part == self.groups.parts - 1
        self._seen = None if last else (before, sums, groups)


def group_batch_norm(model: nn.Module, groups: BatchGroups) -> None:
    """Replaces the batch-norm layers of a network; parameters, buffers and their names stay.

    Outside :meth:`BatchGroups.batch`, and in evaluation mode, the layers are what they were.
    Statistics are computed in float32 at least. Groups are what "ghost" batch normalisation
    (Hoffer et al., arXiv:1705.08741) calls small batches; over processes the same code is
    synchronised batch normalisation. ``nn.SyncBatchNorm`` cannot take its place: it refuses tensors
    on a CPU, and its groups are whole processes.

    Args:
        model: the network, changed in place.
        groups: which clips belong together; shared by the layers.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, GroupedBatchNorm):
                child.groups = groups
            elif isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
                setattr(parent, name, GroupedBatchNorm(child, groups))
