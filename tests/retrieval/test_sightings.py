"""What an index takes from a folder: names of cameras, times, thumbnails."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from vireid.datasets.errors import DatasetError
from vireid.datasets.track import Modality
from vireid.errors import UserError
from vireid.retrieval.extra import lancedb
from vireid.retrieval.sightings import query_sightings, sighting_of, sightings_of
from vireid.retrieval.thumbnails import thumbnail

HEAD = "modality,camera,tracklet,file,time,video,track,frame,left,top,width,height\n"


@pytest.fixture
def footage(tmp_path):
    """Plain folders: two cameras with names, a tracklet each in every split."""
    root = tmp_path / "footage"
    for number, (split, person) in enumerate(
        (("train", "unknown"), ("query", "1"), ("gallery", "1"))
    ):
        for kind, camera in (("visible", "door"), ("infrared", "yard 2")):
            folder = root / split / person / kind / camera / f"t{number}"
            folder.mkdir(parents=True)
            for frame in range(3):
                pixels = np.random.default_rng(frame).integers(0, 255, (40, 20, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{frame}.png")
    lines = [
        *(
            f"visible,door,t0,{n}.png,2026-03-01T14:30:0{seconds},v,1,{n},0,0,1,1"
            for n, seconds in enumerate(("0", "1", "2.5"))
        ),
        *(f"infrared,yard 2,t1,{n}.png,{17 + n},v,1,{n},0,0,1,1" for n in range(3)),
        "visible,gone,t9,0.png,3,v,1,0,0,0,1,1",
    ]
    (root / "tracks.csv").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_cameras_keep_their_names_and_times_are_those_of_the_frames(footage):
    found = {one.track.key: one for one in sightings_of(footage)}
    assert len(found) == 6
    first = found["train/unknown/visible/door/t0"]
    assert (first.camera, first.start, first.end) == ("door", 1772375400.0, 1772375402.5)
    second = found["query/1/infrared/yard 2/t1"]
    assert (second.camera, second.start, second.end) == ("yard 2", 17.0, 19.0)
    assert found["gallery/1/visible/door/t2"].start is None


def test_a_query_takes_its_frames_as_the_index_takes_them(footage):
    folder = footage / "query" / "1" / "visible" / "door" / "t1"
    for number in (9, 10, 11):
        (folder / "0.png").replace(folder / f"frame{number}.png")
        Image.new("RGB", (20, 40)).save(folder / "0.png")
    (folder / "._frame9.png").write_bytes(b"not a picture")
    (stored,) = (one for one in sightings_of(footage) if one.track.key.endswith("door/t1"))
    assert sighting_of(folder, None).track.frames == stored.track.frames
    names = [frame.name for frame in stored.track.frames]
    assert names == ["frame9.png", "frame10.png", "frame11.png", "0.png", "1.png", "2.png"]


def test_a_prefix_stands_before_each_key(footage):
    assert all(one.track.key.startswith("june/") for one in sightings_of(footage, prefix="june"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n1,2\n", "the columns should be modality, camera, tracklet"),
        (HEAD + "visible,door,t0,0.png,noon,v,1,0,0,0,1,1\n", "line 2: expected a time"),
        (HEAD + "visible,door\n", "line 2"),
    ],
)
def test_a_table_of_crops_that_is_none_is_one_message(footage, content, says):
    (footage / "tracks.csv").write_text(content)
    with pytest.raises(UserError, match=rf"tracks\.csv.*{says}"):
        sightings_of(footage)


def test_an_empty_folder_is_one_message(tmp_path):
    for split in ("train", "query", "gallery"):
        (tmp_path / split).mkdir()
    with pytest.raises(DatasetError, match="holds no tracklet"):
        sightings_of(tmp_path)


def test_a_tracklets_folder_is_the_tracklet_of_the_data_set(footage):
    whole = {one.track.key: one for one in sightings_of(footage)}
    for key, one in whole.items():
        found = sighting_of(footage / key, None)
        assert (found.track.key, found.track.frames) == (key, one.track.frames)
        assert found.content() == one.content()  # modality, camera and times, too
    assert len(query_sightings(footage, "folder", None)) == 6
    chosen = query_sightings(footage, "folder", Modality.INFRARED)
    assert {one.track.modality for one in chosen} == {Modality.INFRARED} and len(chosen) == 3


def test_any_folder_of_frames_is_a_tracklet_whose_modality_is_said(footage, tmp_path):
    folder = tmp_path / "frames"
    (footage / "train/unknown/visible/door/t0").rename(folder)
    with pytest.raises(UserError, match="add --query-modality"):
        sighting_of(folder, None)
    one = sighting_of(folder, Modality.INFRARED)
    assert len(one.track.frames) == 3 and one.camera == "" and one.start is None
    assert len(sighting_of(folder / "1.png", Modality.VISIBLE).track.frames) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no frame"):
        sighting_of(tmp_path / "empty", Modality.VISIBLE)


def test_the_content_is_every_frame_and_every_fact(footage):
    one = sightings_of(footage)[0]
    before = one.content()
    assert one.content() == before
    one.track.frames[2].write_bytes(one.track.frames[2].read_bytes() + b" ")
    assert one.content() != before
    one.track.frames[2].unlink()
    assert one.content() != before


def test_a_thumbnail_is_a_small_strip_and_blurred_if_asked(footage):
    track = sightings_of(footage)[0].track
    sharp, blurred = (
        np.asarray(Image.open(io.BytesIO(thumbnail(track, blurred=flag))), np.float32)
        for flag in (False, True)
    )
    assert sharp.shape == blurred.shape == (80, 120, 3)

    def detail(picture):
        return float(np.abs(np.diff(picture, axis=1)).mean())

    assert detail(blurred) < detail(sharp) / 4
    for frame in track.frames:
        frame.write_bytes(b"no picture")
    assert thumbnail(track) == b""


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(UserError, match=r"not installed: pip install 'vireid\[footage\]'"):
        lancedb()
