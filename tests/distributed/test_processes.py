"""Two processes give the results of one with the same batches; one of them speaks and writes."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from run_records import records
from safetensors.torch import load_file
from tiny_runs import BASELINE, MMM, flags
from vireid.cli import main

# Relative, in float32: sums over two halves round otherwise than sums over the whole, and each
# step of the optimiser makes the difference larger.
TOLERANCE = 1e-3
RELEASED = {**MMM, "weights": "none", "variant": "released"}
RELEASED |= {"ce_epochs": 1, "alignment_from": 2}


def lines(data, root):
    return [
        flags("baseline", data, root / "baseline", BASELINE),
        [*flags("mmm", data, root / "mmm", MMM), "--baseline", str(root / "baseline")],
        # Its passes in training mode exchange batch statistics without a backward pass.
        [*flags("mmm", data, root / "released", RELEASED), "--baseline", str(root / "baseline")],
    ]


def supervised(data, root):
    return [
        *flags("mmm", data, root / "supervised", {**MMM, "weights": "none"}),
        "--supervised",
        "--separation-weight=1",
    ]


@pytest.fixture(scope="module")
def clear_set(tiny_set, tmp_path_factory):
    """People as patterns of light and dark blocks, the same in every track of a person.

    An untrained network sees rendered people nearly alike, and the last bit of a feature then
    decides who is whose neighbour; here no clustering depends on rounding.
    """
    root = Path(shutil.copytree(tiny_set, tmp_path_factory.mktemp("clear") / "set"))
    for frame in root.rglob("*.jpg"):
        split, person, modality, camera = frame.relative_to(root).parts[:4]
        blocks = np.random.default_rng(int(person)).integers(0, 2, (8, 4))
        light = np.random.default_rng([*f"{split}{person}{modality}{camera}".encode()]).uniform()
        pixels = 40 + (150 + 20 * light) * np.kron(blocks, np.ones((4, 4)))
        frame.unlink()
        Image.fromarray(pixels.astype(np.uint8)).convert("RGB").save(frame, quality=95)
    return root


@pytest.fixture(scope="module")
def one(clear_set, tmp_path_factory):
    root = tmp_path_factory.mktemp("one")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for line in (*lines(clear_set, root), supervised(clear_set, root)):
            assert main(line) == 0
    finally:
        torch.set_num_threads(threads)
    return root


@pytest.fixture(scope="module")
def two(clear_set, tmp_path_factory, torchrun):
    root = tmp_path_factory.mktemp("two")
    (root / "lines.json").write_text(json.dumps(lines(clear_set, root)), encoding="utf-8")
    script = Path(__file__).parents[1] / "tiny_runs.py"
    for arguments in (
        (str(script), str(root / "lines.json")),
        ("-m", "vireid", *supervised(clear_set, root)),
    ):
        done = torchrun(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.mark.parametrize("name", ["baseline", "mmm", "released", "supervised"])
def test_loss_curves_agree(one, two, name):
    alone, both = records(one / name, "train"), records(two / name, "train")
    assert len(alone) == len(both) >= 3
    for first, second in zip(alone, both):
        assert first["losses"].keys() == second["losses"].keys()
        assert list(first["losses"].values()) == pytest.approx(
            list(second["losses"].values()), rel=TOLERANCE, abs=1e-5
        )


@pytest.mark.parametrize("name", ["baseline", "mmm"])
def test_pseudo_labels_agree(one, two, name):
    alone, both = records(one / name, "pseudo_labels"), records(two / name, "pseudo_labels")
    assert len(alone) == len(both) > 3
    names = ("stage", "epoch", "modality", "clusters", "noise", "largest", "ari")
    for first, second in zip(alone, both):
        assert [first[n] for n in names] == [second[n] for n in names]
    tables = []
    for root in (one, two):
        with (root / "baseline" / "tracks.csv").open(encoding="utf-8", newline="") as file:
            tables.append(list(csv.DictReader(file)))
    assert tables[0] == tables[1]


def test_weights_and_features_agree(one, two):
    models = [f"{name}/model" for name in ("mmm", "released", "supervised")]
    for name in ("baseline/encoder", "baseline/features", *models):
        first, second = (load_file(root / f"{name}.safetensors") for root in (one, two))
        assert first.keys() == second.keys()
        for key in first:
            torch.testing.assert_close(first[key], second[key], rtol=1e-2, atol=1e-3)


def test_only_the_main_process_writes(one, two):
    for name in ("baseline", "mmm", "supervised"):
        folders = [root / name for root in (one, two)]
        files = [
            {p.relative_to(folder) for p in folder.rglob("*") if "tensorboard" not in p.parts}
            for folder in folders
        ]
        assert files[0] == files[1]
        evaluations = [len(records(folder, "evaluation")) for folder in folders]
        assert evaluations[0] == evaluations[1] > 0
        (said,) = records(folders[1], "run")
        assert (said["processes"], said["batch"], said["bn_batch"]) == (2, 12, 12)


def test_an_error_ends_all_processes_with_one_message(torchrun, tiny_set, one):
    done = torchrun("-m", "vireid", *supervised(tiny_set, one))
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("already holds a run") == 1
