"""What a verification found: counts beside the wanted ones, problems, notices, and their text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from .spec import Counts, Part

SHOWN = 20  # messages of a kind
KINDS = ("identities", "tracks", "frames")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        part: what is counted.
        wanted: counts of a complete copy.
        found: counts of this one.
    """

    part: Part
    wanted: Counts
    found: Counts

    @property
    def images(self) -> bool:
        """Whether every track is a single image, so that frames need no count of their own."""
        alike = self.found.tracks == self.found.frames and self.wanted.tracks == self.wanted.frames
        return alike and (self.wanted.tracks is not None or bool(self.found.tracks))

    def differences(self) -> list[str]:
        """Counts that are known and not met, in words."""
        words = {"tracks": "images", "frames": ""} if self.images else {}
        return [
            f"{wanted:,} {word} wanted, {found:,} found"
            for kind in fields(Counts)
            if (wanted := getattr(self.wanted, kind.name)) is not None
            and wanted != (found := getattr(self.found, kind.name))
            and (word := words.get(kind.name, kind.name))
        ]


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of a verification.

    Attributes:
        name: registered name of the data set.
        root: folder that was read.
        source: where the wanted counts come from; empty where there are none.
        rows: counts, wanted beside found.
        problems: what makes the copy unfit, each with its file and line where there is one.
        notices: what a person should know and that is no fault.
    """

    name: str
    root: Path
    source: str
    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the copy is complete."""
        return not self.problems

    def text(self) -> str:
        """The table, the problems and the notices, for a terminal; without a final line break."""
        lines = [f"{self.name} in {self.root}"]
        if self.source:
            lines[0] += f" (wanted: {self.source})"
        if self.rows:
            images = all(row.images for row in self.rows)
            kinds = ("identities", "images") if images else KINDS
            header = ("split", "modality", *(word for kind in kinds for word in (kind, "")))
            below = ("", "", *("wanted", "found") * len(kinds))
            lines += _table([header, below, *(_cells(row)[: len(header)] for row in self.rows)])
        lines += _list("problem", self.problems)
        lines += _list("notice", self.notices)
        if not self.rows:
            return "\n".join(lines)
        if self.ok:
            lines.append("complete" if self.source else "no problems found")
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
