"""The two steps, end to end, on a tiny synthetic set."""

import shutil
from pathlib import Path

import pytest
import torch
from run_records import records
from safetensors.torch import load_file
from tiny_settings import LEARNING
from vireid.baselines.settings import BaselineSettings
from vireid.baselines.train import run_baseline
from vireid.cli import main
from vireid.commands.mmm import MMMSettings, run_mmm

DATA = {**LEARNING, "dataset": "hitsz-vcm", "num_frames": 2, "p_num": 3, "k_num": 4, "lr": 5e-4}
BASELINE = {
    **DATA,
    "weights": "none",
    "pretrain_epochs": 2,
    "pretrain_steps": 12,
    "pretrain_tracks": 8,
    "intra_epochs": 2,
    "cross_epochs": 1,
    "steps": 4,
    "joint_k1": 8,
    "joint_k2": 4,
    "joint_eps": 0.6,
}
MMM = {
    **DATA,
    "epochs": 2,
    "steps": 6,
    "mimic_weight": 0.1,
    "alignment_weight": 0.05,
    "alignment_from": 1,
}


@pytest.fixture(scope="module")
def baseline(tiny_set, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "baseline"
    run_baseline(BaselineSettings(data_dir=tiny_set, output=output, **BASELINE))
    return output


@pytest.fixture(scope="module")
def mmm(tiny_set, baseline) -> Path:
    output = baseline.parent / "mmm"
    run_mmm(MMMSettings(data_dir=tiny_set, output=output, baseline=baseline, **MMM))
    return output


def test_stage_one_leaves_a_complete_artefact(baseline):
    wanted = {
        "config.yaml",
        "encoder.safetensors",
        "features.safetensors",
        "log.txt",
        "metrics.json",
        "metrics.jsonl",
        "test_features.safetensors",
        "test_tracks.csv",
        "tracks.csv",
    }
    assert wanted <= {path.name for path in baseline.iterdir()}
    assert not list(baseline.rglob("*.part"))
    stages = [record["stage"] for record in records(baseline, "evaluation")]
    assert stages == [
        s for s in ("untrained", "pretrain", "intra_modality", "cross_modality") for _ in range(2)
    ]


def test_both_directions_are_reported_with_sizes(mmm):
    found = records(mmm, "evaluation")
    assert [r["protocol"] for r in found] == ["hitsz-vcm/v2i", "hitsz-vcm/i2v"]
    v2i, i2v = found
    assert (v2i["query"], v2i["gallery"]) == (i2v["gallery"], i2v["query"])
    # So few steps may leave no query with its partner in front.
    assert all(0 <= r["rank1"] <= r["rank5"] <= r["rank20"] <= 1 for r in found)
    assert all(0 < r["mAP"] <= 1 for r in found)


def test_matching_and_labels_are_measured(mmm):
    matching = records(mmm, "matching")
    assert len(matching) == MMM["epochs"]
    assert all(0 <= r["accuracy"] <= 1 for r in matching)
    found = records(mmm, "pseudo_labels")
    assert {r["modality"] for r in found} == {"visible", "infrared", "joint"}
    assert all(r["identities"] == 6 for r in found)


def test_two_runs_of_one_seed_are_identical(tiny_set, baseline, mmm, tmp_path):
    output = tmp_path / "again"
    run_mmm(MMMSettings(data_dir=tiny_set, output=output, baseline=baseline, **MMM))
    first, second = (load_file(run / "model.safetensors") for run in (mmm, output))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_identities_never_reach_training(tiny_set, baseline, tmp_path):
    """Poisons the identity column of the training split: only the scores may change."""
    poisoned = tmp_path / "data"
    shutil.copytree(tiny_set, poisoned)
    info = poisoned / "info" / "track_train_info.txt"
    rows = [line.split() for line in info.read_text().splitlines()]
    for number, row in enumerate(rows):
        row[3] = str(1 + number % 3)
    info.write_text("\n".join(" ".join(row) for row in rows) + "\n")
    output = tmp_path / "run"
    config = {**BASELINE, "allow_incomplete": True}
    run_baseline(BaselineSettings(data_dir=poisoned, output=output, **config))
    first, second = (load_file(run / "encoder.safetensors") for run in (baseline, output))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert records(baseline, "pseudo_labels") != records(output, "pseudo_labels")


def test_supervised_trains_evaluates_and_its_checkpoint_gives_the_same_numbers(
    tiny_set, tmp_path, capsys
):
    output = tmp_path / "supervised"
    settings = {**MMM, "epochs": 6, "steps": 12, "separation_weight": 1.0, "lr": 3e-3}
    settings |= {"weights": "none", "sampler": "modality-ratio", "augmentation": "published"}
    run_mmm(MMMSettings(data_dir=tiny_set, output=output, supervised=True, **settings))
    losses = [record["losses"]["ID clip"] for record in records(output, "train")]
    assert losses[-1] < 0.9 * max(losses)
    again = tmp_path / "evaluation"
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", str(tiny_set), "--workers", "0"]
    code = main(["evaluate", *arguments, "--checkpoint", str(output), "--output", str(again)])
    assert code == 0
    names = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP", "valid_queries")
    last = records(output, "evaluation")[-2:]
    for before, after in zip(last, records(again, "evaluation")):
        assert [before[n] for n in names] == pytest.approx([after[n] for n in names], abs=1e-6)


def test_stage_two_refuses_the_artefact_of_other_data(tiny_set, baseline, tmp_path, capsys):
    from vireid.synthetic import render_dataset

    other = tmp_path / "other"
    render_dataset(other, preset="tiny", seed=1, workers=1, progress=False)
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", str(other), "--backbone", "thin-16"]
    code = main(["mmm", *arguments, "--baseline", str(baseline), "--output", str(tmp_path / "run")])
    assert code == 2
    assert "belongs to other data" in capsys.readouterr().err


def test_an_existing_run_is_not_overwritten(tiny_set, baseline, capsys):
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", str(tiny_set), "--weights", "none"]
    assert main(["baseline", *arguments, "--output", str(baseline)]) == 2
    assert "--resume" in capsys.readouterr().err


def test_the_report_is_one_page(mmm, capsys):
    assert main(["report", str(mmm)]) == 0
    page = Path(capsys.readouterr().out.strip().splitlines()[-1])
    text = page.read_text(encoding="utf-8")
    assert page.parent == mmm
    assert "<html" in text
    assert 'src="http' not in text
