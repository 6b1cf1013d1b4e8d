"""Stage one from start to artefact."""

from __future__ import annotations

from ..engine.network import build_network
from ..engine.print_schedule import print_schedule
from ..engine.run_folder import RunFolder
from ..engine.run_training import training
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from .cross_modality import CrossModality
from .intra_modality import IntraModality
from .pretraining import Pretraining
from .rehearsal import plan_baseline, rehearse_baseline
from .schedules import stage_one_schedules
from .settings import BaselineSettings


def run_baseline(settings: BaselineSettings) -> RunFolder | None:
    """Trains stage one and writes its artefact into ``settings.output``.

    Args:
        settings: of the command.

    Returns:
        The run folder; None after a dry run or a printed schedule.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    if settings.print_schedule:
        print_schedule(stage_one_schedules(settings), settings.print_schedule)
        return None
    if settings.dry_run:
        rehearse_baseline(settings)
        return None
    with training(settings, "baseline", labelled=False) as this:
        session = this.session
        model = build_network(settings, session)
        stages = [
            Pretraining(session, settings, model),
            IntraModality(session, settings, model),
            CrossModality(session, settings, model),
        ]
        plan = plan_baseline(session, settings, model)
        step = this.train(
            model, stages, "encoder.safetensors", "baseline", plan=plan, untrained=True
        )
        features = session.training_features(model)
        labels = intra_modality_labels(
            clustering_features(features, session.cameras, settings),
            session.modalities,
            settings,
            cameras=session.cameras,
            say=session.say,
        )
        noise = float((labels < 0).mean())
        metrics = {"steps": step, "tracks": len(labels), "noise": noise}
        session.evaluator.write_artefact(labels, features, metrics)
        this.finish("stage one")
        return this.run
