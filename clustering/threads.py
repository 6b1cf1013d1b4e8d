"""Spreads a compiled loop over the rows of an array on several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray


def split_rows(work: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cuts rows into consecutive ranges of about equal work.

    Args:
        work: cumulative work, ``[N + 1]``, rising from ``work[0]``; row i costs
            ``work[i + 1] - work[i]``.
        parts: number of ranges wanted; fewer come back where rows are few.

    Returns:
        Ranges ``(start, stop)`` that cover all rows in order, none of them empty.
    """
    rows = len(work) - 1
    wanted = work[0] + (work[-1] - work[0]) * np.arange(1, parts) / parts
    cuts = np.unique(np.concatenate(([0], np.searchsorted(work, wanted), [rows])))
    return [(int(a), int(b)) for a, b in pairwise(cuts)]


def run_rows(
    kernel: Callable[..., object],
    rows: int,
    *arguments: object,
    work: NDArray[np.int64] | None = None,
) -> None:
    """Calls ``kernel(start, stop, *arguments)`` on ranges that cover ``range(rows)``.

    The kernel is compiled with ``nogil=True`` and writes only to its own rows, so the result
    does not depend on the number of threads, which is torch's (``OMP_NUM_THREADS``,
    ``torch.set_num_threads``). Plain threads instead of numba's own parallel loops: those start
    an OpenMP pool, and a process that did so cannot fork data loader workers afterwards.

    Args:
        kernel: compiled function.
        rows: number of rows, may be 0.
        arguments: passed on after the range.
        work: cumulative work for a fair split, ``[rows + 1]``; rows count alike if None.
    """
    threads = min(torch.get_num_threads(), rows)
    if threads <= 1:
        kernel(0, rows, *arguments)
        return
    if work is None:
        work = np.arange(rows + 1, dtype=np.int64)
    # More ranges than threads, so that one slow range does not leave the others waiting.
    ranges = split_rows(work, 4 * threads)
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(kernel, a, b, *arguments) for a, b in ranges]:
            future.result()
