"""Figures of a card: each step of training, clustering and ranking beside the plain form of it."""

from __future__ import annotations

import argparse
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from vireid.clustering.dbscan import dbscan
from vireid.clustering.jaccard import jaccard_of_neighbours
from vireid.clustering.neighbours import nearest_neighbours
from vireid.engine.encoder import Encoder
from vireid.engine.runtime import Runtime
from vireid.evaluation import InnerProducts, rank_metrics

from . import plain, train_step
from .clustering import EPS, K1, K2, MIN_SAMPLES, bare_matmul
from .gpu_busy import busy_epoch
from .gpu_sizes import SMALL, Sizes
from .measure import measure, series, together
from .people import people
from .plain_training import PlainM3ReID
from .table import Table, devices

CPU = torch.device("cpu")
Figure = Callable[[Table, Sizes], None]


def step(table: Table, sizes: Sizes) -> None:
    """A training step of M3-ReID; see `benchmarks.train_step`."""
    train_step.compare(table, sizes.backbone, sizes.step, sizes.rounds, compiled=False)


def extraction(table: Table, sizes: Sizes) -> None:
    """Features of a batch of clips, from pixels on the host to unit rows on the device."""
    clips, frames, height, width = sizes.extraction
    device = table.device
    model = train_step.network(sizes.backbone).to(device).eval()
    batch = train_step.batch_of(*sizes.extraction)
    pixels = batch.clips.pin_memory() if device.type == "cuda" else batch.clips
    form = PlainM3ReID(model)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    ready = (batch.clips / 255 - mean) / deviation  # as loader workers hand them over
    ready = ready.pin_memory() if device.type == "cuda" else ready

    @torch.no_grad()
    def released() -> Tensor:
        found = form(ready.to(device, non_blocking=True)).embeddings
        return torch.nn.functional.normalize(found, dim=1)

    table.section(
        f"features of {clips} clips x {frames} x {height} x {width}, {sizes.backbone}, median of "
        f"{sizes.rounds}"
    )
    before = series(released, device, rounds=sizes.rounds)
    table.row(f"plain, float32, clips ready: {clips / before.seconds:,.0f} clips/s", before)
    model = model.to(memory_format=torch.channels_last)
    cosines = []
    for precision in ("fp32", "bf16"):
        runtime = Runtime(device.type, "fp32", test_precision=precision)
        encoder = Encoder(model, runtime)
        ours = series(lambda: encoder(pixels, batch.modalities), device, rounds=sizes.rounds)  # noqa: B023
        table.row(f"ours, {precision}: {clips / ours.seconds:,.0f} clips/s", ours, before)
        apart = 1 - (ours.result.to(device) * before.result).sum(1).min()
        cosines.append(f"{precision} 1 - {float(apart):.1e}")
    table.remark(f"Least cosine of a clip's features to the plain ones: {', '.join(cosines)}.")


def clustering(table: Table, sizes: Sizes) -> None:
    """Search, Jaccard distance and DBSCAN, each by itself; labels against the CPU's first."""
    for count in sizes.tracks:
        _cluster(table, sizes, count)


def _cluster(table: Table, sizes: Sizes, count: int) -> None:
    device, rounds = table.device, sizes.rounds
    rows = people(count, sizes.width)[0]
    graph_there = jaccard_of_neighbours(rows, *nearest_neighbours(rows, K1), K1, K2)
    wanted = dbscan(graph_there, EPS, MIN_SAMPLES)
    features = rows.to(device)
    table.section(f"clustering of {count:,} x {sizes.width}, median of {rounds}")
    lists = nearest_neighbours(features, K1)
    graph = jaccard_of_neighbours(features, *lists, K1, K2)
    labels = dbscan(graph, EPS, MIN_SAMPLES)
    same = np.array_equal(labels, wanted)
    bare = series(lambda: bare_matmul(features), device, rounds=rounds)
    search = series(lambda: nearest_neighbours(features, K1), device, rounds=rounds)
    distance = series(
        lambda: jaccard_of_neighbours(features, *lists, K1, K2), device, rounds=rounds
    )
    found = series(lambda: dbscan(graph, EPS, MIN_SAMPLES), device, rounds=rounds)
    table.row("bare matmul + top-k", bare)
    table.row("search", search, bare)
    dense = found_there = None
    if count <= sizes.dense:
        host, ranks = features.cpu().numpy(), lists[1].cpu().numpy()
        dense = measure(lambda: plain.jaccard(host, ranks, K2), CPU)
        found_there = measure(lambda: plain.dbscan(dense.result, EPS, MIN_SAMPLES), CPU)
        table.row("plain dense Jaccard (numpy, CPU, as released)", dense)
        table.row("scikit-learn's DBSCAN on it (CPU, as released)", found_there)
    table.row("Jaccard distance", distance, dense)
    table.row("DBSCAN", found, found_there)
    table.row("all three", together(search, distance, found, result=None))
    clusters = len(np.unique(wanted[wanted >= 0]))
    table.remark(f"Labels equal to the CPU's ({clusters:,} clusters): {'yes' if same else 'NO'}.")
    if not same:
        raise AssertionError(f"{count:,} rows: the labels are not those of the CPU")


def ranking(table: Table, sizes: Sizes) -> None:
    """Products, sort and metrics, from features on the device."""
    for queries, items in sizes.rankings:
        _rank(table, sizes, queries, items)


def _rank(table: Table, sizes: Sizes, queries: int, items: int) -> None:
    device, rounds = table.device, sizes.rounds
    rows, ids, cameras = people(queries + items, sizes.width)
    host = (ids[:queries], ids[queries:], cameras[:queries], cameras[queries:])
    labels = [part.to(device) for part in host]
    query, gallery = rows[:queries].to(device), rows[queries:].to(device)
    table.section(f"ranking of {queries:,} x {items:,}, {sizes.width}-d, median of {rounds}")
    product = series(lambda: query @ gallery.T, device, rounds=rounds)
    table.row("the matrix product alone", product)
    whole = series(
        lambda: rank_metrics(InnerProducts(query, gallery), *labels), device, rounds=rounds
    )
    own, others, own_cameras, other_cameras = (part.numpy() for part in host)

    def released() -> float:
        order = np.argsort(-(query @ gallery.T).cpu().numpy(), axis=1)
        return plain.rank_metrics(order, own, others, own_cameras, other_cameras)[1]

    loop = measure(released, device)
    table.row("plain: product on the device, sort and loop over the queries (numpy)", loop)
    table.row(f"ours, {whole.seconds / product.seconds:.1f} times the product", whole, loop)
    here = rank_metrics((query @ gallery.T).cpu(), *host)
    there = rank_metrics(query @ gallery.T, *labels)
    same = here.mAP == there.mAP and torch.equal(here.cmc, there.cmc.cpu())
    table.remark(
        f"mAP {whole.result.mAP:.6f} (plain: {loop.result:.6f}); the same bits as on the CPU from "
        f"the same products: {'yes' if same else 'NO'}."
    )
    if not same or abs(whole.result.mAP - loop.result) > 1e-4:
        raise AssertionError(f"{queries:,} x {items:,}: the metrics are not those of the CPU")


def busy(table: Table, sizes: Sizes) -> None:
    """The share of a training epoch's time in which the device computes, from a warm cache."""
    with tempfile.TemporaryDirectory() as folder:
        found = busy_epoch(table.device, sizes, Path(folder))
    table.remark(f"**An epoch of {found.steps} steps from a warm cache**")
    table.remark(
        f"{found.clips / found.seconds:,.0f} clips/s without the profiler; with it the device is "
        f"busy {found.share:.1%} of the {found.profiled:.2f} s."
    )


FIGURES: dict[str, Figure] = {
    "step": step,
    "extraction": extraction,
    "clustering": clustering,
    "ranking": ranking,
    "busy": busy,
}


def take(table: Table, sizes: Sizes, names: list[str]) -> list[str]:
    """Takes figures one after another; one that fails is told and does not stop the others.

    Returns:
        Names of those that failed.
    """
    failed = []
    for name in names:
        try:
            FIGURES[name](table, sizes)
        except Exception as error:  # whatever it is, the others are wanted
            traceback.print_exc()
            table.remark(f"{name} failed: {type(error).__name__}: {error}".splitlines()[0])
            failed.append(name)
    return failed


def main() -> int:
    """Takes the figures asked for; 1 if one failed."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="all without a name")
    flags.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    flags.add_argument("--small", action="store_true", help="tiny sizes: does every line run?")
    flags.add_argument("--write", action="store_true", help="into benchmarks/results")
    flags.add_argument("--note", default="", help="a remark on the conditions, kept in the file")
    given = flags.parse_args()
    (device,) = devices(given.device)
    table = Table("gpu_figures", device)
    failed = take(table, SMALL if given.small else Sizes(), given.figures or list(FIGURES))
    if given.write:
        table.write(given.note)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
