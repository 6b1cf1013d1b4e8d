"""Who is seen where: plans, without rendering anything."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from vireid.datasets.track import Modality
from vireid.synthetic import LAYOUTS, PRESETS
from vireid.synthetic.schedule import count_tracks

EVERY = [(layout, preset) for layout in LAYOUTS for preset in LAYOUTS[layout].sizes]
VIDEO = [(layout, preset) for layout, preset in EVERY if not LAYOUTS[layout].images]
IMAGE = [(layout, preset) for layout, preset in EVERY if LAYOUTS[layout].images]


def plan(layout, preset, seed=0, unshared=0.0):
    sizes = replace(LAYOUTS[layout].sizes[preset], unshared=unshared)
    return LAYOUTS[layout].plan(sizes, seed)


def cameras_of_people(tracks):
    seen = defaultdict(set)
    for track in tracks:
        seen[track.person, track.modality].add(track.camera)
    return seen


@pytest.mark.parametrize("layout, preset", EVERY)
def test_train_and_test_people_are_different_and_as_many_as_promised(layout, preset):
    people = defaultdict(set)
    for track in plan(layout, preset):
        people["test" if track.split in ("query", "gallery", "") else track.split].add(track.person)
    sizes = LAYOUTS[layout].sizes[preset]
    assert len(people["train"]) == sizes.train_identities
    assert len(people["test"]) == sizes.test_identities
    assert not people["train"] & people["test"]
    assert not people["auxiliary"] & (people["train"] | people["test"])


@pytest.mark.parametrize("layout, preset", VIDEO)
def test_everyone_has_several_cameras_and_a_full_track_in_each_modality(layout, preset):
    tracks = [track for track in plan(layout, preset) if track.split != "auxiliary"]
    seen = cameras_of_people(tracks)
    people = {track.person for track in tracks}
    assert set(seen) == {(person, modality) for person in people for modality in Modality}
    assert min(len(cameras) for cameras in seen.values()) >= 2
    full = {(track.person, track.modality) for track in tracks if track.frames >= 12}
    assert full == set(seen)


@pytest.mark.parametrize("preset", ["demo", "bench"])
def test_not_every_person_is_in_every_camera(preset):
    seen = cameras_of_people(plan("hitsz-vcm", preset))
    complete = [len(cameras) == PRESETS[preset].cameras for cameras in seen.values()]
    assert any(complete)
    assert not all(complete)


def test_cameras_of_the_two_modalities_have_different_numbers():
    numbers = defaultdict(set)
    for track in plan("hitsz-vcm", "demo"):
        numbers[track.modality].add(track.camera)
    assert numbers == {Modality.VISIBLE: {1, 2, 3}, Modality.INFRARED: {4, 5, 6}}


@pytest.mark.parametrize("layout, preset", VIDEO)
def test_lengths_and_numbers_of_tracklets(layout, preset):
    sizes = PRESETS[preset]
    tracks = [track for track in plan(layout, preset) if track.split != "auxiliary"]
    low, high = sizes.frames
    assert all(5 <= track.frames <= 11 or low <= track.frames <= high for track in tracks)
    numbers = defaultdict(list)
    for track in tracks:
        numbers[track.person, track.camera, track.modality].append(track.track)
    for row in numbers.values():
        assert row == list(range(1, len(row) + 1))
        assert sizes.tracklets[0] <= len(row) <= sizes.tracklets[1]


@pytest.mark.parametrize("preset", ["demo", "bench"])
def test_a_few_tracks_are_too_short_for_the_readers(preset):
    tracks = plan("hitsz-vcm", preset)
    short = sum(track.frames < 12 for track in tracks) / len(tracks)
    assert 0.01 < short < 0.08


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_no_frame_file_is_used_twice(layout):
    chosen = LAYOUTS[layout]
    files = [
        chosen.frame_path(track, index)
        for track in plan(layout, "demo")
        for index in range(track.frames)
    ]
    assert len(files) == len(set(files))


def test_another_seed_is_another_plan():
    assert plan("hitsz-vcm", "tiny", 0) == plan("hitsz-vcm", "tiny", 0)
    assert plan("hitsz-vcm", "tiny", 0) != plan("hitsz-vcm", "tiny", 1)


def test_every_campus_tracklet_has_both_modalities():
    sides = defaultdict(set)
    for track in plan("bupt-campus", "demo"):
        sides[track.person, track.camera, track.track, track.frames].add(track.modality)
    assert all(side == set(Modality) for side in sides.values())


def test_campus_queries_are_one_track_a_person_in_either_modality():
    tracks = plan("bupt-campus", "demo")
    queries = [track for track in tracks if track.split == "query"]
    assert len(queries) == len({track.person for track in queries}) == 60
    assert {track.modality for track in queries} == set(Modality)
    gallery = {(t.person, t.camera, t.track) for t in tracks if t.split == "gallery"}
    for query in queries:
        assert (query.person, query.camera, query.track) not in gallery
        # the other modality can be found in another camera
        assert any(person == query.person and cam != query.camera for person, cam, _ in gallery)


def test_counts_agree_with_the_plan():
    tracks = plan("hitsz-vcm", "demo")
    counts = count_tracks(tracks, 12)
    assert list(counts) == ["train", "query", "gallery"]
    assert list(counts["query"]) == ["infrared"]
    assert list(counts["gallery"]) == ["visible"]
    listed = [row for sides in counts.values() for row in sides.values()]
    assert sum(row["before"]["tracks"] for row in listed) == len(tracks)
    assert sum(row["after"]["frames"] for row in listed) == sum(
        track.frames for track in tracks if track.frames >= 12
    )
    assert all(row["after"]["identities"] == row["before"]["identities"] for row in listed)


@pytest.mark.parametrize("layout, preset", IMAGE)
def test_images_of_a_camera_are_counted_from_one_without_gaps(layout, preset):
    sizes = LAYOUTS[layout].sizes[preset]
    numbers = defaultdict(list)
    for track in plan(layout, preset):
        camera = (track.person, track.modality, track.camera)
        numbers[camera] += range(track.first, track.first + track.frames)
    for row in numbers.values():
        assert row == list(range(1, len(row) + 1))
        assert sizes.tracklets[0] <= len(row) <= sizes.tracklets[1]
    people = {person for person, *_ in numbers}
    assert {key[:2] for key in numbers} == {(p, m) for p in people for m in Modality}


def test_sysu_cameras_are_those_of_the_original():
    tracks = plan("sysu-mm01", "demo")
    numbers = defaultdict(set)
    for track in tracks:
        numbers[track.modality].add(track.camera)
    assert numbers == {Modality.VISIBLE: {1, 2, 4, 5}, Modality.INFRARED: {3, 6}}
    seen = Counter(len(cameras) for cameras in cameras_of_people(tracks).values())
    assert set(seen) == {1, 2, 3, 4}  # not every person by every camera


def test_image_counts_take_every_frame_for_a_track():
    tracks = plan("sysu-mm01", "tiny")
    counts = count_tracks(tracks, 1, images=True)["train"]["visible"]["after"]
    frames = sum(t.frames for t in tracks if t.split == "train" and not t.modality)
    assert counts["tracks"] == counts["frames"] == frames > counts["identities"]


def sides_of_training_people(tracks):
    sides = defaultdict(set)
    for track in tracks:
        if track.split == "train":
            sides[track.person].add(track.modality)
    return sides


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_unshared_people_have_one_modality_and_the_test_split_stays(layout, fraction):
    whole, part = plan(layout, "demo"), plan(layout, "demo", unshared=fraction)
    sides = sides_of_training_people(part)
    size = LAYOUTS[layout].sizes["demo"].train_identities
    alone = Counter(next(iter(kinds)) for kinds in sides.values() if len(kinds) == 1)
    assert len(sides) == size
    assert alone.total() == fraction * size
    assert abs(alone[Modality.VISIBLE] - alone[Modality.INFRARED]) <= 1

    def rest(tracks):
        return [track for track in tracks if track.split in ("query", "gallery", "auxiliary")]

    assert rest(part) == rest(whole)
    kept = {(track.person, track.modality) for track in part if track.split == "train"}
    assert [t for t in part if t.split == "train"] == [
        t for t in whole if t.split == "train" and (t.person, t.modality) in kept
    ]


def test_a_larger_unshared_fraction_adds_people():
    few, many = (
        {
            (person, *kinds)
            for person, kinds in sides_of_training_people(
                plan("hitsz-vcm", "demo", unshared=fraction)
            ).items()
            if len(kinds) == 1
        }
        for fraction in (0.25, 0.5)
    )
    assert few < many
