"""Thin networks whose non-local blocks look at a quarter of the positions, beside all positions."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from vireid.models import M3ReID
from vireid.models.non_local import NonLocalBlock

from .measure import interleaved
from .table import Table, devices, parser
from .train_step import network


def seeing_all(model: M3ReID) -> M3ReID:
    """A copy whose blocks take no maxima."""
    model = copy.deepcopy(model)
    for block in model.modules():
        if isinstance(block, NonLocalBlock):
            block.subsample = False
    return model


def training_pass(model: M3ReID, clips: Tensor) -> Callable[[], None]:
    """Forward and backward."""

    def run() -> None:
        model.train().zero_grad()
        model(clips).embeddings.square().sum().backward()

    return run


def training_passes(backbone: str, size: tuple[int, int, int], count: int) -> Callable[[], None]:
    """Several, of a network on the CPU in the memory format of a training.

    Args:
        backbone: of M3-ReID.
        size: clips of two frames, height, width.
        count: how many.
    """
    batch, height, width = size
    model = network(backbone).to(memory_format=torch.channels_last)
    step = training_pass(model, torch.rand(batch, 2, 3, height, width))

    def run() -> None:
        for _ in range(count):
            step()

    return run


def testing_pass(model: M3ReID, clips: Tensor) -> Callable[[], None]:
    """Forward in evaluation mode."""

    def run() -> None:
        with torch.inference_mode():
            model.eval().embed(clips)

    return run


def compare(table: Table, backbone: str, size: tuple[int, int, int], rounds: int) -> None:
    """Both forms in turns, on clips as the video demo trains with them, and tests."""
    batch, height, width = size
    model = network(backbone).to(table.device).to(memory_format=torch.channels_last)
    forms = {"all positions": seeing_all(model), "a quarter of them": model}
    for name, frames, part in (("training", 2, training_pass), ("test", 6, testing_pass)):
        table.section(f"{name}: {backbone}, {batch} clips x {frames} x {height} x {width}")
        clips = torch.rand(batch, frames, 3, height, width, device=table.device)
        calls = {form: part(one, clips) for form, one in forms.items()}
        found = interleaved(calls, table.device, rounds)
        table.row("all positions", found["all positions"])
        table.row("a quarter of them", found["a quarter of them"], found["all positions"])


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--backbone", default="thin-16")
    given = flags.parse_args()
    for device in devices(given.device):
        table = Table("subsampling", device)
        size, rounds = ((8, 32, 16), 2) if given.quick else ((64, 96, 48), 9)
        compare(table, given.backbone, size, rounds)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
