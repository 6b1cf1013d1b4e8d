"""Compiles the parts of a network where a compiler works, and says why where none does."""

from __future__ import annotations

import functools

import torch
from torch import nn

# What runs on every frame; the neck and the classifiers cost nothing beside it.
PARTS = ("stem", "visible_stem", "infrared_stem", "trunk", "pool")


@functools.cache
def fault(device: str) -> str | None:
    """Tries to compile a tiny function, because only that tells whether the tools are there.

    None if it works on the device, ``cpu`` or ``cuda``, otherwise what went wrong, in one line.
    """
    probe = torch.compile(lambda values: (values * 2 + 1).relu().sum())
    try:
        probe(torch.ones(8, device=device))
    except Exception as error:
        # Whatever the compiler's tool chain raises: no network needs it.
        lines = str(error).strip().splitlines()
        return lines[0] if lines else type(error).__name__
    return None


def compile_network(model: nn.Module, device: torch.device) -> str | None:
    """Compiles a network in place, when its parts first run.

    Names of parameters, and so checkpoints, stay as they are. A batch of another size, for
    instance the last of an epoch, compiles once more, with the size left open.

    Returns:
        None, or one line that says why it goes on uncompiled.
    """
    trouble = fault(device.type)
    if trouble is not None:
        needed = "Triton" if device.type == "cuda" else "a C++ compiler"
        return f"--compile needs {needed} and goes on without compiling: {trouble}"
    for name in PARTS:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            part.compile()
    return None
