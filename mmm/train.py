"""Stage two from start to checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..datasets.track import Track
from ..engine.checkpoint import save_model
from ..engine.network import network_meta, network_of
from ..engine.run_folder import RunFolder, write_text
from ..engine.session import Session
from ..engine.stages import Stage, run_stages
from ..evaluation.results import summary_table
from ..models.network import Network
from ..options import to_yaml
from ..pseudo_labels.artefact import read_artefact
from ..pseudo_labels.evaluator import PseudoLabelEvaluator
from ..reporting.run_record import read_run
from ..supervised.m3reid_stage import start_supervised
from .config import MMMConfig
from .given_labels import only_given
from .rehearsal import rehearse_mmm
from .variant_paper import Paper
from .variant_released import Released
from .variant_vireid import Matched

VARIANTS: dict[str, type[Matched | Released]] = {
    "vireid": Matched,
    "paper": Paper,
    "released": Released,
}


def _permitted(config: MMMConfig) -> bool | Callable[[Sequence[Track]], list[Track]]:
    if config.semi_supervised is None:
        return config.supervised
    return only_given(config.semi_supervised, config.seed, config.labelled_tracks)


def run_mmm(config: MMMConfig) -> RunFolder | None:
    """Trains stage two, or from labels, and writes the network into ``config.output``.

    Args:
        config: settings.

    Returns:
        The run folder; None after a dry run.

    Raises:
        UserError, DatasetError, DegenerateClustering: with what to do.
    """
    # Before the run folder is made: a wrong predecessor should leave nothing behind.
    artefact = None if config.baseline is None else read_artefact(config.baseline)
    if config.dry_run:
        rehearse_mmm(config, artefact, _permitted(config))
        return None
    run = RunFolder(config.output, to_yaml(config), resume=config.resume is not None)
    try:
        session = Session(config, "mmm", run, labelled=_permitted(config))
        if config.semi_supervised is not None and session.runtime.is_main:
            keys = sorted(track.key for track in session.tracks if track.identity is not None)
            write_text(run.path / "labelled_tracks.txt", "".join(f"{key}\n" for key in keys))
            run.log(f"semi-supervised: {len(keys)} of {len(session.tracks)} tracks are labelled")
        model: Network
        stage: Stage
        if config.supervised:
            model, stage = start_supervised(session, config)
        else:
            assert artefact is not None
            model = network_of(artefact.encoder, config, session.runtime)
            evaluator = PseudoLabelEvaluator(session.full_tracks, run, config.data_dir)
            stage = VARIANTS[config.variant](session, config, model, evaluator, artefact)
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
