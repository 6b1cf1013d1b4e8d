"""Memory update of a batch beside the sequential rule, sample by sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from vireid.memory import ClusterMemory

from . import plain
from .measure import Measured, measure
from .table import Table, devices, parser

MOMENTUM = 0.1
REPEAT = 5
CALLS = 50
CPU = torch.device("cpu")


def compare(table: Table, batch: int, clusters: int, width: int) -> None:
    """Batches with few and with many samples a cluster."""
    table.section(f"batch of {batch} over {clusters:,} prototypes of {width}")
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.nn.functional.normalize(
        torch.randn(clusters, width, generator=generator), dim=1
    )
    features = torch.nn.functional.normalize(torch.randn(batch, width, generator=generator), dim=1)
    for each in (1, 8, batch):
        labels = torch.randperm(clusters, generator=generator)[torch.arange(batch) // each]
        _one(table, prototypes, features, labels, each)


def _one(table: Table, prototypes: Tensor, features: Tensor, labels: Tensor, each: int) -> None:
    device = table.device
    memory = ClusterMemory(prototypes, momentum=MOMENTUM).to(device)
    there, targets = features.to(device), labels.to(device)
    memory.update(there, targets)
    rows = prototypes.numpy().copy()
    plain.update_memory(rows, features.numpy(), labels.numpy(), MOMENTUM)
    apart = float((memory.prototypes.cpu() - torch.from_numpy(rows)).abs().max())
    loop = partial(plain.update_memory, rows, features.numpy(), labels.numpy(), MOMENTUM)
    looped = _each(loop, CPU)
    table.row(f"{each} of a cluster: loop over the samples (numpy, CPU)", looped)
    ours = _each(partial(memory.update, there, targets), device)
    table.row(f"{each} of a cluster: ours (largest difference {apart:.1e})", ours, looped)


def _each(call: Callable[[], None], device: torch.device) -> Measured[None]:
    """Time of one of many calls in a row, as in training."""

    def many() -> None:
        for _ in range(CALLS):
            call()

    found = measure(many, device, repeat=REPEAT)
    return replace(found, seconds=found.seconds / CALLS, cpu_seconds=found.cpu_seconds / CALLS)


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--batch", type=int, default=256)
    flags.add_argument("--clusters", type=int, default=1_000)
    flags.add_argument("--width", type=int, default=2048)
    given = flags.parse_args()
    if given.quick:
        given.width = 256
    for device in devices(given.device):
        table = Table("memory", device)
        compare(table, given.batch, given.clusters, given.width)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
