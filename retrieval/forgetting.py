"""Removing tracklets from an index so that no file holds them any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..errors import UserError, shorten
from ..pseudo_labels.judgements import FILE as JUDGEMENTS
from ..pseudo_labels.judgements import all_judgements, forget_judgements
from .index_folder import FORGETTING, IndexFolder

LOOKED_FOR = 64  # forgotten tracklets whose bytes are looked for afterwards
PIECE = 48  # bytes that tell one picture or vector from all others
READ_AT_ONCE = 1 << 24


def forget(index: IndexFolder, condition: str) -> int:
    """Removes rows, and every file that held them; then looks whether one still does.

    A kill leaves the index as it was, or without the rows; :func:`finish` removes what is left of
    them in files.

    Args:
        index: open, and locked by the caller.
        condition: which rows go.

    Returns:
        How many went; with 0 nothing was touched.

    Raises:
        OSError: the disk has no room to write the rows that stay; nothing was removed.
        UserError: a file still holds what was to be removed.
    """
    store = index.store
    count = store.count(condition)
    if count:
        traces = _traces(index, condition)
        (index.path / FORGETTING).touch()
        # Also rows for which the condition is unknown stay: those without a time.
        try:
            store.keep_only(f"({condition}) IS NOT TRUE")
        except OSError:
            with suppress(OSError, UserError):
                finish(index)  # what was written of the copy takes room
            raise
        finish(index)
        left = files_with(index.path, traces)
        if left and (left := files_with(index.path, _not_in_rows(index, traces))):
            raise UserError(
                f"{count} tracklets are out of the index, but {shorten(left)} still hold their "
                "bytes: another process may have the index open. Run the same command again "
                "when it has ended; if this stays, remove the index and make it anew."
            )
    return count


def finish(index: IndexFolder) -> None:
    """Removes every file but the newest version's, and what was judged of tracklets that are gone.

    The mark of a removal that was killed goes last.

    Args:
        index: open, and locked by the caller.

    Raises:
        UserError: the file of judgements is broken, so that they could not be removed.
    """
    index.store.clean_up(at_once=True)
    file = index.path / JUDGEMENTS
    named = {key for one in all_judgements(file) for key in one.pair}
    there = index.store.contents(sorted(named))
    forget_judgements(file, lambda key: key in named and key not in there)
    (index.path / FORGETTING).unlink(missing_ok=True)


def _traces(index: IndexFolder, condition: str) -> list[bytes]:
    """Pieces of the pictures and vectors that go, by which a file that holds them is known."""
    pieces = []
    for row in index.store.rows(condition, ("vector", "thumbnail"), LOOKED_FOR):
        vector = np.array(row["vector"], np.float16).tobytes()
        picture = row["thumbnail"]
        # The middle of a picture: beginnings are the same in all of them.
        for whole in (vector[:PIECE], picture[len(picture) // 2 :][:PIECE]):
            if len(set(whole)) > PIECE // 4:
                pieces.append(whole)
    return pieces


def _not_in_rows(index: IndexFolder, pieces: list[bytes]) -> list[bytes]:
    """The pieces that no row that stayed holds: one picture may be there by two keys."""
    left = set(pieces)
    for batch in index.store.batches("", ("vector", "thumbnail")):
        for column in batch.columns:
            for buffer in column.buffers() if left else ():
                data = b"" if buffer is None else buffer.to_pybytes()
                left -= {piece for piece in left if piece in data}
    return [piece for piece in pieces if piece in left]


def files_with(folder: Path, pieces: list[bytes]) -> list[Path]:
    """Files below a folder that hold one of some byte strings.

    Args:
        folder: of an index.
        pieces: what is looked for.
    """
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and any(any(p in part for p in pieces) for part in _parts(file))
    ]


def _parts(file: Path) -> Iterator[bytes]:
    """A file in parts that overlap, so that no piece is cut."""
    before = b""
    with file.open("rb") as content:
        while part := content.read(READ_AT_ONCE):
            yield before + part
            before = part[-PIECE:]
