"""`vireid crop` on what does not fit: one message that says what to do, and nothing lost."""

import sys

import footage_cases as cases
import pytest
from vireid import cli
from vireid.datasets import load_dataset

BASE = ["--camera", "cam1", "--modality", "visible", "--frame-rate", str(cases.RATE)]


@pytest.fixture
def pictures(tmp_path):
    return cases.image_folder(tmp_path / "walk")


@pytest.fixture
def tracks(tmp_path):
    return cases.write_mot(tmp_path / "walk.txt", cases.boxes())


@pytest.fixture
def said(tmp_path, capsys):
    """Runs the command; gives its complaint, and expects that no crop was written."""

    def run(video, tracks, *more, base=BASE, left=False):
        line = ["crop", str(video), "--tracks", str(tracks), *base]
        code = cli.main([*line, "--output", str(tmp_path / "out"), *more])
        out, err = capsys.readouterr()
        assert code == 2, out
        assert not left or list((tmp_path / "out").rglob("*.jpg"))
        assert left or not list((tmp_path / "out").rglob("*.jpg"))
        assert len(err.strip().splitlines()) == 1
        return err

    return run


def test_without_pyav_it_says_what_to_install(said, tracks, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "walk.mp4").write_bytes(b"video")
    message = said(tmp_path / "walk.mp4", tracks)
    assert "pip install 'vireid[footage]'" in message


def test_tracks_beyond_the_video(said, pictures, tmp_path):
    longer = cases.write_mot(tmp_path / "long.txt", cases.boxes(15))
    message = said(pictures, longer)
    assert "the tracks reach frame 15" in message
    assert "has 12 frames (10 a second)" in message
    assert "--tracks-rate" in message


def test_tracks_beyond_the_video_can_be_taken(pictures, tmp_path, capsys):
    longer = cases.write_mot(tmp_path / "long.txt", cases.boxes(15))
    line = ["crop", str(pictures), "--tracks", str(longer), *BASE, "--allow-incomplete"]
    assert cli.main([*line, "--output", str(tmp_path / "out")]) == 0
    assert "2 tracklets of 24 crops" in capsys.readouterr().out


def test_boxes_outside_the_pictures(said, pictures, tmp_path):
    rows = [(f, t, tuple(4 * v for v in box)) for f, t, box in cases.boxes()]
    message = said(pictures, cases.write_mot(tmp_path / "big.txt", rows))
    assert "24 of 24 boxes lie outside the 120 x 90 pictures" in message


def test_tracks_of_another_size(said, pictures, tmp_path):
    tracks = cases.write_cvat(tmp_path / "big.xml", cases.boxes(), size=(1920, 1080))
    message = said(pictures, tracks)
    assert "made on pictures of 1920 x 1080 pixels" in message
    assert "have 120 x 90" in message


def test_frame_rates_that_do_not_fit(said, pictures, tracks, tmp_path):
    slow = cases.write_coco(tmp_path / "slow.json", cases.boxes(4), fps=5)
    assert "counts 5 frames a second" in said(pictures, slow)
    assert "--tracks-rate 20 is more than the 10" in said(pictures, tracks, "--tracks-rate", "20")


def test_slower_tracks_are_cropped_at_their_rate(pictures, tmp_path):
    slow = cases.write_coco(tmp_path / "slow.json", cases.boxes(4), fps=5)
    line = ["crop", str(pictures), "--tracks", str(slow), *BASE, "--tracks-rate", "5"]
    assert cli.main([*line, "--output", str(tmp_path / "out"), "--min-frames", "1"]) == 0
    names = {path.name for path in (tmp_path / "out").rglob("*.jpg")}
    assert names == {f"{frame:06d}.jpg" for frame in (0, 2, 4, 6)}


def test_a_folder_of_images_needs_its_rate(said, pictures, tracks):
    message = said(pictures, tracks, base=BASE[:4])
    assert "Give --frame-rate" in message


def test_a_video_has_its_own_rate(said, tracks, tmp_path):
    pytest.importorskip("av")
    video = cases.video_file(tmp_path / "walk.mkv")
    message = said(video, tracks, base=[*BASE[:4], "--frame-rate", "25"])
    assert "10 frames a second by its header, and --frame-rate says 25" in message


def test_colours_in_infrared(said, pictures, tracks):
    message = said(pictures, tracks, base=[*BASE[:3], "infrared", *BASE[4:]])
    assert "has colours, and --modality says infrared" in message


def test_the_right_command_follows_on_the_wrong_one(said, pictures, tracks, tmp_path):
    said(pictures, tracks, base=[*BASE[:3], "infrared", *BASE[4:]])
    line = ["crop", str(pictures), "--tracks", str(tracks), *BASE]
    assert cli.main([*line, "--output", str(tmp_path / "out")]) == 0
    assert len(load_dataset("folder", tmp_path / "out").train) == 2


def test_thermal_called_visible(said, tracks, tmp_path):
    deep = cases.image_folder(tmp_path / "deep", deep=True)
    message = said(deep, tracks)
    assert "has no colours, and --modality says visible" in message


def test_grey_visible_video_is_taken_when_told(tracks, tmp_path):
    pytest.importorskip("av")
    video = cases.video_file(tmp_path / "grey.mkv", grey=True)
    line = ["crop", str(video), "--tracks", str(tracks), *BASE[:4], "--any-colour"]
    assert cli.main([*line, "--output", str(tmp_path / "out")]) == 0


def test_an_unreadable_video(said, tracks, tmp_path):
    pytest.importorskip("av")
    broken = tmp_path / "walk.mp4"
    broken.write_bytes(b"no video at all" * 100)
    assert "walk.mp4 cannot be read as a video" in said(broken, tracks, base=BASE[:4])
    assert "does not exist" in said(tmp_path / "none.mp4", tracks, base=BASE[:4])


def test_a_video_that_breaks_off_keeps_what_was_cropped(said, tmp_path):
    """Tracks that ended before are whole, and the repaired video goes on from there."""
    pictures = cases.image_folder(tmp_path / "walk")
    rows = [row for row in cases.boxes() if row[1] == 7 or row[0] < 9]
    tracks = cases.write_mot(tmp_path / "walk.txt", rows)
    whole = (pictures / "10.png").read_bytes()
    (pictures / "10.png").write_bytes(whole[:100])
    more = ["--min-frames", "4", "--min-sharpness", "0"]
    message = said(pictures, tracks, *more, left=True)
    assert "10.png cannot be read as an image" in message
    place = tmp_path / "out/train/unknown/visible/cam1"
    assert [path.name for path in place.iterdir()] == ["walk-3"]
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.jpg")}
    (pictures / "10.png").write_bytes(whole)
    line = ["crop", str(pictures), "--tracks", str(tracks), *BASE, *more]
    assert cli.main([*line, "--output", str(tmp_path / "out")]) == 0
    assert len(list((place / "walk-7").iterdir())) == 12
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_video_cut_short_is_told(said, tmp_path):
    pytest.importorskip("av")
    video = cases.video_file(tmp_path / "walk.mkv", frames=30)
    data = video.read_bytes()
    tracks = cases.write_mot(tmp_path / "walk.txt", cases.boxes(12))
    video.write_bytes(data[: len(data) // 5])
    assert "frames" in said(video, tracks, base=BASE[:4])


def test_an_empty_track_file(said, pictures, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    assert "holds no box" in said(pictures, tmp_path / "empty.txt")


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--camera", "../x", "for instance '_x'"),
        ("--camera", "a/b", "for instance 'a_b'"),
        ("--start", "noon", "--start: expected a time like"),
        ("--until", "noon", "--until: expected a time like"),
    ],
)
def test_names_and_times(said, pictures, tracks, flag, value, message):
    assert message in said(pictures, tracks, flag, value)


def test_one_track_file_for_two_videos(said, pictures, tracks, tmp_path):
    other = cases.image_folder(tmp_path / "other")
    message = said(pictures, tracks, f"--video=[{pictures},{other}]")
    assert "one file, and there are 2 videos" in message


def test_two_videos_follow_each_other_in_time(pictures, tracks, tmp_path, capsys):
    cases.image_folder(tmp_path / "more")
    cases.write_mot(tmp_path / "more.txt", cases.boxes())
    line = ["crop", str(pictures), str(tmp_path / "more"), "--tracks", str(tmp_path), *BASE]
    assert cli.main([*line, "--output", str(tmp_path / "out"), "--start", "50"]) == 0
    text = (tmp_path / "out/tracks.csv").read_text()
    assert "000000.jpg,50.000,walk,3,0," in text
    assert "000000.jpg,51.200,more,3,0," in text


def test_footage_is_split_by_time(pictures, tmp_path, capsys):
    rows = [row for row in cases.boxes() if row[1] == 3 or row[0] >= 2]
    tracks = cases.write_mot(tmp_path / "walk.txt", rows)
    base = ["crop", str(pictures), "--tracks", str(tracks), *BASE, "--start", "50"]
    for name, bound in (("before", "--until"), ("after", "--since")):
        assert cli.main([*base, bound, "50.2", "--output", str(tmp_path / name)]) == 0
    found = [
        sorted({p.parent.name for p in (tmp_path / n).rglob("*.jpg")}) for n in ("before", "after")
    ]
    assert found == [["walk-3"], ["walk-7"]]


def test_two_crops_at_once(said, pictures, tracks, tmp_path):
    import subprocess
    import sys

    from vireid.folder_lock import FolderLock

    (tmp_path / "out").mkdir()
    lock = FolderLock(tmp_path / "out", "here")
    line = ["crop", str(pictures), "--tracks", str(tracks), *BASE, "--output"]
    found = subprocess.run(
        [sys.executable, "-m", "vireid", *line, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    lock.release()
    assert found.returncode == 2
    assert "is in use by another process" in found.stderr
