"""``vireid cluster``: clusters stored features, once or for a grid of ε."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..clustering.camera_mean import centre_by_camera
from ..clustering.eps_scan import GRID, ScanRow, scan_eps
from ..clustering.jaccard import jaccard_of_neighbours
from ..clustering.neighbours import nearest_neighbours
from ..clustering.options import ClusteringOptions
from ..clustering.pseudo_labels import DegenerateClustering, check_clustering, cluster_graph
from ..errors import UserError
from ..options import Options, option
from ..pseudo_labels.artefact import read_artefact

IDENTITIES = "_identities"
RECIPE = ("k1", "k2", "eps", "min_samples", "camera_mean")


@dataclass(frozen=True, kw_only=True)
class ClusterSettings(Options):
    """Which features to cluster, and how; what is unset comes from the recipe."""

    input: Path = option(
        "stage-one run folder, or a .safetensors file of feature matrices [N, D]; identities of a "
        "matrix NAME may lie beside it as NAME_identities [N]"
    )
    scan: bool = option("try a grid of eps from one neighbour graph", False)
    grid: tuple[float, ...] | None = option("eps to scan; unset: 0.05 to 0.95", None)
    k1: int | None = option("k-reciprocal neighbours; unset: the run's recipe", None, at_least=1)
    k2: int | None = option(
        "neighbours of the query expansion; unset: the run's recipe", None, at_least=1
    )
    eps: float | None = option("DBSCAN radius; unset: the run's recipe", None, at_least=0, below=1)
    min_samples: int | None = option(
        "tracks around a core track; unset: the run's recipe", None, at_least=1
    )
    approximate: bool = option(
        "search neighbours in FAISS's inverted lists, for more than a million rows", False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for eps in self.grid or ():
            if not 0 <= eps < 1:
                raise ValueError(f"--grid: eps lies between 0 and 1, 1 excluded; got {eps}")


@dataclass(frozen=True)
class FeatureSet:
    """Features that are clustered together.

    Attributes:
        name: of the set, usually the modality.
        features: ``[N, D]``.
        identities: ``[N]`` true identities, None where they are unknown.
    """

    name: str
    features: Tensor
    identities: NDArray[np.int64] | None


def run_cluster(config: ClusterSettings) -> dict[str, list[ScanRow]]:
    """Clusters each set of features and prints what came out.

    Args:
        config: settings.

    Returns:
        Name of the set → what was found, a row for each ε.

    Raises:
        UserError: the input is missing or is no set of features.
        DegenerateClustering: without ``--scan``: a set has no clusters that training could use.
    """
    recipe = _recipe(config)
    found = {}
    problems: list[DegenerateClustering] = []
    for chosen in _feature_sets(config.input, recipe["camera_mean"]):
        try:
            graph = _graph(chosen, recipe, config.approximate)
        except (ValueError, TypeError) as error:
            raise UserError(f"{config.input}: {chosen.name}: {error}") from error
        wanted = {recipe["eps"]}
        if config.scan:
            wanted |= set(GRID if config.grid is None else config.grid)
        rows = scan_eps(graph, sorted(wanted), recipe["min_samples"], chosen.identities)
        found[chosen.name] = rows
        print(_table(chosen, rows, recipe), flush=True)
        if not config.scan:
            try:
                check_clustering(
                    cluster_graph(graph, recipe["eps"], recipe["min_samples"]), chosen.name
                )
            except DegenerateClustering as problem:
                problems.append(problem)
    if problems:
        raise DegenerateClustering("\n".join(map(str, problems)))
    return found


def _recipe(config: ClusterSettings) -> dict[str, Any]:
    """Defaults, then the run's settings, then the flags."""
    recipe = {name: getattr(ClusteringOptions, name) for name in RECIPE}
    written = config.input / "config.yaml"
    if written.is_file():
        settings = yaml.safe_load(written.read_text(encoding="utf-8")) or {}
        recipe |= {name: settings[name] for name in RECIPE if name in settings}
    given = {name: getattr(config, name, None) for name in RECIPE}
    return recipe | {name: value for name, value in given.items() if value is not None}


def _feature_sets(path: Path, camera_mean: bool) -> Iterator[FeatureSet]:
    if path.is_dir():
        yield from _of_artefact(path, camera_mean)
        return
    if not path.is_file():
        raise UserError(
            f"no features at {path}: expected a stage-one run folder or a .safetensors file"
        )
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is no .safetensors file: {error}") from error
    names = sorted(name for name, tensor in tensors.items() if tensor.ndim == 2)
    if not names:
        raise UserError(
            f"{path}: expected at least one matrix [N, D] of features, found "
            f"{ {name: list(tensor.shape) for name, tensor in tensors.items()} }"
        )
    for name in names:
        known = tensors.get(name + IDENTITIES)
        yield FeatureSet(name, tensors[name], None if known is None else known.long().numpy())


def _of_artefact(folder: Path, camera_mean: bool) -> Iterator[FeatureSet]:
    artefact = read_artefact(folder)
    with (folder / "tracks.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    features = torch.cat([artefact.visible, artefact.infrared])
    if camera_mean:
        features = centre_by_camera(features, _numbers([row["camera"] for row in rows]))
    known = all(row["identity"] for row in rows)
    identities = _numbers([row["identity"] for row in rows]).numpy() if known else None
    split = len(artefact.visible)
    for name, part in (("visible", slice(None, split)), ("infrared", slice(split, None))):
        if len(features[part]):
            yield FeatureSet(name, features[part], None if identities is None else identities[part])


def _numbers(values: list[str]) -> Tensor:
    """Equal numbers for equal values."""
    return torch.from_numpy(np.unique(values, return_inverse=True)[1].astype(np.int64))


def _graph(chosen: FeatureSet, recipe: dict[str, Any], approximate: bool) -> Any:
    lists = nearest_neighbours(chosen.features, recipe["k1"], approximate=approximate)
    return jaccard_of_neighbours(chosen.features, *lists, recipe["k1"], recipe["k2"])


def _table(chosen: FeatureSet, rows: list[ScanRow], recipe: dict[str, Any]) -> str:
    people = (
        "identities unknown"
        if chosen.identities is None
        else f"{len(np.unique(chosen.identities))} identities"
    )
    lines = [
        f"{chosen.name}: {len(chosen.features)} samples, {people}; k1 {recipe['k1']}, "
        f"k2 {recipe['k2']}, min samples {recipe['min_samples']}",
        f"{'eps':>6} {'clusters':>9} {'noise':>7} {'largest':>8} {'ARI':>7}",
    ]
    for row in rows:
        ari = "-" if row.ari is None else f"{row.ari:.3f}"
        mark = "  < recipe" if len(rows) > 1 and row.eps == recipe["eps"] else ""
        lines.append(
            f"{row.eps:>6.2f} {row.clusters:>9} {row.noise_share:>7.1%} {row.largest:>8} "
            f"{ari:>7}{mark}"
        )
    return "\n".join(lines) + "\n"
