"""A verification as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .verify import Row, Verification

SHOWN = 20
KINDS = ("identities", "tracks", "frames")


def render_verification(verification: Verification) -> str:
    """Writes the table, then what is wrong, then what is odd.

    Args:
        verification: what to write.

    Returns:
        Lines without a final line break.
    """
    lines = [f"{verification.name} in {verification.root}"]
    if verification.source:
        lines[0] += f" (wanted: {verification.source})"
    if verification.rows:
        images = all(row.images for row in verification.rows)
        kinds = ("identities", "images") if images else KINDS
        header = ("split", "modality", *(word for kind in kinds for word in (kind, "")))
        below = ("", "", *("wanted", "found") * len(kinds))
        cells = [_cells(row)[: len(header)] for row in verification.rows]
        lines += _table([header, below, *cells])
    lines += _list("problem", verification.problems)
    lines += _list("notice", verification.notices)
    if not verification.rows:
        return "\n".join(lines)
    if verification.ok:
        lines.append("complete" if verification.source else "no problems found")
    else:
        lines.append("incomplete; training refuses it unless told --allow-incomplete")
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    split, modality, everything = row.part
    counts = zip(
        (row.wanted.identities, row.wanted.tracks, row.wanted.frames),
        (row.found.identities, row.found.tracks, row.found.frames),
    )
    numbers = ["-" if number is None else f"{number:,}" for pair in counts for number in pair]
    return (
        f"{split}, with short tracks" if everything else split,
        modality.name.lower() if modality is not None else "both",
        *numbers,
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _list(kind: str, messages: tuple[str, ...]) -> list[str]:
    lines = [f"{kind}: {message}" for message in messages[:SHOWN]]
    if len(messages) > SHOWN:
        lines.append(f"… and {len(messages) - SHOWN} {kind}s more")
    return lines
