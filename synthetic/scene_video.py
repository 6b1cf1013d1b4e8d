"""A rendered scene as video files with tracks, and the truth beside them."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ..datasets.track import Modality
from ..datasets.transitions import COLUMNS
from ..footage.errors import need_video
from .marker import SyntheticError
from .scene_pictures import scene_pictures
from .scene_plan import CAMERAS, FASTEST, SceneCamera, SceneOptions, Walk, plan_scene
from .simulated_tracker import SimulatedTracker
from .streams import Stream, stream

SCENE = "scene.json"
START = "2026-05-01T12:00:00"
VERSION = 2  # raised whenever the same seed gives other files
# Truth lies apart: nothing that crops or trains should meet it.
CAMERA_TABLE, WAY_TABLE, TRUTH_TABLE = "cameras.csv", "transitions.csv", "truth/boxes.csv"
_BIT_RATE = 3_000_000


@dataclass(frozen=True, slots=True)
class RenderedScene:
    """What was rendered.

    Attributes:
        root: its folder.
        people: how many walk through it.
        frames: of all cameras.
        boxes: that the tracker gave.
        tracks: that it numbered.
        faults: of the tracker: misses, broken tracks (breaks), swaps.
        reused: the folder held this very scene already.
    """

    root: Path
    people: int
    frames: int
    boxes: int
    tracks: int
    faults: dict[str, int]
    reused: bool


def render_scene(
    out: Path,
    options: SceneOptions,
    *,
    seed: int = 0,
    gap: float = 1.0,
    workers: int | None = None,
    progress: bool = True,
) -> RenderedScene:
    """Renders a scene of two visible and two thermal cameras.

    People walk from camera to camera. A simulated tracker writes MOT Challenge text with misses,
    broken and swapped tracks and false boxes. Written are ``cam1.mp4`` and ``cam2.mp4`` (visible),
    ``cam3.mkv`` (16-bit thermal, FFV1), ``cam4/`` (16-bit thermal, PNG), ``tracks/<camera>.txt``,
    ``cameras.csv``, ``transitions.csv`` (how fast anybody comes from one camera to another) and
    ``truth/boxes.csv`` (who each box of the tracker shows). As in the other synthetic sets the
    folder gets its name when all is there.

    Args:
        out: folder of the scene; missing, empty, or holding this very scene.
        options: length and people.
        seed: any number from 0.
        gap: what infrared loses, 0 (near infrared) to 1 (thermal).
        workers: processes; None: one for each core, at most one a camera.
        progress: show a progress bar, if there is a terminal.

    Raises:
        SyntheticError: `out` holds something else.
        FootageError: PyAV is not installed.
    """
    need_video()
    if seed < 0:
        raise SyntheticError(f"the seed must be 0 or more, but it is {seed}")
    out = Path(out).absolute()
    walks = plan_scene(options, seed)
    wanted: dict[str, Any] = {
        "version": VERSION,
        "seed": seed,
        "gap": gap,
        "minutes": options.minutes,
        "people": options.people,
    }
    if (found := _held(out)) is not None:
        if found.get("scene") != wanted:
            raise SyntheticError(
                f"{out} holds another scene ({found.get('scene')}): give a new folder, or remove "
                "this one yourself"
            )
        return RenderedScene(out, **found["rendered"], reused=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.parent / f".{out.name}.rendering"
    shutil.rmtree(beside, ignore_errors=True)  # of a killed process
    try:
        for folder in ("tracks", "truth"):
            (beside / folder).mkdir(parents=True)
        results = _render_cameras(beside, walks, options, seed, gap, workers, progress)
        counts = {"misses": 0, "breaks": 0, "swaps": 0}
        for result in results:
            for name in counts:
                counts[name] += result[name]
        rendered: dict[str, Any] = {
            "people": len({walk.person for walk in walks}),
            **{name: sum(r[name] for r in results) for name in ("frames", "boxes", "tracks")},
            "faults": counts,
        }
        _write_tables(beside, results)
        text = json.dumps({"scene": wanted, "rendered": rendered}, indent=2) + "\n"
        (beside / SCENE).write_text(text, encoding="utf-8")
        if out.exists():
            out.rmdir()  # only succeeds while it is empty
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return RenderedScene(out, **rendered, reused=False)


def _held(out: Path) -> dict[str, Any] | None:
    """What a folder says of its scene; None where it is missing or empty."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise SyntheticError(f"{out} is a file: give a folder that does not exist yet")
    if not any(out.iterdir()):
        return None
    try:
        found: dict[str, Any] = json.loads((out / SCENE).read_text(encoding="utf-8"))
        return {"scene": found["scene"], "rendered": found["rendered"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise SyntheticError(
            f"{out} is not empty and holds no rendered scene (no {SCENE}): give a new folder, or "
            "empty this one yourself"
        ) from None


def _render_cameras(
    root: Path,
    walks: Sequence[Walk],
    options: SceneOptions,
    seed: int,
    gap: float,
    workers: int | None,
    progress: bool,
) -> list[dict[str, Any]]:
    seconds = 60 * options.minutes
    jobs = [
        (root, index, [walk for walk in walks if walk.camera == index], seconds, seed, gap)
        for index in range(len(CAMERAS))
    ]
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    with tqdm(
        total=len(jobs), desc="rendering", unit="camera", disable=not progress or None
    ) as bar:
        if workers == 1:
            results = []
            for job in jobs:
                results.append(render_camera(*job))
                bar.update()
            return results
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            running = [pool.submit(render_camera, *job) for job in jobs]
            try:
                for _ in as_completed(running):
                    bar.update()
                return [job.result() for job in running]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def render_camera(
    root: Path, index: int, walks: list[Walk], seconds: float, seed: int, gap: float
) -> dict[str, Any]:
    """Writes the video and the tracks of one camera.

    Args:
        root: folder of the scene.
        index: of the camera in `CAMERAS`.
        walks: those of this camera.
        seconds: length of the scene.
        seed, gap: as in :func:`render_scene`.

    Returns:
        Counts, and the rows of the truth.
    """
    camera = CAMERAS[index]
    rng = stream(seed, Stream.TRACKER, camera.number)
    tracker = SimulatedTracker(rng, camera.width, camera.height)
    lines, truth, frames = [], [], 0
    with _writer(root, camera) as write:
        for pixels, people in scene_pictures(index, walks, seconds, seed, gap):
            write(pixels)
            frames += 1
            for one in tracker.follow(people):
                numbers = ",".join(f"{value:.2f}" for value in one.box)
                lines.append(f"{frames},{one.track},{numbers},{one.confidence:.2f},-1,-1,-1")
                who = "" if one.person is None else one.person
                truth.append(f"{camera.name},{frames - 1},{one.track},{who}")
    (root / "tracks" / f"{camera.name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "frames": frames,
        "boxes": len(lines),
        "tracks": len({line.split(",")[1] for line in lines}),
        "misses": tracker.misses,
        "breaks": tracker.breaks,
        "swaps": tracker.swaps,
        "truth": truth,
    }


class _Write(Protocol):
    def __call__(self, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None: ...


@contextmanager
def _writer(root: Path, camera: SceneCamera) -> Iterator[_Write]:
    """What takes the pictures of a camera, in its kind of file."""
    path = root / camera.file
    if not path.suffix:
        path.mkdir()

        def save(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
            number = sum(1 for _ in path.iterdir())
            Image.fromarray(pixels).save(path / f"{number:06d}.png", compress_level=1)

        yield save
        return
    import av

    deep = camera.modality is Modality.INFRARED
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("ffv1" if deep else "mpeg4", rate=camera.rate)
        video.width, video.height = camera.width, camera.height
        video.pix_fmt = "gray16le" if deep else "yuv420p"
        if not deep:
            video.bit_rate = _BIT_RATE

        def encode(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
            frame = av.VideoFrame.from_ndarray(pixels, format="gray16le" if deep else "rgb24")
            container.mux(video.encode(frame))

        yield encode
        container.mux(video.encode())


def _write_tables(root: Path, results: Sequence[dict[str, Any]]) -> None:
    rows = ["camera,modality,video,tracks,start,rate"]
    for one in CAMERAS:
        modality = one.modality.name.lower()
        rows.append(f"{one.name},{modality},{one.file},tracks/{one.name}.txt,{START},{one.rate}")
    (root / CAMERA_TABLE).write_text("\n".join(rows) + "\n", encoding="utf-8")
    ways = [f"{a.name},{b.name},{FASTEST:g}," for a, b in itertools.combinations(CAMERAS, 2)]
    table = [",".join(COLUMNS), *ways]
    (root / WAY_TABLE).write_text("\n".join(table) + "\n", encoding="utf-8")
    truth = ["camera,frame,track,person", *(row for result in results for row in result["truth"])]
    (root / TRUTH_TABLE).write_text("\n".join(truth) + "\n", encoding="utf-8")
