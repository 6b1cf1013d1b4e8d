"""Render a whole synthetic set to disk."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from ..datasets.synthetic_mark import MARKER
from ..datasets.track import Modality
from ..folder_lock import FILE as LOCK
from ..folder_lock import FolderLock
from .camera import Camera, draw_camera
from .layout_bupt_campus import BuptCampus
from .layout_hitsz_vcm import HitszVcm
from .layout_llcm import Llcm
from .layout_regdb import RegDB
from .layout_sysu_mm01 import SysuMM01
from .marker import SyntheticError, describe, holds, identities_of
from .options import SyntheticOptions, sizes_asked
from .presets import PRESETS, Preset
from .schedule import Layout, PlannedTrack, count_tracks
from .streams import Stream, stream
from .tracklet import Sighting, encode_frame, render_tracklet
from .wardrobe import draw_person

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (HitszVcm(), BuptCampus(), SysuMM01(), RegDB(), Llcm())
}
"""Layouts by the name of the data set whose they are."""
_IMAGE_STRIDE = 5  # frames of a walk between two images
_PASSERS_BY = 1_000_000  # numbers of people who only walk through the picture


@dataclass(frozen=True, slots=True)
class SyntheticSummary:
    """What was rendered.

    Attributes:
        root: folder of the set.
        layout: its layout.
        preset: its preset.
        seed: its seed.
        identities: split -> number of people.
        counts: split -> modality -> "before" or "after" the layout's filter of short tracks ->
            "identities", "tracks", "frames".
        frames: image files of the set.
        reused: the folder held this very set already, and nothing was rendered.
    """

    root: Path
    layout: str
    preset: str
    seed: int
    identities: dict[str, int]
    counts: dict[str, dict[str, dict[str, dict[str, int]]]]
    frames: int
    reused: bool


def render_dataset(
    out: Path,
    *,
    layout: str = "hitsz-vcm",
    preset: str = "tiny",
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    train_identities: int | None = None,
    test_identities: int | None = None,
    options: SyntheticOptions | None = None,
) -> SyntheticSummary:
    """Render a synthetic set of walking people in the layout of a real data set.

    The frames are rendered into a folder beside `out`, which gets its name at the end: a folder
    with this name is always complete. The files depend on layout, preset, seed, the numbers of
    people and the share without a partner, not on the number of workers.

    Args:
        out: folder of the set; missing, empty, or holding this very set.
        layout: a key of `LAYOUTS`: "hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb" or "llcm".
        preset: "tiny", "demo" or "bench".
        seed: any number from 0; people, cameras and walks change with it.
        workers: processes; default: one for each core.
        progress: show a progress bar, if there is a terminal.
        train_identities: people to train on, instead of the preset's number.
        test_identities: people to test on, instead of the preset's number.
        options: what crosses the modalities, how often and from how many sides people are seen;
            default: as the preset says. Of people without a partner, half are seen by visible
            cameras only, half by infrared ones; the test split does not change.

    Returns:
        What the folder holds.

    Raises:
        SyntheticError: unknown layout or preset, a number out of range, an option that the layout
            has no room for, or `out` holds something else or an incomplete copy of this set.
    """
    options = options or SyntheticOptions()
    chosen = _check(layout, preset, seed, workers, train_identities, test_identities)
    _check_layout(chosen, options)
    sizes = sizes_asked(chosen.sizes[preset], options)
    if train_identities is not None:
        sizes = replace(sizes, train_identities=train_identities)
    if test_identities is not None:
        sizes = replace(sizes, test_identities=test_identities)
    tracks = chosen.plan(sizes, seed)
    description = describe(chosen, preset, sizes, seed, tracks)
    out = Path(out).absolute()
    texts = chosen.index_files(tracks, sizes, seed)
    reused = holds(out, description, chosen, tracks, texts)
    if reused:
        (out / LOCK).unlink(missing_ok=True)  # of a process that was killed when it was done
    else:
        texts[MARKER] = json.dumps(description, indent=2) + "\n"
        _render_beside(out, chosen, sizes, seed, tracks, texts, workers, progress)
    return SyntheticSummary(
        root=out,
        layout=layout,
        preset=preset,
        seed=seed,
        identities=identities_of(chosen, sizes),
        counts=count_tracks(tracks, chosen.min_frames, images=chosen.images),
        frames=sum(track.frames for track in tracks),
        reused=reused,
    )


def _check(
    layout: str,
    preset: str,
    seed: int,
    workers: int | None,
    train_identities: int | None,
    test_identities: int | None,
) -> Layout:
    if layout not in LAYOUTS:
        raise SyntheticError(f"unknown layout {layout!r}: choose one of {', '.join(LAYOUTS)}")
    sizes = LAYOUTS[layout].sizes
    if preset not in sizes:
        known = "has no preset" if preset in PRESETS else "unknown preset"
        where = f"layout {layout} {known}" if preset in PRESETS else known
        raise SyntheticError(f"{where} {preset!r}: choose one of {', '.join(sizes)}")
    if seed < 0:
        raise SyntheticError(f"the seed must be 0 or more, but it is {seed}")
    numbers = {
        "workers": workers,
        "train_identities": train_identities,
        "test_identities": test_identities,
    }
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise SyntheticError(f"{name} must be 1 or more, but it is {number}")
    return LAYOUTS[layout]


def _check_layout(layout: Layout, options: SyntheticOptions) -> None:
    """Complain about an option that the layout has no room for."""
    if options.tracklets is not None and layout.images:
        raise SyntheticError(
            f"--tracklets counts tracklets, and {layout.name} holds single images: "
            "leave it out, or choose the layout hitsz-vcm or bupt-campus"
        )
    if options.cameras is not None and not layout.any_cameras:
        raise SyntheticError(
            f"the cameras of {layout.name} are those of the original: "
            "leave --cameras out, or choose the layout hitsz-vcm"
        )


def _render_beside(
    out: Path,
    layout: Layout,
    sizes: Preset,
    seed: int,
    tracks: Sequence[PlannedTrack],
    texts: dict[str, str],
    workers: int | None,
    progress: bool,
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.parent / f".{out.name}.rendering"
    beside.mkdir(exist_ok=True)
    lock = FolderLock(beside, str(out))
    try:
        for left in beside.iterdir():  # by a killed process
            if left.is_dir():
                shutil.rmtree(left)
            elif left != lock.path:
                left.unlink()
        _render_people(beside, layout, sizes, seed, tracks, workers, progress)
        for folder in layout.folders:
            (beside / folder).mkdir(parents=True, exist_ok=True)
        for relative, text in texts.items():
            path = beside / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        if out.exists():
            out.rmdir()  # only succeeds while it is empty
        if not lock.held:  # Windows renames no folder of which a file is open
            lock.release()
        beside.rename(out)
        # Until now, so that no other process takes the folder for a left-over.
        (out / lock.path.name).unlink()
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        lock.release()


def _render_people(
    root: Path,
    layout: Layout,
    sizes: Preset,
    seed: int,
    tracks: Sequence[PlannedTrack],
    workers: int | None,
    progress: bool,
) -> None:
    people = [list(group) for _, group in groupby(tracks, key=lambda track: track.person)]
    workers = min(workers or os.cpu_count() or 1, len(people))
    total = sum(track.frames for track in tracks)
    hidden = None if progress else True  # None: hidden where there is no terminal
    with tqdm(total=total, desc="rendering", unit="frame", disable=hidden) as bar:
        if workers == 1:
            for person in people:
                bar.update(render_person(root, layout.name, sizes, seed, person))
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            jobs = [
                pool.submit(render_person, root, layout.name, sizes, seed, person)
                for person in people
            ]
            try:
                for job in as_completed(jobs):
                    bar.update(job.result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


@lru_cache(maxsize=32)
def _camera(seed: int, number: int, modality: Modality, place: int, gap: float) -> Camera:
    return draw_camera(seed, number, modality, place, gap)


def render_person(
    root: Path, layout: str, sizes: Preset, seed: int, tracks: Sequence[PlannedTrack]
) -> int:
    """Render the tracklets of one person into the set's folder; returns the number of frames."""
    gap, views = sizes.gap, sizes.views
    person = draw_person(seed, tracks[0].person, gap, views)
    written = 0
    for track in tracks:
        camera = _camera(seed, track.camera, track.modality, track.place, gap)
        passer = stream(seed, Stream.PASSER_BY, track.person, track.camera, track.track)
        other = draw_person(seed, _PASSERS_BY + int(passer.integers(1000)), gap, views)
        stride = _IMAGE_STRIDE if LAYOUTS[layout].images else 1
        sighting = Sighting(seed, track.person, track.camera, track.track, track.frames, stride)
        frames = render_tracklet(sighting, person, camera, other)
        for index, frame in enumerate(frames):
            path = root / LAYOUTS[layout].frame_path(track, index)
            if index == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_frame(frame, camera.sensor.quality, path.suffix))
        written += track.frames
    return written
