"""What --print-schedule says before a training is what the training then does."""

import json

import pytest
from run_records import records
from tiny_runs import BASELINE, flags
from vireid.cli import main

SHORT = {
    **BASELINE,
    "pretrain_epochs": 1,
    "intra_epochs": 3,
    "cross_epochs": 3,
    "steps": 1,
    "contrast_weight": 0.5,
    "schedule": "step",
    "lr_warmup_epochs": 2,
}
# Decays that fall between epochs of 1a and of 1b, whose epochs have two batches.
DECAY = "--lr-steps=[2]"


def printed(capsys, *arguments):
    """The stages' records that a command prints."""
    assert main([*arguments, "--print_schedule=json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_run_takes_the_rates_and_the_loss_terms_that_are_printed(tiny_set, tmp_path, capsys):
    arguments = [*flags("baseline", tiny_set, tmp_path / "run", SHORT), DECAY]
    schedules = printed(capsys, *arguments)
    assert not (tmp_path / "run").exists()
    assert main(arguments) == 0
    trained = records(tmp_path / "run", "train")
    assert {record["stage"] for record in trained} == {s["stage"] for s in schedules}
    for schedule in schedules:
        own = [record for record in trained if record["stage"] == schedule["stage"]]
        (group,), (phase,) = schedule["groups"], schedule["phases"]
        assert [record["lr"] for record in own] == pytest.approx(group["lr_by_epoch"], rel=1e-12)
        assert all(set(record["losses"]) <= set(phase["losses"]) for record in own)
    kept = records(tmp_path / "run", "schedule")
    assert [{k: v for k, v in r.items() if k in schedules[0]} for r in kept] == schedules
    rates = schedules[-1]["groups"][0]["lr_by_epoch"]
    assert rates == pytest.approx([0.5 * rates[1], rates[1], 0.1 * rates[1]])


def test_it_needs_neither_data_nor_an_output_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["baseline", "--dataset", "sysu-mm01"],
        ["mmm", "--dataset", "sysu-mm01"],
        ["mmm", "--dataset", "hitsz-vcm", "--supervised"],
        ["mmm", "--dataset", "hitsz-vcm", "--variant", "paper", "--schedule", "cosine"],
    ):
        assert printed(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []
    assert main(["mmm", "--dataset", "hitsz-vcm", "--supervised", "--print-schedule"]) == 0


def test_the_table_has_a_row_where_something_changes(capsys):
    arguments = ["mmm", "--dataset", "sysu-mm01", "--variant", "released", "--epochs", "8"]
    arguments += ["--lr-steps=[6]", "--ce-epochs", "2", "--alignment-from", "4"]
    arguments += ["--optimiser", "sgd", "--backbone-rate", "0.1", "--lr", "0.1"]
    assert main([*arguments, "--print-schedule"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (head,) = [n for n, line in enumerate(lines) if line.split()[:1] == ["epochs"]]
    rows = [line.split() for line in lines[head + 1 :]]
    assert [row[0] for row in rows] == ["1-2", "3", "4-6", "7-8"]
    assert rows[0][1:5] == ["backbone", "0.01,", "head", "0.1"]
    assert rows[3][1:5] == ["backbone", "0.001,", "head", "0.01"]
    assert "triplet" in rows[1]
    assert "alignment" not in rows[1]
    assert "alignment" in rows[2]


def test_without_the_flag_data_are_asked_for(capsys):
    with pytest.raises(SystemExit):
        main(["baseline", "--dataset", "sysu-mm01"])
    assert "--data-dir" in capsys.readouterr().err


def test_another_form_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["baseline", "--dataset", "sysu-mm01", "--print-schedule", "poster"])
    assert "poster" in capsys.readouterr().err
