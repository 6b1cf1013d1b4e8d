"""Stage two with a person's judgements of pairs, from the file to the labels it trains with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_settings import SHORTEST
from vireid.baselines.settings import BaselineSettings
from vireid.baselines.train import run_baseline
from vireid.cli import main
from vireid.commands.mmm import MMMSettings, run_mmm
from vireid.datasets import load_dataset
from vireid.errors import UserError
from vireid.mmm.given_labels import decisions_path, given_labels
from vireid.mmm.judged_pairs import read_judged_pairs
from vireid.pseudo_labels.judgements import FILE, judge, read_judgements, undo
from vireid.pseudo_labels.stored_clustering import read_clustering

KEYS = ["train/a", "train/b", "train/c", "train/d"]


@pytest.fixture
def index(tmp_path) -> Path:
    (tmp_path / "own.index").mkdir()
    return tmp_path / "own.index" / FILE


def test_a_setting_names_the_index():
    assert decisions_path("decisions:own.index") == Path("own.index")
    assert decisions_path("visible") is None and decisions_path(None) is None
    assert given_labels("decisions:own.index") is None
    with pytest.raises(ValueError, match="decisions:INDEX: expected an index"):
        decisions_path("decisions:")


def test_keys_fit_with_a_prefix_and_what_is_outside_is_counted(index):
    judge(index, "june/train/a", "june/train/b", "same")
    judge(index, "train/c", "june/train/a", "different")
    judge(index, "train/d", "train/c", "unsure")
    judge(index, "june/test/x", "train/c", "same")
    judge(index, "xtrain/d", "train/c", "same")  # no slash before it: another track
    for given in (index.parent, index):
        found = read_judged_pairs(given, KEYS)
        assert [one.number for one in found.used] == [1, 2]
        assert found.constraints.components.tolist() == [0, 0, 1, -1]
        assert found.constraints.apart.tolist() == [[0, 1]]
        assert found.counts() == {
            "same": 1,
            "different": 1,
            "unsure": 1,
            "outside": 2,
            "tracks": 3,
            "components": 2,
        }
        assert "2 judged pairs" in found.text() and "2 about tracks outside" in found.text()


def test_the_copy_says_the_same(index, tmp_path):
    judge(index, "train/ä", "train/b", "same")
    judge(index, "train/b", "train/c", "same")
    undo(index, 2)
    judge(index, "train/b", "train/d", "different")
    keys = ["train/ä", *KEYS]
    found = read_judged_pairs(index, keys)
    copy = tmp_path / "copy.jsonl"
    copy.write_text(found.lines(), encoding="utf-8")
    assert read_judgements(copy) == list(found.used) == read_judgements(index)


def test_a_contradiction_names_its_judgements_and_the_shortest_chain(index):
    judge(index, "train/a", "train/b", "same")
    judge(index, "train/b", "train/c", "same")
    judge(index, "train/c", "train/d", "same")
    judge(index, "train/d", "train/a", "different")
    judge(index, "train/c", "train/a", "different")
    with pytest.raises(UserError) as error:
        read_judged_pairs(index, KEYS)
    lines = str(error.value).splitlines()
    assert lines[1:-1] == [
        "  1: train/a and train/b: same",
        "  2: train/b and train/c: same",
        "  5: train/c and train/a: different",
    ]
    assert "take it back" in lines[-1]


def test_what_cannot_be_used_is_one_clear_message(index):
    with pytest.raises(UserError, match=r"there is no .*judgements\.jsonl"):
        read_judged_pairs(index.parent, KEYS)
    index.write_text("")
    with pytest.raises(UserError, match="holds no judgement that stands"):
        read_judged_pairs(index, KEYS)
    judge(index, "other/x", "other/y", "same")
    with pytest.raises(UserError, match=r"tracks like other/x, the training split has .* train/a"):
        read_judged_pairs(index, KEYS)
    judge(index, "train/a", "train/b", "unsure")
    with pytest.raises(UserError, match="all 1 judgements of training tracks say unsure"):
        read_judged_pairs(index, KEYS)
    judge(index, "june/train/a", "train/b", "same")
    with pytest.raises(UserError, match="both fit the training track train/a"):
        read_judged_pairs(index, KEYS)


DATA = {"dataset": "hitsz-vcm", **SHORTEST}


@pytest.fixture(scope="module")
def baseline(tiny_set, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("judged") / "baseline"
    untrained = {"pretrain_epochs": 1, "pretrain_steps": 1, "pretrain_tracks": 4}
    stages = {"intra_epochs": 0, "cross_epochs": 0, "steps": 2, "weights": "none"}
    run_baseline(BaselineSettings(data_dir=tiny_set, output=output, **DATA, **untrained, **stages))
    return output


@pytest.fixture(scope="module")
def answers(tiny_set, tmp_path_factory) -> Path:
    """Who is who in pairs: each track is like the first of its person, all firsts are apart."""
    file = tmp_path_factory.mktemp("index") / FILE
    first: dict[int, str] = {}
    for track in load_dataset("hitsz-vcm", tiny_set).train:
        if track.identity in first:
            judge(file, f"june/{track.key}", f"june/{first[track.identity]}", "same")
        else:
            for other in first.values():
                judge(file, f"june/{track.key}", f"june/{other}", "different")
            first[track.identity] = track.key
    return file.parent


def train(data: Path, baseline: Path, output: Path, **settings) -> dict[str, torch.Tensor]:
    settings = {**DATA, "epochs": 2, "steps": 2, "alignment_from": 1, **settings}
    run_mmm(MMMSettings(data_dir=data, output=output, baseline=baseline, **settings))
    return load_file(output / "model.safetensors")


def records(run: Path, kind: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def agreement(run: Path, modality: str) -> list[float | None]:
    return [r.get("ari_all") for r in records(run, "pseudo_labels") if r["modality"] == modality]


@pytest.mark.parametrize(
    "more",
    [{}, {"variant": "paper", "weights": "none"}, {"variant": "released", "weights": "none"}],
    ids=["vireid", "paper", "released"],
)
def test_answers_become_the_labels_that_stage_two_trains_with(
    tiny_set, baseline, answers, tmp_path, more
):
    run, plain = tmp_path / "judged", tmp_path / "plain"
    train(tiny_set, baseline, run, semi_supervised=f"decisions:{answers}", **more)
    train(tiny_set, baseline, plain, **more)
    for modality in ("visible", "infrared", "joint"):
        assert set(agreement(run, modality)) == {1.0}
    assert all(value < 0.8 for value in agreement(plain, "joint"))
    kept = read_clustering(run, tiny_set)
    assert len(np.unique(kept.unified)) == 6
    (counts,) = records(run, "judgements")
    assert counts["source"] == str(answers)
    assert counts["tracks"] == len(kept.tracks) and counts["components"] == 6
    assert "judged pairs of training tracks" in (run / "log.txt").read_text(encoding="utf-8")


def test_a_run_is_repeated_from_its_copy_and_goes_on_with_it(
    tiny_set, baseline, answers, tmp_path, capsys
):
    index = tmp_path / "index"
    index.mkdir()
    lines = (answers / FILE).read_text(encoding="utf-8").splitlines(keepends=True)[:30]
    (index / FILE).write_text("".join(lines), encoding="utf-8")
    setting = {"semi_supervised": f"decisions:{index}"}
    first = train(tiny_set, baseline, tmp_path / "first", **setting)
    (index / FILE).unlink()
    copy = f"decisions:{tmp_path / 'first' / FILE}"
    again = train(tiny_set, baseline, tmp_path / "again", semi_supervised=copy)
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    (tmp_path / "first" / "model.safetensors").unlink()
    resumed = train(tiny_set, baseline, tmp_path / "first", resume="output", **setting)
    assert all(torch.equal(first[name], resumed[name]) for name in first)
    assert len(records(tmp_path / "first", "judgements")) == 1
    given = ["mmm", "--dataset", "hitsz-vcm", "--data-dir", str(tiny_set)]
    given += ["--output", str(tmp_path / "none"), "--baseline", str(baseline)]
    assert main([*given, "--semi-supervised", setting["semi_supervised"]]) == 2
    assert "there is no" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--semi-supervised", "decisions:"], "decisions:INDEX: expected an index"),
        (
            ["--semi-supervised", "decisions:x", "--labelled-tracks", "keys.txt"],
            "--labelled-tracks belongs to",
        ),
    ],
)
def test_bad_flags_are_one_clear_message(flags, message, tmp_path, capsys):
    given = ["mmm", "--dataset", "hitsz-vcm", "--data-dir", str(tmp_path), "--output", "x"]
    with pytest.raises(SystemExit) as stop:
        main([*given, "--baseline", str(tmp_path), *flags])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
