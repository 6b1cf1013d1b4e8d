"""What stage one will do, for its dry run."""

from __future__ import annotations

from ..engine.augment import Augmenter
from ..engine.dry_run import PlannedStage, dry_run, most_clusters, rehearsal, some_tracks, stand_in
from ..engine.network import build_network
from ..engine.session import Session
from .cross_modality import CrossModality
from .intra_modality import IntraModality
from .pretraining import Pretraining
from .settings import BaselineSettings


def rehearse_baseline(settings: BaselineSettings) -> None:
    """Takes the largest step of stage one and says what a run needs; writes nothing.

    Args:
        settings: of the command.

    Raises:
        UserError, DatasetError: with what to do.
    """
    trial = rehearsal(settings)
    session = Session(trial, "baseline", None, labelled=False)
    model = build_network(trial, session)
    pretraining = Pretraining(session, trial, model)
    augment = Augmenter(
        session, settings.augmentation, settings.network, IntraModality.stream, views=2
    )
    clips = settings.p_num * settings.k_num
    clusters = most_clusters(session, settings.min_samples)
    losses = stand_in(session, model, augment, prototypes=clusters)
    plan = [
        PlannedStage(
            Pretraining.name,
            pretraining.epochs,
            pretraining.steps,
            2 * some_tracks(session, settings.pretrain_tracks, settings.pretrain_tracks),
            pretraining.losses,
            num_frames=settings.pretrain_frames,
        ),
        PlannedStage(
            IntraModality.name,
            settings.intra_epochs,
            settings.steps,
            some_tracks(session, clips, clips),
            losses,
            extractions=settings.intra_epochs,
        ),
        PlannedStage(
            CrossModality.name,
            settings.cross_epochs,
            2 * settings.steps,
            some_tracks(session, clips, clips),
            losses,
            extractions=settings.cross_epochs,
        ),
    ]
    dry_run(session, settings, model, plan, untrained=True, last_extractions=1)
