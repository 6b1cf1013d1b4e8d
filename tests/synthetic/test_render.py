"""Rendered sets: frames, files, and what happens to a folder."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vireid.datasets.track import Modality
from vireid.synthetic import (
    LAYOUTS,
    MARKER,
    PRESETS,
    SyntheticError,
    contact_sheet,
    render,
    render_dataset,
)
from vireid.synthetic.camera import draw_camera
from vireid.synthetic.tracklet import Sighting, encode_frame, render_tracklet
from vireid.synthetic.wardrobe import draw_person

SMALL = {"train_identities": 1, "test_identities": 1, "progress": False}


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "one worker"
    render_dataset(root, workers=1, **SMALL)
    return root


def tracklet(modality, person=5, number=3, frames=12, track=1, seed=2):
    camera = draw_camera(seed, number, modality, number)
    sighting = Sighting(seed, person, number, track, frames)
    return render_tracklet(sighting, draw_person(seed, person), camera)


def test_the_number_of_workers_changes_no_byte(small_set, tmp_path):
    render_dataset(tmp_path / "two", workers=2, **SMALL)
    assert digests(tmp_path / "two") == digests(small_set)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


def test_rows_frames_and_folders_agree(tiny_set):
    listed = set()
    queries = [int(word) for word in (tiny_set / "info/query_IDX.txt").read_text().split()]
    for part, folder in (("train", "Train"), ("test", "Test")):
        names = (tiny_set / f"info/{part}_name.txt").read_text().splitlines()
        rows = [
            [int(word) for word in line.split()]
            for line in (tiny_set / f"info/track_{part}_info.txt").read_text().splitlines()
        ]
        following = 1
        for modality, first, last, person, camera in rows:
            assert first == following
            assert last >= first
            following = last + 1
            tracks = set()
            for name in names[first - 1 : last]:
                head, frame = name.removesuffix(".jpg").split("F")
                head, track = head.split("T")
                tracks.add(track)
                assert head == f"{person:04d}M{modality}D{camera}"
                side = {1: "ir", 2: "rgb"}[modality]
                listed.add(f"{folder}/{person:04d}/{side}/D{camera}/{frame}.jpg")
            assert len(tracks) == 1
        assert following == len(names) + 1
        if part == "test":
            assert queries == [i for i, row in enumerate(rows, start=1) if row[0] == 1]
    on_disk = {path.relative_to(tiny_set).as_posix() for path in tiny_set.rglob("*.jpg")}
    assert on_disk == listed


def test_frames_have_the_promised_size_and_infrared_has_no_colour(tiny_set):
    for pattern, mode in (("Train/*/rgb/*/*.jpg", "RGB"), ("Test/*/ir/*/*.jpg", "L")):
        files = sorted(tiny_set.glob(pattern))[::40]
        assert files
        for path in files:
            with Image.open(path) as frame:
                assert frame.format == "JPEG"
                assert frame.size == (64, 128)
                assert frame.mode == mode
                assert np.asarray(frame).std() > 5


def test_the_marker_counts_what_lies_on_disk(tiny_set):
    marker = json.loads((tiny_set / MARKER).read_text())
    assert marker["synthetic"] is True
    assert (marker["layout"], marker["preset"], marker["seed"]) == ("hitsz-vcm", "tiny", 0)
    assert marker["identities"] == {"train": 6, "test": 6}
    for split, glob in (("train", "Train/*/{}/*/*.jpg"), ("test", "Test/*/{}/*/*.jpg")):
        for modality, side in (("visible", "rgb"), ("infrared", "ir")):
            files = list(tiny_set.glob(glob.format(side)))
            part = split if split == "train" else "query" if side == "ir" else "gallery"
            before = marker["counts"][part][modality]["before"]
            assert before["frames"] == len(files)
            assert before["identities"] == len({path.parts[-4] for path in files})


def test_campus_lists_name_files_that_exist(tmp_path):
    root = tmp_path / "campus"
    summary = render_dataset(root, layout="bupt-campus", workers=1, **SMALL)
    paths = json.loads((root / "data_paths.json").read_text())
    on_disk = {path.relative_to(root / "DATA").as_posix() for path in root.rglob("*.jpg")}
    named = set()
    for person, sides in paths.items():
        assert set(sides) == {"RGB", "IR"}
        for side, cameras in sides.items():
            for camera, tracks in cameras.items():
                for track, files in tracks.items():
                    for file in files:
                        assert file.startswith(f"{person}/{side}/{camera}/")
                        assert Path(file).name.startswith(f"{person}_{side}_{camera}_{track}_")
                    named.update(files)
    assert named == on_disk
    assert summary.frames == len(on_disk)
    for name in ("train", "train_auxiliary", "query", "gallery"):
        lines = (root / f"{name}.txt").read_text().splitlines()
        assert lines
        for line in lines:
            person, side, camera, track = line.split()
            assert (side == "RGB/IR") == name.startswith("train")
            for one in side.split("/"):
                assert paths[person][one][camera][track]


@pytest.mark.parametrize("modality, channels", [(Modality.VISIBLE, 3), (Modality.INFRARED, 1)])
def test_a_tracklet_is_a_function_of_its_arguments(modality, channels):
    first = tracklet(modality)
    assert first.shape == (12, 128, 64, channels)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, tracklet(modality))
    assert (first != tracklet(modality, track=2)).mean() > 0.5
    assert (first != tracklet(modality, seed=3)).mean() > 0.5
    assert (first[0] != first[1]).mean() > 0.3


def test_two_sensors_at_one_place_see_the_same_walk():
    # what moves from frame to frame moves in both, although brightness is unrelated
    def motion(frames):
        grey = frames.astype(np.float64).mean(axis=3)
        coarse = grey.reshape(len(grey), 32, 4, 16, 4).mean(axis=(2, 4))
        change = np.abs(np.diff(coarse, axis=0))
        return (change - change.mean(axis=0)).ravel()

    visible, infrared = (motion(tracklet(modality, frames=16)) for modality in Modality)
    other = motion(tracklet(Modality.INFRARED, frames=16, track=2))
    assert np.corrcoef(visible, infrared)[0, 1] > 0.25
    assert abs(np.corrcoef(visible, other)[0, 1]) < 0.15


def test_the_background_does_not_tell_the_person():
    # over tracklets of one person, the same corner of the picture shows different things
    corners = [
        tracklet(Modality.VISIBLE, number=1, frames=1, track=track)[0, :40, :12]
        .astype(np.float64)
        .mean(axis=(0, 1))
        for track in range(1, 9)
    ]
    assert np.std(corners, axis=0).min() > 3


def test_encoded_frames_read_back_alike():
    frames = tracklet(Modality.VISIBLE, frames=1)
    with Image.open(io.BytesIO(encode_frame(frames[0], 90))) as image:
        difference = np.asarray(image).astype(int) - frames[0]
    assert np.abs(difference).mean() < 8


def test_a_complete_copy_is_reused(small_set):
    before = digests(small_set)
    summary = render_dataset(small_set, **SMALL)
    assert summary.reused
    assert digests(small_set) == before


def test_an_empty_folder_is_filled(tmp_path):
    out = tmp_path / "new" / "set"
    out.mkdir(parents=True)
    summary = render_dataset(out, workers=1, **SMALL)
    assert not summary.reused
    assert (out / MARKER).is_file()


def test_other_contents_are_left_alone(small_set, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SyntheticError, match="is not empty"):
        render_dataset(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(SyntheticError, match="seed 0 instead of 1"):
        render_dataset(small_set, seed=1, **SMALL)
    file = tmp_path / "notes.txt"
    with pytest.raises(SyntheticError, match="is a file"):
        render_dataset(file, **SMALL)


def test_an_incomplete_copy_is_named(small_set, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(small_set, root)
    lost = sorted(root.rglob("*.jpg"))[5]
    lost.unlink()
    with pytest.raises(SyntheticError, match=lost.relative_to(root).as_posix()):
        render_dataset(root, **SMALL)
    (root / MARKER).write_text("{")
    with pytest.raises(SyntheticError, match=MARKER):
        render_dataset(root, **SMALL)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_render_leaves_nothing(tmp_path, monkeypatch, error):
    drawn = []

    def stop_at_the_second(seed, number, *looks):
        drawn.append(number)
        if number == 2:
            raise error
        return draw_person(seed, number, *looks)

    monkeypatch.setattr(render, "draw_person", stop_at_the_second)
    with pytest.raises(error):
        render_dataset(tmp_path / "set", workers=1, **SMALL)
    assert 1 in drawn  # one person was written before the stop
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"layout": "market"}, "hitsz-vcm"),
        ({"preset": "huge"}, ", ".join(PRESETS)),
        ({"seed": -1}, "0 or more"),
        ({"workers": 0}, "workers must be 1 or more"),
        ({"test_identities": 0}, "test_identities must be 1 or more"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, wrong, message):
    with pytest.raises(SyntheticError, match=message):
        render_dataset(tmp_path / "set", **wrong)
    assert not (tmp_path / "set").exists()


def test_contact_sheet(tiny_set, tmp_path):
    contact_sheet(tiny_set, tmp_path / "docs" / "sheet.png", identities=3)
    with Image.open(tmp_path / "docs" / "sheet.png") as sheet:
        assert sheet.size == (12 * 66, 3 * 130)
        picture = np.asarray(sheet)
    grey = (picture[:, 6 * 66 :] == picture[:, 6 * 66 :, :1]).all()
    assert grey  # the right half is infrared
    assert not (picture[:, : 6 * 66] == picture[:, : 6 * 66, :1]).all()
    with pytest.raises(SyntheticError, match="holds no synthetic set"):
        contact_sheet(tmp_path, tmp_path / "none.png")


def test_every_layout_is_registered_under_its_name():
    names = ["hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb", "llcm"]
    assert list(LAYOUTS) == names
    assert [layout.name for layout in LAYOUTS.values()] == names


@pytest.mark.parametrize(
    "modality, expected",
    [
        (Modality.VISIBLE, "35befb39656087dfdbb54c07eca6ea09ff5a8918313efab98483b11847316774"),
        (Modality.INFRARED, "79cb321b2c692c70c55b142febc55185053092bbe29381c5380192b9cdeb851a"),
    ],
)
def test_pixels_are_the_same_on_every_machine(modality, expected):
    # Whoever changes a picture on purpose raises VERSION in marker.py and puts the new sum here.
    digest = hashlib.sha256()
    for number in range(6):
        camera = draw_camera(0, number + 1, modality, number)
        person, other = draw_person(0, number), draw_person(0, number + 50)
        frames = render_tracklet(Sighting(0, number, number + 1, 1, 3), person, camera, other)
        digest.update(frames.tobytes())
    assert digest.hexdigest() == expected
