"""Reading run folders, whole ones and damaged ones."""

from __future__ import annotations

import json

import pytest
import torch
import vireid
from run_records import STARTED
from safetensors.torch import save_file
from vireid.datasets.track import Modality
from vireid.errors import UserError
from vireid.reporting.run_record import read_run, read_test_features, read_test_tracks

HEADER = "index,key,split,modality,camera,identity,frames\n"


def write(folder, records, config="dataset: hitsz-vcm\ndata_dir: data\n"):
    folder.mkdir(exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    if config is not None:
        (folder / "config.yaml").write_text(config)
    return folder


def test_records_follow_those_of_the_baseline(tmp_path):
    first = write(tmp_path / "one", [{"kind": "train", "epoch": 1}, STARTED | {"seed": 4}])
    second = write(
        tmp_path / "two", [STARTED, {"kind": "train", "epoch": 2}], f"baseline: {first}\nseed: 7\n"
    )
    run = read_run(second)
    assert run.baseline is not None and run.baseline.path == first
    assert [r["epoch"] for r in run.of_kind("train")] == [1, 2]
    assert [r["epoch"] for r in run.of_kind("train", own=True)] == [2]
    assert run.setting("seed") == 7 and run.setting("dataset") is None
    assert read_run(first).setting("seed") == 4
    assert run.notes == []


def test_a_baseline_that_moved_along_is_found_and_a_lost_one_noted(tmp_path):
    write(tmp_path / "one", [])
    moved = write(tmp_path / "two", [], "baseline: /was/here/before/one\n")
    assert read_run(moved).baseline.path == tmp_path / "one"
    lost = write(tmp_path / "three", [], "baseline: /was/here/before/zero\n")
    assert read_run(lost).baseline is None
    assert "zero is not there" in read_run(lost).notes[0]
    itself = write(tmp_path / "four", [], "baseline: four\n")
    assert read_run(itself).baseline is None


@pytest.mark.parametrize("tail", ['{"kind": "tra', '{"kind": "train", "loss": 1', '"half'])
def test_a_cut_last_line_is_left_out(tmp_path, tail):
    run = write(tmp_path / "run", [STARTED, {"kind": "train", "epoch": 1}])
    with (run / "metrics.jsonl").open("a") as file:
        file.write(tail)
    found = read_run(run)
    assert len(found.records) == 2
    assert "cut off" in found.notes[0]


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({}, "it names no version"),
        ({"versions": {"torch": "2.6"}}, "it names no version"),
        ({"versions": {"vireid": "0.1.3"}}, "vireid 0.1.3"),
        ({"versions": "0.2"}, "it names no version"),
    ],
)
def test_a_run_of_an_earlier_version_is_refused(tmp_path, versions, found):
    run = write(tmp_path / "run", [{"kind": "run", **versions}, {"kind": "train", "epoch": 1}])
    with pytest.raises(UserError, match=found) as refused:
        read_run(run)
    assert f"this is vireid {vireid.__version__}" in str(refused.value)
    assert str(run) in str(refused.value) and "make it again" in str(refused.value)
    later = write(tmp_path / "later", [STARTED], f"baseline: {run}\n")
    with pytest.raises(UserError, match=found):
        read_run(later)


@pytest.mark.parametrize("version", ["0.2", "0.2.0", "0.10.1", "1.0.0rc1"])
def test_later_versions_are_read(tmp_path, version):
    run = write(tmp_path / "run", [{"kind": "run", "versions": {"vireid": version}}])
    assert len(read_run(run).records) == 1


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    run = write(tmp_path / "run", [{"kind": "train"}])
    (run / "metrics.jsonl").write_text('{"kind": "train"}\nnonsense\n{"kind": "train"}\n')
    with pytest.raises(ValueError, match=r"metrics.jsonl, line 2: expected one JSON object"):
        read_run(run)


def test_folders_that_are_no_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no run folder: metrics.jsonl is missing"):
        read_run(tmp_path)
    run = write(tmp_path / "run", [], None)
    assert read_run(run).config == {} and "config.yaml is not there" in read_run(run).notes[0]
    (run / "config.yaml").write_text("- a list\n")
    with pytest.raises(ValueError, match="expected settings by name, found list"):
        read_run(run)


def test_test_split_and_features(tmp_path):
    run = write(tmp_path / "run", [])
    rows = ["0,a,query,infrared,3,12,x/1.jpg|x/2.jpg", "1,b,gallery,visible,1,,y/1.jpg"]
    (run / "test_tracks.csv").write_text(HEADER + "\n".join(rows) + "\n")
    record = read_run(run)
    dataset = read_test_tracks(record)
    (query,), (gallery,) = dataset.query, dataset.gallery
    assert (query.key, query.modality, query.camera) == ("a", Modality.INFRARED, 3)
    assert (query.identity, gallery.identity) == (12, None)
    assert [f.as_posix() for f in query.frames] == ["data/x/1.jpg", "data/x/2.jpg"]

    with pytest.raises(FileNotFoundError, match=r"test_features.safetensors"):
        read_test_features(record)
    features = torch.eye(2)
    save_file({"features": features}, run / "test_features.safetensors")
    found, keys = read_test_features(record)
    assert torch.equal(found, features) and keys == ["a", "b"]
    save_file({"features": torch.eye(3)}, run / "test_features.safetensors")
    with pytest.raises(ValueError, match=r"with 2 rows.*found \(3, 3\)"):
        read_test_features(record)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index,key\n", "the columns should be index, key, split"),
        (HEADER + "0,a,train,visible,1,2,f.jpg\n", "line 2: not a test track"),
        (HEADER + "0,a,query,thermal,1,2,f.jpg\n", "line 2: not a track"),
        (HEADER + "0,a,query\n", "line 2: 7 cells expected, 3 found"),
    ],
)
def test_malformed_test_tracks_are_named(tmp_path, text, message):
    run = write(tmp_path / "run", [])
    (run / "test_tracks.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_test_tracks(read_run(run))
