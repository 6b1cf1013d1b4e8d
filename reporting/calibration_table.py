"""A calibration as lines of text for a terminal, and in sentences that a page shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..evaluation.tracklet_pairs import if_independent

RATES = ("fmr", "fnmr", "fpir", "fnir")
EXAMPLE_FMR = 0.001
EXAMPLE_SIZE = 1000


def calibration_table(record: Mapping[str, Any]) -> str:
    """A table of each direction, with the intervals of all rates.

    Args:
        record: what ``calibration.json`` holds.
    """
    lines = [of_vectors] if (of_vectors := vectors_sentence(record)) else []
    for direction in record["directions"]:
        if direction["query_camera"] is not None:
            continue
        lines += ["", direction_title(direction), counts_sentence(direction)]
        rows = [("N", "chosen by", "threshold", *(rate.upper() for rate in RATES))]
        rows += [point_cells(point) for point in direction["thresholds"]]
        widths = [max(map(len, column)) for column in zip(*rows)]
        if direction["thresholds"]:
            lines += ["  ".join(cell.rjust(w) for cell, w in zip(row, widths)) for row in rows]
        else:
            lines.append("No threshold.")
        if direction["unreachable"]:
            lines.append(f"Too little data for: {'; '.join(direction['unreachable'])}.")
    pairs = sum(direction["query_camera"] is not None for direction in record["directions"])
    if pairs:
        lines += ["", f"{pairs} pairs of cameras are in the files."]
    return "\n".join([*lines, "", *record["notes"], *meaning(record), ""])


def vectors_sentence(record: Mapping[str, Any]) -> str:
    """What is compared, where it is not the network's features; else nothing.

    Args:
        record: what ``calibration.json`` holds.
    """
    if not record.get("dim"):
        return ""
    return f"Compared are the vectors of an index, {record['dim']:,} half-precision numbers each."


def point_cells(point: Mapping[str, Any]) -> tuple[str, ...]:
    """A row: gallery size, what chose the threshold, threshold, the four rates.

    Args:
        point: of ``thresholds``.
    """
    return (
        f"{point['gallery_size']:,}",
        f"{point['aim'].upper()} {percent(point['aimed'])}",
        f"{point['threshold']:.4f}",
        *(rate_with_interval(point, rate) for rate in RATES),
    )


def rate_with_interval(point: Mapping[str, Any], rate: str) -> str:
    """``1.2 % (0.4 to 2.9)``; a dash where nothing was measured.

    Args:
        point: of ``thresholds``.
        rate: ``fmr``, ``fnmr``, ``fpir`` or ``fnir``.
    """
    value = point[rate]
    if value is None:
        return "-"
    ends = point["intervals"].get(rate)
    shown = "" if ends is None else f" ({_digits(ends[0])} to {_digits(ends[1])})"
    return f"{percent(value)}{shown}"


def percent(rate: float) -> str:
    """A rate of 1 in per cent, two digits.

    Args:
        rate: 0 to 1.
    """
    return f"{_digits(rate)} %"


def _digits(rate: float) -> str:
    shown = 100 * rate
    return f"{shown:.1f}".removesuffix(".0") if shown >= 10 else f"{shown:.2g}"


def direction_title(direction: Mapping[str, Any]) -> str:
    """``visible query, infrared gallery``, with the cameras of a pair.

    Args:
        direction: of ``directions``.
    """
    sides = []
    for side in ("query", "gallery"):
        camera = direction[f"{side}_camera"]
        of = "" if camera is None else f" of camera {camera}"
        sides.append(f"{direction[side]} {side}{of}")
    return ", ".join(sides)


def counts_sentence(direction: Mapping[str, Any]) -> str:
    """What the rates of a direction rest on.

    Args:
        direction: of ``directions``.
    """
    counts = direction["counts"]
    if direction.get("borrowed"):
        return (
            "Not measured: the higher threshold of the two modalities, with the rates it has there."
        )
    if "tracklets" in counts:
        halves = f", {counts['mated']:,} pairs of halves" if counts["mated"] else ""
        return (
            f"{counts['tracklets']:,} tracklets: {counts['nonmated']:,} pairs of different people, "
            f"by time{halves}. FPIR by the binomial model."
        )
    return (
        f"{counts['people']:,} people, {counts['mated_people']:,} of them on both sides; "
        f"{counts['probes']:,} probes, {counts['gallery_tracks']:,} gallery tracks; "
        f"{counts['mated']:,} mated and {counts['nonmated']:,} non-mated pairs."
    )


def meaning(record: Mapping[str, Any]) -> list[str]:
    """What a false-match rate of a pair means for a search, in a sentence or two.

    Args:
        record: what ``calibration.json`` holds.
    """
    expected = if_independent(EXAMPLE_FMR, EXAMPLE_SIZE)
    said = [
        f"A pair's FMR of {percent(EXAMPLE_FMR)} is not one false alarm in a thousand searches: "
        f"against {EXAMPLE_SIZE:,} people it is an FPIR of {100 * expected:.0f} % "
        f"(1 - (1 - FMR)^N, were the comparisons independent)."
    ]
    for direction in record["directions"]:
        measured = [
            point
            for point in direction["thresholds"]
            if point["aim"] == "fmr" and point["fpir"] is not None and point["fnir"] is not None
        ]
        if measured:
            point = max(measured, key=lambda one: (one["gallery_size"], -one["aimed"]))
            rule = if_independent(point["fmr"], point["gallery_size"])
            said.append(
                f"Here ({direction_title(direction)}): a pair's FMR of {percent(point['fmr'])} "
                f"means an FPIR of {percent(point['fpir'])} against {point['gallery_size']:,} "
                f"people, each enrolled with all tracks; the formula says {percent(rule)}."
            )
            break
    return said
