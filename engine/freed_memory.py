"""Freed memory stays with the process, so that a training step on the CPU finds it again."""

from __future__ import annotations

import ctypes
import os
import platform

# Of <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Blocks of this size and more are given back when they are freed; glibc takes no higher limit, and
# comes to this one by itself where such blocks are freed.
HEAP_BLOCK = 32 * 2**20
MOST_KEPT = 2**30
OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Asks the C library to keep freed blocks below 32 MiB, together at most 1 GiB.

    As it comes, glibc gives the maps and gradients of a step back to the system and asks for them
    anew in the next, page by page, each page cleared: a tenth of the processor time of a small
    network (``python -m benchmarks.freed_memory``). What is computed does not change.

    Returns:
        Whether it does: not where the C library is another, nor where the environment sets its
        limits (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_``, ``GLIBC_TUNABLES``).
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in OWN_SETTINGS):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    limits = {M_MMAP_THRESHOLD: HEAP_BLOCK, M_TRIM_THRESHOLD: MOST_KEPT}
    return all(mallopt(name, limit) == 1 for name, limit in limits.items())
