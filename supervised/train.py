"""Training from labels, from start to checkpoint."""

from __future__ import annotations

from ..engine.dry_run import dry_run, rehearsal
from ..engine.planned_stages import PlannedStage, some_tracks
from ..engine.print_schedule import print_schedule
from ..engine.run_folder import RunFolder
from ..engine.run_training import training
from ..engine.session import Session
from .m3reid_stage import Supervised, start_supervised
from .schedule import supervised_schedule
from .settings import SupervisedSettings


def train_supervised(settings: SupervisedSettings) -> RunFolder | None:
    """Trains from the data set's labels and writes the network into ``settings.output``.

    Args:
        settings: of the command.

    Returns:
        The run folder; None after a dry run or a printed schedule.

    Raises:
        UserError, DatasetError: with what to do.
    """
    if settings.print_schedule:
        print_schedule([supervised_schedule(settings)], settings.print_schedule)
        return None
    if settings.dry_run:
        _rehearse(settings)
        return None
    with training(settings, "mmm", labelled=True) as this:
        model, stage = start_supervised(this.session, settings)
        plan = _plan(this.session, settings, stage)
        this.train(model, [stage], "model.safetensors", stage.name, plan=plan, untrained=True)
        this.finish("training from labels")
        return this.run


def _plan(session: Session, settings: SupervisedSettings, stage: Supervised) -> list[PlannedStage]:
    largest = max(stage.sampler, key=len, default=[])
    batch = largest or some_tracks(session, settings.p_num, settings.k_num)
    return [PlannedStage(stage.name, stage.epochs, stage.steps, batch, stage.losses)]


def _rehearse(settings: SupervisedSettings) -> None:
    """Takes the largest step of a run and says what the run needs; writes nothing."""
    trial = rehearsal(settings)
    session = Session(trial, "mmm", None, labelled=True)
    model, stage = start_supervised(session, trial)
    plan = _plan(session, trial, stage)
    dry_run(session, settings, model, plan, stage.name, untrained=True)
