"""What stage one will do, for its dry run."""

from __future__ import annotations

from ..engine.augment import Augmenter
from ..engine.dry_run import PlannedStage, dry_run, most_clusters, rehearsal, some_tracks, stand_in
from ..engine.network import build_network
from ..engine.session import Session
from .config import BaselineConfig
from .cross_modality import CrossModality
from .intra_modality import IntraModality
from .pretraining import Pretraining


def rehearse_baseline(config: BaselineConfig) -> None:
    """Takes the largest step of stage one and says what a run needs; writes nothing.

    Args:
        config: settings.

    Raises:
        UserError, DatasetError: with what to do.
    """
    trial = rehearsal(config)
    session = Session(trial, "baseline", None, labelled=False)
    model = build_network(trial, session.runtime)
    pretraining = Pretraining(session, trial, model)
    augment = Augmenter(session, trial, IntraModality.stream, views=2)
    clips = config.p_num * config.k_num
    # A joint batch of 1b holds 2 P clusters of K clips, K rounded up to an even number.
    joint = config.p_num * (config.k_num + config.k_num % 2)
    clusters = most_clusters(session, config.min_samples)
    losses = stand_in(session, model, augment, prototypes=clusters)
    plan = [
        PlannedStage(
            Pretraining.name,
            pretraining.epochs,
            pretraining.steps,
            2 * some_tracks(session, config.pretrain_tracks, config.pretrain_tracks),
            pretraining.losses,
            num_frames=config.pretrain_frames,
        ),
        PlannedStage(
            IntraModality.name,
            config.intra_epochs,
            config.steps,
            some_tracks(session, clips, clips),
            losses,
            extractions=config.intra_epochs,
        ),
        PlannedStage(
            CrossModality.name,
            config.cross_epochs,
            2 * config.steps,
            some_tracks(session, joint, joint),
            losses,
            extractions=config.cross_epochs,
        ),
    ]
    dry_run(session, config, model, plan, untrained=True, last_extractions=1)
