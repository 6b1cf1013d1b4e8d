"""Stage two from start to checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..datasets.track import Track
from ..distributed import ranks
from ..engine.print_schedule import print_schedule
from ..engine.run_folder import RunFolder
from ..engine.run_training import training
from ..errors import UserError, as_user_error
from ..files import write_whole
from ..pseudo_labels.artefact import read_artefact
from ..reporting.run_record import read_run
from .given_labels import decisions_path, given_labels, only_given
from .judged_pairs import judgements_file, judgements_of_run
from .rehearsal import plan_stage_two, rehearse_stage_two
from .schedules import goes_on, stage_two_schedule
from .settings import StageTwoSettings
from .variants import VARIANTS, starting_network


def _permitted(settings: StageTwoSettings) -> bool | Callable[[Sequence[Track]], list[Track]]:
    if given_labels(settings.semi_supervised) is None or settings.semi_supervised is None:
        return False
    return only_given(settings.semi_supervised, settings.seed, settings.labelled_tracks)


def train_stage_two(settings: StageTwoSettings) -> RunFolder | None:
    """Trains stage two and writes the network into ``settings.output``.

    Args:
        settings: of the command.

    Returns:
        The run folder; None after a dry run or a printed schedule.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    if settings.print_schedule:
        print_schedule([stage_two_schedule(settings)], settings.print_schedule)
        return None
    if settings.baseline is None:
        raise UserError("stage two needs --baseline RUN, the run folder of `vireid baseline`")
    # Before the run folder is made: a wrong predecessor should leave nothing behind.
    artefact = read_artefact(settings.baseline)
    if (settings.baseline / "metrics.jsonl").exists():
        with as_user_error(FileNotFoundError):
            read_run(settings.baseline)  # its results stand in the table at the end
    decisions = decisions_path(settings.semi_supervised)
    if decisions is not None and settings.resume is None:
        judgements_file(decisions)
    if settings.dry_run:
        rehearse_stage_two(settings, artefact, _permitted(settings))
        return None
    with training(settings, "mmm", _permitted(settings)) as this:
        run, session = this.run, this.session
        if given_labels(settings.semi_supervised) is not None and ranks.is_main():
            keys = sorted(track.key for track in session.tracks if track.identity is not None)
            write_whole(run.path / "labelled_tracks.txt", "".join(f"{key}\n" for key in keys))
            run.log(f"semi-supervised: {len(keys)} of {len(session.tracks)} tracks are labelled")
        judged = judgements_of_run(settings.semi_supervised, session.tracks, run)
        model = starting_network(settings, artefact, session)
        stage = VARIANTS[settings.variant](session, settings, model, artefact, judged)
        plan = plan_stage_two(session, settings, model)
        untrained = not goes_on(settings)
        this.train(model, [stage], "model.safetensors", stage.name, plan=plan, untrained=untrained)
        this.finish("stage two")
        return run
