"""Galleries, file by file: the released code's seeded ones, and SYSU-MM01's own permutations."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from vireid.datasets.track import Dataset, Modality, Track
from vireid.evaluation.galleries import official_gallery, read_permutations, seeded_gallery
from vireid.evaluation.protocols import protocols_of

CONFORMANCE = Path(__file__).parents[1] / "conformance"
# Not part of the repository: it lies beside it where the data set's own split is at hand.
OFFICIAL = Path(__file__).parents[3] / "shared" / "conformance" / "gallery_protocol_official.json"
GALLERY_CAMERAS = {"all": (1, 2, 4, 5), "indoor": (1, 2)}
SHOTS = {"1shot": "single", "10shot": "multi"}
INFRARED = (3, 6)


def image(path):
    camera, identity, _ = path.split("/")
    camera = int(camera.removeprefix("cam"))
    modality = Modality.INFRARED if camera in INFRARED else Modality.VISIBLE
    return Track((Path(path),), modality, camera, int(identity), path)


def sysu(files, root=Path("somewhere"), seed=0):
    """A test split in shuffled order: file order must not matter."""
    tracks = [image(path) for path in files]
    random.Random(seed).shuffle(tracks)
    query = [track for track in tracks if track.modality == Modality.INFRARED]
    gallery = [track for track in tracks if track.modality == Modality.VISIBLE]
    return Dataset("sysu-mm01", root, [], query, gallery)


@pytest.mark.parametrize("case", ["all_1shot", "all_10shot", "indoor_1shot", "indoor_10shot"])
def test_seeded_galleries_are_those_of_the_released_code(case):
    published = json.loads((CONFORMANCE / "gallery_protocol_mmm.json").read_text(encoding="utf-8"))
    people = {int(number) for number in published["test_id_txt"].split(",")}
    files = [path for path in published["files"] if int(path.split("/")[1]) in people]
    mode, shots = case.split("_")
    (protocol,) = protocols_of(sysu(files), f"sysu-mm01/{mode}/{SHOTS[shots]}")
    found = [[protocol.gallery[i].key for i in trial] for trial in protocol.trials]
    assert found == published["picks"][case]
    assert len(protocol.query) == sum(path[3] in "36" for path in files)


def test_fewer_images_than_shots_are_all_taken():
    tracks = [image(f"cam1/0001/{n:04d}.jpg") for n in range(1, 5)]
    assert sorted(seeded_gallery(tracks, 10, 0)) == [0, 1, 2, 3]
    assert len(seeded_gallery(tracks, 1, 0)) == 1


def test_a_track_without_identity_cannot_be_drawn():
    nameless = Track((Path("a.jpg"),), Modality.VISIBLE, 1, None, "a")
    with pytest.raises(ValueError, match="a has no identity"):
        seeded_gallery([nameless], 1, 0)


def cells(sizes, people):
    """Permutations like the published ones: cells by camera of cells by identity."""
    rng = np.random.default_rng(0)
    cameras = np.empty((6, 1), object)
    plain = {}
    for camera in range(1, 7):
        column = np.empty((people, 1), object)
        for identity in range(1, people + 1):
            size = sizes.get((camera, identity), 0)
            rows = [rng.permutation(size) + 1 for _ in range(10 if size else 0)]
            plain[camera, identity] = rows
            column[identity - 1, 0] = np.array(rows, np.uint8).reshape(len(rows), size)
        cameras[camera - 1, 0] = column
    return cameras, plain


def write_permutations(root, cameras):
    (root / "exp").mkdir(parents=True, exist_ok=True)
    savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": cameras})


@pytest.mark.parametrize("people", [1, 3])
def test_official_galleries_follow_the_permutations(tmp_path, people):
    sizes = {(c, i): 11 + c + i for c in range(1, 7) for i in range(1, people + 1)}
    sizes.pop((2, 1))
    cameras, plain = cells(sizes, people)
    write_permutations(tmp_path, cameras)
    files = [
        f"cam{c}/{i:04d}/{n:04d}.jpg" for (c, i), size in sizes.items() for n in range(1, size + 1)
    ]
    names = "sysu-mm01/all/multi,sysu-mm01/indoor/single,sysu-mm01/all/single/v2i"
    found = protocols_of(sysu(files, tmp_path), names, gallery="official")
    for protocol, shown, shots in zip(found, ((1, 2, 4, 5), (1, 2), (3, 6)), (10, 1, 1)):
        assert protocol.gallery_kind == "official"
        for number, trial in enumerate(protocol.trials):
            wanted = [
                f"cam{c}/{i:04d}/{n:04d}.jpg"
                for i in range(1, people + 1)
                for c in shown
                if (c, i) in sizes
                for n in plain[c, i][number][:shots]
            ]
            assert [protocol.gallery[i].key for i in trial] == wanted


def test_official_galleries_need_the_complete_copy(tmp_path):
    tracks = [image(f"cam1/0001/{n:04d}.jpg") for n in (1, 2, 4)]
    permutations = {(1, 1): np.array([[3, 1, 2, 4]])}
    with pytest.raises(ValueError, match="image 3 of identity 1 by camera 1 is not among the 3"):
        official_gallery(tracks, 1, 1, permutations)
    with pytest.raises(ValueError, match=r"expected a permutation of the 3 images.*found none"):
        official_gallery(tracks, 1, 1, {})
    with pytest.raises(ValueError, match=r"trial 2.*found 1 of them"):
        official_gallery(tracks, 1, 2, permutations)
    odd = Track((Path("cam1/0001/first.jpg"),), Modality.VISIBLE, 1, 1, "odd")
    with pytest.raises(ValueError, match=r"a number as file name.*first\.jpg"):
        official_gallery([odd], 1, 1, permutations)


@pytest.mark.parametrize("content", [b"", b"no MATLAB file at all", b"MATLAB 5.0 MAT-file" * 40])
def test_a_file_that_is_something_else_is_named(tmp_path, content):
    file = tmp_path / "rand_perm_cam.mat"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"rand_perm_cam\.mat does not hold the cells"):
        read_permutations(file)
    savemat(file, {"something": np.eye(3)})
    with pytest.raises(ValueError, match=r"does not hold the cells.*KeyError"):
        read_permutations(file)


@pytest.mark.skipif(not OFFICIAL.is_file(), reason=f"no official split at {OFFICIAL}")
def test_the_published_permutations_give_the_published_galleries(tmp_path):
    published = json.loads(OFFICIAL.read_text(encoding="utf-8"))
    stored = {int(identity): found for identity, found in published["rand_perm_cam"].items()}
    cameras = np.empty((6, 1), object)
    for camera in range(1, 7):
        column = np.empty((max(stored), 1), object)
        for identity in range(1, max(stored) + 1):
            rows = stored.get(identity, {}).get(f"cam{camera}", [])
            column[identity - 1, 0] = np.array(rows, np.uint8).reshape(len(rows), -1 if rows else 0)
        cameras[camera - 1, 0] = column
    write_permutations(tmp_path, cameras)
    files = [
        f"cam{camera}/{identity:04d}/{number:04d}.jpg"
        for identity in stored
        for camera, count in enumerate(
            published["images_per_camera_of_test_ids"][str(identity)], start=1
        )
        for number in range(1, count + 1)
    ]
    dataset = sysu(files, tmp_path)
    for mode, shown in GALLERY_CAMERAS.items():
        for shots, word in SHOTS.items():
            (protocol,) = protocols_of(dataset, f"sysu-mm01/{mode}/{word}", gallery="official")
            for number, trial in enumerate(protocol.trials, start=1):
                wanted = published["gallery_image_numbers"][str(number)][f"{mode}_{shots}"]
                found = {}
                for position in trial:
                    track = protocol.gallery[position]
                    person = found.setdefault(str(track.identity), {})
                    person.setdefault(f"cam{track.camera}", []).append(int(track.frames[0].stem))
                assert {c for p in found.values() for c in p} <= {f"cam{c}" for c in shown}
                assert found == {person: c for person, c in wanted.items() if c}
