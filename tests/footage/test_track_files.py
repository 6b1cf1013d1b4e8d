"""Trackers' files: four formats of one content, and a message for each that is something else."""

import footage_cases as cases
import numpy as np
import pytest
from vireid.footage.errors import FootageError
from vireid.footage.track_files import at_video_rate, read_tracks


@pytest.mark.parametrize("kind", cases.WRITERS)
@pytest.mark.parametrize("told", [True, False])
def test_all_formats_hold_the_same(tmp_path, kind, told):
    # The ending says nothing: the content does.
    file = cases.WRITERS[kind](tmp_path / "tracks.dat", cases.boxes())
    found, wanted = read_tracks(file, kind if told else None), cases.tracks()
    for name in ("frame", "track", "box", "hidden"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found.others == (1 if kind == "cvat" else 0)
    assert (found.size is not None) == (kind in ("cvat", "coco"))


def test_order_of_lines_does_not_matter(tmp_path):
    rows = cases.boxes()
    file = cases.write_mot(tmp_path / "t.txt", rows[::-1])
    np.testing.assert_array_equal(read_tracks(file).box, cases.tracks().box)


def test_ground_truth_leaves_out_what_it_marks(tmp_path):
    file = tmp_path / "gt.txt"
    lines = ["1,1,5,5,10,20,1,1,0.9", "1,2,5,5,10,20,0,1,0.9", "1,3,5,5,10,20,1,3,0.9"]
    file.write_text("\n".join(lines))
    assert read_tracks(file).track.tolist() == [1]


def test_a_missing_confidence_is_none(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("1 1 5 5 10 20 -1 -1 -1 -1\n2 1 5 5 10 20 0.5 -1 -1 -1\n")
    np.testing.assert_array_equal(read_tracks(file).confidence, [np.nan, 0.5])


def test_first_frame_can_be_told(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("0,1,5,5,10,20,1\n")
    assert read_tracks(file, first_frame=0).frame.tolist() == [0]
    with pytest.raises(FootageError, match=r"line 1: frame 0.*count from 1.*--first-frame"):
        read_tracks(file)


def test_key_frames_alone_are_joined_by_lines(tmp_path):
    rows = [cases.boxes()[0], cases.boxes()[8]]  # frames 0 and 4 of one track
    found = read_tracks(cases.write_cvat(tmp_path / "t.xml", rows))
    wanted = cases.tracks(4 + 1, {3: cases.PEOPLE[3]})
    np.testing.assert_allclose(found.box, wanted.box)
    assert found.frame.tolist() == [0, 1, 2, 3, 4]


def test_one_label_is_chosen(tmp_path):
    file = cases.write_cvat(tmp_path / "t.xml", cases.boxes())
    assert read_tracks(file, label="dog").track.tolist() == [99]
    with pytest.raises(FootageError, match=r"labelled 'cat'; its labels are dog, person.*--label"):
        read_tracks(file, label="cat")


def test_slower_tracks_fall_on_the_videos_frames():
    slow = at_video_rate(cases.tracks(4), 5, 15)
    assert slow.frame.tolist() == [0, 0, 3, 3, 6, 6, 9, 9]


def test_tracks_are_chosen_whole_by_their_first_frame():
    rows = [*cases.boxes(6, {1: cases.PEOPLE[3]}), *cases.boxes(3, {2: cases.PEOPLE[7]})]
    late = cases.gather([cases.Row("", f + (t == 2) * 4, t, b) for f, t, b in rows], 0)
    assert late.beginning(lambda frame: frame < 4).frame.tolist() == [0, 1, 2, 3, 4, 5]
    assert late.beginning(lambda frame: frame >= 4).track.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no box"),
        ("1,2,3\n", "line 1: expected frame, track, left, top"),
        ("1,1,5,5,10,20\n1,1,6,6,10,20\n", "line 2: track 1 has a second box in frame 1"),
        ("1,1,5,5,0,20\n", r"line 1: a box of 0 x 20 pixels"),
        ("1.5,1,5,5,10,20\n", "line 1: frame 1.5 is no whole number"),
        ("1,1,nan,5,10,20\n", "line 1: a box of"),
        ("frame,id,x,y\n1,1,5,5\n", "columns should be frame, track, left, top, width, height"),
        ("frame,track,left,top,width,height\n1,1,a,5,5,5\n", "line 2: a cell is no number"),
        ("frame,track,left,top,width,height\n1,1,5\n", "line 2: 6 cells expected, 3 found"),
        ("<annotations><image/></annotations>", "no export for video.*CVAT for video 1.1"),
        ("<annotations><track>", "is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "declares entities"),
        ('{"images": []}', "no list `annotations`"),
        ('{"images": [{"id": 1}], "annotations": []}', "image 1 has no frame_id or frame_index"),
        (
            '{"images": [{"id": 1, "frame_id": 0}],'
            ' "annotations": [{"id": 4, "image_id": 1, "bbox": [1, 2, 3, 4]}]}',
            "annotation 4 has no instance_id or track_id; these are detections",
        ),
        ("\x7fELF", "begins with .* like none of mot, cvat, coco, csv"),
    ],
)
def test_what_is_no_track_file_is_told(tmp_path, text, message):
    file = tmp_path / "tracks.txt"
    file.write_text(text)
    with pytest.raises(FootageError, match=message):
        read_tracks(file)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FootageError, match=r"--tracks .*No such file"):
        read_tracks(tmp_path / "tracks.txt")


def test_one_of_several_coco_videos_is_found_by_name(tmp_path):
    import json

    file = cases.write_coco(tmp_path / "t.json", cases.boxes())
    content = json.loads(file.read_text())
    content["videos"].append({"id": 2, "name": "other"})
    file.write_text(json.dumps(content))
    assert len(read_tracks(file, video="walk.mkv")) == len(cases.boxes())
    with pytest.raises(FootageError, match="2 videos, and 0 of them are called 'run': walk, other"):
        read_tracks(file, video="run.mp4")
