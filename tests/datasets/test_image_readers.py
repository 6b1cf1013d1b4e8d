"""Readers of the image data sets: published indexes, layouts made by hand, and damaged copies."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vireid.datasets import DatasetError, Modality, load_dataset
from vireid.datasets.image_folder import skipped_numbers
from vireid.datasets.registry import dataset_spec
from vireid.datasets.track import Track
from vireid.datasets.verify import verify_dataset

FOLDER = Path(__file__).parents[1] / "conformance"
SYSU = json.loads((FOLDER / "index_sysu_mm01.json").read_text())
REGDB = json.loads((FOLDER / "index_regdb.json").read_text())
V, I = Modality.VISIBLE, Modality.INFRARED  # noqa: E741


def write(root, texts, images=()):
    for name in images:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def sysu(tmp_path):
    return write(tmp_path, SYSU["texts"], SYSU["files"])


@pytest.fixture
def regdb(tmp_path):
    (tmp_path / "Visible").mkdir()
    (tmp_path / "Thermal").mkdir()
    return write(tmp_path, REGDB["texts"])


def names(tracks, root):
    assert all(len(track.frames) == 1 for track in tracks)
    return [track.frames[0].relative_to(root).as_posix() for track in tracks]


def side(tracks, modality):
    return [track for track in tracks if track.modality is modality]


def test_published_sysu_queries(sysu):
    query = load_dataset("sysu-mm01", sysu).query
    assert [
        {"file": name, "pid": track.identity, "cam": track.camera}
        for name, track in zip(names(query, sysu), query)
    ] == SYSU["query_all"]
    assert all(track.modality is I for track in query)


@pytest.mark.parametrize("modality, folder", [(V, "rgb_modify"), (I, "ir_modify")])
def test_published_sysu_training_lists(sysu, modality, folder):
    tracks = side(load_dataset("sysu", sysu).train, modality)
    expected = SYSU["train_list_sorted"][folder]
    prepared = SYSU["prepared_train"][f"{folder}/bounding_box_train"]
    assert names(tracks, sysu) == [prepared[name] for name in expected["files"]]
    assert [track.identity for track in tracks] == expected["original_pids"]
    assert [track.camera - 1 for track in tracks] == expected["cams_zero_based"]


def test_published_sysu_test_images(sysu):
    dataset = load_dataset("sysu-mm01", sysu)
    for folder, tracks in (("ir_modify", dataset.query), ("rgb_modify", dataset.gallery)):
        for person, counts in SYSU["prepared_test_counts"][folder].items():
            found = [track for track in tracks if track.identity == int(person)]
            assert len(found) == sum(counts.values())
    assert {track.camera for track in dataset.gallery} <= {1, 2, 4, 5}


def test_sysu_keys_are_paths_and_unique(sysu):
    dataset = load_dataset("sysu-mm01", sysu)
    tracks = [*dataset.train, *dataset.query, *dataset.gallery]
    assert [track.key for track in tracks] == names(tracks, sysu)
    assert len({track.key for track in tracks}) == len(tracks) == len(SYSU["files"])


def test_files_that_are_no_images_do_not_count(sysu):
    before = load_dataset("sysu-mm01", sysu)
    write(sysu, {"cam1/0006/Thumbs.db": "", "cam1/0006/.a.jpg": "", "cam1/9999/1.jpg": ""})
    assert load_dataset("sysu-mm01", sysu) == before


def test_sysu_identities_may_take_several_lines(sysu):
    before = load_dataset("sysu-mm01", sysu)
    (sysu / "exp/train_id.txt").write_bytes(b"2, 7,\r\n30\r\n\r\n")
    assert load_dataset("sysu-mm01", sysu) == before


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("train_id.txt", "2,x7,30", r"train_id.txt:1: expected comma-separated .*'x7'"),
        ("test_id.txt", "6\n17;333", r"test_id.txt:2: .*'17;333'"),
        ("val_id.txt", "\n", r"val_id.txt names no person"),
        ("val_id.txt", None, r"val_id.txt is missing; copy it from the original archive"),
        ("test_id.txt", "6,333,17,2", r"test_id.txt: 1 test people are listed for training too: 2"),
    ],
)
def test_damaged_sysu_lists(sysu, name, text, message):
    if text is None:
        (sysu / "exp" / name).unlink()
    else:
        (sysu / "exp" / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_dataset("sysu-mm01", sysu)
    problems = "\n".join(verify_dataset("sysu-mm01", sysu).problems)
    assert name in problems


def test_sysu_without_validation_people_still_counts_the_rest(sysu):
    (sysu / "exp/val_id.txt").unlink()
    rows = {row.part: row for row in verify_dataset("sysu-mm01", sysu).rows}
    assert rows["train", None, False].found.identities == 3
    assert rows["train", None, False].wanted.identities == 395


def test_sysu_folders_that_were_not_copied_are_named(sysu):
    for path in sorted((sysu / "cam3/0111").iterdir()) + sorted((sysu / "cam6/0111").iterdir()):
        path.unlink()
    (sysu / "cam1/0006/0001.jpg").unlink(missing_ok=True)
    verification = verify_dataset("sysu-mm01", sysu)
    problems = "\n".join(verification.problems)
    assert "1 of 4 identities are visible only: 111" in "\n".join(verification.notices)
    assert "train infrared: 11,909 images wanted, 11 found" in problems
    assert "frames wanted" not in problems  # images need one count, not two
    assert "301 pairs of person and camera wanted" in problems
    assert "images" in verification.text().splitlines()[1]


def test_sysu_people_that_were_not_copied_are_named(sysu):
    for camera in range(1, 7):
        folder = sysu / f"cam{camera}/0111"
        if folder.is_dir():
            folder.rename(sysu / f"cam{camera}/away")
    problems = "\n".join(verify_dataset("sysu-mm01", sysu).problems)
    assert "1 people of exp/train_id.txt and exp/val_id.txt have no image: 111" in problems


def test_skipped_image_numbers(tmp_path):
    tracks = [
        Track((tmp_path / "cam1/0001" / name,), V, 1, 1, name)
        for name in ("0001.jpg", "0004.jpg", "other.jpg")
    ]
    (said,) = skipped_numbers(tracks)
    folder = (tmp_path / "cam1/0001").as_posix()
    assert said.startswith("2 image numbers are skipped")
    assert said.endswith(f"{folder}/0002.jpg, {folder}/0003.jpg")
    assert skipped_numbers(tracks[:1]) == []


def sysu_of(root, train_people, infrared, visible):
    """A training split with the given totals, over as many people, and one test person."""
    people = range(1, train_people + 1)
    for folder, total in (("cam3", infrared), ("cam1", visible)):
        for person in people:
            (root / folder / f"{person:04d}").mkdir(parents=True)
        for number in range(total):
            person, image = number % train_people + 1, number // train_people + 1
            (root / folder / f"{person:04d}" / f"{image:04d}.jpg").touch()
    texts = {"train_id.txt": ",".join(map(str, people)), "val_id.txt": "1", "test_id.txt": "900"}
    write(root / "exp", texts)
    images = ["cam1/0900/0001.jpg", "cam3/0900/0001.jpg"]
    for folder in ("cam2", "cam4", "cam5", "cam6"):
        (root / folder).mkdir()
    return write(root, {}, images)


def test_the_copy_of_367_people_is_recognised(tmp_path):
    problems = "\n".join(verify_dataset("sysu-mm01", sysu_of(tmp_path, 367, 400, 367)).problems)
    assert "395 identities wanted, 367 found" in problems
    assert "a widespread incomplete copy of 367 people and 11,333 infrared" in problems
    assert "exp/train_id.txt alone" not in problems


def test_training_images_without_validation_people_are_recognised(tmp_path):
    problems = "\n".join(verify_dataset("sysu-mm01", sysu_of(tmp_path, 296, 9_927, 300)).problems)
    assert "these are the counts of the images of exp/train_id.txt alone" in problems
    assert "367 people" not in problems


def test_a_prepared_folder_is_recognised(tmp_path):
    (tmp_path / "ir_modify").mkdir()
    with pytest.raises(DatasetError, match="was prepared for other code"):
        load_dataset("sysu-mm01", tmp_path)


@pytest.mark.parametrize("trial", [1, 2])
def test_published_regdb_lists(regdb, trial):
    dataset = load_dataset("regdb", regdb, trial=trial)
    expected = REGDB["trials"][str(trial)]
    for tracks, kind, modality in (
        (dataset.query, "test_visible", V),
        (dataset.gallery, "test_thermal", I),
    ):
        assert names(tracks, regdb) == expected[kind]["files"]
        assert [track.identity for track in tracks] == expected[kind]["labels"]
        assert {track.modality for track in tracks} == {modality}
    for folder, modality in (("rgb_modify", V), ("ir_modify", I)):
        tracks = side(dataset.train, modality)
        prepared = expected[f"{folder}/bounding_box_train"]
        assert sorted(names(tracks, regdb)) == sorted(prepared.values())
        by_name = dict(zip(names(tracks, regdb), (track.identity for track in tracks)))
        listed = expected[f"train_list_sorted_{folder}"]
        assert [by_name[prepared[name]] for name in listed["files"]] == listed["original_pids"]
    assert dataset.options == {"trial": trial}


def test_regdb_takes_the_first_trial_by_default(regdb):
    assert load_dataset("RegDB", regdb) == load_dataset("regdb", regdb, trial=1)
    assert load_dataset("regdb", regdb).train != load_dataset("regdb", regdb, trial=2).train


@pytest.mark.parametrize("trial", [0, 11])
def test_regdb_has_ten_trials(regdb, trial):
    with pytest.raises(DatasetError, match="trials 1 to 10"):
        load_dataset("regdb", regdb, trial=trial)


def test_regdb_lists_that_are_missing(regdb):
    with pytest.raises(DatasetError, match=r"idx/train_visible_3.txt, .*missing"):
        load_dataset("regdb", regdb, trial=3)
    notices = "\n".join(verify_dataset("regdb", regdb).notices)
    assert "lacks lists of trial 3, 4, 5, 6, 7, 8, 9, 10" in notices


@pytest.mark.parametrize(
    "line, message",
    [
        ("Visible/5/a.bmp", "train_visible_1.txt:4: expected an image below"),
        ("Visible/5/a.bmp five", "train_visible_1.txt:4: expected an image below"),
        ("../5/a.bmp 5", "train_visible_1.txt:4: expected an image below"),
        ("/data/5/a.bmp 5", "train_visible_1.txt:4: expected an image below"),
        ("", "train_visible_1.txt:4: expected an image below"),
        ("Thermal/5/a.bmp 5", "train_visible_1.txt:4: expected an image below Visible/"),
    ],
)
def test_damaged_regdb_lists(regdb, line, message):
    path = regdb / "idx/train_visible_1.txt"
    lines = path.read_text().splitlines()
    lines[3] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match=message):
        load_dataset("regdb", regdb)
    assert any(message in problem for problem in verify_dataset("regdb", regdb).problems)


def test_regdb_images_that_are_missing_name_their_line(regdb):
    problems = "\n".join(verify_dataset("regdb", regdb).problems)
    assert "46 of 46 listed frames are missing" in problems
    assert "female_back_v_00000_1.bmp (listed in idx/train_visible_1.txt:1)" in problems


def test_regdb_numbers_that_contradict_each_other(regdb):
    path = regdb / "idx/train_thermal_1.txt"
    text = path.read_text()
    path.write_text(text.replace("_1.bmp 5\n", "_1.bmp 6\n", 1))
    problems = "\n".join(verify_dataset("regdb", regdb).problems)
    assert "folder 5 has number 6, but 5 in" in problems


def test_regdb_numbers_may_start_anew_in_the_test_lists(regdb):
    def shared():
        return [n for n in verify_dataset("regdb", regdb).notices if "training and test" in n]

    assert not shared()
    for kind in ("visible", "thermal"):  # the test people 3 and 44 become 0 and 5, as in training
        path = regdb / f"idx/test_{kind}_1.txt"
        path.write_text(path.read_text().replace(" 3\n", " 0\n").replace(" 44\n", " 5\n"))
    assert not shared()
    for kind in ("visible", "thermal"):
        path = regdb / f"idx/test_{kind}_1.txt"
        path.write_text(path.read_text().replace("/3/", "/0/"))
    assert shared()


def test_windows_paths_and_line_ends(regdb):
    before = load_dataset("regdb", regdb)
    for path in (regdb / "idx").iterdir():
        path.write_bytes(path.read_bytes().replace(b"/", b"\\").replace(b"\n", b"\r\n"))
    assert load_dataset("regdb", regdb) == before


@pytest.fixture
def llcm(tmp_path):
    images = ["test_vis/cam1/0007/a.jpg", "test_nir/cam2/0007/b.jpg", "test_nir/cam1/0007/c.png"]
    for modality, skipped in (("vis", 0), ("nir", 3)):
        for number in range(1, 10):
            if number != skipped:
                (tmp_path / f"test_{modality}/cam{number}").mkdir(parents=True)
    train = {
        "idx/train_vis.txt": ["vis/0001/0001_c05_s1_f2.jpg 0", "vis/0002/0002_c9_x.jpg 7"],
        "idx/train_nir.txt": ["nir/0001/0001_c06_s1_f2_nir.jpg 0", "nir/cam4/0002/y.jpg 7"],
    }
    images += [line.split()[0] for lines in train.values() for line in lines]
    texts = {name: "\n".join(lines) + "\n" for name, lines in train.items()}
    return write(tmp_path, {**texts, "idx/test_id.txt": "7\n"}, images)


def test_llcm(llcm):
    dataset = load_dataset("LLCM", llcm)
    assert [(t.modality, t.camera, t.identity) for t in dataset.train] == [
        (V, 5, 0),
        (V, 9, 7),
        (I, 6, 0),
        (I, 4, 7),
    ]
    assert names(dataset.query, llcm) == ["test_nir/cam1/0007/c.png", "test_nir/cam2/0007/b.jpg"]
    assert [(t.modality, t.camera, t.identity) for t in dataset.gallery] == [(V, 1, 7)]
    verification = verify_dataset("llcm", llcm)
    assert not any("training and test" in notice for notice in verification.notices)
    assert "713 identities wanted, 2 found" in "\n".join(verification.problems)


def test_llcm_names_without_a_camera(llcm):
    path = llcm / "idx/train_vis.txt"
    path.write_text("vis/0001/somebody.jpg 0\n")
    assert load_dataset("llcm", llcm).train[0].camera == 0
    assert any("do not say which camera" in n for n in verify_dataset("llcm", llcm).notices)


def test_llcm_without_a_camera_folder(llcm):
    (llcm / "test_nir/cam9").rmdir()
    with pytest.raises(DatasetError, match=r"test_nir/cam9 missing. Copy what is missing"):
        load_dataset("llcm", llcm)


@pytest.mark.parametrize("name", ["sysu-mm01", "regdb", "llcm"])
def test_each_layout_is_told_from_the_others(name, tmp_path_factory, request):
    root = request.getfixturevalue(name.removesuffix("-mm01"))
    for other in ("sysu-mm01", "regdb", "llcm", "hitsz-vcm"):
        if other != name:
            with pytest.raises(DatasetError, match=f"looks like {name}: use --dataset {name}"):
                load_dataset(other, root)
    around = tmp_path_factory.mktemp("around")
    shutil.copytree(root, around / "copy")
    with pytest.raises(DatasetError, match="looks like one: give that as --data-dir"):
        load_dataset(name, around)


def test_spellings():
    assert {dataset_spec(name).name for name in ("SYSU", "sysu_mm01", "SYSU-MM01")} == {"sysu-mm01"}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_to_a_list_is_reported_and_never_crashes(regdb, data):
    """Cutting, doubling or overwriting bytes of a list ends in a count or in a message."""
    name = data.draw(st.sampled_from(sorted(n for n in REGDB["texts"] if n.endswith("_1.txt"))))
    text = REGDB["texts"][name].encode()
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, len(text)))
    damaged = text[:start] + data.draw(st.binary(max_size=6)) + text[end:]
    (regdb / name).write_bytes(damaged)
    try:
        verification = verify_dataset("regdb", regdb)
        assert not verification.ok
        try:
            dataset = load_dataset("regdb", regdb)
        except DatasetError as error:
            assert str(regdb) in str(error)
        else:
            tracks = [*dataset.train, *dataset.query, *dataset.gallery]
            assert len({track.key for track in tracks}) == len(tracks)
    finally:
        (regdb / name).write_text(REGDB["texts"][name])
