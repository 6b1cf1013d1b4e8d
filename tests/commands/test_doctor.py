"""The doctor: what it counts, what it calls bad, and its exit code."""

from __future__ import annotations

import shutil

import pytest
import yaml
from vireid.cli import main
from vireid.commands import doctor
from vireid.engine.resources import Room
from vireid.synthetic import render_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doctor") / "data"
    render_dataset(folder, layout="hitsz-vcm", preset="tiny", seed=0, workers=1)
    return folder


def lines(capsys):
    out = capsys.readouterr().out.splitlines()
    return {line[7:].split("  ")[0].strip(): line for line in out if line[:7] in MARKS}


MARKS = set(doctor.MARKS.values())


def test_a_machine_alone_is_sound(capsys):
    assert main(["doctor"]) == 0
    found = lines(capsys)
    assert {
        "versions",
        "cpu",
        "neighbour search",
        "disk",
        "shared memory",
        "memory",
    } <= found.keys()
    assert "torch" in found["versions"]
    assert "exact: works; FAISS: works" in found["neighbour search"]


def test_a_recipe_and_its_data(data, tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        yaml.safe_dump({"dataset": "hitsz-vcm", "p_num": 3, "k_num": 5, "num_frames": 2})
    )
    assert main(["doctor", "--recipe", str(recipe), "--data-dir", str(data)]) == 0
    found = lines(capsys)
    assert "3 x 5 = 15 clips of 2 frames (30 frames" in found["effective batch"]
    assert "synthetic set" in found["data set"]


@pytest.mark.parametrize(
    "asked, units, said, mark",
    [
        ("precision: fp16", True, "training bf16 (fp16 is asked for), tests fp32", "look"),
        ("precision: fp32", True, "training fp32, tests fp32", "ok"),
        ("p_num: 4", True, "training bf16 (auto is asked for), tests fp32", "ok"),
        ("p_num: 4", False, "training fp32 (auto is asked for), tests fp32", "ok"),
        ("test_precision: bf16", False, "fp32 (auto is asked for), tests bf16", "ok"),
    ],
)
def test_what_auto_comes_to_is_said(asked, units, said, mark, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vireid.engine.runtime.cpu_has_bf16_units", lambda: units)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"device: cpu\n{asked}\n")
    main(["doctor", "--recipe", str(recipe)])
    found = lines(capsys)["number formats"]
    assert said in found and found.startswith(mark)


def test_damaged_data_is_bad_and_ends_with_2(data, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    next((copy / "Train").rglob("*.jpg")).unlink()
    assert main(["doctor", "--dataset", "hitsz-vcm", "--data-dir", str(copy)]) == 2
    assert lines(capsys)["data set"].startswith("BAD")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["doctor", "--dataset", "hitsz-vcm", "--data-dir", str(empty)]) == 2


def test_too_little_room_is_bad(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vireid.engine.resources.host_memory", lambda: Room(10**6, 10**9))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("cache: memory\nimg_h: 288\nimg_w: 144\n")
    arguments = ["doctor", "--recipe", str(recipe), "--dataset", "hitsz-vcm"]
    assert main([*arguments, "--data-dir", str(data)]) == 2
    found = lines(capsys)
    assert found["memory"].startswith("BAD")
    assert "1 MiB free of 954 MiB" in found["memory"]


def test_little_shared_memory_is_bad_with_workers_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vireid.engine.resources.shared_memory", lambda: Room(2**26, 2**26))
    recipe = tmp_path / "recipe.yaml"
    for workers, mark in ((0, "ok"), (4, "BAD")):
        recipe.write_text(f"workers: {workers}\n")
        main(["doctor", "--recipe", str(recipe)])
        assert lines(capsys)["shared memory"].startswith(mark)


def test_a_search_that_gives_other_neighbours_is_bad(capsys, monkeypatch):
    from vireid.clustering import neighbours

    real = neighbours.nearest_neighbours

    def wrong(features, k, *, approximate=False):
        similarity, index = real(features, k, approximate=approximate)
        return similarity, index.flip(1)

    monkeypatch.setattr(neighbours, "nearest_neighbours", wrong)
    assert main(["doctor"]) == 2
    assert "WRONG" in lines(capsys)["neighbour search"]


def test_bad_arguments_are_told_in_a_line(capsys):
    assert main(["doctor", "--recipe", "no-such-file.yaml"]) == 2
    assert "no-such-file.yaml" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--dataset", "regdb"])
    assert "--data-dir" in capsys.readouterr().err
