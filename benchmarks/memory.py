"""Memory update of a batch beside the sequential rule, sample by sample."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from vireid.memory import ClusterMemory

from . import plain
from .measure import measure
from .table import Table, devices, parser

MOMENTUM = 0.1
REPEAT = 20
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
    memory.update(there, targets)  # compiles
    memory.prototypes.copy_(prototypes)
    memory.update(there, targets)
    rows = prototypes.numpy().copy()
    plain.update_memory(rows, features.numpy(), labels.numpy(), MOMENTUM)
    apart = float((memory.prototypes.cpu() - torch.from_numpy(rows)).abs().max())
    loop = partial(plain.update_memory, rows, features.numpy(), labels.numpy(), MOMENTUM)
    looped = measure(loop, CPU, repeat=REPEAT)
    table.row(f"{each} of a cluster: loop over the samples (numpy, CPU)", looped)
    ours = measure(lambda: memory.update(there, targets), device, repeat=REPEAT)
    table.row(f"{each} of a cluster: ours (largest difference {apart:.1e})", ours, looped)


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
