"""Rendered sets of single images: readers, verification, trials, and people without a partner."""

import json

import numpy as np
import pytest
from PIL import Image
from vireid.datasets import Modality, load_dataset
from vireid.datasets.verify import verify_dataset
from vireid.synthetic import (
    MARKER,
    SyntheticError,
    SyntheticOptions,
    contact_sheet,
    render_dataset,
)

IMAGE_LAYOUTS = ("sysu-mm01", "regdb", "llcm")
SMALL = {"train_identities": 4, "test_identities": 2, "workers": 1, "progress": False}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for layout in IMAGE_LAYOUTS:
        render_dataset(root / layout, layout=layout, **SMALL)
    return root


@pytest.mark.parametrize("layout", IMAGE_LAYOUTS)
def test_a_rendered_set_verifies_and_loads(sets, layout):
    verification = verify_dataset(layout, sets / layout)
    assert verification.ok, verification.text()
    assert verification.source == "synthetic set, preset tiny, seed 0"
    assert verification.notices == ()
    dataset = load_dataset(layout, sets / layout)
    tracks = [*dataset.train, *dataset.query, *dataset.gallery]
    files = {path for path in (sets / layout).rglob("*.*") if path.suffix in (".jpg", ".bmp")}
    assert {track.frames for track in tracks} == {(path,) for path in files}
    assert len({track.identity for track in dataset.train}) == 4
    assert len({track.identity for track in dataset.query}) == 2
    asking, ranked = ({t.modality for t in side} for side in (dataset.query, dataset.gallery))
    assert asking == {Modality.VISIBLE if layout == "regdb" else Modality.INFRARED}
    assert ranked == {asking.copy().pop().other}


@pytest.mark.parametrize("layout", IMAGE_LAYOUTS)
def test_images_are_pictures_in_the_format_that_their_name_says(sets, layout):
    dataset = load_dataset(layout, sets / layout)
    for track in (*dataset.query[:3], *dataset.gallery[:3]):
        with Image.open(track.frames[0]) as image:
            assert image.format == {".jpg": "JPEG", ".bmp": "BMP"}[track.frames[0].suffix]
            assert image.size == (64, 128)
            assert image.mode == ("RGB" if track.modality is Modality.VISIBLE else "L")
            assert np.asarray(image).std() > 5


def test_images_of_one_camera_differ(sets):
    tracks = load_dataset("sysu-mm01", sets / "sysu-mm01").gallery
    one, two = (np.asarray(Image.open(t.frames[0])).astype(int) for t in tracks[:2])
    assert tracks[0].camera == tracks[1].camera
    assert np.abs(one - two).mean() > 4


def test_a_deleted_image_is_named(sets, tmp_path):
    root = tmp_path / "set"
    render_dataset(root, layout="sysu-mm01", **SMALL)
    (root / load_dataset("sysu-mm01", root).gallery[0].key).unlink()
    problems = "\n".join(verify_dataset("sysu-mm01", root).problems)
    assert "gallery visible: " in problems
    assert "1 image numbers are skipped" in problems
    assert "0001.jpg" in problems


def test_ten_trials_divide_the_people_anew(sets):
    divisions = set()
    for trial in range(1, 11):
        assert verify_dataset("regdb", sets / "regdb", trial=trial).ok
        dataset = load_dataset("regdb", sets / "regdb", trial=trial)
        train, test = ({t.identity for t in side} for side in (dataset.train, dataset.query))
        assert train | test == set(range(1, 7))
        assert not train & test
        divisions.add(frozenset(test))
    assert len(divisions) > 3


def test_both_sensors_of_regdb_see_the_same_poses(sets):
    dataset = load_dataset("regdb", sets / "regdb")
    pairs = zip(dataset.query, dataset.gallery, strict=True)
    for seen, sensed in pairs:
        assert seen.identity == sensed.identity
        pair = [track.frames[0].stem.split("_")[2:] for track in (seen, sensed)]
        assert pair[0] == pair[1]


@pytest.mark.parametrize("layout", ["hitsz-vcm", "bupt-campus", *IMAGE_LAYOUTS])
def test_people_without_a_partner(layout, tmp_path):
    root = tmp_path / "set"
    sizes = {**SMALL, "train_identities": 2, "test_identities": 1}
    render_dataset(root, layout=layout, options=SyntheticOptions(unshared=1.0), **sizes)
    for options in [{}] if layout != "regdb" else [{}, {"trial": 7}]:
        verification = verify_dataset(layout, root, **options)
        assert verification.ok, verification.text()
        notices = "\n".join(verification.notices)
        assert "train: 1 of 2 identities are visible only" in notices
        assert "train: 1 of 2 identities are infrared only" in notices
        dataset = load_dataset(layout, root, **options)
        assert {t.modality for t in dataset.train} == set(Modality)
        assert {t.modality for t in (*dataset.query, *dataset.gallery)} == set(Modality)
    assert render_dataset(
        root, layout=layout, options=SyntheticOptions(unshared=1.0), **sizes
    ).reused
    with pytest.raises(SyntheticError, match=r"unshared 1\.0 instead of 0\.0"):
        render_dataset(root, layout=layout, **sizes)


def test_the_marker_of_a_set_with_partners_is_as_it_was(sets):
    sizes = json.loads((sets / "regdb" / MARKER).read_text())["sizes"]
    assert "unshared" not in sizes


@pytest.mark.parametrize("layout, columns", [("sysu-mm01", 12), ("regdb", 6), ("llcm", 12)])
def test_contact_sheets(sets, tmp_path, layout, columns):
    contact_sheet(sets / layout, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[1] == 2 * 130
        assert sheet.size[0] <= columns * 66
        assert sheet.size[0] % 66 == 0
