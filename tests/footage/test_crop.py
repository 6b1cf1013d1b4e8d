"""Crops: the same from every format, one picture held, whole after a kill, left out by rules."""

import csv
import errno
import gc
import os
import weakref
from dataclasses import replace

import footage_cases as cases
import numpy as np
import pytest
from PIL import Image
from vireid import cli
from vireid.datasets.track import Modality
from vireid.footage import journal as journals
from vireid.footage.crop import Footage, crop_footage
from vireid.footage.errors import FootageError
from vireid.footage.options import CropOptions
from vireid.footage.thermal import Window

ALL = CropOptions(min_frames=1, min_sharpness=0, border=0, max_overlap=1, min_height=0)


def footage(video=None, tracks=None, **facts):
    video = video or cases.FakeVideo()
    told = {"camera": "cam1", "modality": Modality.VISIBLE, "start": "0", "name": "walk", **facts}
    return Footage(video, tracks or cases.tracks(video.frames), **told)


def crop(root, given=None, options=ALL, **more):
    root.mkdir(parents=True, exist_ok=True)
    return crop_footage(given or footage(), root, options, **more)


def contents(root):
    """Every file of a crop folder, but the lock."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "run.lock")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def table(root, name="tracks.csv"):
    with (root / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", cases.WRITERS)
def test_all_formats_give_the_same_crops(tmp_path, kind):
    pictures = cases.image_folder(tmp_path / "walk")
    wanted = contents_of_cli(tmp_path / "wanted", pictures, write(tmp_path, "mot"))
    assert len(wanted) == 24 + 2
    found = contents_of_cli(tmp_path / "found", pictures, write(tmp_path, kind))
    del (
        wanted["crops.jsonl"],
        found["crops.jsonl"],
    )  # a confidence is a fact, and two formats lack it
    assert found == wanted


def write(folder, kind):
    return cases.WRITERS[kind](folder / f"{kind}.dat", cases.boxes())


def contents_of_cli(output, video, tracks, *more):
    line = [
        "crop",
        str(video),
        "--tracks",
        str(tracks),
        "--camera",
        "cam1",
        "--modality",
        "visible",
    ]
    line += ["--output", str(output), "--border", "0", "--max-overlap", "1", "--min-sharpness", "0"]
    assert cli.main([*line, "--frame-rate", str(cases.RATE), *more]) == 0
    return contents(output)


def test_a_video_file_gives_what_its_images_give(tmp_path):
    pytest.importorskip("av")
    tracks = write(tmp_path, "mot")
    images = contents_of_cli(tmp_path / "a", cases.image_folder(tmp_path / "walk"), tracks)
    video = contents_of_cli(tmp_path / "b", cases.video_file(tmp_path / "walk.mkv"), tracks)
    del images["crops.jsonl"], video["crops.jsonl"]  # which name the file
    assert images == video


def test_a_crop_is_the_box(tmp_path):
    deep = cases.FakeVideo(deep=True)
    given = footage(deep, modality=Modality.INFRARED)
    crop(tmp_path / "out", given, replace(ALL, window=0.0))
    windows = {row["tracklet"]: row for row in table(tmp_path / "out", "thermal.csv")}
    rows = table(tmp_path / "out")
    assert len(rows) == len(given.tracks)
    for row in rows:
        place = tmp_path / "out" / "train/unknown/infrared/cam1" / row["tracklet"] / row["file"]
        told = windows[row["tracklet"]]
        window = Window(int(told["low"]), int(told["high"]))
        back = window.invert(np.asarray(Image.open(place)))
        left, top, wide, high = (int(float(row[k])) for k in ("left", "top", "width", "height"))
        raw = cases.picture(int(row["frame"]), deep=True)[top : top + high, left : left + wide]
        # The texture spans 97 x 40 raw values, and no more than half a step is lost of them.
        assert np.abs(back - raw).max() <= (window.high - window.low) / 510 + 1e-9
        assert row["tracklet"] == f"walk-{row['track']}"


def test_times_follow_the_start(tmp_path):
    crop(tmp_path / "a", footage(start="2026-05-01T12:00:59.5+02:00"))
    crop(tmp_path / "b", footage(start="100"))
    for name, wanted in (("a", "2026-05-01T12:01:00.300+02:00"), ("b", "100.800")):
        (row,) = [r for r in table(tmp_path / name) if r["frame"] == "8" and r["track"] == "3"]
        assert row["time"] == wanted


@pytest.mark.parametrize("deep", [False, True])
def test_no_more_than_two_pictures_are_ever_held(tmp_path, deep):
    """One that is cropped and one that is being made, however long the video is."""
    alive, most = 0, []

    class Seen(np.ndarray):
        """An array that can be watched; cutting from it keeps it."""

    def gone():
        nonlocal alive
        alive -= 1

    video = cases.FakeVideo(frames=24, deep=deep)
    plain = video.pictures

    def pictures(wanted):
        nonlocal alive
        for one in plain(wanted):
            seen = Seen(one.pixels.shape, one.pixels.dtype)
            seen[...] = one.pixels
            weakref.finalize(seen, gone)
            alive += 1
            gc.collect()
            most.append(alive)
            yield replace(one, pixels=seen)
            del one, seen

    video.pictures = pictures
    modality = Modality.INFRARED if deep else Modality.VISIBLE
    crop(tmp_path / "out", footage(video, modality=modality))
    assert len(most) == 24
    assert max(most) <= 2


class Killed(BaseException):
    pass


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("point", range(12))
def test_a_killed_run_goes_on_to_the_same_folder(tmp_path, monkeypatch, deep, point):
    """Killed at each kind of write, and in the middle of the video."""
    people = {3: ((10, 20, 16, 40), 2), 7: ((70, 22, 18, 44), -1)}
    rows = [r for r in cases.boxes(12, people) if r[1] == 7 or r[0] < 6]
    tracks = cases.gather([cases.Row("", *row) for row in rows], 0)
    modality = Modality.INFRARED if deep else Modality.VISIBLE

    def given(fail=lambda frame: None):
        video = cases.FakeVideo(deep=deep, fail=fail)
        return footage(video, tracks, modality=modality)

    crop(tmp_path / "whole", given())
    calls = 0

    def die_at(step):
        nonlocal calls
        calls += 1
        if calls - 1 == step:
            raise Killed

    if point < 3:
        fails = given(lambda frame: die_at((3, 7, 11)[point]))
    else:
        fails = given()
        append, kept = journals.append_line, point - 3

        def half(path, line):
            nonlocal calls
            calls += 1
            if calls - 1 == kept:
                with path.open("a") as file:
                    file.write(line[: len(line) // 2])
                raise Killed
            append(path, line)

        monkeypatch.setattr(journals, "append_line", half)
    try:
        crop(tmp_path / "out", fails)
        killed = False
    except Killed:
        killed = True
    monkeypatch.undo()
    assert killed == (point <= (11 if deep else 8))
    # Another camera's run comes between, and repairs what stands in its way.
    crop(tmp_path / "out", footage(camera="cam2"))
    crop(tmp_path / "out", given())
    crop(tmp_path / "whole", footage(camera="cam2"))
    found, wanted = contents(tmp_path / "out"), contents(tmp_path / "whole")
    for name in ("tracks.csv", "crops.jsonl", "thermal.csv"):  # rows by run
        assert sorted(found.pop(name, b"").splitlines()) == sorted(
            wanted.pop(name, b"").splitlines()
        )
    assert found == wanted


def test_what_was_done_is_not_read_again(tmp_path):
    crop(tmp_path / "out")
    before = contents(tmp_path / "out")

    def never(frame):
        raise AssertionError("a picture was read")

    counts, done = crop(tmp_path / "out", footage(cases.FakeVideo(fail=never)))
    assert done
    assert counts["crops"] == 24
    assert contents(tmp_path / "out") == before


def test_a_run_begun_with_other_rules_starts_clean(tmp_path):
    def die(frame):
        if frame == 11:
            raise Killed

    rows = [r for r in cases.boxes() if r[1] == 7 or r[0] < 6]
    tracks = cases.gather([cases.Row("", *row) for row in rows], 0)
    with pytest.raises(Killed):
        crop(tmp_path / "out", footage(cases.FakeVideo(fail=die), tracks))
    every = replace(ALL, every=0.2)
    crop(tmp_path / "out", footage(tracks=tracks), every)
    crop(tmp_path / "whole", footage(tracks=tracks), every)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_finished_crops_are_not_mixed_with_others(tmp_path):
    crop(tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(FootageError, match=r"made with another every\. Choose another --output"):
        crop(tmp_path / "out", options=replace(ALL, every=0.2))
    assert contents(tmp_path / "out") == before


def test_a_folder_that_is_somebody_elses_stays(tmp_path):
    mine = tmp_path / "out/train/unknown/visible/cam1/walk-3"
    mine.mkdir(parents=True)
    (mine / "1.jpg").write_bytes(b"mine")
    with pytest.raises(FootageError, match="walk-3 exists, and was not written from this video"):
        crop(tmp_path / "out")
    assert (mine / "1.jpg").read_bytes() == b"mine"


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, capsys):
    """One message, exit code 1, and the same command goes on."""
    pictures, tracks = cases.image_folder(tmp_path / "walk"), write(tmp_path, "mot")
    wanted = contents_of_cli(tmp_path / "wanted", pictures, tracks)
    plain, written = os.fspath, []

    from pathlib import Path

    write_bytes = Path.write_bytes

    def full(path, data):
        written.append(path)
        if len(written) == 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    line = ["crop", plain(pictures), "--tracks", plain(tracks), "--camera", "cam1"]
    line += ["--modality", "visible", "--output", plain(tmp_path / "out"), "--frame-rate", "10"]
    line += ["--border", "0", "--max-overlap", "1", "--min-sharpness", "0"]
    assert cli.main(line) == 1
    said = capsys.readouterr().err
    assert "No space left on device. Make room there." in said
    assert "The same command goes on." in said
    monkeypatch.undo()
    assert contents_of_cli(tmp_path / "out", pictures, tracks) == wanted


def rule(tmp_path, options, people=cases.PEOPLE, **facts):
    """Counts with one rule, and without any."""
    tracks = cases.tracks(12, people)
    counts, _ = crop(tmp_path / "rule", footage(tracks=tracks, **facts), options)
    free, _ = crop(tmp_path / "free", footage(tracks=tracks, **facts))
    assert free["crops"] == 12 * len(people)
    return counts


def test_short_tracklets_are_left_out(tmp_path):
    assert rule(tmp_path, replace(ALL, min_frames=13)) == {
        "tracks": 2,
        "tracklets": 0,
        "crops": 0,
        "short": 24,
    }
    assert not (tmp_path / "rule/train").exists()


def test_boxes_at_the_edge_are_left_out(tmp_path):
    # The second one walks in from the left: at 2 pixels it is whole.
    people = {1: cases.PEOPLE[3], 2: ((0, 20, 20, 40), 1)}
    assert rule(tmp_path, replace(ALL, border=2), people)["cut"] == 2


def test_covered_boxes_are_left_out(tmp_path):
    people = {1: ((40, 20, 20, 40), 0), 2: ((52, 30, 20, 40), 0)}
    # Two fifths of the width by three quarters of the height.
    assert "covered" not in rule(tmp_path / "a", replace(ALL, max_overlap=0.3), people)
    counts = rule(tmp_path / "b", replace(ALL, max_overlap=0.29), people)
    assert counts["covered"] == 12
    assert counts["tracklets"] == 1


def test_low_small_and_unsure_boxes_are_left_out(tmp_path):
    assert rule(tmp_path / "a", replace(ALL, min_height=41))["small"] == 12
    sure = cases.tracks()
    sure = replace(sure, confidence=np.where(sure.track == 3, 0.2, np.nan))
    unsure = replace(ALL, min_confidence=0.5)
    counts, _ = crop(tmp_path / "b", footage(tracks=sure), unsure)
    assert counts["unsure"] == 12
    assert counts["crops"] == 12  # without a confidence nothing speaks against a box


@pytest.mark.parametrize("deep", [False, True])
def test_blurred_crops_are_left_out(tmp_path, deep):
    given = {"deep": deep}
    modality = Modality.INFRARED if deep else Modality.VISIBLE
    video = cases.FakeVideo(**given)
    plain = video.pictures

    def pictures(wanted):
        for one in plain(wanted):
            flat = np.full_like(one.pixels, 30_000 if deep else 90)
            ramp = (np.arange(cases.WIDTH) * (60 if deep else 1)).astype(flat.dtype)
            flat += ramp[None, :] if deep else ramp[None, :, None]
            yield replace(one, pixels=flat) if one.frame % 3 == 0 else one

    video.pictures = pictures
    counts, _ = crop(
        tmp_path / "out", footage(video, modality=modality), replace(ALL, min_sharpness=0.02)
    )
    assert counts["blurred"] == 8
    assert counts["crops"] == 16


def test_frames_between_are_skipped(tmp_path):
    counts = rule(tmp_path, replace(ALL, every=0.3))
    assert counts["crops"] == 2 * 4
    assert sorted({int(row["frame"]) for row in table(tmp_path / "rule")}) == [0, 3, 6, 9]


def test_two_cameras_share_a_folder(tmp_path):
    crop(tmp_path / "out")
    deep = cases.FakeVideo(deep=True)
    crop(tmp_path / "out", footage(deep, modality=Modality.INFRARED, camera="cam2"))
    crop(tmp_path / "out", footage(name="later", start="60"))
    rows = table(tmp_path / "out")
    assert len(rows) == 3 * 24
    assert {(r["modality"], r["camera"], r["video"]) for r in rows} == {
        ("visible", "cam1", "walk"),
        ("infrared", "cam2", "walk"),
        ("visible", "cam1", "later"),
    }
    assert not (tmp_path / "out" / ".crop").exists()
