"""Stage two from start to checkpoint."""

from __future__ import annotations

import numpy as np

from ..engine.artefact import read_artefact
from ..engine.checkpoint import load_model, save_model
from ..engine.errors import UserError
from ..engine.judge import LabelJudge
from ..engine.network import build_network, network_meta, place
from ..engine.run_folder import RunFolder
from ..engine.session import Session
from ..engine.settings import to_yaml
from ..engine.stages import Stage, run_stages
from ..evaluation.results import summary_table
from ..evaluation.run_record import read_run
from ..models import M3ReID
from .config import MMMConfig
from .matched import Matched
from .supervised import Supervised, relabel


def run_mmm(config: MMMConfig) -> RunFolder:
    """Trains stage two, or from labels, and writes the network into ``config.output``.

    Args:
        config: settings.

    Returns:
        The run folder.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    # Before the run folder is made: a wrong predecessor should leave nothing behind.
    artefact = None if config.baseline is None else read_artefact(config.baseline)
    run = RunFolder(config.output, to_yaml(config), resume=config.resume is not None)
    try:
        session = Session(config, "mmm", run, labelled=config.supervised)
        model: M3ReID
        stage: Stage
        if config.supervised:
            unknown = sum(track.identity is None for track in session.tracks)
            if unknown:
                raise UserError(f"--supervised: {unknown} training tracks have no identity")
            classes = relabel(np.array([track.identity for track in session.tracks]))
            if classes.max() < 1:
                raise UserError(
                    f"--supervised needs at least 2 identities to tell apart; the "
                    f"{len(classes)} training tracks of {config.data_dir} show one"
                )
            model = build_network(config, session.runtime, int(classes.max()) + 1)
            stage = Supervised(session, config, model, classes)
        else:
            assert artefact is not None
            model, meta = load_model(artefact.encoder)
            if meta["backbone"] != config.backbone:
                raise UserError(
                    f"{artefact.encoder} holds a {meta['backbone']}, but --backbone is "
                    f"{config.backbone}; give the one of stage one"
                )
            model = place(model, session.runtime)
            judge = LabelJudge(session.full_tracks, run)
            stage = Matched(session, config, model, judge, artefact)
        step = run_stages(session, run, config, model, [stage], untrained=config.supervised)
        save_model(
            run.path / "model.safetensors",
            model,
            network_meta(config, model, stage=stage.name, step=step),
        )
        run.log(summary_table(read_run(run.path).of_kind("evaluation")))
        run.log(f"stage two is complete: {run.path}")
        return run
    finally:
        run.close()
