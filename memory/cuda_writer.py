"""Finds out whether this machine can compile the memory's CUDA kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Writer = Callable[[Tensor, Tensor, Tensor, float], None]


@cache
def cuda_writer() -> Writer | None:
    """The kernel of ``triton_writer``, once it has passed a trial; looked for once a process.

    Returns:
        A function with the arguments of ``write_samples``, or None where Triton is not installed
        or does not run (it needs a C compiler); one line in the log then says so.
    """
    try:
        from .triton_writer import write

        rows = torch.zeros(1, 2, device="cuda")
        write(rows, rows + 1, torch.zeros(1, dtype=torch.int64, device="cuda"), 0.5)
        if not torch.allclose(rows, torch.full_like(rows, 0.5**0.5)):
            raise RuntimeError(f"a trial gave {rows.tolist()}")
    except Exception as reason:  # whatever a foreign compiler raises
        logging.getLogger(__name__).warning(
            "no CUDA kernel for memory updates (%s: %s); updates run in rounds, with the same "
            "result",
            type(reason).__name__,
            str(reason).partition("\n")[0],
        )
        return None
    return write
