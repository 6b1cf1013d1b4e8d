"""Conditions on the rows of an index, as its table understands them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..datasets.track import Modality


def quoted(text: str) -> str:
    """A text as SQL writes it; nothing inside ends it.

    Args:
        text: any, such as a key that a stranger chose.
    """
    return "'" + text.replace("'", "''") + "'"


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition that a column holds one of some texts.

    Args:
        column: its name.
        values: at least one.
    """
    return f"{column} IN ({', '.join(map(quoted, values))})"


def all_of(conditions: Iterable[str]) -> str:
    """The condition that each one holds; empty without any.

    Args:
        conditions: those that are empty hold always.
    """
    return " AND ".join(f"({condition})" for condition in conditions if condition)


def key_condition(key: str) -> str:
    """Rows of one tracklet, or of all whose keys begin alike, as a person's do.

    Args:
        key: a whole key; or the beginning that keys share, with ``/`` or ``*`` at its end.
    """
    if key.endswith("/"):
        return f"starts_with(key, {quoted(key)})"
    if key.endswith("*"):
        return f"starts_with(key, {quoted(key[:-1])})"
    return f"key = {quoted(key)}"


@dataclass(frozen=True)
class Filter:
    """Which rows are looked at; what is None leaves nothing out.

    Attributes:
        cameras: names of cameras; empty for all.
        modality: spectrum of the camera.
        start, end: seconds; a tracklet counts if a moment of it lies between the two, and one
            without a time never does once either is given.
    """

    cameras: tuple[str, ...] = ()
    modality: Modality | None = None
    start: float | None = None
    end: float | None = None

    def condition(self) -> str:
        """The filter as the table understands it; empty if it leaves nothing out."""
        return all_of(
            (
                one_of("camera", self.cameras) if self.cameras else "",
                "" if self.modality is None else f"modality = {quoted(self.modality.name.lower())}",
                "" if self.start is None else f"end_time >= {self.start!r}",
                "" if self.end is None else f"start_time <= {self.end!r}",
            )
        )
