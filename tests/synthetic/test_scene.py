"""A rendered scene: its files, its people, its tracker's faults, and that it can be cropped."""

import csv
import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
from vireid import cli
from vireid.datasets import Modality, load_dataset
from vireid.datasets.transitions import read_transitions
from vireid.footage.track_files import read_tracks
from vireid.footage.video import open_video
from vireid.synthetic.marker import SyntheticError
from vireid.synthetic.scene_pictures import Person, scene_pictures
from vireid.synthetic.scene_plan import CAMERAS, SceneOptions, plan_scene
from vireid.synthetic.scene_video import render_scene
from vireid.synthetic.simulated_tracker import SimulatedTracker

pytest.importorskip("av")
SMALL = SceneOptions(minutes=0.4, people=6)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    out = tmp_path_factory.mktemp("scene") / "scene"
    render_scene(out, SMALL, workers=1, progress=False)
    return out


def rows(file):
    with file.open(newline="") as table:
        return list(csv.DictReader(table))


def test_pictures_are_visible_and_16_bit_thermal(scene):
    for camera, told in zip(CAMERAS, rows(scene / "cameras.csv")):
        path = scene / camera.file
        video = open_video(path, camera.rate if path.is_dir() else None)
        assert video.frames == 24 * camera.rate
        first = next(video.pictures(lambda frame: True)).pixels
        deep = camera.modality is Modality.INFRARED
        shape = (camera.height, camera.width) if deep else (camera.height, camera.width, 3)
        assert first.shape == shape
        assert first.dtype == (np.uint16 if deep else np.uint8)
        assert (told["camera"], float(told["rate"])) == (camera.name, video.rate)
        if deep:  # more values than 8 bits hold
            assert len(np.unique(first)) > 256


def test_every_box_of_the_tracker_has_its_truth(scene):
    truth = rows(scene / "truth/boxes.csv")
    for camera in CAMERAS:
        tracks = read_tracks(scene / "tracks" / f"{camera.name}.txt")
        told = {(int(r["frame"]), int(r["track"])) for r in truth if r["camera"] == camera.name}
        assert told == set(zip(tracks.frame.tolist(), tracks.track.tolist()))
    people = {r["person"] for r in truth} - {""}
    assert people == {str(walk.person) for walk in plan_scene(SMALL, 0)}


def test_boxes_of_the_truth_hold_the_people():
    """Around a thermal body its box is the warmest: nobody stands beside it."""
    walks = [walk for walk in plan_scene(SMALL, 0) if walk.camera == 2]
    seen = 0
    for pixels, people in scene_pictures(2, walks, 24, 0, 1.0):
        for person in people if len(people) == 1 else []:
            left, top, wide, high = map(int, person.box)
            if left < wide or left + 2 * wide > pixels.shape[1]:
                continue
            inside = pixels[top : top + high, left : left + wide].mean()
            outside = pixels[top : top + high, [left - 3, left + wide + 2]].mean()
            assert inside > outside + 250
            seen += 1
    assert seen > 20


def test_nobody_walks_faster_than_the_table_says(scene):
    least = read_transitions(scene / "transitions.csv").least()
    assert len(least) == len(CAMERAS) * (len(CAMERAS) - 1)
    waits = []
    for _, walks in itertools.groupby(plan_scene(SceneOptions(minutes=9), 1), lambda w: w.person):
        for one, other in itertools.pairwise(walks):
            ends = CAMERAS[one.camera].name, CAMERAS[other.camera].name
            waits.append(other.begin - one.end - least[ends])
    assert 0 <= min(waits) < 0.5


def test_nobody_is_in_two_pictures_at_once():
    by_person = defaultdict(list)
    for walk in plan_scene(SceneOptions(minutes=3), 1):
        by_person[walk.person].append(walk)
    assert len(by_person) == 60
    for walks in by_person.values():
        assert all(a.end < b.begin for a, b in itertools.pairwise(walks))
        assert len({walk.camera for walk in walks}) == len(walks)
    assert {walk.camera for walks in by_person.values() for walk in walks} == {0, 1, 2, 3}


def test_the_tracker_misses_breaks_and_swaps():
    """Two people cross again and again; one of them hides for a while."""
    tracker = SimulatedTracker(np.random.default_rng(0), 200, 100)
    found = defaultdict(Counter)
    for meeting in range(60):
        for step in range(12):
            x = 40 + 8 * step
            hidden = 0.9 if meeting % 3 == 0 and 4 <= step < 9 else 0.0
            people = [
                Person(1, 2 * meeting, (float(x), 30.0, 20.0, 50.0), hidden),
                Person(2, 2 * meeting + 1, (float(128 - 8 * step), 30.0, 20.0, 50.0), 0.0),
            ]
            for box in tracker.follow(people):
                found[box.track][box.person] += 1
    assert tracker.misses >= 20 * 5
    assert tracker.breaks >= 20
    assert tracker.swaps > 0
    mixed = [track for track, whose in found.items() if {1, 2} <= set(whose)]
    assert len(mixed) >= tracker.swaps
    assert any(set(whose) == {None} for whose in found.values())


def test_a_seed_gives_a_scene_and_another_one_another(scene, tmp_path):
    again = render_scene(tmp_path / "a", SMALL, workers=1, progress=False)
    assert not again.reused
    for file in ("tracks/cam1.txt", "tracks/cam4.txt", "truth/boxes.csv", "cam4/000050.png"):
        assert (tmp_path / "a" / file).read_bytes() == (scene / file).read_bytes()
    assert plan_scene(SMALL, 1) != plan_scene(SMALL, 0)
    assert render_scene(tmp_path / "a", SMALL, progress=False).reused
    with pytest.raises(SyntheticError, match="holds another scene"):
        render_scene(tmp_path / "a", SMALL, seed=1)


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(SyntheticError, match="holds no rendered scene"):
        render_scene(tmp_path, SMALL)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_options_of_data_sets_are_refused(tmp_path, capsys):
    line = ["synth", str(tmp_path / "a"), "--video", "--cameras", "3"]
    assert cli.main(line) == 2
    assert "--cameras: a scene has no such choice" in capsys.readouterr().err


def test_the_scene_crops_to_a_data_set_of_both_modalities(scene, tmp_path, capsys):
    for camera in rows(scene / "cameras.csv"):
        line = ["crop", str(scene / camera["video"]), "--tracks", str(scene / camera["tracks"])]
        line += ["--camera", camera["camera"], "--modality", camera["modality"]]
        line += ["--start", camera["start"], "--output", str(tmp_path / "crops")]
        if (scene / camera["video"]).is_dir():
            line += ["--frame-rate", camera["rate"]]
        assert cli.main(line) == 0
    tracks = load_dataset("folder", tmp_path / "crops").train
    assert {(t.modality, t.camera) for t in tracks} == {
        *((Modality.VISIBLE, n) for n in (1, 2)),
        *((Modality.INFRARED, n) for n in (3, 4)),
    }
    assert all(len(track.times) == len(track.frames) >= 8 for track in tracks)
    assert (tmp_path / "crops/thermal.csv").exists()
