"""A picture of a set: rows are people, columns are cameras."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .errors import SyntheticError
from .tracklet import FRAME_HEIGHT, FRAME_WIDTH

_GAP = 2


def contact_sheet(root: Path, out: Path, identities: int = 10) -> None:
    """Draw a contact sheet of a synthetic set in the HITSZ-VCM layout.

    Rows are test people; columns are two frames from each of up to 3 visible and 3 infrared
    cameras. A camera that does not see a person leaves its place empty.

    Args:
        root: folder of the set.
        out: picture to write; the suffix chooses the format.
        identities: number of rows.

    Raises:
        SyntheticError: the folder has no such test people.
    """
    test = Path(root) / "Test"
    people = sorted(test.iterdir())[:identities] if test.is_dir() else []
    if not people:
        raise SyntheticError(
            f"{test} holds no people: a contact sheet needs a set in the hitsz-vcm layout"
        )
    columns: list[tuple[str, str]] = []
    for folder in ("rgb", "ir"):
        names = {path.name for path in test.glob(f"*/{folder}/D*")}
        ordered = sorted(names, key=lambda name: int(name[1:]))
        columns += [(folder, name) for name in ordered[:3]]
    width, height = FRAME_WIDTH + _GAP, FRAME_HEIGHT + _GAP
    sheet = Image.new("RGB", (2 * len(columns) * width, len(people) * height), "white")
    for row, person in enumerate(people):
        for column, (folder, camera) in enumerate(columns):
            frames = sorted((person / folder / camera).glob("*.jpg"), key=lambda p: int(p.stem))
            picks = (frames[2], frames[7]) if len(frames) > 7 else frames[:2]
            for i, path in enumerate(picks):
                with Image.open(path) as frame:
                    sheet.paste(frame.convert("RGB"), ((2 * column + i) * width, row * height))
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
