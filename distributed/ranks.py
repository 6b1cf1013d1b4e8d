"""What the processes of one run exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import UserError, first_line
from ..transfers import OnItsWay, to_device
from .processes import count, is_main, rank

Result = TypeVar("Result")


@contextlib.contextmanager
def _exchange() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, dist.DistError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise UserError(
            f"process {rank()} of {count()} lost contact with the others ({first_line(error)}). "
            "Look above for the first message of the process that ended; one without a message was "
            "killed from outside, for instance for want of memory. --resume goes on with the run."
        ) from error


def _device() -> torch.device:
    """Where tensors have to lie to be exchanged."""
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def from_main(compute: Callable[[], Result]) -> Result:
    """What ``compute`` gives in the main process, in every process.

    So that no two processes can disagree, and the work is done once.
    """
    if count() == 1:
        return compute()
    box: list[Any] = [compute() if is_main() else None]
    with _exchange():
        dist.broadcast_object_list(box, src=0, device=_device())
    return box[0]


def of_all(value: Result) -> list[Result]:
    """The value of each process, in the order of their numbers."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    with _exchange():
        dist.all_gather_object(values, value)
    return values


def any_of(value: bool) -> bool:
    """Whether ``value`` holds in any of the processes; all of them have to ask."""
    return asked_of_all(value)()


def asked_of_all(value: bool) -> Callable[[], bool]:
    """Begins to ask what :func:`any_of` asks; all of the processes have to.

    Args:
        value: of this process.

    Returns:
        Gives the answer. Until it is called no device is waited for.
    """
    if count() == 1:
        return lambda: value
    votes = OnItsWay(total(to_device(torch.tensor([int(value)]), _device())))
    return lambda: bool(votes.arrived())


def total(values: Tensor) -> Tensor:
    """Sums a tensor over the processes; the same bits in each of them."""
    if count() == 1:
        return values
    values = values.contiguous()
    with _exchange():
        dist.all_reduce(values)
    return values


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Adds up over the processes what each one's rows contribute to the gradients."""
    if count() == 1:
        return
    by_type: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            key = (parameter.grad.dtype, parameter.grad.device)
            by_type.setdefault(key, []).append(parameter.grad)
    for gradients in by_type.values():
        flat = total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients])):
            gradient.copy_(summed.view_as(gradient))


def same_state(model: torch.nn.Module) -> None:
    """Gives every process the main process's parameters and buffers."""
    if count() == 1:
        return
    with _exchange(), torch.no_grad():
        for tensor in model.state_dict().values():
            here = tensor.detach().to(_device()).contiguous()
            dist.broadcast(here, src=0)
            tensor.copy_(here)


class _Gather(torch.autograd.Function):
    """Rows of all processes; each process's own rows take their part of the gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, longest: int) -> Tensor:
        ctx.rows, ctx.longest = len(rows), longest
        padded = rows.new_zeros(longest, *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(count())]
        with _exchange():
            dist.all_gather(parts, padded)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        start = rank() * ctx.longest
        return gradients[0][start : start + ctx.rows], None


def gather_rows(rows: Tensor, order: list[Tensor], each: int = 1) -> Tensor:
    """Puts the rows of all processes into the order of the whole.

    Every process computes the same loss from the result. The gradient that reaches a process's
    rows is theirs alone, so the gradients of the parameters are summed afterwards
    (:func:`sum_gradients`).

    Args:
        rows: those of this process, ``[len(order[rank]) * each, ...]``.
        order: for each process the places of its items in the whole, int64; together each place
            once.
        each: rows of an item, one after another.

    Returns:
        ``[items * each, ...]``, on the device of ``rows``.
    """
    device = rows.device
    longest = max(len(places) for places in order)
    items = rows.reshape(len(order[rank()]), each, *rows.shape[1:])
    if count() > 1:
        items = _Gather.apply(items.to(_device()), longest).to(device)
    else:
        longest = len(items)
    places = torch.cat([number * longest + torch.arange(len(o)) for number, o in enumerate(order)])
    source = torch.empty_like(places)
    source[torch.cat(order)] = places
    return items[to_device(source, device)].flatten(0, 1)


def leave() -> None:
    """Ends the exchange after a run that went well."""
    if count() > 1 and dist.is_initialized():
        dist.destroy_process_group()
