"""Protocols: both directions of each layout, and what is refused before training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from vireid.datasets.track import Dataset, Modality, Track
from vireid.evaluation.metrics import rank_metrics
from vireid.evaluation.protocols import (
    Protocol,
    check_protocol,
    evaluate_protocol,
    protocols,
    track_labels,
)

V, I = Modality.VISIBLE, Modality.INFRARED  # noqa: E741


def track(key, modality, camera, identity):
    return Track((Path(f"{key}.jpg"),), modality, camera, identity, key)


def dataset(name, query, gallery):
    return Dataset(name, Path("somewhere"), [], query, gallery)


INFRARED = [track("a", I, 1, 10), track("b", I, 2, 11), track("c", I, 1, 11)]
VISIBLE = [track("d", V, 3, 11), track("e", V, 4, 10)]


def test_hitsz_vcm_transposes_for_v2i():
    v2i, i2v = protocols(dataset("hitsz-vcm", INFRARED, VISIBLE))
    assert (v2i.name, i2v.name) == ("hitsz-vcm/v2i", "hitsz-vcm/i2v")
    assert (v2i.direction, v2i.rule) == ("v2i", "standard")
    assert list(i2v.query) == list(v2i.gallery) == INFRARED
    assert list(i2v.gallery) == list(v2i.query) == VISIBLE


@pytest.mark.parametrize("name", ["bupt-campus", "folder"])
def test_mixed_sides_are_cut_by_modality(name):
    more = [track("f", I, 5, 11), track("g", V, 6, 11)]
    v2i, i2v = protocols(dataset(name, INFRARED + VISIBLE, more))
    assert (list(v2i.query), list(v2i.gallery)) == (VISIBLE, more[:1])
    assert (list(i2v.query), list(i2v.gallery)) == (INFRARED, more[1:])


@pytest.mark.parametrize("sides", [(INFRARED, VISIBLE), (VISIBLE, INFRARED)])
def test_folder_with_one_modality_on_each_side_serves_both_directions(sides):
    v2i, i2v = protocols(dataset("folder", *sides))
    assert list(v2i.query) == list(i2v.gallery) == VISIBLE
    assert list(v2i.gallery) == list(i2v.query) == INFRARED


def test_unknown_data_set_is_named():
    with pytest.raises(ValueError, match="'market'; known: hitsz-vcm"):
        protocols(dataset("market", INFRARED, VISIBLE))


def test_evaluation_picks_the_rows_by_key():
    generator = torch.Generator().manual_seed(0)
    tracks = VISIBLE + INFRARED
    features = torch.nn.functional.normalize(torch.randn(5, 4, generator=generator), dim=1)
    _, i2v = protocols(dataset("hitsz-vcm", INFRARED, VISIBLE))
    found = evaluate_protocol(i2v, features, [t.key for t in tracks])
    (q_ids, q_cams), (g_ids, g_cams) = track_labels(INFRARED), track_labels(VISIBLE)
    expected = rank_metrics(features[2:] @ features[:2].T, q_ids, g_ids, q_cams, g_cams)
    assert torch.equal(found.cmc, expected.cmc)
    assert (found.mAP, found.mINP) == (expected.mAP, expected.mINP)
    with pytest.raises(ValueError, match=r"1 of 3 tracks have no feature \(first: c\)"):
        evaluate_protocol(i2v, features[:4], ["d", "e", "a", "b"])


def test_a_sound_protocol_has_no_notes():
    for protocol in protocols(dataset("hitsz-vcm", INFRARED, VISIBLE)):
        assert check_protocol(protocol) == []


def test_people_of_one_modality_are_noted_and_no_error():
    i2v = Protocol("x/i2v", [*INFRARED, track("h", I, 1, 77)], VISIBLE, "standard")
    notes = check_protocol(i2v)
    assert "1 query identities are not in the gallery: 77" in notes[0]
    assert "1 of 4 queries are skipped" in notes[1]


@pytest.mark.parametrize(
    ("rule", "query_camera", "gallery_camera", "skipped"),
    [
        ("standard", 1, 1, True),
        ("standard", 3, 2, False),
        ("sysu", 3, 2, True),
        ("sysu", 2, 3, False),
        ("sysu-symmetric", 2, 3, True),
        ("all", 1, 1, False),
    ],
)
def test_camera_rule_is_respected_like_the_metrics_do(rule, query_camera, gallery_camera, skipped):
    query = [track("p", I, query_camera, 5), track("q", I, 9, 6)]
    gallery = [track("r", V, gallery_camera, 5), track("s", V, 8, 6)]
    notes = check_protocol(Protocol("x/i2v", query, gallery, rule))
    (q_ids, q_cams), (g_ids, g_cams) = track_labels(query), track_labels(gallery)
    found = rank_metrics(torch.rand(2, 2), q_ids, g_ids, q_cams, g_cams, protocol=rule)
    assert found.valid_queries == (1 if skipped else 2)
    assert bool(notes) == skipped
    if skipped:
        assert "left out by the camera rule" in notes[0] and notes[0].endswith("identities: 5")


def test_hopeless_protocols_are_refused():
    with pytest.raises(ValueError, match="x/v2i: the gallery is empty"):
        check_protocol(Protocol("x/v2i", VISIBLE, [], "standard"))
    strangers = [track(f"s{n}", V, 3, 100 + n) for n in range(14)]
    with pytest.raises(ValueError, match=r"not in the gallery: 10, 11.*100, 101.* and 4 more"):
        check_protocol(Protocol("x/i2v", INFRARED, strangers, "standard"))
    with pytest.raises(ValueError, match=r"1 of 2 gallery tracks have no identity \(first: u\)"):
        check_protocol(
            Protocol("x/i2v", INFRARED, [VISIBLE[0], track("u", V, 1, None)], "standard")
        )
