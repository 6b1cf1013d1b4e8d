"""What one video has added to a crop folder so far, so that a killed run goes on.

Crops of a tracklet are written below ``.crop``, and its folder moves to its place once it is whole
and the journal has its rows. The folder's tables get a video's rows at its end; their sizes before
that stand in the journal, so that a half-written addition is cut off again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..datasets.crop_tables import CROPS, PENDING, TRACK_COLUMNS, WINDOW_COLUMNS, WINDOWS
from ..datasets.crop_tables import TRACKS as TABLE
from ..files import append_line, naming
from .errors import FootageError
from .thermal import Window


@dataclass(frozen=True, slots=True)
class Crop:
    """One row of the table of crops.

    Attributes:
        file: name of the image in its tracklet's folder.
        frame: number of the frame in its video, from 0.
        time: of the frame, as written.
        box: left, top, width, height of the tracker's box; pixels.
    """

    file: str
    frame: int
    time: str
    box: tuple[float, float, float, float]


class Journal:
    """The state of one video in a crop folder.

    Args:
        root: the crop folder; it exists, and no other process works in it.
        source: what the video is called there: modality, camera and name.
        facts: what the crops depend on; with others a begun video starts anew.

    Attributes:
        whole: tracklets that are done, by number of track.
        parts: folder below which crops of open tracklets lie.

    Raises:
        FootageError: the folder holds this video's crops with other facts.
        OSError: something cannot be written.
    """

    def __init__(self, root: Path, source: tuple[str, str, str], facts: dict[str, Any]) -> None:
        self.root, self.source, self.facts = root, source, facts
        modality, camera, name = source
        self.name = f"{modality}/{camera}/{name}"
        self.place = root / "train" / "unknown" / modality / camera
        self.work = root / PENDING / f"{modality}-{camera}-{name}"
        self.parts = self.work / "parts"
        self.file = self.work / "journal.jsonl"
        self.whole: set[int] = set()
        _repair(root)
        self.counts = self._finished()
        if self.counts is not None:
            return
        begun = list(_lines(self.file))
        if begun and begun[0] != {"facts": facts}:
            self._take_back(begun)
            begun = []
        (self.parts / "whole").mkdir(parents=True, exist_ok=True)
        if not begun:
            append_line(self.file, json.dumps({"facts": facts}))
        for line in begun:
            if "track" in line:
                self.whole.add(line["track"])
                self._move(line["tracklet"])
        shutil.rmtree(self.parts)
        for state in ("open", "whole"):
            (self.parts / state).mkdir(parents=True)

    def _finished(self) -> dict[str, int] | None:
        """Counts of the video where it is in the folder already."""
        for line in _lines(self.root / CROPS):
            if line.get("source") == self.name:
                if line.get("facts") == self.facts:
                    counts: dict[str, int] = line["counts"]
                    return counts
                before = line.get("facts", {})
                other = sorted(k for k in self.facts if self.facts[k] != before.get(k))
                raise FootageError(
                    f"{self.root} holds crops of {self.name} already, made with another "
                    f"{', '.join(other)}. Choose another --output, or rename the video if it is "
                    "another one"
                )
        return None

    def _take_back(self, lines: list[dict[str, Any]]) -> None:
        """Removes what was cropped with other facts, and not finished."""
        for line in lines:
            if line.get("tracklet"):
                shutil.rmtree(self.place / line["tracklet"], ignore_errors=True)
        shutil.rmtree(self.work)
        self.work.mkdir()

    def _move(self, tracklet: str | None) -> None:
        """Puts a whole tracklet in its place, unless that was done."""
        if tracklet is None or not (self.parts / "whole" / tracklet).is_dir():
            return
        self.place.mkdir(parents=True, exist_ok=True)
        (self.parts / "whole" / tracklet).rename(self.place / tracklet)

    def begin(self, tracklet: str) -> Path:
        """A folder for the crops of a tracklet.

        Args:
            tracklet: its name.

        Raises:
            FootageError: there is a folder of this name that is not of this run.
        """
        if (self.place / tracklet).exists():
            raise FootageError(
                f"{self.place / tracklet} exists, and was not written from this video. Rename the "
                "video, or choose another --output"
            )
        folder = self.parts / "open" / tracklet
        folder.mkdir()
        return folder

    def end(
        self,
        track: int,
        tracklet: str | None,
        crops: list[Crop],
        left_out: dict[str, int],
        window: Window | None,
    ) -> None:
        """Keeps a tracklet whose crops are written.

        Args:
            track: its number.
            tracklet: name of its folder; None: it was left out, and its folder is removed.
            crops: its rows.
            left_out: how many boxes were, by reason.
            window: of 16-bit crops.
        """
        if tracklet is not None:
            # It moves to its place once the journal has it: what a run finds there is whole.
            (self.parts / "open" / tracklet).rename(self.parts / "whole" / tracklet)
        rows = [[crop.file, crop.frame, crop.time, *crop.box] for crop in crops]
        line = {
            "track": track,
            "tracklet": tracklet,
            "rows": rows,
            "left_out": left_out,
            "window": asdict(window) if window else None,
        }
        append_line(self.file, json.dumps(line))
        self._move(tracklet)
        self.whole.add(track)

    def forget_if_empty(self) -> None:
        """Leaves no trace of a video that was refused before any tracklet was whole."""
        if not self.whole:
            _remove_work(self.root, self.work)

    def finish(self) -> dict[str, int]:
        """Adds the video's rows to the folder's tables; gives its counts."""
        windows = any(line.get("window") for line in _lines(self.file))
        tables = {TABLE: TRACK_COLUMNS, **({WINDOWS: WINDOW_COLUMNS} if windows else {})}
        sizes = {name: _size(self.root / name) for name in tables}
        append_line(self.file, json.dumps({"sizes": sizes}))
        for name, columns in tables.items():
            if not sizes[name]:
                append_line(self.root / name, ",".join(columns))
        counts = {"tracks": 0, "tracklets": 0, "crops": 0}
        modality, camera, name = self.source
        with naming(self.root / TABLE), (self.root / TABLE).open("ab") as table:
            for line in _lines(self.file):
                if "track" not in line:
                    continue
                counts["tracks"] += 1
                counts["tracklets"] += line["tracklet"] is not None
                counts["crops"] += len(line["rows"])
                for reason, number in line["left_out"].items():
                    counts[reason] = counts.get(reason, 0) + number
                start = f"{modality},{camera},{line['tracklet']}"
                for file, frame, time, *box in line["rows"]:
                    cells = f"{file},{time},{name},{line['track']},{frame}"
                    numbers = ",".join(f"{value:.2f}" for value in box)
                    table.write(f"{start},{cells},{numbers}\n".encode())
                if window := line["window"]:
                    values = ",".join(str(value) for value in window.values())
                    append_line(self.root / WINDOWS, f"{start},{values}")
        record = {
            "source": self.name,
            "work": self.work.name,
            "facts": self.facts,
            "counts": counts,
        }
        append_line(self.root / CROPS, json.dumps(record))
        _remove_work(self.root, self.work)
        return counts


def _repair(root: Path) -> None:
    """Cuts off what killed runs left half-written at the ends of journals and tables."""
    if not (root / PENDING).is_dir():
        return
    _cut_to_lines(root / CROPS)
    done = {line["work"] for line in _lines(root / CROPS)}
    for work in sorted((root / PENDING).iterdir()):
        file = work / "journal.jsonl"
        if work.name in done:
            _remove_work(root, work)
            continue
        _cut_to_lines(file)
        lines = list(_lines(file))
        if lines and "sizes" in lines[-1]:
            for name, size in lines[-1]["sizes"].items():
                _cut(root / name, size)
            _cut(file, _size(file) - len(json.dumps(lines[-1])) - 1)


def _size(file: Path) -> int:
    """In bytes; 0 where it is missing."""
    return file.stat().st_size if file.exists() else 0


def _cut_to_lines(file: Path) -> None:
    """Cuts off a last line that a kill left without its end."""
    with suppress(FileNotFoundError):
        content = file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            _cut(file, whole)


def _cut(file: Path, size: int) -> None:
    if _size(file) <= size:
        return
    with naming(file), file.open("r+b") as opened:
        opened.truncate(size)


def _remove_work(root: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    if not any((root / PENDING).iterdir()):
        (root / PENDING).rmdir()


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Values of a file of JSON lines, without one that a kill cut off; none where it is missing."""
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)
    except FileNotFoundError:
        return
    except ValueError as error:
        raise FootageError(f"{file} is damaged ({error}); choose another --output") from error
