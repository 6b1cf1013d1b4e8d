"""A picture of a set: rows are people, columns are cameras."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from PIL import Image

from ..datasets import load_dataset
from ..datasets.synthetic_mark import MARKER
from ..datasets.track import Modality
from .marker import SyntheticError
from .tracklet import FRAME_HEIGHT, FRAME_WIDTH

_GAP = 2
_COLUMNS = 12
_CAMERAS = {Modality.VISIBLE: 4, Modality.INFRARED: 3}  # most cameras of each that are shown


def contact_sheet(root: Path, out: Path, identities: int = 10) -> None:
    """Draw a contact sheet of a synthetic set.

    Rows are test people; columns are frames from each of up to 4 visible cameras (3 where there are
    as many infrared ones), then 3 infrared ones, two from each or more where cameras are few. A
    camera that does not see a person leaves its place empty.

    Args:
        root: folder of the set.
        out: picture to write; the suffix chooses the format.
        identities: number of rows.

    Raises:
        SyntheticError: the folder holds no synthetic set.
        DatasetError: the set is damaged.
    """
    marker = Path(root) / MARKER
    if not marker.is_file():
        raise SyntheticError(f"{root} holds no synthetic set (no {MARKER}): render one first")
    layout = json.loads(marker.read_text(encoding="utf-8"))["layout"]
    dataset = load_dataset(layout, root)
    frames: dict[tuple[int | None, Modality, int], list[Path]] = defaultdict(list)
    cameras: dict[Modality, set[int]] = {modality: set() for modality in Modality}
    for track in (*dataset.query, *dataset.gallery):
        frames[track.identity, track.modality, track.camera] += track.frames
        cameras[track.modality].add(track.camera)
    infrared = sorted(cameras[Modality.INFRARED])[: _CAMERAS[Modality.INFRARED]]
    room = min(_CAMERAS[Modality.VISIBLE], _COLUMNS // 2 - len(infrared))
    columns = [(Modality.VISIBLE, number) for number in sorted(cameras[Modality.VISIBLE])[:room]]
    columns += [(Modality.INFRARED, number) for number in infrared]
    each = min(max(2, _COLUMNS // len(columns)), max(map(len, frames.values())))
    people = sorted({person for person, *_ in frames if person is not None})[:identities]
    width, height = FRAME_WIDTH + _GAP, FRAME_HEIGHT + _GAP
    sheet = Image.new("RGB", (each * len(columns) * width, len(people) * height), "white")
    for row, person in enumerate(people):
        for column, camera in enumerate(columns):
            for i, path in enumerate(_picks(frames.get((person, *camera), []), each)):
                with Image.open(path) as frame:
                    place = ((each * column + i) * width, row * height)
                    sheet.paste(frame.convert("RGB"), place)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)


def _picks(frames: list[Path], number: int) -> list[Path]:
    """Some frames, spread out but near the start, so that they are of one walk in a video set."""
    if number == 2 and len(frames) > 7:
        return [frames[2], frames[7]]
    return frames[:number]
