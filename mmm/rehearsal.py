"""What stage two will do: for the look at what is free, and for its dry run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..datasets.track import Track
from ..distributed import ranks
from ..engine.augment import Augmenter
from ..engine.dry_run import dry_run, rehearsal
from ..engine.planned_stages import PlannedStage, most_clusters, some_tracks, stand_in
from ..engine.session import Session
from ..models.network import Network
from ..pseudo_labels.artefact import Artefact
from .epoch_length import steps_of_epoch
from .given_labels import decisions_path
from .judged_pairs import read_judged_pairs
from .schedules import goes_on
from .settings import StageTwoSettings
from .stage_two import StageTwo
from .variant_vireid import VireidVariant
from .variants import starting_network


def plan_stage_two(
    session: Session, settings: StageTwoSettings, model: Network
) -> list[PlannedStage]:
    """The one stage of stage two.

    Args:
        session, settings: of the run, or of a dry run.
        model: with the classifier that it trains with, where it has one.
    """
    augment = Augmenter(
        session, settings.augmentation, settings.network, VireidVariant.stream, views=2
    )
    half = settings.p_num * settings.k_num // 2
    if settings.variant == "released":
        prototypes = 0
        # A pass for the confidences and one for the prototypes, of twice seen images.
        extractions = 2 * max(0, settings.epochs - settings.ce_epochs)
        extractions *= 1 if augment.exchange is None else 2
    else:
        # The unified memory and one for each modality, or three memories as large.
        prototypes = most_clusters(session, settings.min_samples)
        prototypes *= settings.memory_prototypes + 1
        extractions = settings.epochs - goes_on(settings)
    return [
        PlannedStage(
            StageTwo.name,
            settings.epochs,
            steps_of_epoch(settings, session.modalities),
            some_tracks(session, half, half),
            stand_in(session, model, augment, prototypes=prototypes),
            extractions,
            prototypes=prototypes,
            seen_twice=augment.exchange is not None,
        )
    ]


def rehearse_stage_two(
    settings: StageTwoSettings,
    artefact: Artefact,
    labelled: bool | Callable[[Sequence[Track]], list[Track]],
) -> None:
    """Takes the largest step of a run and says what the run needs; writes nothing.

    Args:
        settings: of the command.
        artefact: of stage one.
        labelled: what training may see of the identities, as :class:`Session` takes it.

    Raises:
        UserError, DatasetError: with what to do.
    """
    trial = rehearsal(settings)
    session = Session(trial, "mmm", None, labelled=labelled)
    decisions = decisions_path(settings.semi_supervised)
    if decisions is not None:
        keys = [track.key for track in session.tracks]
        session.say(ranks.from_main(lambda: read_judged_pairs(decisions, keys)).text())
    model = starting_network(trial, artefact, session)
    if settings.variant == "released":
        model.set_num_identities(_clusters_of(artefact))
        model.to(session.runtime.device)
    plan = plan_stage_two(session, trial, model)
    dry_run(session, settings, model, plan, StageTwo.name, untrained=not goes_on(settings))


def _clusters_of(artefact: Artefact) -> int:
    """Clusters of both modalities together: classes of a classifier if none are matched."""
    visible = len(artefact.visible)
    sides = (artefact.labels[:visible], artefact.labels[visible:])
    return max(2, sum(int(np.max(side, initial=-1)) + 1 for side in sides))
