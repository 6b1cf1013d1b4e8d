"""Ranking metrics: the part after the sort beside a per-query loop, and large sets streamed."""

from __future__ import annotations

import torch
from torch import Tensor
from vireid.evaluation import InnerProducts, RankMetrics, rank_metrics

from . import plain
from .measure import Measured, measure, together
from .people import people
from .table import Table, devices, parser

REPEAT = 3
CPU = torch.device("cpu")


def compare(table: Table, queries: int, items: int, width: int) -> None:
    """Our pass over a sorted matrix beside a loop over its rows."""
    device = table.device
    features, ids, cameras = people(queries + items, width)
    query, gallery = features[:queries].to(device), features[queries:].to(device)
    own, others = ids[:queries].to(device), ids[queries:].to(device)
    own_cameras, other_cameras = cameras[:queries].to(device), cameras[queries:].to(device)
    table.section(f"{queries:,} x {items:,}, {width}-d, standard camera rule")
    similarity = measure(lambda: query @ gallery.T, device)
    table.row("similarity", similarity)
    sort = measure(lambda: similarity.result.sort(dim=1, descending=True, stable=True), device)
    table.row("sort", sort)
    order = sort.result[1]
    ranked, *arrays = (t.cpu().numpy() for t in (order, own, others, own_cameras, other_cameras))
    loop = measure(
        lambda: plain.rank_metrics(ranked, arrays[0], arrays[1], arrays[2], arrays[3]), CPU
    )
    table.row("per-query loop after the sort (numpy, CPU)", loop)
    both = together(sort, loop, result=None)
    table.row("sort and loop together", both)
    labels = (own, others, own_cameras, other_cameras)
    few = slice(0, 2)
    rank_metrics(similarity.result[few], own[few], others, own_cameras[few], other_cameras)  # loads
    whole = measure(lambda: rank_metrics(similarity.result, *labels), device, repeat=REPEAT)
    table.row("ours from the similarity on, against the loop alone", whole, loop)
    table.row("ours from the similarity on, against sort and loop", whole, both)
    table.remark(
        f"mAP {whole.result.mAP:.6f} (loop: {loop.result[1]:.6f}), mINP "
        f"{whole.result.mINP:.6f} ({loop.result[2]:.6f})."
    )
    if device.type == "cuda":
        here = rank_metrics(similarity.result.cpu(), *(label.cpu() for label in labels))
        same = here.mAP == whole.result.mAP and torch.equal(here.cmc, whole.result.cmc.cpu())
        table.remark(f"The same bits on CPU and CUDA: {'yes' if same else 'NO'}.")


def stream(table: Table, size: tuple[int, int], width: int) -> None:
    """A set too large for a matrix of all pairs."""
    queries, items = size
    features, ids, cameras = (part.to(table.device) for part in people(queries + items, width))
    query, gallery = features[:queries], features[queries:]
    labels: list[Tensor] = [ids[:queries], ids[queries:], cameras[:queries], cameras[queries:]]
    table.section(f"{queries:,} x {items:,}, {width}-d, streamed")
    found: Measured[RankMetrics] = measure(
        lambda: rank_metrics(InnerProducts(query, gallery), *labels), table.device
    )
    table.row("products, sort and metrics", found)
    table.remark(
        f"mAP {found.result.mAP:.6f}; the matrix of all pairs alone would take "
        f"{queries * items * 4 / 2**30:.1f} GiB."
    )


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--queries", type=int, default=4_584)
    flags.add_argument("--items", type=int, default=5_099)
    flags.add_argument("--width", type=int, default=2048)
    flags.add_argument("--stream", type=int, nargs=2, default=[50_000, 100_000])
    flags.add_argument("--stream-width", type=int, default=64)
    flags.add_argument("--no-stream", action="store_true", help="leave the large set out")
    given = flags.parse_args()
    if given.quick:
        given.queries, given.items, given.width = 800, 900, 256
        given.stream, given.stream_width = [1_000, 20_000], 16
    for device in devices(given.device):
        table = Table("ranking", device)
        compare(table, given.queries, given.items, given.width)
        if not given.no_stream:
            stream(table, tuple(given.stream), given.stream_width)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
