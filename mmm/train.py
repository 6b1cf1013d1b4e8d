"""Stage two from start to checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..datasets.track import Track
from ..distributed import ranks
from ..distributed.batch_size import batch_record, batch_warnings
from ..engine.checkpoint import save_model
from ..engine.network import network_meta, network_of
from ..engine.run_folder import RunFolder
from ..engine.session import Session
from ..engine.stages import run_stages
from ..errors import UserError
from ..evaluation.results import summary_table
from ..files import write_whole
from ..options import to_yaml
from ..pseudo_labels.artefact import read_artefact
from ..reporting.run_record import read_run
from .given_labels import only_given
from .rehearsal import rehearse_stage_two
from .settings import StageTwoSettings
from .stage_two import StageTwo
from .variant_paper import PaperVariant
from .variant_released import ReleasedVariant
from .variant_vireid import VireidVariant

VARIANTS: dict[str, type[StageTwo]] = {
    "vireid": VireidVariant,
    "paper": PaperVariant,
    "released": ReleasedVariant,
}


def _permitted(settings: StageTwoSettings) -> bool | Callable[[Sequence[Track]], list[Track]]:
    if settings.semi_supervised is None:
        return False
    return only_given(settings.semi_supervised, settings.seed, settings.labelled_tracks)


def train_stage_two(settings: StageTwoSettings) -> RunFolder | None:
    """Trains stage two and writes the network into ``settings.output``.

    Args:
        settings: of the command.

    Returns:
        The run folder; None after a dry run.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    if settings.baseline is None:
        raise UserError("stage two needs --baseline RUN, the run folder of `vireid baseline`")
    # Before the run folder is made: a wrong predecessor should leave nothing behind.
    artefact = read_artefact(settings.baseline)
    if settings.dry_run:
        rehearse_stage_two(settings, artefact, _permitted(settings))
        return None
    run = RunFolder(
        settings.output,
        to_yaml(settings),
        resume=settings.resume is not None,
        pictures=settings.pictures,
    )
    try:
        session = Session(
            settings, "mmm", run, labelled=_permitted(settings), facts=batch_record(settings)
        )
        for warning in batch_warnings(settings):
            session.say(warning)
        if settings.semi_supervised is not None and ranks.is_main():
            keys = sorted(track.key for track in session.tracks if track.identity is not None)
            write_whole(run.path / "labelled_tracks.txt", "".join(f"{key}\n" for key in keys))
            run.log(f"semi-supervised: {len(keys)} of {len(session.tracks)} tracks are labelled")
        model = network_of(artefact.encoder, settings, session.runtime)
        stage = VARIANTS[settings.variant](session, settings, model, artefact)
        step = run_stages(session, run, settings, model, [stage], untrained=False)
        meta = network_meta(settings, session, model, stage=stage.name, step=step)
        save_model(run.path / "model.safetensors", model, meta)
        run.log(summary_table(read_run(run.path).of_kind("evaluation")))
        run.log(f"stage two is complete: {run.path}")
        return run
    finally:
        run.close()
