"""A copy of the network whose weights follow those in training slowly."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from ..models.network import Network
from ..reading import is_whole, shortened
from .checkpoint_fit import check_network


class WeightAverage:
    """Exponential moving average of a network over the optimiser steps.

    average ← d · average + (1 − d) · weights, with d = min(decay, 1 − 1/(t + 1)) at the t-th step,
    so that the first steps make a plain mean. Source: Tarvainen and Valpola, "Mean teachers are
    better role models", NeurIPS 2017; features of such a copy are what MMT clusters (Ge et al.,
    ICLR 2020), here without its second network and soft losses. The running statistics of batch
    norm are averaged alike, its counters copied: the copy never runs in training mode.

    Args:
        model: on its device, not yet compiled or split; copied.
        decay: share of itself that the average keeps at a step, 0 to 1, 1 excluded.

    Attributes:
        network: the averaged copy, in evaluation mode, without gradients.
        updates: steps so far.
    """

    def __init__(self, model: Network, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(model).eval().requires_grad_(False)
        self.updates = 0

    @torch.no_grad()
    def update(self, model: Network) -> None:
        """Takes in the weights after a step.

        Args:
            model: whose copy this is.
        """
        self.updates += 1
        weight = 1 - min(self.decay, 1 - 1 / (self.updates + 1))
        now = model.state_dict()
        average = self.network.state_dict()
        moving = [name for name, value in average.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [average[name] for name in moving], [now[name] for name in moving], weight
        )
        for name in average.keys() - set(moving):
            average[name].copy_(now[name])

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"updates": self.updates, "network": self.network.state_dict()}

    def load_state(self, state: Any) -> None:
        """Takes back what :meth:`state` gave.

        Raises:
            ValueError: it is none, or that of another network.
        """
        if not isinstance(state, Mapping) or not is_whole(state.get("updates")):
            raise ValueError(f"its averaged network should be a table, found {shortened(state)}")
        check_network(state.get("network"), self.network)
        self.network.load_state_dict(state["network"])
        self.updates = state["updates"]
