"""``vireid calibrate``: thresholds of a trained network, and what errors each of them makes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets.options import DATASET_HELP, TRIAL_HELP
from ..engine.options import FeatureOptions, decoding_processes
from ..errors import UserError
from ..options import option

if TYPE_CHECKING:
    from ..engine.calibration import Vectors


@dataclass(frozen=True, kw_only=True)
class CalibrateSettings(FeatureOptions):
    """Which network, on people that it was not trained on; image size comes from the network."""

    run: Path = option("finished run folder, or its .safetensors file")
    data_dir: Path = option("folder of the data set, as it was published")
    dataset: str = option(f"{DATASET_HELP}; unset: that of the network", "")
    index: Path | None = option(
        "index whose vectors are compared, reduced and rounded as there; unset: the network's "
        "features",
        None,
    )
    output: Path | None = option(
        "folder for calibration.json and calibration.html; unset: --index, or that of the network",
        None,
    )
    gallery_size: str = option(
        "numbers of people enrolled, N, joined by commas; unset: 10, and as many as there are", ""
    )
    fpir: str = option(
        "false-positive identification rates that get a threshold, joined by commas", "0.01,0.1"
    )
    fmr: str = option("false-match rates of pairs that get a threshold, the same", "0.001,0.01")
    rank: int = option("candidates of a search that are looked at, R", 1, at_least=1, at_most=1000)
    camera_people: int = option(
        "a pair of cameras is calibrated where both saw so many people", 30, at_least=10
    )
    transitions: Path | None = option(
        "CSV or YAML file with from, to, dt_min, dt_max of pairs of cameras, as for `vireid "
        "search`; where nobody is known, who would have walked faster is somebody else",
        None,
    )
    resamplings: int = option(
        "resamplings of the people, for the intervals", 500, at_least=20, at_most=100_000
    )
    allow_incomplete: bool = option("go on although the data set fails its verification", False)
    skip_corrupt: bool = option("leave unreadable frames out instead of stopping", False)
    flip: bool | None = option("average a clip and its mirror; unset: as in training", None)
    trial: int | None = option(f"{TRIAL_HELP}; unset: that of the network", None)
    workers: int = decoding_processes(4)
    seed: int = option("seed of the resamplings", 0, at_least=0, at_most=2**32 - 1)


def run_calibrate(settings: CalibrateSettings) -> dict[str, Any]:
    """Calibrates, prints a table, and writes ``calibration.json`` and ``calibration.html``.

    Returns:
        What the JSON file holds.

    Raises:
        UserError, DatasetError: with what to do.
    """
    sizes = _numbers(settings.gallery_size, "--gallery-size", "a whole number from 1", whole=True)
    rates = [
        tuple(_numbers(getattr(settings, name), f"--{name}", "a number between 0 and 1"))
        for name in ("fmr", "fpir")
    ]
    from ..datasets.transitions import read_transitions
    from ..engine.calibration import CalibrationNeeds, calibrate_network
    from ..engine.checkpoint import find_model, load_model
    from ..engine.fingerprint import model_fingerprint
    from ..engine.network import choose_trial
    from ..engine.session_options import options_of_network
    from ..files import write_whole
    from ..reporting.calibration_page import write_calibration_page
    from ..reporting.calibration_table import calibration_table

    transitions = None if settings.transitions is None else read_transitions(settings.transitions)
    file = find_model(settings.run)
    folder = settings.output or settings.index or file.parent
    model, meta = load_model(file)
    name = settings.dataset or meta.get("dataset")
    if not isinstance(name, str) or not name:
        raise UserError(f"{file} does not say which data set it is for; give --dataset")
    trial = choose_trial(file, meta, name, settings.trial, "")
    data = options_of_network(meta, replace(settings, dataset=name, trial=trial))
    vectors = None
    if settings.index is not None:
        fingerprint = model_fingerprint(model, {**meta, "flip": data.flip})
        vectors = _vectors_of(settings.index, fingerprint, file)
    record = calibrate_network(
        model,
        meta,
        data,
        CalibrationNeeds(
            sizes=tuple(int(size) for size in sizes),
            fmr=rates[0],
            fpir=rates[1],
            rank=settings.rank,
            camera_people=settings.camera_people,
            resamplings=settings.resamplings,
            transitions=transitions,
        ),
        print,
        vectors,
    )
    record = {"version": 1, "model": file.name, **record}
    folder.mkdir(parents=True, exist_ok=True)
    print(calibration_table(record))
    write_whole(folder / "calibration.json", json.dumps(record, indent=1, allow_nan=False) + "\n")
    page = write_calibration_page(record, folder / "calibration.html")
    print(f"{folder / 'calibration.json'}, {page}")
    return record


def _vectors_of(folder: Path, fingerprint: str, file: Path) -> Vectors:
    """What an index makes of the features of its own network."""
    from ..engine.calibration import Vectors
    from ..retrieval.embedding import require_same_model
    from ..retrieval.index_folder import open_index

    index = open_index(folder)
    require_same_model(fingerprint, index.facts.fingerprint, file, folder)
    return Vectors(index.projection.compared, index.facts.dim, index.facts.projection)


def _numbers(text: str, flag: str, wanted: str, *, whole: bool = False) -> list[float]:
    """Numbers of a comma list, ascending, each once."""
    found = set()
    for word in filter(None, map(str.strip, text.split(","))):
        try:
            number = int(word) if whole else float(word)
        except ValueError:
            number = -1
        if not (1 <= number < 2**31 if whole else 0 < number < 1):
            raise UserError(f"{flag}: expected {wanted}, or several joined by commas; got {word!r}")
        found.add(number)
    return sorted(found)
