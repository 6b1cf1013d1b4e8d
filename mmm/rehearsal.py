"""What stage two, or training from labels, will do, for its dry run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..datasets.track import Track
from ..engine.augment import Augmenter
from ..engine.dry_run import PlannedStage, dry_run, most_clusters, rehearsal, some_tracks, stand_in
from ..engine.network import network_of
from ..engine.session import Session
from ..pseudo_labels.artefact import Artefact
from ..supervised.m3reid_stage import Supervised, start_supervised
from .config import MMMConfig
from .epoch_length import steps_of_epoch
from .stage_two import StageTwo
from .variant_vireid import Matched


def rehearse_mmm(
    config: MMMConfig,
    artefact: Artefact | None,
    labelled: bool | Callable[[Sequence[Track]], list[Track]],
) -> None:
    """Takes the largest step of a run and says what the run needs; writes nothing.

    Args:
        config: settings.
        artefact: of stage one; None with ``--supervised``.
        labelled: what training may see of the identities, as :class:`Session` takes it.

    Raises:
        UserError, DatasetError: with what to do.
    """
    trial = rehearsal(config)
    session = Session(trial, "mmm", None, labelled=labelled)
    if config.supervised:
        model, stage = start_supervised(session, trial)
        longest = max(stage.sampler, key=len, default=[])
        plan = PlannedStage(
            Supervised.name,
            stage.epochs,
            stage.steps,
            longest or some_tracks(session, config.p_num, config.k_num),
            stage.losses,
        )
        dry_run(session, config, model, [plan], untrained=True)
        return
    assert artefact is not None
    model = network_of(artefact.encoder, trial, session.runtime)
    augment = Augmenter(session, trial, Matched.stream, views=2)
    half = config.p_num * config.k_num // 2
    if config.variant == "released":
        model.set_num_identities(_clusters_of(artefact))
        model.to(session.runtime.device)
        prototypes = 0
        extractions = max(0, config.epochs - config.ce_epochs)
        extractions *= 1 if augment.exchange is None else 2
    else:
        # The unified memory and one for each modality, or three memories as large.
        prototypes = most_clusters(session, config.min_samples) * (config.memory_prototypes + 1)
        extractions = config.epochs - 1
    plan = PlannedStage(
        StageTwo.name,
        config.epochs,
        steps_of_epoch(config, session.modalities),
        some_tracks(session, half, half),
        stand_in(session, model, augment, prototypes=prototypes),
        extractions,
    )
    dry_run(session, config, model, [plan], untrained=False)


def _clusters_of(artefact: Artefact) -> int:
    """Clusters of both modalities together: classes of a classifier if none are matched."""
    visible = len(artefact.visible)
    sides = (artefact.labels[:visible], artefact.labels[visible:])
    return max(2, sum(int(np.max(side, initial=-1)) + 1 for side in sides))
