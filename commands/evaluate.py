"""Evaluates a trained network on the test split of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..datasets.options import DATASET_HELP, TRIAL_HELP
from ..engine.checkpoint import load_model
from ..engine.model_trial import choose_trial
from ..engine.network import place
from ..engine.options import SessionOptions
from ..engine.run_folder import RunFolder
from ..engine.session import Session
from ..errors import UserError
from ..evaluation.results import summary_table
from ..options import Options, option, to_yaml


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(Options):
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
    batch_size: int = option("clips in a batch", 32)
    workers: int = option("processes that decode frames; 0 decodes in this process", 4)
    device: Literal["auto", "cpu", "cuda"] = option("where to compute", "auto")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "number format of the network", "auto"
    )
    desc: str = option("a description that is kept with the run", "")


def find_model(path: Path) -> Path:
    """The model file of ``path``, which is one or is a finished run folder.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        return path
    for name in ("model.safetensors", "encoder.safetensors"):
        if (path / name).is_file():
            return path / name
    raise UserError(
        f"no trained network at {path}: wanted a .safetensors file, or a run folder with "
        "model.safetensors (stage two) or encoder.safetensors (stage one). "
        "An unfinished run goes on with --resume."
    )


def run_evaluation(config: EvaluateSettings) -> list[dict[str, Any]]:
    """Ranks the test split under the chosen protocols and prints the table.

    Args:
        config: settings.

    Returns:
        One record for each protocol.

    Raises:
        UserError, DatasetError: with what to do.
    """
    file = find_model(config.checkpoint)
    model, meta = load_model(file)
    trial = choose_trial(file, meta, config.dataset, config.trial, config.protocol)
    config = replace(config, trial=trial)
    try:
        data = SessionOptions(
            dataset=config.dataset,
            data_dir=config.data_dir,
            allow_incomplete=config.allow_incomplete,
            skip_corrupt=config.skip_corrupt,
            img_h=meta["img_h"],
            img_w=meta["img_w"],
            num_frames=meta["num_frames"],
            test_frames=meta["test_frames"],
            flip=meta["flip"] if config.flip is None else config.flip,
            rerank=config.rerank,
            trial=trial,
            protocol=config.protocol,
            gallery=config.gallery,
            batch_size=config.batch_size,
            workers=config.workers,
            device=config.device,
            precision=config.precision,
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    run = None
    if config.output is not None:
        run = RunFolder(config.output, to_yaml(config), resume=None)
    try:
        session = Session(data, "evaluate", run, labelled=True)
        model = place(model, session.runtime)
        records = session.evaluate(model, meta["stage"], 0, meta["step"], keep=True)
        session.say(summary_table(records))
        return records
    finally:
        if run is not None:
            run.close()
