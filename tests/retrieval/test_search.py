"""Searching: the other modality, never oneself, no impossible journey, and a decision."""

import numpy as np
import pytest
from index_rows import colour_embedder, pictures, row, unit_vectors
from vireid.datasets.track import Modality
from vireid.datasets.transitions import Transition, Transitions
from vireid.errors import UserError
from vireid.retrieval import vector_index
from vireid.retrieval.conditions import Filter
from vireid.retrieval.decisions import Calibration, OperatingPoint
from vireid.retrieval.filling import add_sightings
from vireid.retrieval.queries import described_queries
from vireid.retrieval.search import check_cameras, search_index, stored_queries
from vireid.retrieval.vector_index import keep_fast


def test_the_other_modality_is_searched_unless_one_is_named(filled):
    (query,) = stored_queries(filled, "p0004")
    (answer,) = search_index(filled, [query], Filter(), top=40)
    assert {one.modality for one in answer.candidates} == {Modality.INFRARED}
    assert len(answer.candidates) == answer.searched == 20
    assert [one.rank for one in answer.candidates] == list(range(1, 21))
    (answer,) = search_index(filled, [query], Filter(modality=Modality.VISIBLE), top=40)
    assert {one.modality for one in answer.candidates} == {Modality.VISIBLE}
    assert "p0004" not in {one.key for one in answer.candidates}
    assert answer.searched == 19


def test_scores_are_those_of_the_vectors_in_falling_order(filled):
    vectors = unit_vectors(40).astype(np.float32)
    (answer,) = search_index(filled, stored_queries(filled, "p0004"), Filter(), top=5)
    plain = sorted((float(vectors[4] @ vectors[n]) for n in range(1, 40, 2)), reverse=True)
    np.testing.assert_allclose([one.score for one in answer.candidates], plain[:5], atol=1e-6)


def test_a_tracklet_in_files_is_the_same_query_as_in_the_index(index, make_sighting):
    sightings = [make_sighting(f"t{n}", n, Modality(n % 2)) for n in range(8)]
    embedder = colour_embedder()
    add_sightings(index, sightings, embedder)
    described = described_queries(index, sightings, embedder)
    stored = [query for one in sightings for query in stored_queries(index, one.track.key)]
    first, second = (
        [[(c.key, c.score) for c in a.candidates] for a in search_index(index, queries, Filter())]
        for queries in (described, stored)
    )
    assert first == second and all(len(found) == 4 for found in first)


def test_journeys_that_are_too_fast_are_ruled_out(filled):
    # The query is seen from 40 to 45; p0005 from 50 to 55, p0007 from 70 to 75.
    (query,) = stored_queries(filled, "p0004")
    way = Transition("door", "thermal", 20.0, 200.0)
    ways = Transitions({("door", "thermal"): way, ("thermal", "door"): way})
    (answer,) = search_index(filled, [query], Filter(), top=40, transitions=ways)
    keys = {one.key for one in answer.candidates}
    assert keys == {f"p{n:04d}" for n in (1, *range(7, 25, 2))}
    assert answer.searched == len(keys)


def test_decisions_follow_the_threshold_of_the_direction(filled):
    queries = stored_queries(filled, "p0004") + stored_queries(filled, "p0005")
    scores = [[c.score for c in a.candidates] for a in search_index(filled, queries, Filter())]
    middle = (scores[0][2] + scores[0][3]) / 2
    points = {("visible", "infrared", None, None): [OperatingPoint(middle, 0.01, 20)]}
    calibration = Calibration("f", "none", points)
    found = list(search_index(filled, queries, Filter(), calibration=calibration))
    assert [one.decision for one in found[0].candidates] == ["same"] * 3 + ["unknown"] * 7
    # Nothing was measured the other way round.
    assert {one.decision for one in found[1].candidates} == {"unknown"}
    stricter = list(search_index(filled, queries, Filter(), calibration=calibration, fpir=0.001))
    assert {one.decision for one in stricter[0].candidates} == {"unknown"}
    assert scores == [[c.score for c in answer.candidates] for answer in found]


def test_a_camera_that_is_not_there_is_refused_with_those_that_are(filled):
    check_cameras(filled, ["door", "thermal"])
    with pytest.raises(UserError, match=r"--camera roof: .* its cameras are door, thermal"):
        check_cameras(filled, ["door", "roof"])


def test_a_large_index_is_searched_in_parts_and_says_what_it_finds(index):
    count = 600
    vectors = unit_vectors(count)
    rows = [row(n) for n in range(count)]
    index.store.add(rows[:500], vectors[:500], pictures(500))
    assert keep_fast(index) is None and index.facts.probes is None
    index.change(exact_below=400)
    found = keep_fast(index)
    assert found.recall >= 0.95 and 1 <= found.probes <= found.partitions
    assert index.facts.probes == found.probes and f"{found.recall:.1%}" in str(found)
    # Few new rows are looked at one by one, beside the parts; many make the parts anew.
    index.store.add(rows[500:520], vectors[500:520], pictures(20))
    assert keep_fast(index) is None
    (answer,) = search_index(index, stored_queries(index, "p0511"), Filter(), top=count)
    assert {f"p{n:04d}" for n in (500, 518)} <= {one.key for one in answer.candidates}
    index.store.add(rows[520:], vectors[520:], pictures(80))
    assert keep_fast(index) is not None
    assert index.store.covered_by_ivf() == count


def test_the_recall_is_that_of_plain_counting(index, monkeypatch):
    count = 200
    stored = unit_vectors(count)
    index.store.add([row(n) for n in range(count)], stored, pictures(count))
    index.change(exact_below=100)
    monkeypatch.setattr(vector_index, "ASKED", count)  # every row
    monkeypatch.setattr(vector_index, "ENOUGH", 0.5)
    found = keep_fast(index)
    assert found.queries == count and 1 < found.probes < found.partitions
    shares = []
    for number, vector in enumerate(stored):
        others = np.arange(1 - number % 2, count, 2)
        scores = stored[others].astype(np.float64) @ vector.astype(np.float64)
        nearest = {f"p{n:04d}" for n in others[np.argsort(-scores)[:10]]}
        queries = stored_queries(index, f"p{number:04d}")
        (answer,) = search_index(index, queries, Filter(), top=10)
        shares.append(len({one.key for one in answer.candidates} & nearest) / 10)
    assert found.recall == pytest.approx(np.mean(shares), abs=1e-3)
    assert found.recall >= 0.5


def test_more_parts_are_looked_at_until_enough_is_found(index, monkeypatch):
    count = 300
    index.store.add([row(n) for n in range(count)], unit_vectors(count), pictures(count))
    index.change(exact_below=200)
    looked = []
    for enough in (0.3, 0.7, 0.95):
        monkeypatch.setattr(vector_index, "ENOUGH", enough)
        found = measured_anew(index)
        assert found.recall >= enough
        looked.append(found.probes)
    assert looked == sorted(set(looked)) and looked[-1] <= found.partitions


def test_a_few_rows_of_the_other_modality_are_all_found(index):
    rows = [row(n, modality="visible") for n in range(250)] + [row(901), row(903)]
    index.store.add(rows, unit_vectors(252), pictures(252))
    index.change(exact_below=200)
    found = keep_fast(index)
    (answer,) = search_index(index, stored_queries(index, "p0004"), Filter(), top=10)
    assert {one.key for one in answer.candidates} == {"p0901", "p0903"}
    assert found.recall == 1.0 and found.queries


def test_an_index_of_one_modality_is_asked_for_that_one(index):
    rows = [row(n, modality="visible") for n in range(250)]
    index.store.add(rows, unit_vectors(250), pictures(250))
    index.change(exact_below=200)
    found = keep_fast(index)
    assert found.queries and found.recall >= 0.95


def measured_anew(index):
    """The vector index is made again, whatever it covered."""
    index.change(probes=None)
    return keep_fast(index)
