"""Whether a checkpoint's content fits the run that goes on with it; looked at before training."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models.network import Network
from ..models.state_files import check_finite, check_state
from ..reading import is_number, is_whole, shortened

COUNTS = ("stage", "epoch", "step", "stage_step", "metrics_size")


def check_position(saved: Mapping[str, Any], epochs: Sequence[int]) -> None:
    """Refuses a place in the run that no run comes to.

    Args:
        saved: the checkpoint.
        epochs: of each stage.

    Raises:
        ValueError: a number is none, or lies behind the end.
    """
    for name in COUNTS:
        value = saved[name]
        if not is_whole(value):
            raise ValueError(f"{name} should be a number from 0, found {shortened(value)}")
    for name in ("stage_state", "within"):
        if not isinstance(saved[name], Mapping):
            raise ValueError(f"{name} should be a table, found {shortened(saved[name])}")
    for name in ("stage", "sums"):
        value = saved["within"].get(name, {})
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} within should be a table, found {shortened(value)}")
    for name in ("clips", "seconds", "left_out"):
        value = saved["within"].get(name, 0)
        if not _is_finite(value) or value < 0:
            raise ValueError(f"{name} within should be a number from 0, found {shortened(value)}")
    taken = saved["within"].get("taken", 0)
    if not is_whole(taken):
        raise ValueError(f"taken should be a number from 0, found {shortened(taken)}")
    last = epochs[saved["stage"]] if saved["stage"] < len(epochs) else 0
    if saved["stage"] > len(epochs) or saved["epoch"] > last:
        raise ValueError(f"it is at stage {saved['stage']}, epoch {saved['epoch']}, behind the end")


def check_network(saved: Any, model: Network) -> None:
    """Refuses weights of another network, and weights that are no numbers.

    Args:
        saved: what the checkpoint holds of the network.
        model: the network that goes on.

    Raises:
        ValueError: names, shapes or types differ, or a weight is not finite.
    """
    if not isinstance(saved, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in saved.items()
    ):
        raise ValueError("its network is no state of names and tensors")
    check_state(saved, model.state_dict(), layout="the network of these settings")
    check_finite(saved, "its network")


def check_revision(saved: Mapping[str, Any], model: Network) -> None:
    """Refuses weights that gave other features in the version that wrote them.

    Args:
        saved: what stands beside the weights; without a ``revision`` it is 1.
        model: the network as it is built now.

    Raises:
        ValueError: the revisions differ.
    """
    if saved.get("revision", 1) != model.revision:
        raise ValueError(f"the same weights of {type(model).__name__} compute something else now")


def check_optimiser(saved: Any, optimiser: torch.optim.Optimizer) -> None:
    """Refuses a state that the optimiser could not go on with.

    Args:
        saved: what the checkpoint holds of the optimiser.
        optimiser: a fresh one over the same parameters.

    Raises:
        ValueError: groups, parameters, shapes or types differ, or a number is not finite.
    """
    fresh = optimiser.state_dict()["param_groups"]
    groups = saved.get("param_groups") if isinstance(saved, Mapping) else None
    states = saved.get("state") if isinstance(saved, Mapping) else None
    if not isinstance(groups, list) or not isinstance(states, Mapping) or len(groups) != len(fresh):
        raise ValueError("its optimiser has other groups of parameters")
    for group, wanted in zip(groups, fresh):
        if not isinstance(group, Mapping) or not wanted.keys() <= group.keys():
            raise ValueError("a group of its optimiser lacks a setting")
        for name, value in wanted.items():
            if not _alike(group[name], value):
                raise ValueError(f"its optimiser's {name} is {shortened(group[name])}")
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    kinds = {tuple(sorted(map(str, one))) for one in states.values() if isinstance(one, Mapping)}
    # A parameter that no loss has reached has no state.
    if not set(states) <= set(range(len(parameters))) or len(kinds) > 1:
        raise ValueError("its optimiser holds the state of other parameters")
    for number, state in states.items():
        if not isinstance(state, Mapping):
            raise ValueError("its optimiser holds the state of no parameter")
        for name, value in state.items():
            if isinstance(value, Tensor):
                if value.shape not in (parameters[number].shape, torch.Size()):
                    raise ValueError(f"its optimiser's {name} has the shape {list(value.shape)}")
                if not value.is_floating_point():
                    raise ValueError(f"its optimiser's {name} has the type {value.dtype}")
                check_finite({str(name): value}, "its optimiser")
            elif not _is_finite(value) and not (value is None and name == "momentum_buffer"):
                raise ValueError(f"its optimiser's {name} is {shortened(value)}")


def _alike(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or wanted is None or isinstance(wanted, str):
        return type(found) is type(wanted)
    if isinstance(wanted, (int, float)):
        return _is_finite(found)
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(wanted)
            and all(_alike(a, b) for a, b in zip(found, wanted))
        )
    return True


def _is_finite(value: Any) -> bool:
    return is_number(value) and abs(value) <= sys.float_info.max


def restored_labels(
    state: Mapping[str, Any], name: str, count: int, *, some: bool = True
) -> NDArray[np.int64]:
    """Labels that a stage kept in the checkpoint.

    Args:
        state: what the stage kept.
        name: of the labels.
        count: tracks.
        some: whether one track at least has to have one.

    Returns:
        [N] int64, -1 = none.

    Raises:
        ValueError: they are missing or are no labels of so many tracks.
    """
    value = state.get(name)
    if not isinstance(value, Tensor) or value.shape != (count,) or value.dtype != torch.int64:
        raise ValueError(f"its {name} are no labels of {count} tracks")
    labels: NDArray[np.int64] = value.numpy().copy()
    empty = count > 0 and labels.max(initial=-1) < 0
    if ((labels < -1) | (labels >= max(1, count))).any() or (some and empty):
        raise ValueError(f"its {name} are no labels of {count} tracks")
    return labels
