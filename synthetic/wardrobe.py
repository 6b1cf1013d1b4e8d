"""Draw people: each has a build, a gait and clothes of their own, but colours are shared.

What a person reflects in infrared is drawn independently of the visible colours, from a stream of
its own, so that shape and pattern cross the modalities and brightness does not.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from .infrared import infrared_table
from .patterns import Pattern, PatternKind
from .person import (
    MATERIALS,
    Body,
    Gait,
    Lower,
    Material,
    Person,
    Side,
    Upper,
    side_label,
)
from .streams import Stream, stream

# Everyone dresses from these, so that several people wear the same colours.
PALETTE = np.array(
    [
        (30, 30, 34),  # black
        (230, 228, 222),  # white
        (132, 134, 138),  # grey
        (36, 46, 96),  # navy
        (84, 122, 178),  # light blue
        (172, 42, 46),  # red
        (52, 104, 66),  # green
        (196, 174, 130),  # beige
        (106, 72, 48),  # brown
        (220, 162, 52),  # ochre
    ],
    np.int64,
)
_SKIN = np.array([(232, 190, 160), (214, 168, 134), (186, 136, 100), (140, 96, 68), (92, 62, 46)])
_HAIR = np.array([(26, 22, 22), (52, 36, 28), (98, 68, 42), (176, 142, 88), (150, 148, 146)])
_APART = 30  # least difference in one channel between a garment's colours on two sides
_REFLECTANCES = 3  # of which a side takes the one that differs most from the other sides'
_CONTRAST = 62  # least difference of luma between the two colours of a patterned garment

_UPPERS: dict[str, tuple[float, float, tuple[float, float], tuple[float, float], float]] = {
    # name: (chance, sleeve, hem range, fit range, flare)
    "t-shirt": (0.18, 0.32, (0.00, 0.05), (1.02, 1.16), 0.004),
    "sleeveless": (0.07, 0.0, (-0.01, 0.03), (0.98, 1.06), 0.0),
    "shirt": (0.15, 0.93, (0.01, 0.07), (1.04, 1.16), 0.004),
    "sweater": (0.14, 0.92, (-0.01, 0.04), (1.10, 1.26), 0.0),
    "hoodie": (0.13, 0.94, (0.0, 0.05), (1.14, 1.30), 0.0),
    "jacket": (0.13, 0.94, (-0.02, 0.06), (1.14, 1.30), 0.004),
    "long coat": (0.12, 0.95, (0.16, 0.32), (1.14, 1.28), 0.03),
    "dress top": (0.08, 0.30, (-0.02, 0.0), (0.98, 1.06), 0.0),
}
_LOWERS: dict[str, tuple[float, tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    # name: (chance, covered share of the leg, thigh factor, ankle factor)
    "trousers": (0.30, (0.94, 0.98), (1.05, 1.18), (1.15, 1.5)),
    "wide trousers": (0.14, (0.92, 0.98), (1.18, 1.34), (1.8, 2.5)),
    "leggings": (0.12, (0.88, 0.96), (0.98, 1.02), (1.0, 1.05)),
    "cropped trousers": (0.10, (0.68, 0.78), (1.08, 1.25), (1.15, 1.5)),
    "shorts": (0.16, (0.34, 0.50), (1.15, 1.35), (1.2, 1.45)),
    "short skirt": (0.08, (0.34, 0.46), (1.0, 1.0), (1.0, 1.0)),
    "long skirt": (0.10, (0.60, 0.84), (1.0, 1.0), (1.0, 1.0)),
}
_UPPER_PATTERNS = {
    PatternKind.PLAIN: 0.14,
    PatternKind.HORIZONTAL: 0.13,
    PatternKind.VERTICAL: 0.10,
    PatternKind.DIAGONAL: 0.07,
    PatternKind.CHECKS: 0.09,
    PatternKind.GRID: 0.07,
    PatternKind.DOTS: 0.07,
    PatternKind.BANDS: 0.09,
    PatternKind.PRINT: 0.10,
    PatternKind.TWO_TONE: 0.06,
    PatternKind.HALVES: 0.03,
    PatternKind.ZIGZAG: 0.05,
}
_LOWER_PATTERNS = {
    PatternKind.PLAIN: 0.22,
    PatternKind.HORIZONTAL: 0.12,
    PatternKind.VERTICAL: 0.12,
    PatternKind.CHECKS: 0.10,
    PatternKind.GRID: 0.07,
    PatternKind.DOTS: 0.07,
    PatternKind.TWO_TONE: 0.10,
    PatternKind.SIDES: 0.12,
    PatternKind.DIAGONAL: 0.04,
    PatternKind.ZIGZAG: 0.04,
}
_HAIR_STYLES = {
    "bald": 0.05,
    "short": 0.33,
    "bob": 0.17,
    "long": 0.17,
    "bun": 0.10,
    "ponytail": 0.10,
    "curly": 0.08,
}
_HATS = {"none": 0.64, "cap": 0.13, "beanie": 0.12, "brimmed": 0.11}
_BAGS = {"none": 0.28, "backpack": 0.24, "cross bag": 0.18, "hand bag": 0.16, "tote": 0.14}


def _pick(rng: np.random.Generator, chances: dict[str, float]) -> str:
    at = rng.random() * sum(chances.values())
    bounds = accumulate(chances.values())
    return next((name for name, bound in zip(chances, bounds) if at < bound), next(iter(chances)))


def _draw_pattern(rng: np.random.Generator, chances: dict[PatternKind, float]) -> Pattern:
    kind = PatternKind[_pick(rng, {kind.name: chance for kind, chance in chances.items()})]
    return Pattern(
        kind=kind,
        around=2 * int(rng.integers(3, 7)),
        period=float(rng.uniform(0.055, 0.11)),
        duty=float(rng.uniform(0.36, 0.64)),
        phase=float(rng.random()),
        place=float(rng.uniform(0.07, 0.15)),
        shape=int(rng.integers(0, 4)),
    )


def _draw_upper(rng: np.random.Generator) -> Upper:
    kind = _pick(rng, {name: row[0] for name, row in _UPPERS.items()})
    _, sleeve, hem, fit, flare = _UPPERS[kind]
    opens = {"jacket": 0.75, "long coat": 0.7, "shirt": 0.2}.get(kind, 0.0)
    return Upper(
        kind=kind,
        sleeve=sleeve,
        hem=float(rng.uniform(*hem)),
        fit=float(rng.uniform(*fit)),
        flare=flare,
        opening=float(rng.uniform(0.025, 0.075)) if rng.random() < opens else 0.0,
        hood=kind == "hoodie" or (kind == "jacket" and rng.random() < 0.3),
        collar=kind in ("shirt", "jacket", "long coat") and bool(rng.random() < 0.6),
        sleeves_second=bool(sleeve > 0.2 and rng.random() < 0.2),
        pattern=_draw_pattern(rng, _UPPER_PATTERNS),
    )


def _draw_lower(rng: np.random.Generator) -> Lower:
    kind = _pick(rng, {name: row[0] for name, row in _LOWERS.items()})
    _, length, thigh, ankle = _LOWERS[kind]
    pattern = _draw_pattern(rng, _LOWER_PATTERNS)
    covered = float(rng.uniform(*length))
    pattern = _inside(rng, pattern, covered)
    return Lower(
        kind=kind,
        length=covered,
        thigh=float(rng.uniform(*thigh)),
        ankle=float(rng.uniform(*ankle)),
        skirt="skirt" in kind,
        flare=float(rng.uniform(0.0, 0.05)),
        pattern=pattern,
    )


def _inside(rng: np.random.Generator, pattern: Pattern, covered: float) -> Pattern:
    """The pattern of a lower garment; a change of colour lies inside the garment."""
    if pattern.kind is not PatternKind.TWO_TONE:
        return pattern
    return Pattern(pattern.kind, place=covered * 0.5 * float(rng.uniform(0.3, 0.7)))


def _luma(colour: NDArray[np.int64]) -> int:
    return int(colour[0] * 299 + colour[1] * 587 + colour[2] * 114) // 1000


def _two_colours(rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first = PALETTE[int(rng.integers(len(PALETTE)))]
    others = [c for c in PALETTE if abs(_luma(c) - _luma(first)) >= _CONTRAST]
    second = others[int(rng.integers(len(others)))]
    return first + rng.integers(-7, 8, 3), second + rng.integers(-7, 8, 3)


def _two_reflectances(rng: np.random.Generator) -> tuple[float, float]:
    first = float(rng.uniform(0.12, 0.95))
    # the second is uniform over what is left at least 0.25 away
    below, above = max(0.0, first - 0.25 - 0.12), max(0.0, 0.95 - first - 0.25)
    at = float(rng.random()) * (below + above)
    return first, (0.12 + at if at < below else first + 0.25 + (at - below))


def _draw_tables(
    colours: np.random.Generator, reflectances: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colours and reflectances, each from a stream of its own: neither tells about the other."""
    visible = np.zeros((MATERIALS, 3), np.int64)
    infrared = np.zeros(MATERIALS, np.float64)
    visible[Material.SKIN] = _SKIN[int(colours.integers(len(_SKIN)))] + colours.integers(-6, 7, 3)
    visible[Material.FACE] = visible[Material.SKIN] * 3 // 5
    visible[Material.HAIR] = _HAIR[int(colours.integers(len(_HAIR)))] + colours.integers(-6, 7, 3)
    infrared[Material.SKIN] = float(reflectances.uniform(0.66, 0.82))
    infrared[Material.FACE] = infrared[Material.SKIN] * 0.6
    infrared[Material.HAIR] = float(reflectances.uniform(0.10, 0.50))
    pairs = (
        (Material.UPPER, Material.UPPER_SECOND),
        (Material.LOWER, Material.LOWER_SECOND),
        (Material.BAG, Material.STRAP),
        (Material.SHOE, Material.SOLE),
        (Material.HAT, Material.INNER),
    )
    for one, two in pairs:
        visible[one], visible[two] = _two_colours(colours)
        infrared[one], infrared[two] = _two_reflectances(reflectances)
    infrared_table = np.floor(infrared * 255).clip(0, 255).astype(np.uint8)
    return visible.clip(4, 250).astype(np.uint8), infrared_table


def _draw_sides(
    seed: int,
    number: int,
    views: int,
    covered: float,
    visible: NDArray[np.uint8],
    infrared: NDArray[np.uint8],
) -> tuple[Side, ...]:
    """Draw what the other sides than the front show, and write their colours into the tables.

    Every side has a first colour and a reflectance of its own; a smaller number of views has the
    first sides of a larger one.
    """
    sides = []
    for side in range(1, views):
        rng = stream(seed, Stream.SIDES, number, side)
        upper = _draw_pattern(rng, _UPPER_PATTERNS)
        lower = _inside(rng, _draw_pattern(rng, _LOWER_PATTERNS), covered)
        sides.append(Side(upper, lower))
        for first in (Material.UPPER, Material.LOWER):
            own, second = side_label(first, side), side_label(first + 1, side)
            worn = [side_label(first, other) for other in range(side)]
            colours = _two_colours(rng)
            while min(np.abs(visible[worn].astype(np.int64) - colours[0]).max(axis=1)) < _APART:
                colours = _two_colours(rng)
            shades = [_two_reflectances(rng) for _ in range(_REFLECTANCES)]
            far = max(shades, key=lambda pair: np.abs(infrared[worn] - pair[0] * 255).min())
            visible[[own, second]] = np.clip(colours, 4, 250)
            infrared[[own, second]] = np.floor(np.array(far) * 255)
    return tuple(sides)


def draw_person(seed: int, number: int, gap: float = 0.0, views: int = 1) -> Person:
    """Draw a person, alike on every machine.

    Args:
        seed: seed of the data set.
        number: number of the person, not negative.
        gap: what infrared loses of the clothes, 0 (near infrared) to 1 (thermal).
        views: sides on which the clothes look different, 1 to `MOST_VIEWS`.
    """
    rng = stream(seed, Stream.PERSON, number, 0)
    visible, infrared = _draw_tables(
        stream(seed, Stream.PERSON, number, 1), stream(seed, Stream.PERSON, number, 2)
    )
    heavy = float(rng.uniform(0.86, 1.24))
    body = Body(
        shoulder=float(rng.uniform(0.098, 0.122)) * (0.7 + 0.3 * heavy),
        waist=float(rng.uniform(0.070, 0.088)) * heavy,
        hip=float(rng.uniform(0.080, 0.096)) * (0.5 + 0.5 * heavy),
        depth=float(rng.uniform(0.056, 0.068)) * heavy,
        leg=float(rng.uniform(0.475, 0.525)),
        limb=float(rng.uniform(0.90, 1.06)) * (0.5 + 0.5 * heavy),
        head=float(rng.uniform(0.95, 1.12)),
    )
    gait = Gait(
        rate=float(rng.uniform(0.070, 0.105)),
        thigh=float(rng.uniform(0.30, 0.48)),
        knee=float(rng.uniform(0.75, 1.15)),
        arm=float(rng.uniform(0.10, 0.62)),
        elbow=float(rng.uniform(0.12, 0.75)),
        lean=float(rng.uniform(-0.01, 0.10)),
        sway=float(rng.uniform(0.0, 0.012)),
    )
    lower = _draw_lower(rng)
    upper = _draw_upper(rng)
    sides = _draw_sides(seed, number, views, lower.length, visible, infrared)
    return Person(
        body=body,
        gait=gait,
        upper=upper,
        lower=lower,
        hair=_pick(rng, _HAIR_STYLES),
        hat=_pick(rng, _HATS),
        bag=_pick(rng, _BAGS),
        bag_side=1 if rng.random() < 0.5 else -1,
        bag_size=float(rng.uniform(0.85, 1.25)),
        boots=float(rng.uniform(0.25, 0.75)) if rng.random() < 0.2 else 0.0,
        visible=visible,
        infrared=infrared_table(infrared, (upper, lower), seed, number, gap),
        sides=sides,
    )
