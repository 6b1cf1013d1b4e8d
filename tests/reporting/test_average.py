"""The mean over finished runs: RegDB's trials, seeds."""

from __future__ import annotations

import json
import shutil
import statistics

import pytest
import yaml
from run_records import STARTED
from vireid.cli import main
from vireid.commands.average import average_table
from vireid.evaluation.results import SCORES, mean_and_std
from vireid.reporting import average_runs


def write_run(root, name, values, trial=None, **changes):
    """A finished run with an early evaluation that must not count."""
    folder = root / name
    folder.mkdir()
    lines = [STARTED | {"dataset": "regdb", "command": "mmm"}]
    for stage, epoch, offset in (("untrained", 0, -0.05), ("mmm", 1, -0.03), ("mmm", 2, 0.0)):
        for direction, value in values.items():
            protocol = f"regdb/trial-{trial}/{direction}" if trial else f"hitsz-vcm/{direction}"
            lines.append(
                {
                    "kind": "evaluation",
                    "stage": stage,
                    "epoch": epoch,
                    "step": epoch,
                    "protocol": protocol,
                    "rule": "all",
                    "query": 2060,
                    "gallery": 2060,
                    "valid_queries": 2060,
                    "gallery_kind": "whole",
                    "trials": 1,
                    "std": None,
                    "flip": True,
                    "rerank": False,
                    **dict.fromkeys(SCORES, value + offset),
                    **changes,
                }
            )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    return folder


SCHEDULE = {
    "kind": "schedule",
    "batches_per_epoch": 3,
    "start": "stage one",
    "lr_schedule": "step",
    "lr": 0.1,
    "optimiser": "sgd",
    "groups": [],
    "phases": [{"from_epoch": 1, "losses": {}, "batches": [], "memory": ""}],
    "settings": {},
}


def add_training(folder, stages, *, trained, ended):
    """Records of a training: epochs by stage, how many are done, the stages that have ended."""
    epochs = [(stage, n + 1) for stage, count in stages.items() for n in range(count)]
    lines = [SCHEDULE | {"stage": stage, "epochs": count} for stage, count in stages.items()]
    lines += [{"kind": "train", "stage": s, "epoch": n, "loss": 1.0} for s, n in epochs[:trained]]
    lines += [{"kind": "stage_time", "stage": stage, "seconds": 1.0} for stage in ended]
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def write_evaluation(root, name, checkpoint, values, **changes):
    """What `vireid evaluate --checkpoint` writes."""
    folder = write_run(root, name, values, **changes)
    text = yaml.safe_dump({"checkpoint": str(checkpoint)})
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder


def test_mean_and_deviation():
    values = [0.2, 0.5, 0.9]
    mean, std = mean_and_std(values)
    assert mean == pytest.approx(statistics.mean(values))
    assert std == pytest.approx(statistics.stdev(values))
    assert mean_and_std([0.5]) == (0.5, None)
    assert mean_and_std([]) == mean_and_std([0.5, None]) == (None, None)
    assert mean_and_std([0.5, float("nan")]) == (None, None)


def test_ten_trials_of_regdb_become_one_row(tmp_path, capsys):
    v2t = [0.50 + 0.03 * n for n in range(10)]
    t2v = [0.40 + 0.01 * n * n for n in range(10)]
    runs = [
        write_run(tmp_path, f"trial {n + 1}", {"v2t": v2t[n], "t2v": t2v[n]}, trial=n + 1)
        for n in range(10)
    ]
    first, second = average_runs(runs)
    assert (first["protocol"], second["protocol"]) == ("regdb/trial-*/v2t", "regdb/trial-*/t2v")
    assert first["trials"] == 10 and first["stage"] == "mmm"
    assert first["rank1"] == pytest.approx(sum(v2t) / 10)
    assert first["std"]["mAP"] == pytest.approx(statistics.stdev(v2t))
    assert second["mAP"] == pytest.approx(sum(t2v) / 10)
    lines = average_table([first, second]).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "regdb/trial-*/v2t: MMM, 10 runs"
    assert lines[1].endswith("rule all, each run 1 trial, whole gallery, flip, no re-ranking")
    assert lines[4].startswith("trial 1: ...") and lines[4].split()[-4:] == ["50.00"] * 4
    assert lines[14].split() == ["mean±std", *[f"{100 * sum(v2t) / 10:.2f}±9.08"] * 4]
    out = tmp_path / "mean.json"
    assert main(["average", *map(str, runs), "--output", str(out)]) == 0
    assert "regdb/trial-*/t2v" in capsys.readouterr().out
    stored = json.loads(out.read_text(encoding="utf-8"))
    assert stored[0]["mAP"] == first["mAP"] and len(stored[0]["runs"]) == 10


def test_seeds_of_one_protocol_are_averaged_too(tmp_path):
    runs = [write_run(tmp_path, f"seed{n}", {"v2i": 0.5 + n / 10}) for n in range(3)]
    (found,) = average_runs(runs)
    assert found["protocol"] == "hitsz-vcm/v2i" and found["mAP"] == pytest.approx(0.6)
    assert found["std"]["mAP"] == pytest.approx(0.1)


def test_runs_that_cannot_be_averaged_are_refused(tmp_path, capsys):
    one = write_run(tmp_path, "one", {"v2t": 0.5}, trial=1)
    two = write_run(tmp_path, "two", {"v2t": 0.6}, trial=2)
    twin = write_run(tmp_path, "twin", {"v2t": 0.6}, trial=1)
    more = write_run(tmp_path, "more", {"v2t": 0.6, "t2v": 0.6}, trial=3)
    reranked = write_run(tmp_path, "reranked", {"v2t": 0.6}, trial=4, rerank=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "metrics.jsonl").write_text(json.dumps(STARTED) + "\n", encoding="utf-8")
    for runs, message in (
        ([one], "at least two different runs"),
        ([one, one], "at least two different runs"),
        ([one, two, twin], r"trial-1/v2t counts twice, from .*one and .*twin"),
        ([one, more], r"one was not evaluated under regdb/trial-\*/t2v"),
        ([one, reranked], r"rerank is False in .*one and True in .*reranked"),
        ([one, empty], "empty holds no evaluation"),
    ):
        with pytest.raises(ValueError, match=message):
            average_runs(runs)
    assert main(["average", str(one), str(tmp_path / "nothing")]) == 2
    assert "is no run folder" in capsys.readouterr().err


def test_a_training_that_has_not_ended_is_refused(tmp_path):
    ended = write_run(tmp_path, "ended", {"v2i": 0.5})
    stopped = write_run(tmp_path, "stopped", {"v2i": 0.6})
    between = write_run(tmp_path, "between", {"v2i": 0.7})
    stages = {"intra_modality": 2, "cross_modality": 3}
    add_training(ended, stages, trained=5, ended=stages)
    add_training(stopped, stages, trained=4, ended=["intra_modality"])
    add_training(between, stages, trained=2, ended=["intra_modality"])
    for run, done in ((stopped, 4), (between, 2)):
        message = f"{run.name}: expected a finished run, found that {done} of 5 epochs .*--resume"
        with pytest.raises(ValueError, match=message):
            average_runs([ended, run])
    # One that `vireid evaluate` wrote trains nothing, so nothing in it can be unfinished.
    ranked = write_evaluation(tmp_path, "ranked", tmp_path / "gone.safetensors", {"v2i": 0.6})
    (found,) = average_runs([ended, ranked])
    assert found["mAP"] == pytest.approx(0.55)


def test_a_copied_run_is_no_second_seed(tmp_path):
    first = write_run(tmp_path, "first", {"v2i": 0.5})
    other = write_run(tmp_path, "other", {"v2i": 0.5})
    for run, seconds in ((first, 12.625), (other, 12.75)):
        with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            line = {"kind": "train", "stage": "mmm", "epoch": 1, "loss": 1.0, "seconds": seconds}
            file.write(json.dumps(line) + "\n")
    copy = shutil.copytree(first, tmp_path / "copy")
    with pytest.raises(ValueError, match=r"first and .*copy are of one training"):
        average_runs([first, other, copy])
    (found,) = average_runs([first, other])
    assert found["trials"] == 2


def test_one_protocol_on_data_of_two_sizes_is_refused(tmp_path):
    first = write_run(tmp_path, "first", {"v2i": 0.5})
    for side, sizes in (("query", "20 x 2060"), ("gallery", "2060 x 20")):
        other = write_run(tmp_path, side, {"v2i": 0.6}, **{side: 20})
        message = f"not evaluated on the same data: 2060 .* x 2060 .*first, {sizes} in .*{side}"
        with pytest.raises(ValueError, match=message):
            average_runs([first, other])


def test_trials_of_several_sizes_are_shown_with_them(tmp_path):
    one = write_run(tmp_path, "one", {"v2t": 0.5}, trial=1)
    two = write_run(tmp_path, "two", {"v2t": 0.6}, trial=2, query=12, gallery=34)
    (found,) = average_runs([one, two])
    assert found["query"] is None and found["gallery"] is None
    assert [run["gallery"] for run in found["runs"]] == [2060, 34]
    lines = average_table([found]).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith("sizes by run, rule all")
    assert lines[4].startswith("trial 1, 2060 x 2060: ...")
    assert lines[5].startswith("trial 2, 12 x 34: ...")


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("given", ["seed0", "seed0/model.safetensors", "seed0/last.safetensors"])
def test_a_training_and_its_evaluation_do_not_count_twice(given, moved, tmp_path, monkeypatch):
    run = write_run(tmp_path, "seed0", {"v2t": 0.5}, trial=1)
    for file in ("model.safetensors", "last.safetensors"):
        (run / file).touch()
    other = write_run(tmp_path, "seed1", {"v2t": 0.6}, trial=1)
    monkeypatch.chdir("/" if moved else tmp_path)
    relative = write_evaluation(tmp_path, "relative", given, {"v2t": 0.5}, trial=1)
    absolute = write_evaluation(tmp_path, "absolute", tmp_path / given, {"v2t": 0.5}, trial=1)
    for pair in ([run, relative], [absolute, run], [relative, absolute]):
        message = f"{pair[0].name} and .*{pair[1].name} are of one training"
        with pytest.raises(ValueError, match=message):
            average_runs([other, *pair])
    assert average_runs([other, relative])[0]["trials"] == 2


def test_networks_side_by_side_in_one_folder_are_different_ones(tmp_path):
    files = [tmp_path / f"seed{n}.safetensors" for n in range(2)]
    runs = [write_evaluation(tmp_path, f"run{f.stem}", f, {"v2i": 0.5}) for f in files]
    assert average_runs(runs)[0]["trials"] == 2


def test_the_folder_of_the_output_is_made(tmp_path):
    runs = [write_run(tmp_path, f"seed{n}", {"v2i": 0.5 + n / 10}) for n in range(2)]
    out = tmp_path / "new" / "folder" / "mean.json"
    assert main(["average", *map(str, runs), "--output", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))[0]["mAP"] == pytest.approx(0.55)
