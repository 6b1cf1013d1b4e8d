"""What stage one will do: for the look at what is free, and for its dry run."""

from __future__ import annotations

from ..engine.augment import Augmenter
from ..engine.dry_run import dry_run, rehearsal
from ..engine.network import build_network
from ..engine.planned_stages import PlannedStage, most_clusters, some_tracks, stand_in
from ..engine.session import Session
from ..models.network import Network
from .cross_modality import CrossModality
from .intra_modality import IntraModality
from .pretraining import Pretraining
from .settings import BaselineSettings


def plan_baseline(
    session: Session, settings: BaselineSettings, model: Network
) -> list[PlannedStage]:
    """The stages, in order.

    Args:
        session, settings, model: of the run, or of a dry run.
    """
    pretraining = Pretraining(session, settings, model)
    augment = Augmenter(
        session, settings.augmentation, settings.network, IntraModality.stream, views=2
    )
    clips = settings.p_num * settings.k_num
    clusters = most_clusters(session, settings.min_samples)
    twice = augment.exchange is not None
    losses = stand_in(session, model, augment, prototypes=clusters)
    return [
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
            prototypes=clusters,
            seen_twice=twice,
        ),
        PlannedStage(
            CrossModality.name,
            settings.cross_epochs,
            2 * settings.steps,
            some_tracks(session, clips, clips),
            losses,
            extractions=settings.cross_epochs,
            prototypes=clusters,
            seen_twice=twice,
        ),
    ]


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
    plan = plan_baseline(session, trial, model)
    dry_run(session, settings, model, plan, "baseline", untrained=True, last_extractions=1)
