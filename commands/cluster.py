"""``vireid cluster``: clusters stored features, once or for a grid of ε."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..clustering.options import ClusteringOptions
from ..errors import as_user_error
from ..options import Options, option, read_yaml
from .command_line import build

if TYPE_CHECKING:
    from ..clustering.eps_scan import ScanRow
    from ..pseudo_labels.feature_sets import FeatureSet

RECIPE = ("k1", "k2", "eps", "min_samples", "camera_mean")


@dataclass(frozen=True, kw_only=True)
class ClusterSettings(Options):
    """Which features to cluster, and how; what is unset comes from the recipe."""

    input: Path = option(
        "stage-one run folder, or a .safetensors file of feature matrices [N, D]; identities of a "
        "matrix NAME may lie beside it as NAME_identities [N]; a matrix with a row longer than 1 "
        "is scaled to unit rows"
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


def run_cluster(settings: ClusterSettings) -> dict[str, list[ScanRow]]:
    """Clusters each set of features and prints what came out.

    Returns:
        Name of the set → what was found, a row for each ε.

    Raises:
        UserError: the input is missing or is no set of features.
        DegenerateClustering: without ``--scan``: a set has no clusters that training could use.
    """
    from ..clustering.eps_scan import GRID, scan_eps
    from ..clustering.jaccard import jaccard_of_neighbours
    from ..clustering.neighbours import nearest_neighbours
    from ..clustering.pseudo_labels import DegenerateClustering, check_clustering, cluster_graph
    from ..pseudo_labels.feature_sets import read_feature_sets

    recipe = recipe_of(settings.input, settings)
    found = {}
    problems: list[DegenerateClustering] = []
    for chosen in read_feature_sets(settings.input, recipe["camera_mean"]):
        with as_user_error(TypeError, start=f"{settings.input}: {chosen.name}: "):
            k1, k2 = recipe["k1"], recipe["k2"]
            lists = nearest_neighbours(chosen.features, k1, approximate=settings.approximate)
            graph = jaccard_of_neighbours(chosen.features, *lists, k1, k2)
        wanted = {recipe["eps"]}
        if settings.scan:
            wanted |= set(GRID if settings.grid is None else settings.grid)
        rows = scan_eps(graph, sorted(wanted), recipe["min_samples"], chosen.identities)
        found[chosen.name] = rows
        print(_table(chosen, rows, recipe), flush=True)
        if not settings.scan:
            try:
                check_clustering(
                    cluster_graph(graph, recipe["eps"], recipe["min_samples"]), chosen.name
                )
            except DegenerateClustering as problem:
                problems.append(problem)
    if problems:
        raise DegenerateClustering("\n".join(map(str, problems)))
    return found


def recipe_of(run: Path, given: Any = None) -> dict[str, Any]:
    """How a run clusters: defaults, then its settings, then what is given.

    Args:
        run: a run folder; without settings in it the defaults hold.
        given: settings of a command; those that are None or missing do not count.

    Raises:
        UserError: the settings of the run are damaged.
    """
    recipe = {name: getattr(ClusteringOptions, name) for name in RECIPE}
    written = run / "config.yaml"
    if written.is_file():
        with as_user_error():
            of_run = read_yaml(written)
        with as_user_error(start=f"{written}: "):
            found = build(ClusteringOptions, {n: of_run[n] for n in RECIPE if n in of_run})
        recipe |= {name: getattr(found, name) for name in RECIPE}
    flags = {name: getattr(given, name, None) for name in RECIPE}
    return recipe | {name: value for name, value in flags.items() if value is not None}


def _table(chosen: FeatureSet, rows: list[ScanRow], recipe: dict[str, Any]) -> str:
    import numpy as np

    people = "identities unknown"
    if chosen.identities is not None:
        people = f"{len(np.unique(chosen.identities))} identities"
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
