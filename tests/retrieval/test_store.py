"""The table of an index: what is added is found, exactly, and nothing else."""

import numpy as np
import pytest
from index_rows import DIM, pictures, row, stored_keys, unit_vectors
from vireid.datasets.track import Modality
from vireid.errors import UserError
from vireid.retrieval.conditions import Filter, key_condition
from vireid.retrieval.index_folder import open_index


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(modality=Modality.INFRARED),
        Filter(cameras=("door",)),
        Filter(start=93, end=200),
        Filter(("thermal", "door"), Modality.VISIBLE, 50, None),
    ],
)
def test_the_nearest_are_those_of_plain_search(filled, wanted):
    vectors = unit_vectors(40)
    query = unit_vectors(1, seed=5)[0]
    fitting = [
        n
        for n, one in ((n, row(n)) for n in range(40))
        if (not wanted.cameras or one["camera"] in wanted.cameras)
        and wanted.modality in (None, Modality[one["modality"].upper()])
        and (wanted.start is None or one["end_time"] >= wanted.start)
        and (wanted.end is None or one["start_time"] <= wanted.end)
    ]
    scores = vectors.astype(np.float32) @ query.astype(np.float32)
    plain = sorted(fitting, key=lambda n: -scores[n])[:7]
    found = filled.store.nearest(query, wanted.condition(), 7)
    assert [one["key"] for one in found] == [f"p{n:04d}" for n in plain]
    np.testing.assert_allclose([one["score"] for one in found], scores[plain], atol=1e-6)
    assert found[0]["thumbnail"] == pictures(40)[plain[0]]
    assert filled.store.count(wanted.condition()) == len(fitting)


def test_a_time_that_is_not_known_lies_in_no_period(index):
    unknown = {"start_time": None, "end_time": None}
    index.store.add([row(0), row(1, **unknown)], unit_vectors(2), pictures(2))
    assert index.store.count(Filter(start=-1e12).condition()) == 1
    assert index.store.count() == 2


def test_equal_scores_come_in_the_order_of_their_keys(index):
    vectors = np.repeat(unit_vectors(1), 3, axis=0)
    index.store.add([row(n) for n in (2, 0, 1)], vectors, pictures(3))
    found = index.store.nearest(vectors[0], "", 3)
    assert [one["key"] for one in found] == ["p0000", "p0001", "p0002"]


HOSTILE = [
    "a'b",
    "'; DROP TABLE tracklets; --",
    "%",
    "a_c",
    'x"y',
    "größe 人",
    "back\\slash",
    "p*x",
]


def test_a_key_is_a_text_whatever_it_holds(index):
    rows = [row(n, key=key) for n, key in enumerate(HOSTILE)]
    index.store.add(rows, unit_vectors(len(rows)), pictures(len(rows)))
    assert set(index.store.contents(HOSTILE)) == set(HOSTILE)
    for key in HOSTILE:
        assert index.store.rows(key_condition(key), ("key",)) == [{"key": key}]
    assert index.store.count(key_condition("a*")) == 2
    assert index.store.count(key_condition("a_*")) == 1


def test_a_key_that_ends_in_a_slash_is_a_person_and_no_other(index):
    keys = ["train/1/a", "train/1/b", "train/10/a", "train/1"]
    index.store.add([row(n, key=k) for n, k in enumerate(keys)], unit_vectors(4), pictures(4))
    found = index.store.rows(key_condition("train/1/"), ("key",))
    assert [one["key"] for one in found] == ["train/1/a", "train/1/b"]


def test_an_index_opens_again_with_what_it_held(filled):
    again = open_index(filled.path)
    assert again.facts == filled.facts
    assert stored_keys(again) == [f"p{n:04d}" for n in range(40)]
    assert again.store.cameras() == ["door", "thermal"]
    vectors = again.store.vectors("key = 'p0007'", 1)[1]
    np.testing.assert_array_equal(vectors[0], unit_vectors(40)[7])


def test_vectors_of_another_length_are_no_such_table(filled):
    filled.change(dim=DIM // 2, width=DIM // 2)
    with pytest.raises(UserError, match="damaged, or another program wrote it"):
        open_index(filled.path)


@pytest.mark.parametrize("what", ["data", "_versions"])
@pytest.mark.parametrize("damage", ["cut", "gone", "noise"])
def test_a_damaged_table_is_one_message(filled, what, damage):
    for file in (filled.path / "tracklets.lance" / what).iterdir():
        if damage == "gone":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        else:
            file.write_bytes(np.random.default_rng(0).bytes(file.stat().st_size))
    with pytest.raises((UserError, OSError)) as said:
        index = open_index(filled.path)
        index.store.rows("", ("key", "vector", "thumbnail"))
        index.store.nearest(unit_vectors(1)[0], "", 3)
    assert str(filled.path) in str(said.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 99}', '{"format": 1}', "\xff\xfe", '{"format": 1, "x": 2}']
)
def test_damaged_facts_are_one_message(filled, text):
    (filled.path / "index.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"index\.json does not say what the index is"):
        open_index(filled.path)


def test_what_is_no_index_is_said(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        open_index(tmp_path / "nothing")
    with pytest.raises(UserError, match="is no index"):
        open_index(tmp_path)
