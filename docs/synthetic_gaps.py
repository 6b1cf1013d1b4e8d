"""Draws the people of the synthetic set at several gaps: ``python docs/synthetic_gaps.py``.

A row is a person; first what a visible camera sees from the side, then what an infrared one does at
each gap; the second half of the row is seen from behind.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from vireid.datasets import Modality
from vireid.synthetic.camera import draw_camera
from vireid.synthetic.tracklet import FRAME_HEIGHT, FRAME_WIDTH, Sighting, render_tracklet
from vireid.synthetic.wardrobe import draw_person

PICTURE = Path(__file__).with_name("synthetic-gaps.png")
SEED, FRAMES, SPACE = 0, 3, 2
PEOPLE = (41, 44, 46, 52)
PLACES = (1, 2)  # seen from the side, from behind
VISIBLE_CAMERAS, INFRARED_CAMERAS = (2, 3), (5, 6)
GAPS = (0.0, 0.33, 0.67, 1.0)


def frame(person: int, place: int, camera: int, modality: Modality, gap: float) -> Image.Image:
    """The last frame of a person's first walk past a camera."""
    sensor = draw_camera(SEED, camera, modality, place, gap)
    walk = Sighting(SEED, person, camera, 1, FRAMES, stride=3)
    last = render_tracklet(walk, draw_person(SEED, person, gap), sensor)[-1]
    return Image.fromarray(last if last.shape[2] == 3 else last[:, :, 0]).convert("RGB")


def picture() -> Image.Image:
    """The sheet."""
    width, height = FRAME_WIDTH + SPACE, FRAME_HEIGHT + SPACE
    columns = len(PLACES) * (1 + len(GAPS))
    sheet = Image.new("RGB", (columns * width, len(PEOPLE) * height), "white")
    for row, person in enumerate(PEOPLE):
        frames = []
        for place, visible, infrared in zip(PLACES, VISIBLE_CAMERAS, INFRARED_CAMERAS):
            frames.append(frame(person, place, visible, Modality.VISIBLE, 0.0))
            frames += [frame(person, place, infrared, Modality.INFRARED, gap) for gap in GAPS]
        for column, one in enumerate(frames):
            sheet.paste(one, (column * width, row * height))
    return sheet


if __name__ == "__main__":
    picture().save(PICTURE, optimize=True)
