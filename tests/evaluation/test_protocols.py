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
    choose_protocols,
    known_protocols,
    protocols_of,
    track_labels,
    trial_of,
)
from vireid.evaluation.trials import evaluate

V, I = Modality.VISIBLE, Modality.INFRARED  # noqa: E741


def track(key, modality, camera, identity):
    return Track((Path(f"{key}.jpg"),), modality, camera, identity, key)


def dataset(name, query, gallery, **options):
    return Dataset(name, Path("somewhere"), [], query, gallery, options)


INFRARED = [track("a", I, 1, 10), track("b", I, 2, 11), track("c", I, 1, 11)]
VISIBLE = [track("d", V, 3, 11), track("e", V, 4, 10)]


def test_hitsz_vcm_transposes_for_v2i():
    v2i, i2v = protocols_of(dataset("hitsz-vcm", INFRARED, VISIBLE))
    assert (v2i.name, i2v.name) == ("hitsz-vcm/v2i", "hitsz-vcm/i2v")
    assert (v2i.direction, v2i.rule) == ("v2i", "standard")
    assert list(i2v.query) == list(v2i.gallery) == INFRARED
    assert list(i2v.gallery) == list(v2i.query) == VISIBLE


@pytest.mark.parametrize("name", ["bupt-campus", "folder"])
def test_mixed_sides_are_cut_by_modality(name):
    more = [track("f", I, 5, 11), track("g", V, 6, 11)]
    v2i, i2v = protocols_of(dataset(name, INFRARED + VISIBLE, more))
    assert (list(v2i.query), list(v2i.gallery)) == (VISIBLE, more[:1])
    assert (list(i2v.query), list(i2v.gallery)) == (INFRARED, more[1:])


@pytest.mark.parametrize("sides", [(INFRARED, VISIBLE), (VISIBLE, INFRARED)])
def test_folder_with_one_modality_on_each_side_serves_both_directions(sides):
    v2i, i2v = protocols_of(dataset("folder", *sides))
    assert list(v2i.query) == list(i2v.gallery) == VISIBLE
    assert list(v2i.gallery) == list(i2v.query) == INFRARED


def test_unknown_data_set_is_named():
    with pytest.raises(ValueError, match=r"'market'; known: .*hitsz-vcm"):
        protocols_of(dataset("market", INFRARED, VISIBLE))


def test_evaluation_picks_the_rows_by_key():
    generator = torch.Generator().manual_seed(0)
    tracks = VISIBLE + INFRARED
    features = torch.nn.functional.normalize(torch.randn(5, 4, generator=generator), dim=1)
    _, i2v = protocols_of(dataset("hitsz-vcm", INFRARED, VISIBLE))
    (result,) = evaluate(features, tracks, [i2v])
    found = result.mean
    (q_ids, q_cams), (g_ids, g_cams) = track_labels(INFRARED), track_labels(VISIBLE)
    expected = rank_metrics(features[2:] @ features[:2].T, q_ids, g_ids, q_cams, g_cams)
    assert torch.equal(found.cmc, expected.cmc)
    assert (found.mAP, found.mINP) == (expected.mAP, expected.mINP)
    with pytest.raises(ValueError, match=r"1 of 3 tracks have no feature \(first: c\)"):
        evaluate(features[:4], tracks[:4], [i2v])


def test_a_sound_protocol_has_no_notes():
    for protocol in protocols_of(dataset("hitsz-vcm", INFRARED, VISIBLE)):
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
        ("llcm", 1, 1, True),
        ("llcm", 3, 2, False),
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


def sysu(people=12):
    """Images of every camera, keys as the reader makes them."""
    images = [
        track(f"cam{c}/{i:04d}/{n:04d}", I if c in (3, 6) else V, c, i)
        for i in range(1, people + 1)
        for c in range(1, 7)
        for n in range(1, 13 + i % 3)
    ]
    infrared = [t for t in images if t.modality == I]
    return dataset("sysu-mm01", infrared, [t for t in images if t.modality == V])


def test_sysu_by_default_searches_all_and_indoor_with_ten_single_shot_galleries():
    every, indoor = protocols_of(sysu())
    assert [p.name for p in (every, indoor)] == [
        "sysu-mm01/all/single/i2v",
        "sysu-mm01/indoor/single/i2v",
    ]
    assert (every.rule, every.gallery_kind, len(every.trials)) == ("sysu", "seeded", 10)
    assert {len(trial) for trial in every.trials} == {12 * 4}
    assert {len(trial) for trial in indoor.trials} == {12 * 2}
    assert list(every.query) == list(indoor.query) == list(sysu().query)
    assert {t.camera for t in indoor.gallery} == {1, 2}
    first = every.one_trial(0)
    assert [t.key for t in first.gallery] == [every.gallery[i].key for i in every.trials[0]]
    assert first.trials == () and first.one_trial() is first


def test_sysu_names_carry_mode_shots_rule_and_direction():
    names = "sysu-mm01/indoor/multi/v2i, sysu-mm01/all/multi/released/v2i"
    symmetric, released = protocols_of(sysu(), names)
    assert (symmetric.rule, released.rule) == ("sysu-symmetric", "sysu")
    assert symmetric.direction == released.direction == "v2i"
    # The mode chooses visible cameras; both infrared ones are in every reverse gallery.
    assert {t.camera for t in symmetric.query} == {1, 2}
    assert {t.camera for t in symmetric.gallery} == {3, 6}
    assert len(symmetric.trials[0]) == 12 * 2 * 10
    assert {t.camera for t in released.query} == {1, 2, 4, 5}


@pytest.mark.parametrize(
    ("name", "asked", "wanted"),
    [
        ("sysu-mm01", "sysu-mm01/all/single", ["sysu-mm01/all/single/i2v"]),
        ("sysu-mm01", "SYSU-MM01/All/", ["sysu-mm01/all/single/i2v", "sysu-mm01/all/multi/i2v"]),
        ("sysu-mm01", "sysu-mm01", choose_protocols("sysu-mm01")),
        ("hitsz-vcm", "hitsz-vcm/i2v,hitsz-vcm/i2v", ["hitsz-vcm/i2v"]),
        ("hitsz-vcm", ["hitsz-vcm/i2v", "hitsz-vcm"], ["hitsz-vcm/i2v", "hitsz-vcm/v2i"]),
        ("bupt-campus", "bupt-campus/released/v2i", ["bupt-campus/released/v2i"]),
        ("bupt-campus", "", ["bupt-campus/v2i", "bupt-campus/i2v"]),
        ("regdb", "regdb/trial-3", ["regdb/trial-3/v2t", "regdb/trial-3/t2v"]),
        ("llcm", (), ["llcm/v2i", "llcm/i2v"]),
    ],
)
def test_names_and_what_shorter_ones_stand_for(name, asked, wanted):
    assert choose_protocols(name, asked, trial=3) == wanted


@pytest.mark.parametrize("name", ["hitsz-vcm", "bupt-campus", "folder", "sysu-mm01", "llcm"])
@pytest.mark.parametrize("bad", ["market/v2i", "v2i", "{}/i2i", "{}/v2i/x", "{}x", "regdb/trial-1"])
def test_a_bad_name_lists_the_known_ones(name, bad):
    with pytest.raises(ValueError, match=f"no protocol .* for data set {name}; known: ") as error:
        choose_protocols(name, bad.format(name))
    assert all(known in str(error.value) for known in known_protocols(name))


def test_regdb_is_tested_on_the_trial_that_was_read():
    visible = [track(f"Visible/{n}", V, 1, n // 3) for n in range(12)]
    thermal = [track(f"Thermal/{n}", I, 2, n // 3) for n in range(12)]
    split = dataset("regdb", visible, thermal, trial=3)
    v2t, t2v = protocols_of(split)
    assert (v2t.name, t2v.name) == ("regdb/trial-3/v2t", "regdb/trial-3/t2v")
    assert (v2t.direction, t2v.direction) == ("v2i", "i2v")
    assert list(v2t.query) == list(t2v.gallery) == visible
    assert (v2t.rule, v2t.trials, v2t.gallery_kind) == ("all", (), "whole")
    with pytest.raises(ValueError, match="trial 4 of RegDB, but trial 3 was read; give --trial 4"):
        protocols_of(split, "regdb/trial-4/v2t")
    assert trial_of("regdb/trial-7/v2t,regdb/trial-7/t2v") == 7
    assert trial_of(["sysu-mm01/all"]) is None
    with pytest.raises(ValueError, match=r"several trials \(2, 7\).*vireid average"):
        trial_of("regdb/trial-7/v2t,regdb/trial-2/t2v")


def test_llcm_draws_one_image_of_each_identity_and_camera_of_the_other_side():
    nir = [track(f"nir/cam{c}/{i}/{n}", I, c, i) for i in (5, 9) for c in (1, 4) for n in range(4)]
    vis = [track(f"vis/cam{c}/{i}/{n}", V, c, i) for i in (5, 9) for c in (1, 3) for n in range(4)]
    v2i, i2v = protocols_of(dataset("llcm", nir, vis))
    assert (len(v2i.query), len(v2i.trials[0]), len(v2i.trials)) == (16, 4, 10)
    assert {t.modality for t in v2i.gallery} == {I} and {t.modality for t in i2v.gallery} == {V}
    for trial in i2v.trials:
        ranked = {(i2v.gallery[k].identity, i2v.gallery[k].camera) for k in trial}
        assert ranked == {(5, 1), (5, 3), (9, 1), (9, 3)}
    assert check_protocol(v2i) == []


def test_official_galleries_belong_to_sysu_and_need_their_file(tmp_path):
    with pytest.raises(ValueError, match="only SYSU-MM01 comes with galleries of its own"):
        protocols_of(dataset("hitsz-vcm", INFRARED, VISIBLE), gallery="official")
    with pytest.raises(ValueError, match=r"rand_perm_cam\.mat, which is not there.*seeded"):
        protocols_of(sysu(), gallery="official")
