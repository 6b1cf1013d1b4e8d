"""Clusters of stage one's features by each remedy that acts on one clustering, beside none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from vireid.ablation.rows import predefined_rows
from vireid.commands.mmm import MMMSettings
from vireid.datasets.track import Modality
from vireid.pseudo_labels.label_quality import label_quality
from vireid.pseudo_labels.labelling import intra_modality_labels, joint_labels
from vireid.pseudo_labels.refinement import LabelRefinement

from .table import Table
from .world import World, world_flags, world_of

PLAIN = "none"
REMEDIES = ("camera-neighbours", "modality-neighbours", "reliability")
COLUMNS = ("remedy", "radius", *(m.name.lower() for m in Modality), "joint")


def line(world: World, remedy: str, radius: float) -> str:
    """A row of the table: the quality of the clusters that a remedy finds.

    Args:
        world: stage one's view of the training tracks.
        remedy: one of :data:`REMEDIES`, with the numbers of its row in ``vireid ablate``, or
            :data:`PLAIN`.
        radius: of DBSCAN.
    """
    settings: MMMSettings = replace(
        world.settings, eps=radius, joint_eps=radius, on_collapse="relax"
    )
    if remedy != PLAIN:
        settings = replace(settings, **predefined_rows(settings)[remedy].changes)
    refinement = LabelRefinement(settings)
    own = intra_modality_labels(
        world.features,
        world.modalities,
        settings,
        cameras=world.cameras,
        refinement=refinement,
    )
    joint = joint_labels(world.features, world.modalities, settings, refinement=refinement)
    cells = [remedy, f"{radius:g}"]
    for modality in Modality:
        side = world.modalities == modality
        cells.append(quality(own[side], world.people[side]))
    cells.append(quality(joint, world.people))
    return f"| {' | '.join(cells)} |"


def quality(labels: NDArray[np.int64], people: NDArray[np.int64]) -> str:
    """ARI with noise as people of their own, purity of the clusters, share of noise."""
    found = label_quality(labels, people)
    purity = found.purity if found.clusters else 0.0
    return f"{found.ari_all:.3f}, {purity:.3f}, {found.noise:.0%}"


def main() -> None:
    """Clusters and tabulates."""
    flags = world_flags(__doc__)
    flags.add_argument("--radii", default="0.3,0.4,0.5,0.6", help="radii of DBSCAN")
    given = flags.parse_args()
    world = world_of(given)
    radii = [float(radius) for radius in given.radii.split(",")]
    rows = "\n".join(line(world, name, r) for name in (PLAIN, *REMEDIES) for r in radii)
    head = f"| {' | '.join(COLUMNS)} |\n| --- | ---: | --- | --- | --- |"
    table = Table("cluster_remedies", torch.device("cpu"))
    table.remark(f"Adjusted Rand index, purity, noise.\n\n{head}\n{rows}")
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
