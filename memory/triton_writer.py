"""The memory update as one CUDA kernel. Importing this needs Triton."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _write(rows, samples, targets, count, width, momentum: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """The program of a row's first sample writes all samples of that row; the others leave."""
    first = tl.program_id(0)
    row = tl.load(targets + first)
    mine = row >= 0
    for i in range(first):
        mine = mine & (tl.load(targets + i) != row)
    if mine:
        column = tl.arange(0, block)
        inside = column < width
        state = tl.load(rows + row * width + column, mask=inside, other=0.0)
        for i in range(first, count):
            if tl.load(targets + i) == row:
                sample = tl.load(samples + i * width + column, mask=inside, other=0.0)
                state = momentum * state + (1 - momentum) * sample
                state = state / tl.maximum(tl.sqrt(tl.sum(state * state, 0)), 1e-12)
        tl.store(rows + row * width + column, state, mask=inside)


def write(rows: Tensor, samples: Tensor, targets: Tensor, momentum: float) -> None:
    """``write_samples`` in one launch; nothing waits for the device.

    Args:
        rows: ``[C, D]`` contiguous, changed in place, float32 or float64.
        samples: ``[B, D]`` in the dtype of the rows.
        targets: ``[B]`` int64; −1 writes nothing.
        momentum: share of the old row; part of the compiled code, as it is one number a run.
    """
    count, width = samples.shape
    _write[(count,)](
        rows,
        samples.contiguous(),
        targets.contiguous(),
        count,
        width,
        momentum=momentum,
        block=triton.next_power_of_2(width),
        num_warps=8,
    )
