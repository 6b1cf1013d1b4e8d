"""Stages that hurry to their end once labels have settled, in whole runs on the smallest set."""

import json

import numpy as np
import pytest
from tiny_runs import BASELINE, MMM, flags
from vireid.baselines.intra_modality import IntraModality
from vireid.cli import main
from vireid.engine import stages
from vireid.pseudo_labels import settled_labels
from vireid.reporting.run_record import read_run


class Killed(BaseException):
    """Stands for kill -9: nothing in the program catches it."""


def records(run, kind):
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def trained(run):
    """Stage and epoch of every epoch that was trained."""
    return [(record["stage"], record["epoch"]) for record in records(run, "train")]


@pytest.fixture(scope="module", autouse=True)
def _agreeing():
    """So few tracks and steps settle nowhere: here any two clusterings agree."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settled_labels, "SETTLED", -1.0)
        yield


@pytest.fixture(scope="module")
def settled_baseline(_agreeing, tiny_set, tmp_path_factory):
    run = tmp_path_factory.mktemp("early") / "one"
    settings = {**BASELINE, "intra_epochs": 6, "cross_epochs": 5, "shorten_when_settled": 2}
    assert main(flags("baseline", tiny_set, run, settings)) == 0
    return run


def test_stage_one_ends_each_of_its_stages_early_and_hands_on_all_it_has(settled_baseline, capsys):
    once = [("pretrain", 1)]
    intra = [("intra_modality", epoch) for epoch in (1, 2, 3, 4)]
    cross = [("cross_modality", epoch) for epoch in (1, 2, 3)]
    assert trained(settled_baseline) == once + intra + cross
    scored = {(r["stage"], r["epoch"]) for r in records(settled_baseline, "evaluation")}
    assert scored == {("untrained", 0), *once, ("intra_modality", 4), ("cross_modality", 3)}
    said = (settled_baseline / "log.txt").read_text(encoding="utf-8")
    assert said.count("clusters as before 2 times in a row") == 2
    assert "intra_modality 3: clusters as before" in said
    assert "the stage ends with epoch 4 instead of 6" in said
    assert (settled_baseline / "encoder.safetensors").exists()
    planned = {r["stage"]: r["settings"] for r in records(settled_baseline, "schedule")}
    assert planned["intra_modality"]["shorten_when_settled"] == 2
    assert read_run(settled_baseline).unfinished == ""
    assert main(["report", str(settled_baseline)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("variant", ["vireid", "paper"])
@pytest.mark.parametrize("killed_in", [2, 4, 5])
def test_stage_two_ends_early_also_after_a_kill(
    variant, killed_in, tiny_set, settled_baseline, tmp_path, monkeypatch
):
    settings = {**MMM, "epochs": 9, "shorten_when_settled": 3, "variant": variant}
    settings |= {"weights": "none"} if variant == "paper" else {}
    line = [
        *flags("mmm", tiny_set, tmp_path / "run", settings),
        "--baseline",
        str(settled_baseline),
    ]
    real, epochs = stages.train_epoch, []

    def train_epoch(*given):
        epochs.append(len(epochs) + 1)
        if len(epochs) == killed_in:
            raise Killed
        return real(*given)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(stages, "train_epoch", train_epoch)
        main(line)
    assert main([*line, "--resume"]) == 0
    assert trained(tmp_path / "run") == [("mmm", epoch) for epoch in (1, 2, 3, 4, 5)]
    assert 5 in {r["epoch"] for r in records(tmp_path / "run", "evaluation")}
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert not read_run(tmp_path / "run").unfinished


def test_matchings_count_and_not_the_epochs_between(tiny_set, settled_baseline, tmp_path):
    run = tmp_path / "run"
    settings = {**MMM, "epochs": 9, "shorten_when_settled": 2, "rematch_interval": 3}
    line = [*flags("mmm", tiny_set, run, settings), "--baseline", str(settled_baseline)]
    assert main(line) == 0
    assert trained(run)[-1] == ("mmm", 7)  # matched before epochs 1, 4 and 7


def test_without_the_option_every_epoch_is_trained(tiny_set, settled_baseline, tmp_path):
    run = tmp_path / "run"
    line = flags("mmm", tiny_set, run, {**MMM, "epochs": 5})
    assert main([*line, "--baseline", str(settled_baseline)]) == 0
    assert trained(run) == [("mmm", epoch) for epoch in range(1, 6)]
    assert "shorten_when_settled" not in records(run, "schedule")[0]["settings"]


def test_of_a_run_under_way_the_epochs_that_were_left_out_are_not_wanted(
    settled_baseline, tmp_path
):
    lines = (settled_baseline / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines
        if '"cross_modality"' not in line
        or '"schedule"' in line
        or ('"train"' in line and '"epoch": 3' not in line)
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    # 1 of pre-training, 4 instead of 6 of 1a, 2 of the 5 planned of 1b.
    assert read_run(tmp_path).unfinished.startswith("7 of 10 epochs are done")


def test_both_sides_of_1a_have_to_settle():
    stage = IntraModality.__new__(IntraModality)
    stage.session = type("Session", (), {"modalities": np.array([0, 0, 1, 1, 1])})()
    stage.labels = np.array([0, 1, 0, 1, -1])
    found = stage._compared_labels()
    assert found[4] == -1
    assert len(set(found[:4])) == 4  # cluster 0 of one side is not cluster 0 of the other
