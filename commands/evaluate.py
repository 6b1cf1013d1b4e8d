"""``vireid evaluate``: ranks the test split of a data set with a trained network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..datasets.options import DATASET_HELP, TRIAL_HELP
from ..engine.options import FeatureOptions, decoding_processes
from ..options import option, to_yaml


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(FeatureOptions):
    """Which network, on which data; image size and frames come from the checkpoint."""

    dataset: str = option(DATASET_HELP)
    data_dir: Path = option("folder of the data set, as it was published")
    checkpoint: Path = option("trained network: a .safetensors file, or a finished run folder")
    output: Path | None = option("run folder to write; without it, print only", None)
    allow_incomplete: bool = option("go on although the data set fails its verification", False)
    skip_corrupt: bool = option("leave unreadable frames out instead of stopping", False)
    flip: bool | None = option("average a clip and its mirror; unset: as in training", None)
    rerank: bool = option("k-reciprocal re-ranking over the test split", False)
    trial: int | None = option(f"{TRIAL_HELP}; unset: that of the network", None)
    protocol: str = option(
        "evaluation protocols by name, joined by commas; unset: the usual ones of the data set", ""
    )
    gallery: Literal["seeded", "official"] = option(
        "SYSU-MM01: galleries as released code draws them, or the data set's own permutations",
        "seeded",
    )
    workers: int = decoding_processes(4)
    desc: str = option("a description that is kept with the run", "")


def run_evaluation(settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Ranks the test split under the chosen protocols and prints the table.

    Returns:
        One record for each protocol; none of a folder in which nobody is known.

    Raises:
        UserError, DatasetError: with what to do.
    """
    from ..engine.checkpoint import find_model, load_model
    from ..engine.network import check_frame_size, choose_trial, place
    from ..engine.run_folder import RunFolder, refuse_data_folder
    from ..engine.session import Session
    from ..engine.session_options import options_of_network
    from ..engine.unlabelled_evaluation import evaluate_unlabelled
    from ..evaluation.results import summary_table
    from .cluster import recipe_of

    if settings.output is not None:
        refuse_data_folder(settings.output, settings.data_dir)
    file = find_model(settings.checkpoint)
    model, meta = load_model(file)
    trial = choose_trial(file, meta, settings.dataset, settings.trial, settings.protocol)
    settings = replace(settings, trial=trial)
    data = options_of_network(meta, settings)
    check_frame_size(model, data)
    run = None
    if settings.output is not None:
        run = RunFolder(settings.output, to_yaml(settings), resume=None)
    try:
        with Session(data, "evaluate", run, labelled=True) as session:
            if not session.protocols:
                found = evaluate_unlabelled(
                    place(model, session.runtime),
                    session.tracks,
                    data,
                    session.runtime,
                    recipe_of(file.parent),
                    session.say,
                )
                if run is not None:
                    moment = {"stage": meta["stage"], "epoch": 0, "step": meta["step"]}
                    for modality, values in found.items():
                        run.record("agreement", **moment, modality=modality, **values)
                return []
            model = place(model, session.runtime)
            records = session.evaluate(model, meta["stage"], 0, meta["step"], keep=True)
            session.say(summary_table(records))
            return records
    finally:
        if run is not None:
            run.close()
