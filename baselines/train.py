"""Stage one from start to artefact."""

from __future__ import annotations

from ..distributed.batch_size import batch_record, batch_warnings
from ..engine.checkpoint import save_model
from ..engine.network import build_network, network_meta
from ..engine.run_folder import RunFolder
from ..engine.session import Session
from ..engine.stages import Stage, run_stages
from ..evaluation.results import summary_table
from ..options import to_yaml
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from ..reporting.run_record import read_run
from .cross_modality import CrossModality
from .intra_modality import IntraModality
from .pretraining import Pretraining
from .rehearsal import rehearse_baseline
from .settings import BaselineSettings


def run_baseline(settings: BaselineSettings) -> RunFolder | None:
    """Trains stage one and writes its artefact into ``settings.output``.

    Args:
        settings: of the command.

    Returns:
        The run folder; None after a dry run.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    if settings.dry_run:
        rehearse_baseline(settings)
        return None
    run = RunFolder(
        settings.output,
        to_yaml(settings),
        resume=settings.resume is not None,
        pictures=settings.pictures,
    )
    try:
        session = Session(settings, "baseline", run, labelled=False, facts=batch_record(settings))
        for warning in batch_warnings(settings):
            session.say(warning)
        model = build_network(settings, session)
        stages: list[Stage] = [
            Pretraining(session, settings, model),
            IntraModality(session, settings, model),
            CrossModality(session, settings, model),
        ]
        step = run_stages(session, run, settings, model, stages, untrained=True)
        features = session.training_features(model)
        labels = intra_modality_labels(
            clustering_features(features, session.cameras, settings),
            session.modalities,
            settings,
            say=session.say,
        )
        meta = network_meta(settings, session, model, stage="baseline", step=step)
        save_model(run.path / "encoder.safetensors", model, meta)
        session.evaluator.write_artefact(
            labels,
            features,
            {"steps": step, "tracks": len(labels), "noise": float((labels < 0).mean())},
        )
        run.log(summary_table(read_run(run.path).of_kind("evaluation")))
        run.log(f"stage one is complete: {run.path}")
        return run
    finally:
        run.close()
