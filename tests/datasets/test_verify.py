"""Verification: a complete copy passes, and each kind of damage is named."""

import json

import pytest
from PIL import Image
from vireid.datasets import DatasetError
from vireid.datasets.registry import DATASETS, dataset_spec
from vireid.datasets.spec import Counts
from vireid.datasets.track import Modality
from vireid.datasets.verify import require_complete, verify_dataset

# person, modality code, camera, frames
TRAIN = [(1, 1, 4, 13), (1, 2, 1, 12), (2, 1, 4, 5), (2, 1, 5, 12), (2, 2, 1, 14), (3, 2, 2, 12)]
TEST = [(8, 1, 4, 12), (8, 2, 1, 12), (9, 1, 4, 13), (9, 2, 2, 12), (9, 2, 1, 3)]


def count(rows):
    return {
        "identities": len({person for person, *_ in rows}),
        "tracks": len(rows),
        "frames": sum(frames for *_, frames in rows),
    }


def stages(rows):
    return {"before": count(rows), "after": count([r for r in rows if r[3] >= 12])}


def of(rows, code):
    return [row for row in rows if row[1] == code]


@pytest.fixture
def copy(tmp_path):
    """A tiny set in the HITSZ-VCM layout that says itself what is complete."""
    info = tmp_path / "info"
    info.mkdir()
    picture = tmp_path / "picture.jpg"
    Image.new("RGB", (2, 4), (90, 80, 70)).save(picture)
    for split, tracks in (("train", TRAIN), ("test", TEST)):
        names, rows = [], []
        for number, (person, code, camera, frames) in enumerate(tracks, start=1):
            folder = tmp_path / split.capitalize() / f"{person:04d}" / ["", "ir", "rgb"][code]
            folder = folder / f"D{camera}"
            folder.mkdir(parents=True, exist_ok=True)
            rows.append(f"{code} {len(names) + 1} {len(names) + frames} {person} {camera}")
            for frame in range(frames):
                name = f"{100 * number + frame}.jpg"
                (folder / name).hardlink_to(picture)
                names.append(f"{person:04d}M{code}D{camera}T{number}F{name}")
        (info / f"{split}_name.txt").write_text("\n".join(names) + "\n")
        (info / f"track_{split}_info.txt").write_text("\n".join(rows) + "\n")
    (info / "query_IDX.txt").write_text("1\n3\n")
    counts = {
        "train": {"visible": stages(of(TRAIN, 2)), "infrared": stages(of(TRAIN, 1))},
        "query": {"infrared": stages(of(TEST, 1))},
        "gallery": {"visible": stages(of(TEST, 2))},
    }
    mark = {"layout": "hitsz-vcm", "preset": "tiny", "seed": 3, "counts": counts}
    (tmp_path / "vireid-synthetic.json").write_text(json.dumps(mark))
    return tmp_path


def drop_lines(path, number):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-number]))


def test_a_complete_copy(copy):
    verification = verify_dataset("hitsz-vcm", copy)
    assert verification.problems == ()
    assert verification.ok
    assert verification.source == "synthetic set, preset tiny, seed 3"
    text = verification.text()
    assert "wanted: synthetic set" in text
    assert text.endswith("complete")
    require_complete(verification)
    found = {row.part: row.found for row in verification.rows}
    assert found["train", Modality.INFRARED, False] == Counts(2, 2, 25)
    assert found["train", Modality.INFRARED, True] == Counts(2, 3, 30)
    assert found["train", None, False] == Counts(3, 5, 63)
    assert found["gallery", Modality.VISIBLE, False] == Counts(2, 2, 24)
    assert len(found) == len(verification.rows)


def test_people_of_one_modality_are_a_notice(copy):
    verification = verify_dataset("hitsz-vcm", copy)
    assert "train: 1 of 3 identities are visible only: 3" in verification.notices
    assert "notice: train: 1 of 3" in verification.text()


def test_deleted_frames_are_counted_and_named(copy):
    (copy / "Train/0001/ir/D4/103.jpg").unlink()
    verification = verify_dataset("hitsz-vcm", copy)
    assert not verification.ok
    (problem,) = verification.problems
    assert problem.startswith("1 of 120 listed frames are missing")
    assert f"{copy / 'Train/0001/ir/D4/103.jpg'} (listed in info/train_name.txt:4)" in problem
    with pytest.raises(DatasetError, match=r"(?s)listed in info/train_name.txt:4.*--allow-incompl"):
        require_complete(verification)
    require_complete(verification, allow_incomplete=True)


def test_a_deleted_folder_lists_the_first_frames(copy):
    folder = copy / "Test/0009/rgb/D2"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    (problem,) = verify_dataset("hitsz-vcm", copy).problems
    assert problem.startswith("12 of 120")
    assert problem.count("listed in") == 5
    assert problem.endswith("and 7 more")


def test_a_truncated_track_list(copy):
    drop_lines(copy / "info/track_train_info.txt", 1)
    problems = verify_dataset("hitsz-vcm", copy).problems
    assert "train visible: 3 identities wanted, 2 found; 3 tracks wanted, 2 found; " in problems[0]
    rows = copy / "info/track_train_info.txt"
    assert (
        f"{rows}:5: the last track ends at line 56 of info/train_name.txt, which has 68"
        in (problems[-1])
    )


def test_a_truncated_name_list(copy):
    drop_lines(copy / "info/test_name.txt", 2)
    problems = "\n".join(verify_dataset("hitsz-vcm", copy).problems)
    assert f"{copy / 'info/track_test_info.txt'}:5: the track takes lines 50 to 52" in problems


def test_a_query_index_out_of_range(copy):
    (copy / "info/query_IDX.txt").write_text("1\n3\n6\n")
    (problem,) = verify_dataset("hitsz-vcm", copy).problems
    assert problem.startswith(f"{copy / 'info/query_IDX.txt'}:3: query row 6 is out of range")


def test_a_truncated_query_list(copy):
    drop_lines(copy / "info/query_IDX.txt", 1)
    problems = "\n".join(verify_dataset("hitsz-vcm", copy).problems)
    assert "query infrared: 2 identities wanted, 1 found" in problems


def test_all_complaints_are_collected(copy):
    (copy / "info/query_IDX.txt").write_text("1\n77\nx\n3\n")
    (copy / "Train/0001/ir/D4/103.jpg").unlink()
    verification = verify_dataset("hitsz-vcm", copy)
    assert len(verification.problems) == 3
    assert verification.text().count("problem: ") == 3


def test_blank_last_lines_are_no_problem(copy):
    for path in (copy / "info").iterdir():
        path.write_text(path.read_text() + "\n\n")
    assert verify_dataset("hitsz-vcm", copy).ok


def test_rows_that_contradict_their_names(copy):
    rows = copy / "info/track_train_info.txt"
    rows.write_text(rows.read_text().replace("1 1 13 1 4", "1 1 13 1 6"))
    verification = verify_dataset("hitsz-vcm", copy)
    # The counts are right, so it is an oddity of the lists and no damage.
    assert verification.ok
    assert any(f"{rows}:1: the row says person 1" in notice for notice in verification.notices)


def test_queries_without_an_answer(copy):
    rows = copy / "info/track_test_info.txt"
    # Person 8 is seen by one camera only; person 9 becomes another person among the queries.
    text = rows.read_text().replace("2 13 24 8 1", "2 13 24 8 4").replace("25 37 9", "25 37 7")
    rows.write_text(text)
    notices = "\n".join(verify_dataset("hitsz-vcm", copy).notices)
    assert "1 infrared queries have no visible track of their identity" in notices
    assert "do not count; identities 7" in notices
    assert "1 infrared queries have visible tracks of their identity only in their own" in notices
    assert "1 visible queries have no infrared track" in notices


def test_people_on_both_sides(copy):
    rows = copy / "info/track_test_info.txt"
    rows.write_text(rows.read_text().replace(" 8 ", " 1 "))
    notices = verify_dataset("hitsz-vcm", copy).notices
    assert "1 identities are in training and test: 1" in notices


def test_another_filter_is_held_against_unfiltered_counts(copy):
    verification = verify_dataset("hitsz-vcm", copy, min_frames=4)
    assert verification.ok
    wanted = {row.part[2] for row in verification.rows if row.wanted != Counts()}
    assert wanted == {True}


def test_another_filter_that_leaves_nothing(copy):
    problems = "\n".join(verify_dataset("hitsz-vcm", copy, min_frames=99).problems)
    for split in ("train", "query", "gallery"):
        assert f"the {split} split has no usable tracks" in problems


@pytest.mark.parametrize("text", ["{", "[]", '{"layout": "hitsz-vcm"}', '{"counts": 3}'])
def test_a_broken_mark(copy, text):
    (copy / "vireid-synthetic.json").write_text(text)
    assert any("render the set again" in p for p in verify_dataset("hitsz-vcm", copy).problems)


def test_a_mark_of_another_layout(copy):
    mark = copy / "vireid-synthetic.json"
    mark.write_text(mark.read_text().replace("hitsz-vcm", "bupt-campus"))
    (problem,) = verify_dataset("hitsz-vcm", copy).problems
    assert "use --dataset bupt-campus" in problem


def test_without_a_mark_published_counts_are_wanted(copy):
    (copy / "vireid-synthetic.json").unlink()
    verification = verify_dataset("hitsz-vcm", copy)
    assert verification.source == "published counts"
    assert any("9,751 tracks wanted, 5 found" in problem for problem in verification.problems)
    for row in verification.rows:
        assert row.wanted == dataset_spec("hitsz-vcm").counts.get(row.part, Counts())
    assert set(dataset_spec("hitsz-vcm").counts) <= {row.part for row in verification.rows}


def test_published_parts_add_up():
    for spec in DATASETS.values():
        for (split, modality, everything), counts in spec.counts.items():
            pair = [spec.counts.get((split, m, everything)) for m in Modality]
            if modality is None and all(pair):
                assert sum(p.tracks for p in pair) == counts.tracks


def test_not_the_layout(copy):
    verification = verify_dataset("bupt-campus", copy)
    (problem,) = verification.problems
    assert "use --dataset hitsz-vcm" in problem
    assert "--allow-incomplete" not in verification.text()  # which would not help
    assert not verify_dataset("hitsz-vcm", copy / "none").ok


def test_an_unknown_name_is_an_error(copy):
    with pytest.raises(DatasetError, match="unknown data set"):
        verify_dataset("market", copy)


def bupt_copy(root):
    table, lines = {}, {"train": [], "query": [], "gallery": []}
    for person, split in ((5, "train"), (6, "train"), (7, "query"), (7, "gallery")):
        camera = "G25" if split == "query" else "LS3"
        for kind in ("IR", "RGB"):
            names = [f"{person}/{kind}/{camera}/{person}_{kind}_{camera}_1_{i}.jpg" for i in (8, 9)]
            table.setdefault(str(person), {}).setdefault(kind, {})[camera] = {"1": names}
            for name in names:
                path = root / "DATA" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"x")
        lines[split].append(f"{person} RGB/IR {camera} 1")
    for split, rows in lines.items():
        (root / f"{split}.txt").write_text("\n".join(rows) + "\n")
    (root / "data_paths.json").write_text(json.dumps(table))
    return root


def test_bupt_missing_frames_name_the_row(tmp_path):
    root = bupt_copy(tmp_path)
    (root / "DATA/6/RGB/LS3/6_RGB_LS3_1_9.jpg").unlink()
    problems = "\n".join(verify_dataset("bupt-campus", root).problems)
    assert "1 of 16 listed frames are missing" in problems
    assert "6_RGB_LS3_1_9.jpg (listed in train.txt:2)" in problems
    assert "3,574 tracks wanted, 2 found" in problems


def test_bupt_without_auxiliary_list_is_a_notice(tmp_path):
    verification = verify_dataset("bupt-campus", bupt_copy(tmp_path))
    assert any("train_aux.txt is missing" in notice for notice in verification.notices)
    assert not any(row.part[0] == "auxiliary" for row in verification.rows)


def test_bupt_auxiliary_tracks_are_counted_apart(tmp_path):
    root = bupt_copy(tmp_path)
    (root / "train_aux.txt").write_text("5 RGB/IR LS3 1\n")
    for options in ({}, {"auxiliary": True}):
        found = {r.part: r.found for r in verify_dataset("bupt-campus", root, **options).rows}
        assert found["train", None, False] == Counts(2, 4, 8)
        assert found["auxiliary", None, False] == Counts(1, 2, 4)
        assert found["query", Modality.VISIBLE, False] == Counts(1, 1, 2)
