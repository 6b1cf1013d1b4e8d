"""Readers: published indexes, layouts made by hand, and damaged copies."""

import dataclasses
import json
from pathlib import Path

import pytest
from PIL import Image
from vireid.datasets import DatasetError, Modality, load_dataset
from vireid.datasets.layouts import recognise_layout
from vireid.datasets.registry import dataset_spec
from vireid.datasets.verify import require_complete, verify_dataset

FOLDER = Path(__file__).parents[1] / "conformance"
HITSZ = json.loads((FOLDER / "index_hitsz_vcm.json").read_text())
BUPT = json.loads((FOLDER / "index_buptcampus.json").read_text())
CODES = {1: Modality.INFRARED, 2: Modality.VISIBLE}


def write(root, texts):
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def hitsz(tmp_path):
    return write(tmp_path, HITSZ["texts"])


@pytest.fixture
def bupt(tmp_path):
    (tmp_path / "DATA").mkdir()
    return write(tmp_path, BUPT["texts"])


def files(tracks, root):
    return [[path.relative_to(root).as_posix() for path in t.frames] for t in tracks]


def assert_split(tracks, expected, root):
    assert files(tracks, root) == expected["tracks"]
    identities = expected.get("original_pids", expected.get("pids"))
    assert [t.identity for t in tracks] == identities
    assert [t.camera for t in tracks] == expected["cids"]
    assert [t.modality for t in tracks] == [CODES[code] for code in expected["mids"]]


@pytest.mark.parametrize("min_frames", [12, 0])
def test_published_hitsz_index(hitsz, min_frames):
    dataset = load_dataset("hitsz-vcm", hitsz, min_frames=min_frames)
    expected = HITSZ[f"min_seq_len_{min_frames}"]
    for split in ("train", "query", "gallery"):
        assert_split(getattr(dataset, split), expected[split], hitsz)
    assert dataset.name == "hitsz-vcm"
    assert dataset.options == {"min_frames": min_frames}


def test_hitsz_filters_at_twelve_by_default(hitsz):
    default, asked = (
        load_dataset("hitsz-vcm", hitsz),
        load_dataset("HITSZVCM", hitsz, min_frames=12),
    )
    assert default.train == asked.train


def test_published_bupt_index(bupt):
    dataset = load_dataset("bupt-campus", bupt)
    for split in ("train", "query", "gallery"):
        assert_split(getattr(dataset, split), BUPT[split], bupt)


def test_keys_are_unique_and_stable(hitsz, tmp_path):
    everything = load_dataset("hitsz-vcm", hitsz, min_frames=0)
    keys = [t.key for part in ("train", "query", "gallery") for t in getattr(everything, part)]
    assert len(set(keys)) == len(keys)
    assert keys[0] == "train/0008M1D3T1"
    filtered = load_dataset("hitsz-vcm", hitsz)
    assert {t.key: t.frames for t in filtered.train}.items() <= {
        t.key: t.frames for t in everything.train
    }.items()


def test_a_repeated_name_gets_its_row_number(hitsz):
    names = hitsz / "info/train_name.txt"
    names.write_text(names.read_text().replace("0008M2D5T1F", "0008M2D3T1F2"))
    rows = hitsz / "info/track_train_info.txt"
    rows.write_text(rows.read_text().replace("2 27 37 8 5", "2 27 37 8 3"))
    keys = [t.key for t in load_dataset("hitsz-vcm", hitsz, min_frames=0).train[:3]]
    assert keys == ["train/0008M1D3T1", "train/0008M2D3T1", "train/0008M2D3T1#3"]


def test_blank_last_lines_and_windows_line_ends(hitsz):
    before = load_dataset("hitsz-vcm", hitsz)
    for path in (hitsz / "info").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n \r\n")
    assert load_dataset("hitsz-vcm", hitsz) == before


def test_blank_last_lines_in_bupt(bupt):
    before = load_dataset("bupt-campus", bupt)
    for name in ("train.txt", "query.txt", "gallery.txt"):
        with (bupt / name).open("a") as file:
            file.write("\n\n")
    assert load_dataset("bupt-campus", bupt) == before


def test_bupt_auxiliary_under_either_name(bupt):
    plain = load_dataset("bupt-campus", bupt).train
    more = load_dataset("bupt-campus", bupt, auxiliary=True).train
    assert more[: len(plain)] == plain
    assert [t.identity for t in more[len(plain) :]] == [2830, 2830, 2831, 2831]
    assert more[len(plain)].key == "auxiliary/2830/IR/TSG1/1"
    (bupt / "train_auxiliary.txt").rename(bupt / "train_aux.txt")
    assert load_dataset("bupt-campus", bupt, auxiliary=True).train == more


def test_bupt_auxiliary_may_be_missing_unless_asked_for(bupt):
    (bupt / "train_auxiliary.txt").unlink()
    assert load_dataset("bupt-campus", bupt).train
    with pytest.raises(DatasetError, match=r"train_auxiliary\.txt or train_aux\.txt missing"):
        load_dataset("bupt-campus", bupt, auxiliary=True)


def test_bupt_fake_infrared_stands_in_for_visible_frames(bupt):
    real, fake = load_dataset("bupt-campus", bupt), load_dataset("bupt-campus", bupt, fake_ir=True)
    changed = 0
    for split in ("train", "query", "gallery"):
        for old, new in zip(getattr(real, split), getattr(fake, split), strict=True):
            if old.modality is Modality.INFRARED:
                assert old == new
                continue
            changed += 1
            assert dataclasses.replace(new, frames=old.frames) == old
            assert [frame.as_posix().replace("/FakeIR/", "/RGB/") for frame in new.frames] == [
                frame.as_posix() for frame in old.frames
            ]
            assert all("/FakeIR/" in frame.as_posix() for frame in new.frames)
    assert changed


def test_bupt_fake_infrared_as_the_table_lists_it(bupt):
    table = json.loads((bupt / "data_paths.json").read_text())
    table["7"]["FakeIR"] = {"CQ1": {"1": ["7/FakeIR/CQ1/listed.jpg"]}}
    (bupt / "data_paths.json").write_text(json.dumps(table))
    infrared, visible = load_dataset("bupt-campus", bupt, fake_ir=True).train[:2]
    assert visible.frames == (bupt / "DATA/7/FakeIR/CQ1/listed.jpg",)
    assert "/IR/" in infrared.frames[0].as_posix()


def edit(root, name, old, new, count=1):
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


@pytest.mark.parametrize(
    "name, old, new, message",
    [
        ("track_train_info.txt", "1 38 50 1 2\n", "1 38 50 1\n", r"info.txt:4: expected five"),
        ("track_train_info.txt", "1 38 50 1 2\n", "1 38 x 1 2\n", r"info.txt:4: .*found '1 38 x"),
        ("track_train_info.txt", "1 38 50 1 2\n", "3 38 50 1 2\n", r"info.txt:4: .*2 visible"),
        ("track_train_info.txt", "1 38 50 1 2\n", "\n", r"info.txt:4: expected five"),
        (
            "track_train_info.txt",
            "1 38 50 1 2\n",
            "1 38 500 1 2\n",
            r":4: .*38 to 500 of .*has 138",
        ),
        ("track_train_info.txt", "1 38 50 1 2\n", "1 50 38 1 2\n", r":4: the track takes lines 50"),
        ("track_train_info.txt", "1 1 12 8 3\n", "1 0 12 8 3\n", r":1: the track takes lines 0"),
        ("train_name.txt", "0008M1D3T1F6.jpg", "0008X1D3T1F6.jpg", r"train_name.txt:2: .*0008X1"),
        ("train_name.txt", "0008M1D3T1F6.jpg\n", "\n", r"train_name.txt:2: .*frame name"),
        ("query_IDX.txt", "6 1\n3\n", "6 1\n9\n", r"query_IDX.txt:2: query row 9 .*rows 1 to 8"),
        ("query_IDX.txt", "6 1\n3\n", "6 0\n3\n", r"query_IDX.txt:1: query row 0"),
        ("query_IDX.txt", "6 1\n3\n", "6 1\n6\n", r"query_IDX.txt:2: query row 6 .*twice"),
        ("query_IDX.txt", "6 1\n3\n", "6 1\nsix\n", r"query_IDX.txt:2: .*'six'"),
    ],
)
def test_malformed_hitsz_lists_are_named_with_their_line(hitsz, name, old, new, message):
    edit(hitsz, f"info/{name}", old, new)
    with pytest.raises(DatasetError, match=message):
        load_dataset("hitsz-vcm", hitsz)
    problems = verify_dataset("hitsz-vcm", hitsz).problems
    assert any(name in problem for problem in problems)


def test_a_truncated_name_list(hitsz):
    path = hitsz / "info/train_name.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:130]))
    with pytest.raises(DatasetError, match=r"track_train_info.txt:11: .*127 to 138 .*has 130.*cut"):
        load_dataset("hitsz-vcm", hitsz)


@pytest.mark.parametrize(
    "name, old, new, message",
    [
        ("train.txt", "30 RGB/IR W4 1", "30 RGB/IR W4", r"train.txt:6: expected person"),
        ("train.txt", "30 RGB/IR W4 1", "30 UV W4 1", r"train.txt:6: expected person"),
        ("train.txt", "30 RGB/IR W4 1", "x RGB/IR W4 1", r"train.txt:6: expected person"),
        ("train.txt", "30 RGB/IR W4 1", "30 RGB/IR W9 1", r"train.txt:6: unknown camera 'W9'.*LS3"),
        ("query.txt", "9 IR CQ1 1", "9 IR CQ1 7", r"query.txt:2: .*no frames of person 9, IR, "),
        ("query.txt", "9 IR CQ1 1", "99 IR CQ1 1", r"query.txt:2: .*no frames of person 99"),
        ("data_paths.json", '"7": {', '"7": ', r"data_paths.json:1: not valid JSON"),
    ],
)
def test_malformed_bupt_lists_are_named_with_their_line(bupt, name, old, new, message):
    edit(bupt, name, old, new)
    with pytest.raises(DatasetError, match=message):
        load_dataset("bupt-campus", bupt)
    assert any(name in problem for problem in verify_dataset("bupt-campus", bupt).problems)


def test_a_table_that_is_no_object(bupt):
    (bupt / "data_paths.json").write_text("[1]")
    with pytest.raises(DatasetError, match="expected an object"):
        load_dataset("bupt-campus", bupt)


def test_a_list_that_is_no_text(hitsz):
    (hitsz / "info/train_name.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read as text"):
        load_dataset("hitsz-vcm", hitsz)


def test_a_missing_list(hitsz):
    (hitsz / "info/query_IDX.txt").unlink()
    with pytest.raises(DatasetError, match=r"info/query_IDX.txt missing. Copy"):
        load_dataset("hitsz-vcm", hitsz)


def test_an_empty_split(hitsz):
    with pytest.raises(DatasetError, match=r"train split .* no tracks \(all 11 listed ones"):
        load_dataset("hitsz-vcm", hitsz, min_frames=99)
    (hitsz / "info/query_IDX.txt").write_text("")
    with pytest.raises(DatasetError, match=r"query split .* no tracks \(none are listed\)"):
        load_dataset("hitsz-vcm", hitsz)


@pytest.mark.parametrize("name", ["HITSZVCM", "hitsz_vcm", "Hitsz-VCM", "vcm"])
def test_spellings(name):
    assert dataset_spec(name).name == "hitsz-vcm"
    assert dataset_spec("BUPTCampus").name == "bupt-campus"


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DatasetError, match=r"market.*bupt-campus, folder, .*, regdb, sysu-mm01"):
        load_dataset("market", tmp_path)


def test_a_folder_of_another_layout(hitsz):
    with pytest.raises(DatasetError, match="looks like hitsz-vcm: use --dataset hitsz-vcm"):
        load_dataset("bupt-campus", hitsz)
    with pytest.raises(DatasetError, match="looks like one: give that as --data-dir"):
        load_dataset("hitsz-vcm", hitsz.parent)
    with pytest.raises(DatasetError, match="looks like one: give that as --data-dir"):
        load_dataset("hitsz-vcm", hitsz / "info")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        load_dataset("hitsz-vcm", tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="is a file"):
        load_dataset("bupt-campus", tmp_path / "file")
    with pytest.raises(DatasetError, match="No known layout fits"):
        load_dataset("bupt-campus", tmp_path)
    assert recognise_layout(tmp_path) is None


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 4), (90, 80, 70)).save(path)


@pytest.fixture
def own(tmp_path):
    root = tmp_path / "mein Ordner ä"
    for split, person in (("train", "7"), ("train", "12"), ("query", "3"), ("gallery", "3")):
        for modality in ("visible", "infrared"):
            camera = (
                root / split / person / modality / ("cam2" if modality == "visible" else "cam10")
            )
            picture(camera / "still.jpg")
            for frame in (1, 2, 10):
                picture(camera / "walk" / f"{frame}.png")
    (root / "train/7/visible/cam2/notes.txt").write_text("not an image")
    return root


def test_plain_folders(own):
    dataset = load_dataset("folder", own)
    assert [t.key for t in dataset.train[:4]] == [
        "train/7/infrared/cam10/still.jpg",
        "train/7/infrared/cam10/walk",
        "train/7/visible/cam2/still.jpg",
        "train/7/visible/cam2/walk",
    ]
    walk = dataset.train[1]
    assert [path.name for path in walk.frames] == ["1.png", "2.png", "10.png"]
    assert (walk.identity, walk.camera, walk.modality) == (7, 10, Modality.INFRARED)
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (8, 4, 4)
    assert len(load_dataset("folder", own, min_frames=2).train) == 4
    verification = verify_dataset("folder", own)
    assert verification.ok
    assert verification.source == ""


def test_plain_folders_with_names(own):
    (own / "train/12").rename(own / "train/Ada")
    (own / "train/7").rename(own / "train/unknown")
    for split in ("query", "gallery"):
        (own / split / "3").rename(own / split / "Bo")
    dataset = load_dataset("folder", own)
    assert {t.identity for t in dataset.train} == {0, None}
    assert {t.identity for t in dataset.query} == {t.identity for t in dataset.gallery} == {1}


@pytest.mark.parametrize(
    "path, message",
    [
        ("train/7/thermal/cam1/a.jpg", "visible or infrared"),
        ("query/unknown/visible/cam1/a.jpg", "need an identity"),
        ("train/7/visible/cam1/hollow/readme.txt", "no image files"),
    ],
)
def test_plain_folders_with_faults(own, path, message):
    (own / path).parent.mkdir(parents=True)
    (own / path).write_text("")
    with pytest.raises(DatasetError, match=message):
        load_dataset("folder", own)
    assert not verify_dataset("folder", own).ok


def test_plain_folders_need_all_splits(own):
    (own / "gallery").rename(own / "other")
    with pytest.raises(DatasetError, match=r"gallery missing"):
        load_dataset("folder", own)


REAL = Path(__file__).parents[3] / "shared" / "real-tracklets"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real tracklets are not here")
def test_real_tracklets():
    dataset = load_dataset("hitsz-vcm", REAL)
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (32, 14, 14)
    assert all(t.modality is Modality.INFRARED for t in dataset.query)
    assert all(path.is_file() for track in dataset.train for path in track.frames)
    verification = verify_dataset("hitsz-vcm", REAL)
    assert not any("missing" in problem for problem in verification.problems)
    with pytest.raises(DatasetError, match="--allow-incomplete"):
        require_complete(verification)
    require_complete(verification, allow_incomplete=True)
