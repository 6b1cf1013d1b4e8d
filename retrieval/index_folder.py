"""The folder of an index: what it says about itself, its lock, its projection, its table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_whole
from ..folder_lock import FolderLock
from ..reading import is_number, is_whole, parse_json, read_bytes, shortened
from .projection import Projection, read_projection
from .store import TrackletStore

FILE = "index.json"
FORMAT = 1
FORGETTING = "forgetting"  # there while rows are being removed; holds nothing
LARGEST = 1 << 20  # bytes of what an index says about itself


@dataclass(frozen=True, kw_only=True)
class IndexFacts:
    """What an index says about itself.

    Attributes:
        format: of the folder.
        run: the run whose network gave the vectors.
        fingerprint: of that network.
        projection: fingerprint of the projection, ``none`` without one.
        width: numbers of a feature.
        dim: numbers of a vector.
        blurred: whether thumbnails are.
        exact_below: rows from which a vector index is built.
        probes: parts of the vector index that a search looks at; None while search is exact.
        recall: share of the ten nearest that such a search finds.
    """

    format: int = FORMAT
    run: str
    fingerprint: str
    projection: str
    width: int
    dim: int
    blurred: bool
    exact_below: int
    probes: int | None = None
    recall: float | None = None


@dataclass
class IndexFolder:
    """An index that is open.

    Attributes:
        path: the folder.
        facts: what it says about itself.
        projection: from features to its vectors.
        store: its table.
    """

    path: Path
    facts: IndexFacts
    projection: Projection
    store: TrackletStore

    def change(self, **facts: Any) -> None:
        """Writes changed facts.

        Args:
            **facts: fields of :class:`IndexFacts`.
        """
        self.facts = replace(self.facts, **facts)
        write_facts(self.path, self.facts)

    @property
    def interrupted(self) -> bool:
        """Whether a `vireid forget` was killed, so that files may hold what it was to remove."""
        return (self.path / FORGETTING).exists()


def write_facts(folder: Path, facts: IndexFacts) -> None:
    """Writes what an index says about itself; with this file the folder becomes one.

    Args:
        folder: it exists.
        facts: the content.
    """
    write_whole(folder / FILE, json.dumps(asdict(facts), indent=1, ensure_ascii=False) + "\n")


def is_index(folder: Path) -> bool:
    """Whether a folder holds an index.

    Args:
        folder: any path.
    """
    return (folder / FILE).is_file()


def open_index(folder: Path) -> IndexFolder:
    """Opens an index.

    Args:
        folder: the index.

    Raises:
        UserError: there is none, it is damaged, or LanceDB is not installed.
    """
    if not is_index(folder):
        found = "is no index" if folder.exists() else "does not exist"
        raise UserError(
            f"{folder} {found}: {FILE} is missing. Give the --output of `vireid index`."
        )
    facts = _read_facts(folder / FILE)
    projection = read_projection(folder, facts.width, facts.dim, facts.projection)
    return IndexFolder(folder, facts, projection, TrackletStore(folder, facts.dim))


@contextmanager
def locked(folder: Path, wanted: str) -> Iterator[None]:
    """Lets no other process write to an index meanwhile.

    Args:
        folder: it exists.
        wanted: how the message calls it.

    Raises:
        UserError: another process holds it.
    """
    lock = FolderLock(folder, wanted, "")
    try:
        yield
    finally:
        lock.release()


def _read_facts(file: Path) -> IndexFacts:
    try:
        found = parse_json(read_bytes(file, LARGEST))
        if not isinstance(found, dict):
            raise ValueError(f"expected facts by name, found {shortened(found)}")
        if found.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}, found {shortened(found.get('format'))}")
        names = {field.name for field in fields(IndexFacts)}
        if set(found) != names:
            raise ValueError(f"expected {', '.join(sorted(names))}")
        for name in ("run", "fingerprint", "projection"):
            if not isinstance(found[name], str):
                raise ValueError(f"{name}: expected a text, found {shortened(found[name])}")
        for name in ("width", "dim", "exact_below"):
            if not is_whole(found[name]) or not found[name]:
                raise ValueError(f"{name}: expected a number from 1, found {found[name]!r}")
        if not isinstance(found["blurred"], bool):
            raise ValueError("blurred: expected true or false")
        if found["probes"] is not None and not is_whole(found["probes"]):
            raise ValueError("probes: expected a number")
        if found["recall"] is not None and not is_number(found["recall"]):
            raise ValueError("recall: expected a number")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} does not say what the index is ({error}). It is damaged, or was written by "
            "another version: restore it from a copy, or index again."
        ) from error
    return IndexFacts(**found)
