"""The recipes of the published variants parse, and say what was published."""

from pathlib import Path

import pytest
from vireid.baselines.settings import BaselineSettings
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings

CONFIGS = Path(__file__).parents[2] / "configs"


def read(name, kind, tmp_path):
    flags = ["--config", str(CONFIGS / name), "--data-dir", str(tmp_path)]
    flags += ["--output", str(tmp_path / "run")]
    if kind is MMMSettings:
        flags += ["--baseline", str(tmp_path)]
    return parse(kind, flags, program="vireid", description="")


SETS = {"sysu_mm01": (200, 0.6, 40, 32), "regdb": (100, 0.3, 38, 18)}


@pytest.mark.parametrize("name", SETS)
def test_stage_one_of_images_is_as_published(name, tmp_path):
    steps, eps, joint_k1, joint_k2 = SETS[name]
    config = read(f"mmm_{name}_baseline.yaml", BaselineSettings, tmp_path)
    assert (config.network, config.backbone, config.num_frames) == ("agw", "resnet50", 1)
    assert (config.p_num * config.k_num, config.steps) == (128, steps)
    assert (config.k1, config.k2, config.eps) == (30, 6, eps)
    assert (config.joint_k1, config.joint_k2) == (joint_k1, joint_k2)
    assert (config.intra_epochs, config.cross_epochs) == (50, 50)
    assert (config.optimiser, config.lr, config.wd) == ("adam", 3.5e-4, 5e-4)
    assert config.flip
    assert config.resolved_pretrain_epochs == 0


@pytest.mark.parametrize("name", SETS)
def test_stage_two_of_the_paper_and_of_the_released_code(name, tmp_path):
    paper = read(f"mmm_{name}.yaml", MMMSettings, tmp_path)
    released = read(f"mmm_{name}_released.yaml", MMMSettings, tmp_path)
    for config in (paper, released):
        assert (config.img_h, config.img_w, config.memories) == (288, 144, 4)
        assert (config.mimic_weight, config.alignment_weight) == (0.5, 0.05)
        assert (config.optimiser, config.wd) == ("sgd", 5e-4)
    assert (paper.variant, paper.cost, paper.matcher) == ("paper", "paper", "one-to-one")
    assert (paper.p_num, paper.k_num, paper.epochs, paper.alignment_from) == (8, 8, 80, 15)
    assert (released.variant, released.cost) == ("released", "released")
    assert released.matcher == "nearest"
    assert (released.p_num, released.k_num, released.epochs) == (6, 8, 100)
    assert released.alignment_from == released.ce_epochs + 1 == 6
    assert (released.lr, released.lr * released.backbone_rate) == pytest.approx((0.1, 0.01))
    assert (released.lr_warmup_epochs, tuple(released.lr_steps)) == (10, (20, 40))


RECIPES = {
    "m3reid_hitsz_vcm": ("fp16", "fp32"),
    "m3reid_bupt_campus": ("fp16", "fp32"),
    **{
        f"mmm_{name}{stage}": ("fp32", "fp32")
        for name in SETS
        for stage in ("", "_baseline", "_released")
    },
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_precision_of_a_recipe_is_the_published_one(name, tmp_path):
    kind = BaselineSettings if name.endswith("baseline") else MMMSettings
    config = read(f"{name}.yaml", kind, tmp_path)
    assert (config.precision, config.test_precision) == RECIPES[name]


def test_the_image_demo_parses(tmp_path):
    one = read("demo_images_baseline.yaml", BaselineSettings, tmp_path)
    two = read("demo_images_mmm.yaml", MMMSettings, tmp_path)
    assert one.network == two.network == "agw"
    assert one.backbone == two.backbone


@pytest.mark.parametrize(
    ("dataset", "asked", "network", "frames"),
    [
        ("hitsz-vcm", "auto", "m3reid", 6),
        ("hitsz-vcm", "agw", "agw", 1),
        ("folder", "auto", "m3reid", 6),
        ("RegDB", "auto", "agw", 1),
        ("sysu-mm01", "m3reid", "m3reid", 1),
    ],
)
def test_the_network_follows_the_data_set(dataset, asked, network, frames, tmp_path):
    config = BaselineSettings(dataset=dataset, data_dir=tmp_path, output=tmp_path, network=asked)
    assert (config.network, config.num_frames, config.test_frames) == (network, frames, frames)
