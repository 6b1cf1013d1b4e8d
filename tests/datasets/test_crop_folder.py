"""A folder of crops as a data set: times from its table, no identities, and what is missing."""

import footage_cases as cases
import numpy as np
import pytest
from vireid.datasets import DatasetError, Modality, load_dataset, verify_dataset
from vireid.datasets.times import format_time, parse_time
from vireid.footage.crop import Footage, crop_footage
from vireid.footage.options import CropOptions

ALL = CropOptions(min_frames=1, min_sharpness=0, border=0, max_overlap=1, min_height=0)


@pytest.fixture
def folder(tmp_path):
    for camera, modality in (("cam1", Modality.VISIBLE), ("cam4", Modality.INFRARED)):
        video = cases.FakeVideo(deep=modality is Modality.INFRARED)
        given = Footage(video, cases.tracks(), camera, modality, "2026-05-01T12:00:00", "walk")
        crop_footage(given, tmp_path, ALL)
    return tmp_path


def test_tracks_have_cameras_times_and_no_identity(folder):
    data = load_dataset("folder", folder)
    assert not data.query
    assert not data.gallery
    assert [(t.modality.name, t.camera, t.identity) for t in data.train] == [
        ("INFRARED", 4, None),
        ("INFRARED", 4, None),
        ("VISIBLE", 1, None),
        ("VISIBLE", 1, None),
    ]
    begin = parse_time("2026-05-01T12:00:00")
    for track in data.train:
        np.testing.assert_allclose(np.subtract(track.times, begin), np.arange(12) / 10, atol=1e-6)


def test_verification_counts_nobody(folder):
    found = verify_dataset("folder", folder)
    assert found.ok
    assert [row.found.identities for row in found.rows] == [0, 0, 0]
    assert "no query and no gallery" in found.text()


def test_a_tracklet_keeps_its_times_when_it_gets_an_identity(folder):
    place = folder / "train/0007/visible/cam1"
    place.mkdir(parents=True)
    (folder / "train/unknown/visible/cam1/walk-3").rename(place / "walk-3")
    track = next(t for t in load_dataset("folder", folder).train if t.identity == 7)
    assert len(track.times) == 12


def test_a_lost_crop_is_told_and_a_removed_tracklet_noticed(folder):
    (folder / "train/unknown/visible/cam1/walk-3/000004.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 crops of tracks.csv are missing: 000004.jpg"):
        load_dataset("folder", folder)
    for file in (folder / "train/unknown/visible/cam1/walk-3").iterdir():
        file.unlink()
    (folder / "train/unknown/visible/cam1/walk-3").rmdir()
    assert len(load_dataset("folder", folder).train) == 3
    assert "visible/cam1/walk-3" in verify_dataset("folder", folder).text()


def test_an_interrupted_crop_is_told(folder):
    (folder / ".crop/visible-cam2-walk").mkdir(parents=True)
    with pytest.raises(DatasetError, match="was interrupted before all tracklets were written"):
        load_dataset("folder", folder)


def test_a_damaged_table_is_told(folder):
    table = folder / "tracks.csv"
    text = table.read_text()
    table.write_text(text.replace("12:00:00.300", "later", 1))
    with pytest.raises(DatasetError, match=r"line 5: expected a time like .*2026-05-01Tlater"):
        load_dataset("folder", folder)
    table.write_text("camera\n")
    with pytest.raises(DatasetError, match="the columns should be modality, camera"):
        load_dataset("folder", folder)


def test_a_folder_with_one_of_query_and_gallery_is_still_refused(folder):
    (folder / "query").mkdir()
    with pytest.raises(DatasetError, match="gallery missing"):
        load_dataset("folder", folder)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("12.5", 12.5),
        ("1970-01-02", 86_400),
        ("1970-01-01T00:00:01.250", 1.25),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01T00:01:00Z", 60),
    ],
)
def test_times_are_seconds(text, seconds):
    assert parse_time(text) == seconds
    assert parse_time(format_time(text, 1.25)) == pytest.approx(seconds + 1.25)


@pytest.mark.parametrize("text", ["", "noon", "nan", "inf", "1e300"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(ValueError, match="expected a time like"):
        parse_time(text)
