"""The table of an index: LanceDB in a folder, written by one process at a time.

LanceDB writes a version of the table beside the one before and then names it in one step, so that
a kill leaves one or the other. What is no part of the newest version stays on disk until it is
cleaned up: deleted rows, too. :meth:`TrackletStore.keep_only` therefore writes the rows that stay
anew, instead of marking those that go, and cleaning up then removes every file but theirs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, first_line
from ..files import naming
from ..reading import shortened
from .conditions import one_of
from .extra import lancedb

TABLE = "tracklets"
COLUMNS = ("key", "content", "camera", "modality", "start_time", "end_time", "frames", "added")
ROWS_AT_ONCE = 2048
KEYS_AT_ONCE = 500
# Ranks vectors of length 1 as inner products do. K-means over inner products themselves took twice
# the time at a million rows, and as many of its parts held fewer of the nearest (100,000 rows).
IVF_METRIC = "l2"
UNREAD_AFTER = timedelta(hours=1)  # no search reads a version for so long


class TrackletStore:
    """Rows of tracklets with vectors and thumbnails.

    Args:
        folder: that of the index.
        dim: numbers D of a vector.

    Raises:
        UserError: LanceDB is not installed, or the table is damaged.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder = folder
        self.dim = dim
        self._library = lancedb()
        with self._explained():
            self._database = self._library.connect(folder)
            missing = not (folder / f"{TABLE}.lance").exists()
            self._table: Any = None if missing else self._database.open_table(TABLE)
        if self._table is not None:
            self._check()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the library become one sentence; those of the system name the folder."""
        try:
            with naming(self.folder), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (UserError, OSError, MemoryError):
            raise
        except Exception as error:
            raise UserError(
                f"{self.folder}: the table of this index cannot be used "
                f"({shortened(first_line(error))}). If no other command is writing to it, its "
                "files are damaged: restore the folder from a copy, or remove it and index again."
            ) from error

    def _schema(self) -> Any:
        import pyarrow as pa

        kinds = {"start_time": pa.float64(), "end_time": pa.float64(), "added": pa.float64()}
        kinds["frames"] = pa.int32()
        return pa.schema(
            [
                *((name, kinds.get(name, pa.string())) for name in COLUMNS),
                ("vector", pa.list_(pa.float16(), self.dim)),
                ("thumbnail", pa.binary()),
            ]
        )

    def _check(self) -> None:
        with self._explained():
            found = self._table.schema
        if not found.equals(self._schema()):
            raise UserError(
                f"{self.folder}: its table has the columns {shortened(str(found.names))} with "
                f"vectors of another kind than {self.dim} half-precision numbers: it is damaged, "
                "or another program wrote it. Restore it from a copy, or index again."
            )

    def refresh(self) -> int:
        """Looks at the newest version from now on, whoever wrote it.

        Returns:
            Its number; 0 while there is no table.
        """
        with self._explained():
            if self._table is not None:
                self._table.checkout_latest()
            elif (self.folder / f"{TABLE}.lance").exists():
                self._table = self._database.open_table(TABLE)
            return 0 if self._table is None else int(self._table.version)

    def count(self, condition: str = "") -> int:
        """How many rows there are.

        Args:
            condition: which are counted; empty for all.
        """
        if self._table is None:
            return 0
        with self._explained():
            return int(self._table.count_rows(condition or None))

    def contents(self, keys: Sequence[str]) -> dict[str, str]:
        """Key to fingerprint of the content, of those keys that are there.

        Args:
            keys: any number.
        """
        found: dict[str, str] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            condition = one_of("key", keys[start : start + KEYS_AT_ONCE])
            rows = self.rows(condition, ("key", "content"))
            found |= {row["key"]: row["content"] for row in rows}
        return found

    def rows(
        self, condition: str = "", columns: Sequence[str] = COLUMNS, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Rows as they are stored, in the order of the table.

        Args:
            condition: which; empty for all.
            columns: what of them.
            limit: at most so many.
        """
        if self._table is None:
            return []
        with self._explained():
            asked = self._table.search().select(list(columns))
            if condition:
                asked = asked.where(condition)
            if limit is not None:
                asked = asked.limit(limit)
            found: list[dict[str, Any]] = asked.to_arrow().to_pylist()
            return found

    def batches(self, condition: str, columns: Sequence[str]) -> Iterator[Any]:
        """Some columns of many rows as Arrow batches, so that never all are in memory.

        Args:
            condition: which rows; empty for all.
            columns: what of them.
        """
        if self._table is None:
            return
        with self._explained():
            asked = self._table.search().select(list(columns))
            if condition:
                asked = asked.where(condition)
            yield from asked.to_batches(ROWS_AT_ONCE)

    def add(
        self,
        rows: Sequence[Mapping[str, Any]],
        vectors: NDArray[np.float16],
        thumbnails: Sequence[bytes],
    ) -> None:
        """Adds rows, all of them or none.

        Args:
            rows: N times ``COLUMNS``, by name.
            vectors: [N, D] float16.
            thumbnails: N pictures, empty where there is none.

        Raises:
            OSError: the disk takes no more; the table is as before.
        """
        import pyarrow as pa

        schema = self._schema()
        flat = pa.array(np.ascontiguousarray(vectors, np.float16).reshape(-1))
        columns = [
            *(pa.array([row[name] for row in rows], schema.field(name).type) for name in COLUMNS),
            pa.FixedSizeListArray.from_arrays(flat, self.dim),
            pa.array(thumbnails, pa.binary()),
        ]
        table = pa.Table.from_arrays(columns, schema=schema)
        with self._explained():
            if self._table is None:
                self._table = self._database.create_table(TABLE, schema=schema)
            self._table.add(table)

    def keep_only(self, condition: str) -> None:
        """Writes the rows that stay anew; cleaning up at once then removes every other file.

        Args:
            condition: which rows stay; empty for all.

        Raises:
            OSError: the disk has no room for the rows that stay; the table is as before.
        """
        if self._table is None:
            return
        with self._explained():
            asked = self._table.search()
            if condition:
                asked = asked.where(condition)
            stay = asked.to_batches(ROWS_AT_ONCE)
            self._table.add(stay, mode="overwrite")

    def clean_up(self, *, at_once: bool = False) -> None:
        """Joins small files, and removes what no version in use needs.

        Args:
            at_once: remove everything but the newest version, also what a killed process left; a
                search that runs at this moment may fail. Otherwise what is older than an hour.
        """
        if self._table is None:
            return
        with self._explained():
            older = timedelta(0) if at_once else UNREAD_AFTER
            self._table.optimize(cleanup_older_than=older, delete_unverified=at_once)

    def nearest(
        self,
        vector: NDArray[np.float16],
        condition: str,
        limit: int,
        *,
        probes: int | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of largest inner product with a vector, in falling order, ties by key.

        Args:
            vector: [D] float16.
            condition: which rows are ranked; empty for all.
            limit: at most so many.
            probes: parts of the IVF index that are looked at; None looks at every row.

        Returns:
            ``COLUMNS``, ``thumbnail`` and ``score``, the inner product in float32.
        """
        if self._table is None:
            return []
        with self._explained():
            asked = self._table.search(vector.astype(np.float32), vector_column_name="vector")
            if probes is None:
                asked = asked.distance_type("dot").bypass_vector_index()
            else:
                asked = asked.distance_type(IVF_METRIC).nprobes(probes)
            asked = asked.limit(limit)
            if condition:
                asked = asked.where(condition, prefilter=True)
            found = asked.select([*COLUMNS, "vector", "thumbnail", "_distance"]).to_arrow()
        vectors = vectors_of(found["vector"], self.dim)
        scores = vectors.astype(np.float32) @ vector.astype(np.float32)
        rows = found.drop_columns(["vector", "_distance"]).to_pylist()
        scored = [row | {"score": float(score)} for row, score in zip(rows, scores)]
        return sorted(scored, key=lambda row: (-row["score"], row["key"]))

    def vectors(self, condition: str, limit: int) -> tuple[list[str], NDArray[np.float16]]:
        """Keys and vectors [N, D] of some rows.

        Args:
            condition: which; empty for all.
            limit: at most so many.
        """
        rows = self.rows(condition, ("key", "vector"), limit)
        vectors = np.array([row["vector"] for row in rows], np.float16).reshape(-1, self.dim)
        return [row["key"] for row in rows], vectors

    def at(self, places: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """The rows at some places of the table.

        Args:
            places: numbers from 0.
            columns: what of the rows.
        """
        assert self._table is not None
        with self._explained():
            asked = self._table.take_offsets(list(places)).select(list(columns))
            found: list[dict[str, Any]] = asked.to_arrow().to_pylist()
            return found

    def build_ivf(self, partitions: int) -> None:
        """Makes the vector index anew: vectors as they are, in so many parts.

        Args:
            partitions: parts.
        """
        assert self._table is not None
        with self._explained():
            self._table.create_index(
                metric=IVF_METRIC,
                index_type="IVF_FLAT",
                num_partitions=partitions,
                vector_column_name="vector",
                # Less than the library's 50 rounds over 256 rows: where that leaves parts less
                # well cut, the measured recall has more of them looked at.
                max_iterations=10,
                sample_rate=32,
                replace=True,
            )

    def covered_by_ivf(self) -> int | None:
        """Rows that the vector index covers; None without one."""
        if self._table is None:
            return None
        with self._explained():
            names = [index.name for index in self._table.list_indices()]
            return int(self._table.index_stats(names[0]).num_indexed_rows) if names else None

    def cameras(self) -> list[str]:
        """Names of the cameras, sorted."""
        names: set[str] = set()
        for batch in self.batches("", ("camera",)):
            names.update(batch.column("camera").to_pylist())
        return sorted(names)


def vectors_of(column: Any, dim: int) -> NDArray[np.float16]:
    """A column of vectors as an array [N, D].

    Args:
        column: of an Arrow table.
        dim: D.
    """
    parts = [np.asarray(chunk.flatten()) for chunk in column.chunks]
    flat = np.concatenate(parts) if parts else np.empty(0, np.float16)
    return flat.astype(np.float16, copy=False).reshape(-1, dim)
