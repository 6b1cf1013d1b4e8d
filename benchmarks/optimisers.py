"""Optimisers in one kernel beside plain ones, with and without a scaled loss."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import nn
from vireid.engine.runtime import Runtime
from vireid.engine.training import OPTIMISERS, make_optimiser

STEPS = 4
RATE, DECAY = 0.01, 0.1
SCALE = 1024.0
PLAIN: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda values, lr, **more: torch.optim.SGD(values, lr, 0.9, nesterov=True, **more),
}


def fused_and_plain_apart(device: torch.device) -> float:
    """Largest difference of a parameter after some steps, over all optimisers.

    Args:
        device: where the fused ones run; the plain ones run beside them.
    """
    torch.manual_seed(0)
    start = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2)).to(device)
    images = torch.randn(STEPS, 5, 3, 4, 4, device=device)
    apart = 0.0
    for name in OPTIMISERS:
        rule = SimpleNamespace(optimiser=name, wd=DECAY, backbone_rate=1.0)
        plain = copy.deepcopy(start)
        wanted = PLAIN[name](plain.parameters(), lr=RATE, weight_decay=DECAY)
        _train(Runtime(device.type, "fp32"), plain, wanted, images)
        for scale in (None, SCALE):
            ours, runtime = copy.deepcopy(start), Runtime(device.type, "fp32")
            if scale is not None:
                runtime.scaler = torch.amp.GradScaler(device.type, init_scale=scale)
            _train(runtime, ours, make_optimiser(ours, rule, RATE), images)  # type: ignore[arg-type]
            for one, other in zip(ours.parameters(), plain.parameters()):
                apart = max(apart, float((one - other).detach().abs().max()))
    return apart


def _train(
    runtime: Runtime, model: nn.Module, optimiser: torch.optim.Optimizer, images: torch.Tensor
) -> None:
    for batch in images:
        optimiser.zero_grad(set_to_none=True)
        runtime.backward(model(batch).square().mean())
        runtime.step(optimiser)
