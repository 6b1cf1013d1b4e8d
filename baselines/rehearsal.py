"""What stage one will do, for its dry run."""

from __future__ import annotations

from ..engine.augment import Augmenter
from ..engine.dry_run import PlannedStage, dry_run, most_clusters, rehearsal, some_tracks, stand_in
from ..engine.network import build_network
from ..engine.session import Session
from .config import BaselineConfig
from .cross_modality import Across
from .intra_modality import Within
from .pretraining import WarmUp


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
    warm_up = WarmUp(session, trial, model)
    augment = Augmenter(session, trial, Within.stream, views=2)
    clips = config.p_num * config.k_num
    # A joint batch of 1b holds 2 P clusters of K clips, K rounded up to an even number.
    joint = config.p_num * (config.k_num + config.k_num % 2)
    clusters = most_clusters(session, config.min_samples)
    losses = stand_in(session, model, augment, prototypes=clusters)
    plan = [
        PlannedStage(
            WarmUp.name,
            warm_up.epochs,
            warm_up.steps,
            2 * some_tracks(session, config.warmup_tracks, config.warmup_tracks),
            warm_up.losses,
            num_frames=config.warmup_frames,
        ),
        PlannedStage(
            Within.name,
            config.within_epochs,
            config.steps,
            some_tracks(session, clips, clips),
            losses,
            extractions=config.within_epochs,
        ),
        PlannedStage(
            Across.name,
            config.across_epochs,
            2 * config.steps,
            some_tracks(session, joint, joint),
            losses,
            extractions=config.across_epochs,
        ),
    ]
    dry_run(session, config, model, plan, untrained=True, last_extractions=1)
