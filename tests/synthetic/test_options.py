"""What is asked for beyond a preset: it is what the readers find, and what the pictures show."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from vireid import cli
from vireid.datasets import Modality, load_dataset
from vireid.datasets.verify import verify_dataset
from vireid.options import OptionError
from vireid.synthetic import (
    LAYOUTS,
    PRESETS,
    SyntheticError,
    SyntheticOptions,
    contact_sheet,
    render_dataset,
)
from vireid.synthetic.camera import draw_camera
from vireid.synthetic.options import sizes_asked
from vireid.synthetic.person import Material, side_label
from vireid.synthetic.tracklet import Sighting, render_tracklet
from vireid.synthetic.wardrobe import draw_person

VIDEO = [name for name, layout in LAYOUTS.items() if not layout.images]
IMAGE = [name for name, layout in LAYOUTS.items() if layout.images]


def plan(layout="hitsz-vcm", preset="demo", seed=0, **options):
    sizes = sizes_asked(LAYOUTS[layout].sizes[preset], SyntheticOptions(**options))
    return LAYOUTS[layout].plan(sizes, seed)


def sightings(tracks):
    """Tracklets of each person, modality and camera."""
    found = defaultdict(Counter)
    for track in tracks:
        if track.split != "auxiliary":
            found[track.person, track.modality][track.camera] += 1
    return found


@pytest.mark.parametrize("layout", VIDEO)
@pytest.mark.parametrize("preset", ["tiny", "demo", "bench"])
@pytest.mark.parametrize("tracklets", [2, 7, 60])
def test_everyone_has_as_many_tracklets_as_asked_in_each_modality(layout, preset, tracklets):
    found = sightings(plan(layout, preset, tracklets=tracklets))
    people = PRESETS[preset].train_identities + PRESETS[preset].test_identities
    assert len(found) == 2 * people
    for by_camera in found.values():
        assert by_camera.total() == tracklets
        assert max(by_camera.values()) - min(by_camera.values()) <= 1


def test_tracklets_that_are_asked_for_are_long_enough_for_the_reader():
    assert any(track.frames < 12 for track in plan())
    assert all(track.frames >= 12 for track in plan(tracklets=12))


def test_what_is_left_over_goes_to_all_cameras_in_turn():
    more = Counter()
    for by_camera in sightings(plan(preset="views-small", tracklets=7)).values():
        more.update(camera for camera, count in by_camera.items() if count == 3)
    assert set(more) == {1, 2, 3, 4, 5, 6}
    assert max(more.values()) - min(more.values()) <= 1


@pytest.mark.parametrize("cameras", [1, 2, 5, 6])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_there_are_as_many_cameras_as_asked(preset, cameras):
    tracks = plan(preset=preset, cameras=cameras)
    numbers = defaultdict(set)
    for track in tracks:
        numbers[track.modality].add(track.camera)
        assert track.place == (track.camera - 1) % cameras
    assert numbers[Modality.VISIBLE] == set(range(1, cameras + 1))
    assert numbers[Modality.INFRARED] == set(range(cameras + 1, 2 * cameras + 1))
    counts = {len(by_camera) for by_camera in sightings(tracks).values()}
    least, most = PRESETS[preset].seen_by
    assert min(counts) >= min(least, cameras)
    assert max(counts) == (cameras if most == PRESETS[preset].cameras else min(most, cameras))


@pytest.mark.parametrize("preset, number, cameras", [("views-small", 6, 3), ("views-large", 60, 6)])
def test_in_the_views_presets_every_camera_sees_everyone(preset, number, cameras):
    for by_camera in sightings(plan(preset=preset)).values():
        assert list(by_camera.values()) == [number // cameras] * cameras
    assert sightings(plan("bupt-campus", preset))


def test_the_reader_finds_what_was_asked_for(tmp_path):
    options = SyntheticOptions(tracklets=7, cameras=4, views=2, gap=0.5)
    sizes = {"train_identities": 2, "test_identities": 2, "workers": 1, "progress": False}
    render_dataset(tmp_path / "set", options=options, **sizes)
    verification = verify_dataset("hitsz-vcm", tmp_path / "set")
    assert verification.ok, verification.text()
    assert verification.source.endswith("seed 0, gap 0.5, views 2, tracklets 7")
    dataset = load_dataset("hitsz-vcm", tmp_path / "set")
    found = Counter(
        (track.identity, track.modality)
        for side in (dataset.train, dataset.query, dataset.gallery)
        for track in side
    )
    assert len(found) == 8
    assert set(found.values()) == {7}
    assert {track.camera for track in dataset.gallery} <= {1, 2, 3, 4}
    assert {track.camera for track in dataset.query} <= {5, 6, 7, 8}
    contact_sheet(tmp_path / "set", tmp_path / "sheet.png")
    for name, other in (("views", {"views": 1}), ("cameras", {"cameras": 5})):
        with pytest.raises(SyntheticError, match=f"{name} . instead of ."):
            given = {"tracklets": 7, "cameras": 4, "views": 2, "gap": 0.5, **other}
            render_dataset(tmp_path / "set", options=SyntheticOptions(**given), **sizes)


def test_two_tracklets_a_person_are_a_query_and_a_gallery_in_the_campus_layout(tmp_path):
    options = SyntheticOptions(tracklets=2)
    sizes = {"train_identities": 1, "test_identities": 2, "workers": 1, "progress": False}
    render_dataset(tmp_path / "set", layout="bupt-campus", options=options, **sizes)
    dataset = load_dataset("bupt-campus", tmp_path / "set")
    for query in dataset.query:
        found = [t for t in dataset.gallery if t.identity == query.identity]
        assert {t.modality for t in found} == set(Modality)
        assert all(t.camera != query.camera for t in found)


def test_options_that_are_unset_change_no_plan():
    for layout, chosen in LAYOUTS.items():
        assert plan(layout) == chosen.plan(chosen.sizes["demo"], 0)


@pytest.mark.parametrize("layout", IMAGE)
@pytest.mark.parametrize("asked", [{"tracklets": 6}, {"cameras": 2}])
def test_sets_of_images_keep_their_cameras_and_counts(tmp_path, layout, asked):
    with pytest.raises(SyntheticError, match="choose the layout hitsz-vcm"):
        render_dataset(tmp_path / "set", layout=layout, options=SyntheticOptions(**asked))
    with pytest.raises(SyntheticError, match=f"{layout} has no preset 'views-small'"):
        render_dataset(tmp_path / "set", layout=layout, preset="views-small")
    assert not (tmp_path / "set").exists()


def test_the_campus_keeps_its_cameras(tmp_path):
    with pytest.raises(SyntheticError, match="leave --cameras out"):
        render_dataset(tmp_path / "set", layout="bupt-campus", options=SyntheticOptions(cameras=3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"gap": 1.01},
        {"gap": -0.1},
        {"gap": float("nan")},
        {"tracklets": 1},
        {"cameras": 0},
        {"cameras": 7},
        {"views": 0},
        {"views": 5},
        {"unshared": 1.5},
        {"unshared": float("nan")},
    ],
)
def test_numbers_out_of_range_are_refused(wrong, tmp_path, capsys):
    ((name, value),) = wrong.items()
    with pytest.raises(OptionError, match=name):
        SyntheticOptions(**wrong)
    out = tmp_path / "set"
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(cli.main(["synth", str(out), f"--{name}={value}"]))
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"--{name}" in said
    assert "Traceback" not in said
    assert not out.exists()


def test_the_command_renders_what_it_is_asked_for(tmp_path, capsys):
    asked = {"preset": "tiny", "tracklets": 2, "cameras": 1, "views": 2, "gap": 0.5, "workers": 1}
    asked["people"] = 8
    flags = [f"--{name}={value}" for name, value in asked.items()]
    assert cli.main(["synth", str(tmp_path / "set"), *flags]) == 0
    capsys.readouterr()
    dataset = load_dataset("hitsz-vcm", tmp_path / "set")
    assert len(dataset.query) == len(dataset.gallery) == 12
    assert {track.camera for track in (*dataset.query, *dataset.gallery)} == {1, 2}
    assert len({track.identity for track in dataset.train}) == 8


# Looks from different sides.

FRONT, BACK = 0.05, 3.09  # directions of walking as a camera sees them, radians


def look(number, modality, views, yaw, track):
    """Histogram of what the clothes show in a dark room, in thirds of the height."""
    camera = draw_camera(5, 1, modality, 0)
    dark = np.zeros_like(camera.scene)
    camera = replace(camera, yaw=yaw, scene=dark, shadowed=dark)
    walk = Sighting(5, number, 1, track, 3, stride=4)
    frames = render_tracklet(walk, draw_person(5, number, 0.0, views), camera) // 64
    parts = [frames[:, rows, 16:48] for rows in (slice(24, 64), slice(64, 100))]
    codes = [sum(part[..., c].astype(int) * 4**c for c in range(part.shape[3])) for part in parts]
    size = 4 ** frames.shape[3]
    counts = np.array([np.bincount(code.ravel(), minlength=size) for code in codes], float)
    return (counts / counts.sum(axis=1, keepdims=True)).ravel()


def change_of_side(modality, views, people=16):
    """How much further front and back are apart than two walks seen from one side."""
    within = between = 0.0
    for number in range(people):
        front, again = (look(number, modality, views, FRONT, track) for track in (1, 2))
        back = look(number, modality, views, BACK, 3)
        within += np.abs(front - again).sum()
        between += (np.abs(front - back).sum() + np.abs(again - back).sum()) / 2
    return between / within


@pytest.mark.parametrize("modality", list(Modality))
def test_front_and_back_differ_where_asked_and_a_side_agrees_with_itself(modality):
    same, two, four = (change_of_side(modality, views) for views in (1, 2, 4))
    assert same < 1.5, (same, two, four)
    assert min(two, four) > 1.3 * same, (same, two, four)


@pytest.mark.parametrize("views", [2, 3, 4])
def test_each_side_has_a_colour_of_its_own(views):
    for number in range(100):
        person = draw_person(7, number, 0.0, views)
        assert len(person.sides) == views - 1
        for first in (Material.UPPER, Material.LOWER):
            rows = [side_label(first, side) for side in range(views)]
            colours = person.visible[rows].astype(int)
            apart = np.abs(colours[:, None] - colours[None]).max(axis=2)
            assert apart[~np.eye(views, dtype=bool)].min() >= 20


def test_more_views_keep_the_sides_of_fewer():
    for number in range(20):
        two, four = (draw_person(7, number, 0.0, views) for views in (2, 4))
        assert two.sides == four.sides[:1]
        assert two.body == four.body == draw_person(7, number).body
        assert two.upper == draw_person(7, number).upper
        rows = [*range(Material.FACE + 1), *(side_label(m, 1) for m in range(3, 7))]
        np.testing.assert_array_equal(two.visible[rows], four.visible[rows])


def test_looks_depend_on_the_seed():
    assert draw_person(7, 1, 0.5, 3).sides == draw_person(7, 1, 0.5, 3).sides
    assert draw_person(7, 1, 0.5, 3).sides != draw_person(8, 1, 0.5, 3).sides
    assert plan(tracklets=20, cameras=5) == plan(tracklets=20, cameras=5)
    assert plan(tracklets=20, cameras=5) != plan(tracklets=20, cameras=5, seed=1)
