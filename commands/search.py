"""``vireid search``: who is this? The most similar tracklets of an index, and whether they are."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import UserError, as_user_error
from ..files import write_whole
from ..footage.options import CropOptions, FootageOptions
from ..options import option
from ..retrieval.options import EmbedderOptions

if TYPE_CHECKING:
    from ..retrieval.index_folder import IndexFolder
    from ..retrieval.search import Query
    from ..retrieval.video_queries import VideoQuery


@dataclass(frozen=True, kw_only=True)
class SearchSettings(CropOptions, FootageOptions, EmbedderOptions):
    """What is looked for, where, and how the answer is shown."""

    index: Path = option("the index")
    query: str = option(
        "a folder of a data set, a tracklet's folder, a picture, a video with --tracks, or the key "
        "of a tracklet in the index (with / or * at its end all keys that begin so)"
    )
    tracks: Path | None = option("a tracker's file of a video that is the query", None)
    track: int | None = option("number of one of its tracks; unset: all", None, at_least=0)
    query_camera: str = option("camera of a video that is the query, for --transitions", "")
    start: str | None = option(
        "when a video that is the query begins, for --transitions: 2026-05-01T12:00:00", None
    )
    dataset: str = option("layout of the query's folder", "folder")
    query_modality: Literal["visible", "infrared"] | None = option(
        "spectrum of the query, where no folder's name says it", None
    )
    run: Path | None = option("the network; unset: the run that the index was made with", None)
    modality: Literal["other", "visible", "infrared"] = option(
        "which tracklets are ranked; other: those of the other modality than the query's", "other"
    )
    camera: str = option("names of cameras that are looked at, joined by commas; unset: all", "")
    since: str = option(
        "--from: first moment that is looked at, in seconds or as 2026-03-01T14:30:00", ""
    )
    until: str = option("--to: last moment that is looked at", "")
    transitions: Path | None = option(
        "CSV or YAML file of camera pairs with from, to, dt_min, dt_max: rules out journeys that "
        "are too fast or too slow",
        None,
    )
    top: int = option("candidates of a query", 10, at_least=1, at_most=10_000)
    fpir: float = option(
        "share of searches for a stranger that may name somebody; decides same or unknown",
        0.01,
        above=0,
        below=1,
    )
    format: Literal["table", "jsonl", "html"] = option("how the answer is shown", "table")
    output: Path | None = option("file to write; unset: the standard output", None)
    skip_corrupt: bool = option("leave unreadable frames out instead of stopping", False)


def run_search(settings: SearchSettings) -> int:
    """Ranks the index for each query and prints, or writes, the candidates.

    Raises:
        UserError, DatasetError: with what to do.
    """
    from ..datasets.times import parse_time
    from ..datasets.track import Modality
    from ..datasets.transitions import read_transitions
    from ..retrieval import answers
    from ..retrieval.conditions import Filter
    from ..retrieval.decisions import calibration_for, statements
    from ..retrieval.index_folder import open_index
    from ..retrieval.search import check_cameras, search_index

    with as_user_error():
        since, until = (parse_time(t) if t else None for t in (settings.since, settings.until))
    transitions = None if settings.transitions is None else read_transitions(settings.transitions)
    index = open_index(settings.index)
    cameras = tuple(name.strip() for name in settings.camera.split(",") if name.strip())
    check_cameras(index, cameras)
    modality = None if settings.modality == "other" else Modality[settings.modality.upper()]
    run = settings.run or Path(index.facts.run)
    calibration, note = calibration_for(
        index.path, run, index.facts.fingerprint, index.facts.projection
    )
    notes = statements(calibration, note, settings.fpir)
    if index.interrupted:
        notes.append(
            f"a `vireid forget` was interrupted; give it again, so that {index.path} is rid of "
            "what was to go"
        )
    found = search_index(
        index,
        _queries(settings, index),
        Filter(cameras, modality, since, until),
        top=settings.top,
        transitions=transitions,
        calibration=calibration,
        fpir=settings.fpir,
    )
    for sentence in notes:
        print(f"vireid: {sentence}", file=sys.stderr)
    if settings.format == "html":
        title = f"{settings.query} in {settings.index.name}"
        _show(settings.output, [answers.page(list(found), title, notes)])
    elif settings.format == "jsonl":
        _show(settings.output, (line for one in found for line in answers.json_lines(one)))
    else:
        tables = (answers.table(one) + "\n" for one in found)
        _show(settings.output, tables)
    return 0


def _show(output: Path | None, lines: Iterable[str]) -> None:
    if output is None:
        for line in lines:
            print(line)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, "".join(f"{line}\n" for line in lines))
    print(output)


def _queries(settings: SearchSettings, index: IndexFolder) -> list[Query]:
    """What is looked for: from files, described by the network; or from the index itself."""
    from ..datasets.track import Modality
    from ..retrieval.embedding import open_embedder, require_same_model
    from ..retrieval.queries import described_queries
    from ..retrieval.search import stored_queries
    from ..retrieval.sightings import Sighting, query_sightings
    from ..retrieval.video_queries import video_sightings

    path = Path(settings.query)
    of_video = _video_query(settings, path)
    if not path.exists():
        if stored := stored_queries(index, settings.query):
            return stored
        raise UserError(
            f"--query {settings.query} is neither a file or folder here, nor the key of a tracklet "
            f"in {index.path}"
        )
    run = settings.run or Path(index.facts.run)
    if not run.exists():
        raise UserError(
            f"the run that {index.path} was made with, {run}, is not there; give its new place "
            "(--run)"
        )
    if of_video is None:
        given = settings.query_modality
        modality = None if given is None else Modality[given.upper()]
        shown: AbstractContextManager[list[Sighting]] = nullcontext(
            query_sightings(path, settings.dataset, modality)
        )
    else:
        shown = video_sightings(of_video, settings, settings)
    embedder = open_embedder(run, settings)
    require_same_model(embedder.fingerprint, index.facts.fingerprint, run, index.path)
    with shown as sightings:
        return described_queries(index, sightings, embedder, skip_corrupt=settings.skip_corrupt)


def _video_query(settings: SearchSettings, path: Path) -> VideoQuery | None:
    """The video that is looked for; None where the query is something else."""
    from ..datasets.times import parse_time
    from ..datasets.track import Modality
    from ..retrieval.video_queries import VideoQuery

    if settings.tracks is None:
        said = {
            "--track": settings.track is not None,
            "--query-camera": bool(settings.query_camera),
            "--start": settings.start is not None,
        }
        if given := [flag for flag, there in said.items() if there]:
            raise UserError(f"{', '.join(given)}: only of a video; add its tracks (--tracks FILE)")
        return None
    if settings.query_modality is None:
        raise UserError(
            f"--query {path}: nothing says whether the video is visible or infrared; add "
            "--query-modality"
        )
    with as_user_error(start="--start: "):
        parse_time(settings.start or "0")
    return VideoQuery(
        path,
        settings.tracks,
        Modality[settings.query_modality.upper()],
        settings.track,
        settings.query_camera,
        settings.start,
    )
