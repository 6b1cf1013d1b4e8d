"""Stage one from start to artefact."""

from __future__ import annotations

from ..engine.checkpoint import save_model
from ..engine.network import build_network, network_meta
from ..engine.run_folder import RunFolder
from ..engine.session import Session
from ..engine.stages import Stage, run_stages
from ..evaluation.results import summary_table
from ..options import to_yaml
from ..pseudo_labels.artefact import write_artefact
from ..pseudo_labels.evaluator import PseudoLabelEvaluator
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from ..reporting.run_record import read_run
from .config import BaselineConfig
from .cross_modality import CrossModality
from .intra_modality import IntraModality
from .pretraining import Pretraining
from .rehearsal import rehearse_baseline


def run_baseline(config: BaselineConfig) -> RunFolder | None:
    """Trains stage one and writes its artefact into ``config.output``.

    Args:
        config: settings.

    Returns:
        The run folder; None after a dry run.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    if config.dry_run:
        rehearse_baseline(config)
        return None
    run = RunFolder(config.output, to_yaml(config), resume=config.resume is not None)
    try:
        session = Session(config, "baseline", run, labelled=False)
        evaluator = PseudoLabelEvaluator(session.full_tracks, run, config.data_dir)
        model = build_network(config, session.runtime)
        stages: list[Stage] = [
            Pretraining(session, config, model),
            IntraModality(session, config, model, evaluator),
            CrossModality(session, config, model, evaluator),
        ]
        step = run_stages(session, run, config, model, stages, untrained=True)
        features = session.training_features(model)
        labels = intra_modality_labels(
            clustering_features(features, session, config), session, config
        )
        meta = network_meta(config, model, stage="baseline", step=step)
        save_model(run.path / "encoder.safetensors", model, meta)
        write_artefact(
            run.path,
            session.full_tracks,
            labels,
            features,
            {"steps": step, "tracks": len(labels), "noise": float((labels < 0).mean())},
        )
        run.log(summary_table(read_run(run.path).of_kind("evaluation")))
        run.log(f"stage one is complete: {run.path}")
        return run
    finally:
        run.close()
