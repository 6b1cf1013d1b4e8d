"""The mean over finished runs: RegDB's trials, seeds."""

from __future__ import annotations

import json
import statistics

import pytest
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
