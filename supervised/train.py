"""Training from labels, from start to checkpoint."""

from __future__ import annotations

from ..distributed.batch_size import batch_record, batch_warnings
from ..engine.checkpoint import save_model
from ..engine.dry_run import PlannedStage, dry_run, rehearsal, some_tracks
from ..engine.network import network_meta
from ..engine.run_folder import RunFolder
from ..engine.session import Session
from ..engine.stages import run_stages
from ..evaluation.results import summary_table
from ..options import to_yaml
from ..reporting.run_record import read_run
from .m3reid_stage import start_supervised
from .settings import SupervisedSettings


def train_supervised(settings: SupervisedSettings) -> RunFolder | None:
    """Trains from the data set's labels and writes the network into ``settings.output``.

    Args:
        settings: of the command.

    Returns:
        The run folder; None after a dry run.

    Raises:
        UserError, DatasetError: with what to do.
    """
    if settings.dry_run:
        _rehearse(settings)
        return None
    run = RunFolder(
        settings.output,
        to_yaml(settings),
        resume=settings.resume is not None,
        pictures=settings.pictures,
    )
    try:
        session = Session(settings, "mmm", run, labelled=True, facts=batch_record(settings))
        for warning in batch_warnings(settings):
            session.say(warning)
        model, stage = start_supervised(session, settings)
        step = run_stages(session, run, settings, model, [stage], untrained=True)
        meta = network_meta(settings, session, model, stage=stage.name, step=step)
        save_model(run.path / "model.safetensors", model, meta)
        run.log(summary_table(read_run(run.path).of_kind("evaluation")))
        run.log(f"training from labels is complete: {run.path}")
        return run
    finally:
        run.close()


def _rehearse(settings: SupervisedSettings) -> None:
    """Takes the largest step of a run and says what the run needs; writes nothing."""
    trial = rehearsal(settings)
    session = Session(trial, "mmm", None, labelled=True)
    model, stage = start_supervised(session, trial)
    largest = max(stage.sampler, key=len, default=[])
    batch = largest or some_tracks(session, settings.p_num, settings.k_num)
    plan = PlannedStage(stage.name, stage.epochs, stage.steps, batch, stage.losses)
    dry_run(session, settings, model, [plan], untrained=True)
