"""Draws the picture of the glossary: one query and its ranked gallery, with the scores beneath.

    python docs/glossary.py        writes docs/glossary.svg

The people are those of the synthetic set; the scores are computed by ``vireid.evaluation``.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from vireid.datasets import Modality
from vireid.evaluation.metrics import rank_metrics
from vireid.synthetic.camera import draw_camera
from vireid.synthetic.tracklet import Sighting, render_tracklet
from vireid.synthetic.wardrobe import draw_person

PICTURE = Path(__file__).with_suffix(".svg")
SEED, FRAMES, STEP = 0, 3, 4
WIDTH, HEIGHT = 940, 388
INK, QUIET, RIGHT, WRONG, CARD = "#1b2330", "#5b6675", "#00734d", "#b3390e", "#f6f7f9"
FONT = "font-family='DejaVu Sans, Verdana, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Item:
    """A gallery tracklet: who, by which camera, and how similar to the query."""

    person: int
    camera: int
    similarity: float


QUERY_PERSON, QUERY_CAMERA = 43, 2
# Camera 2 stands for a place with both sensors, as BUPTCampus has them.
GALLERY = (
    Item(43, 2, 0.93),
    Item(67, 5, 0.88),
    Item(43, 4, 0.86),
    Item(43, 6, 0.79),
    Item(58, 4, 0.71),
    Item(43, 4, 0.66),
)


def ignored(item: Item) -> bool:
    """Whether the standard camera rule leaves the item out."""
    return (item.person, item.camera) == (QUERY_PERSON, QUERY_CAMERA)


def scores() -> dict[str, float]:
    """Rank-1, Rank-5, AP and INP of the one query, as fractions of 1."""
    found = rank_metrics(
        torch.tensor([[item.similarity for item in GALLERY]]),
        torch.tensor([QUERY_PERSON]),
        torch.tensor([item.person for item in GALLERY]),
        torch.tensor([QUERY_CAMERA]),
        torch.tensor([item.camera for item in GALLERY]),
        protocol="standard",
    )
    cmc = found.cmc.tolist()
    return {"Rank-1": cmc[0], "Rank-5": cmc[4], "AP": found.mAP, "INP": found.mINP}


def calculation() -> list[str]:
    """The lines beneath the list."""
    left = [item for item in GALLERY if not ignored(item)]
    ranks = [rank for rank, item in enumerate(left, 1) if item.person == QUERY_PERSON]
    value = scores()
    terms = " + ".join(f"{found}/{rank}" for found, rank in enumerate(ranks, 1))
    first = f"first right answer at rank {ranks[0]}"
    return [
        f"Rank-1 = {value['Rank-1']:.0f},  Rank-5 = {value['Rank-5']:.0f}      {first}",
        f"AP = ({terms}) / {len(ranks)} = {value['AP']:.3f}      "
        "at each right answer: right ones so far / rank, averaged",
        f"INP = {len(ranks)} / {ranks[-1]} = {value['INP']:.3f}      "
        "right answers / rank of the last one",
    ]


def _text(x: float, y: float, words: str, size: int = 13, fill: str = INK, weight: str = "") -> str:
    bold = f" font-weight='{weight}'" if weight else ""
    return (
        f"<text x='{x}' y='{y}' font-size='{size}' fill='{fill}'{bold} xml:space='preserve' {FONT}>"
        f"{words}</text>"
    )


def _strip(person: int, camera: int, modality: Modality, track: int) -> str:
    """Some frames of a tracklet, side by side, as a data URI."""
    sighting = Sighting(SEED, person, camera, track, 1 + STEP * (FRAMES - 1))
    seen = draw_camera(SEED, camera, modality, camera)
    frames = render_tracklet(sighting, draw_person(SEED, person), seen)[::STEP]
    height, width = frames.shape[1:3]
    strip = Image.new("RGB", (width * FRAMES, height))
    for place, frame in enumerate(frames):
        image = Image.fromarray(frame if frame.shape[2] == 3 else frame[:, :, 0])
        strip.paste(image.convert("RGB"), (place * width, 0))
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _card(
    x: float, y: float, strip: str, lines: list[tuple[str, str]], colour: str, dash: str
) -> str:
    border = f" stroke-dasharray='{dash}'" if dash else ""
    parts = [
        f"<rect x='{x}' y='{y}' width='118' height='138' rx='6' fill='white' stroke='{colour}' "
        f"stroke-width='3'{border}/>",
        f"<image x='{x + 5}' y='{y + 5}' width='108' height='72' href='{strip}'/>",
    ]
    for row, (words, fill) in enumerate(lines):
        parts.append(_text(x + 8, y + 94 + 17 * row, words, 12, fill))
    return "\n".join(parts)


def draw() -> str:
    """The picture as SVG text; on a card of its own, so that it reads on light and dark pages."""
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' "
        f"viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>",
        "<title>A query, its ranked gallery, and the scores of the query</title>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' rx='10' fill='{CARD}'/>",
        _text(16, 30, "query", 15, weight="bold"),
        _text(16, 48, "a visible tracklet", 12, QUIET),
        _text(170, 30, "gallery, ranked", 15, weight="bold"),
        _text(170, 48, "infrared tracklets, the most similar to the query first", 12, QUIET),
    ]
    strip = _strip(QUERY_PERSON, QUERY_CAMERA, Modality.VISIBLE, 0)
    named = [(f"person {QUERY_PERSON}", QUIET), (f"camera {QUERY_CAMERA}", QUIET)]
    named = [("looked for", INK), *named]
    parts.append(_card(16, 60, strip, named, INK, ""))
    rank = 0
    for place, item in enumerate(GALLERY):
        x, y = 170 + 126 * place, 60
        strip = _strip(item.person, item.camera, Modality.INFRARED, place)
        where = [(f"person {item.person}", QUIET), (f"camera {item.camera}", QUIET)]
        if ignored(item):
            head, colour, dash = ("ignored", QUIET), QUIET, "2 5"
        else:
            rank += 1
            right = item.person == QUERY_PERSON
            head = (f"{'✓' if right else '✗'} {rank}", RIGHT if right else WRONG)
            colour, dash = head[1], "" if right else "7 4"
        parts.append(_card(x, y, strip, [head, *where], colour, dash))
        parts.append(
            f"<text x='{x + 110}' y='{y + 94}' font-size='12' fill='{INK}' text-anchor='end' "
            f"{FONT}>{item.similarity:.2f}</text>"
        )
    rule = (
        f"camera rule (standard): what person {QUERY_PERSON} shows to camera {QUERY_CAMERA} itself "
        "is ignored, and the ranks count what is left"
    )
    parts.append(_text(170, 224, rule, 12, QUIET))
    for row, line in enumerate(calculation()):
        number, _, why = line.partition("      ")
        parts.append(_text(170, 262 + 44 * row, number, 15, weight="bold"))
        parts.append(_text(170, 280 + 44 * row, why, 12, QUIET))
    parts.append(_text(16, 262, "scores", 15, weight="bold"))
    parts.append(_text(16, 280, "of this one query", 12, QUIET))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE)
