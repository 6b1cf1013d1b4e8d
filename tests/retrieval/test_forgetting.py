"""What is forgotten is in no file any more, and the rest is as it was."""

import numpy as np
import pytest
from index_rows import pictures, row, stored_keys, unit_vectors
from vireid.errors import UserError
from vireid.retrieval import forgetting
from vireid.retrieval.conditions import Filter, key_condition
from vireid.retrieval.forgetting import files_with, forget
from vireid.retrieval.index_folder import open_index
from vireid.retrieval.vector_index import keep_fast

COUNT = 300


@pytest.fixture
def large(index):
    """One with so many rows that deleting a single one rewrites nothing by itself."""
    rows = [row(n) for n in range(COUNT)]
    index.store.add(rows, unit_vectors(COUNT), pictures(COUNT))
    return index


def test_no_file_holds_a_forgotten_tracklet(large):
    gone = [pictures(COUNT)[33], unit_vectors(COUNT)[33].tobytes()]
    stays = [pictures(COUNT)[34], unit_vectors(COUNT)[34].tobytes()]
    assert all(files_with(large.path, [piece]) for piece in gone + stays)
    assert forget(large, key_condition("p0033")) == 1
    assert not files_with(large.path, gone)
    assert not files_with(large.path, [b"p0033", b"content 33"])
    assert all(files_with(large.path, [piece]) for piece in stays)
    assert stored_keys(open_index(large.path)) == [f"p{n:04d}" for n in range(COUNT) if n != 33]


def test_the_vector_index_forgets_too(large):
    large.change(exact_below=100)
    assert keep_fast(large)
    gone = unit_vectors(COUNT)[33].tobytes()
    assert len(files_with(large.path, [gone])) == 2
    forget(large, key_condition("p0033"))
    assert not files_with(large.path, [gone])


def test_deleting_as_the_library_does_would_leave_it_behind(large):
    """Why the rows that stay are written anew."""
    large.store._table.delete("key = 'p0033'")
    large.store.clean_up(at_once=True)
    assert files_with(large.path, [pictures(COUNT)[33]])


def test_a_period_goes_and_what_has_no_time_stays(index):
    rows = [row(n) for n in range(6)] + [row(6, start_time=None, end_time=None)]
    index.store.add(rows, unit_vectors(7), pictures(7))
    # p0002 ends at 25, p0003 lies from 30 to 35, p0004 begins at 40.
    assert forget(index, Filter(start=25.5, end=39.5).condition()) == 1
    assert stored_keys(index) == ["p0000", "p0001", "p0002", "p0004", "p0005", "p0006"]
    assert forget(index, Filter(("door",), None, 20, None).condition()) == 2
    assert stored_keys(index) == ["p0000", "p0001", "p0005", "p0006"]


def test_everything_can_go_and_come_again(filled):
    assert forget(filled, key_condition("*")) == 40
    again = open_index(filled.path)
    assert again.store.count() == 0
    assert not files_with(filled.path, [*pictures(40)])
    again.store.add([row(3)], unit_vectors(1), pictures(1))
    assert stored_keys(again) == ["p0003"]


def test_nothing_to_forget_touches_nothing(filled):
    before = {file: file.stat().st_mtime_ns for file in filled.path.rglob("*")}
    assert forget(filled, key_condition("nobody")) == 0
    assert {file: file.stat().st_mtime_ns for file in filled.path.rglob("*")} == before


def test_the_same_picture_under_two_keys_is_no_trace(index):
    same = [pictures(1)[0]] * 2
    vectors = np.repeat(unit_vectors(1), 2, axis=0)
    index.store.add([row(0), row(1)], vectors, same)
    assert forget(index, key_condition("p0000")) == 1
    assert stored_keys(index) == ["p0001"]


def test_a_file_that_keeps_the_bytes_is_named(filled):
    (filled.path / "left_behind").write_bytes(b"before" + pictures(40)[5] + b"after")
    with pytest.raises(UserError, match="left_behind"):
        forget(filled, key_condition("p0005"))


def test_a_removal_that_was_killed_is_known_and_goes_on(filled, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(self, *, at_once=False):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(filled.store), "clean_up", kill)
        with pytest.raises(Killed):
            forget(filled, key_condition("p0005"))
    again = open_index(filled.path)
    assert again.interrupted and "p0005" not in stored_keys(again)
    assert files_with(filled.path, [pictures(40)[5]])
    forgetting.finish(again)
    assert not again.interrupted
    assert not files_with(filled.path, [pictures(40)[5], b"p0005"])


def test_a_piece_is_found_where_two_parts_of_a_file_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(forgetting, "READ_AT_ONCE", 64)
    piece = bytes(range(forgetting.PIECE))
    for place in range(0, 200, 7):
        (tmp_path / "file").write_bytes(bytes(place) + piece + bytes(300 - place))
        assert files_with(tmp_path, [piece])
    assert not files_with(tmp_path, [piece[::-1]])


def test_a_full_disk_leaves_the_rows_and_no_mark(filled, monkeypatch):
    class Full:
        """The table, on a disk that takes nothing more."""

        def __init__(self, table):
            self.table = table

        def __getattr__(self, name):
            return getattr(self.table, name)

        def add(self, *_, **__):
            raise RuntimeError("lance error: No space left on device (os error 28), io.rs:1")

    monkeypatch.setattr(filled.store, "_table", Full(filled.store._table))
    with pytest.raises(OSError, match="No space left") as said:
        forget(filled, key_condition("p0005"))
    assert said.value.filename == str(filled.path)
    again = open_index(filled.path)
    assert again.store.count() == 40 and not again.interrupted
