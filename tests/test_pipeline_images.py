"""Both steps on images: AGW through stage one and the three variants of stage two."""

import shutil
from pathlib import Path

import pytest
import torch
from run_records import records
from safetensors.torch import load_file
from vireid.baselines.settings import BaselineSettings
from vireid.baselines.train import run_baseline
from vireid.cli import main
from vireid.commands.mmm import MMMSettings, run_mmm
from vireid.datasets import load_dataset

DATA = {
    "dataset": "folder",
    "network": "agw",
    "backbone": "thin-16",
    "img_h": 64,
    "img_w": 32,
    "flip": True,
    "cache": "memory",
    "workers": 0,
    "k1": 6,
    "k2": 3,
    "eps": 0.5,
    "joint_k1": 8,
    "joint_k2": 4,
    "joint_eps": 0.6,
    "min_samples": 2,
    "on_collapse": "relax",
    "p_num": 3,
    "k_num": 4,
    "device": "cpu",
    "precision": "fp32",
}
BASELINE = {
    **DATA,
    "weights": "none",
    "pretrain_epochs": 1,
    "pretrain_steps": 8,
    "pretrain_tracks": 8,
    "intra_epochs": 1,
    "cross_epochs": 1,
    "steps": 3,
    "optimiser": "adamw",
    "lr": 5e-4,
}
SGD = {"optimiser": "sgd", "lr": 0.01, "backbone_rate": 0.1}
VARIANTS = {
    "vireid": {"optimiser": "adamw", "lr": 5e-4, "contrast_weight": 1.0, "matcher": "partial"},
    "paper": {**SGD, "alignment_from": 2, "weights": "none"},
    "released": {
        **SGD,
        "weights": "none",
        "ce_epochs": 1,
        "alignment_from": 2,
        "lr_warmup_epochs": 1,
        "lr_steps": (1,),
        "cost": "released",
        "matcher": "nearest",
    },
}


@pytest.fixture(scope="module")
def images(tiny_set, tmp_path_factory) -> Path:
    """Three frames of each tracklet as images of a plain folder."""
    root = tmp_path_factory.mktemp("images") / "set"
    dataset = load_dataset("hitsz-vcm", tiny_set)
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    for split, tracks in splits.items():
        for number, track in enumerate(tracks):
            person = f"{track.identity:04d}"
            folder = root / split / person / track.modality.name.lower() / f"cam{track.camera}"
            folder.mkdir(parents=True, exist_ok=True)
            for frame in (0, len(track.frames) // 2, len(track.frames) - 1):
                shutil.copy(track.frames[frame], folder / f"{number}-{frame}.jpg")
    return root


@pytest.fixture(scope="module")
def baseline(images, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "baseline"
    run_baseline(BaselineSettings(data_dir=images, output=output, **BASELINE))
    return output


def second(images, baseline, output, variant, **given) -> MMMSettings:
    settings = {**DATA, "epochs": 2, "steps": 3, "variant": variant, **VARIANTS[variant], **given}
    return MMMSettings(data_dir=images, baseline=baseline, output=output, **settings)


def test_stage_one_trains_both_stems_and_names_its_network(baseline):
    state = load_file(baseline / "encoder.safetensors")
    stems = [state[f"{side}_stem.conv.weight"] for side in ("visible", "infrared")]
    assert not torch.equal(*stems)
    stages = [record["stage"] for record in records(baseline, "train")]
    assert stages == ["pretrain", "intra_modality", "cross_modality"]
    text = (baseline / "config.yaml").read_text()
    assert "network: agw" in text
    assert "num_frames: 1" in text


TERMS = {
    "vireid": (
        {"memory", "cross memory", "contrast", "mimic"},
        {"memory", "cross memory", "contrast", "mimic"},
    ),
    "paper": (
        {"visible memory", "infrared memory", "union memory", "mimic"},
        {"visible memory", "infrared memory", "union memory", "mimic", "alignment"},
    ),
    "released": (
        {"ID"},
        {"ID", "triplet"}
        | {f"{side} {term}" for side in ("visible", "infrared") for term in ("mimic", "alignment")},
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_trains_with_its_own_terms_and_repeats_itself(
    images, baseline, tmp_path, variant
):
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        run_mmm(second(images, baseline, run, variant))
    optional = {"union memory"}  # a tiny set may have no joint cluster
    for record, wanted in zip(records(runs[0], "train"), TERMS[variant]):
        assert set(record["losses"]) - optional == wanted - optional
    one, two = (load_file(run / "model.safetensors") for run in runs)
    assert all(torch.equal(one[name], two[name]) for name in one)
    before = load_file(baseline / "encoder.safetensors")
    assert not torch.equal(before["visible_stem.conv.weight"], one["visible_stem.conv.weight"])


@pytest.mark.parametrize(
    ("variant", "more"), [("paper", {}), ("vireid", {"union_weight": 1.0})], ids=["paper", "union"]
)
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    images, baseline, tmp_path, monkeypatch, variant, more
):
    from vireid.engine.augment import Augmenter

    class Killed(BaseException):
        pass

    given = {"rematch_interval": 2, **more}  # the second epoch needs the labels of the first
    whole = second(images, baseline, tmp_path / "whole", variant, **given)
    run_mmm(whole)
    calls = 0
    original = Augmenter.__call__

    def dies(self, *arguments):
        nonlocal calls
        calls += 1
        if calls == 5:
            raise Killed
        return original(self, *arguments)

    cut = second(images, baseline, tmp_path / "cut", variant, **given)
    with monkeypatch.context() as patch:
        patch.setattr(Augmenter, "__call__", dies)
        with pytest.raises(Killed):
            run_mmm(cut)
    run_mmm(MMMSettings(**{**vars(cut), "resume": "output"}))
    one, two = (load_file(c.output / "model.safetensors") for c in (whole, cut))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_supervised_images_learn_and_the_checkpoint_gives_the_same_numbers(images, tmp_path):
    output = tmp_path / "supervised"
    settings = {**DATA, "epochs": 4, "steps": 15, "lr": 2e-3, "optimiser": "adamw"}
    settings |= {"augmentation": "recolour", "p_num": 6}
    settings |= {"weights": "none", "sampler": "modality-ratio", "supervised": True}
    run_mmm(MMMSettings(data_dir=images, output=output, **settings))
    losses = [record["losses"]["ID clip"] for record in records(output, "train")]
    assert losses[-1] < 0.9 * max(losses)
    assert set(records(output, "train")[0]["losses"]) == {"ID clip", "MMA clip"}
    again = tmp_path / "evaluation"
    arguments = ["--dataset", "folder", "--data-dir", str(images), "--workers", "0"]
    code = main(["evaluate", *arguments, "--checkpoint", str(output), "--output", str(again)])
    assert code == 0
    last = records(output, "evaluation")[-2:]
    for before, after in zip(last, records(again, "evaluation")):
        names = ("rank1", "mAP", "mINP", "valid_queries")
        assert [before[n] for n in names] == pytest.approx([after[n] for n in names], abs=1e-6)


def test_a_video_network_takes_images_too(images, baseline, tmp_path, capsys):
    settings = {**BASELINE, "network": "m3reid", "num_frames": 1, "test_frames": 1, "steps": 2}
    settings |= {"pretrain_steps": 2}
    run_baseline(BaselineSettings(data_dir=images, output=tmp_path / "run", **settings))
    assert (tmp_path / "run" / "tracks.csv").exists()
    common = ["--data-dir", str(images), "--dataset", "folder", "--backbone", "thin-16"]
    code = main(["mmm", *common, "--baseline", str(baseline), "--output", str(tmp_path / "no")])
    assert code == 2
    assert "--network agw" in capsys.readouterr().err
