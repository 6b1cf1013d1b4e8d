"""Both stages on a network of timm with frozen stages; what is said where it cannot be."""

import sys

import pytest
import tiny_runs
import torch
from run_records import records
from safetensors.torch import load_file
from vireid.cli import main
from vireid.engine.checkpoint import load_model, read_meta, save_model
from vireid.models import M3ReID

timm = pytest.importorskip("timm")
TIMM = {"backbone": "timm/test_resnet", "freeze": "stem,layer1"}


def run(command, data, output, **settings):
    given = tiny_runs.BASELINE if command == "baseline" else tiny_runs.MMM
    return main(tiny_runs.flags(command, data, output, given | settings))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights as timm publishes them: a .safetensors file of a network with its classifier."""
    from safetensors.torch import save_file

    torch.manual_seed(7)
    file = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    return file


@pytest.fixture(scope="module")
def baseline(tiny_set, weights, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "baseline"
    assert run("baseline", tiny_set, output, **TIMM, weights=weights) == 0
    return output


def test_frozen_stages_leave_stage_one_as_they_came(baseline, weights):
    model, meta = load_model(baseline / "encoder.safetensors")
    assert meta["backbone"] == "timm/test_resnet"
    came = load_file(weights)
    left = [v for n, v in model.state_dict().items() if n.startswith(("stem.1.", "trunk.layer1."))]
    trained = [v for n, v in model.state_dict().items() if n.startswith("trunk.layer2.")]
    values = [v for v in came.values() if v.numel() > 1]

    def known(tensor):
        return any(v.shape == tensor.shape and torch.equal(v, tensor) for v in values)

    assert len(left) > 10
    assert all(known(v) for v in left if v.numel() > 1)
    assert not all(known(v) for v in trained if v.numel() > 1)


def test_evaluation_rebuilds_it_from_its_file(tiny_set, baseline, tmp_path):
    line = ["evaluate", "--dataset", "hitsz-vcm", "--data-dir", str(tiny_set)]
    line += ["--workers", "0", "--device", "cpu", "--output", str(tmp_path / "e")]
    assert main([*line, "--checkpoint", str(baseline)]) == 0
    found, stored = records(tmp_path / "e", "evaluation"), records(baseline, "evaluation")[-2:]
    assert [one["mAP"] for one in found] == pytest.approx([one["mAP"] for one in stored], abs=1e-6)


def test_stage_two_goes_on_with_it(tiny_set, baseline, tmp_path):
    assert run("mmm", tiny_set, tmp_path / "mmm", **TIMM, baseline=baseline) == 0
    first = load_file(baseline / "encoder.safetensors")
    second = load_file(tmp_path / "mmm" / "model.safetensors")
    same = {n for n, v in first.items() if n in second and torch.equal(v, second[n])}
    assert {n for n in first if n.startswith(("stem.", "trunk.layer1."))} <= same
    assert not {n for n in first if n.startswith("trunk.layer2.")} <= same


def test_export_writes_it_with_its_name(baseline, tmp_path):
    line = ["export", "--input", str(baseline), "--output", str(tmp_path / "x.safetensors")]
    line += ["--format", "safetensors"]
    assert main(line) == 0
    assert read_meta(tmp_path / "x.safetensors")["backbone"] == "timm/test_resnet"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"backbone": "timm/resnet19"}, "names like it: timm/resnet18"),
        (
            {"backbone": "timm/test_resnet", "freeze": "layer5"},
            "--freeze layer5: M3ReID has no",
        ),
        ({"backbone": "timm/test_vit", "img_h": 40}, "the nearest size that they tile is 32 x 16"),
    ],
)
def test_what_cannot_be_is_one_message(tiny_set, tmp_path, capsys, settings, told):
    assert run("baseline", tiny_set, tmp_path / "run", **settings) == 2
    said = capsys.readouterr().err
    assert told in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize(("height", "code"), [(32, 0), (40, 2)])
def test_a_transformer_is_tested_on_frames_that_its_patches_tile(
    height, code, tiny_set, tmp_path, capsys
):
    model = M3ReID(0, backbone="timm/test_vit")
    facts = {"network": "M3ReID", "backbone": "timm/test_vit", "stage": "baseline", "flip": False}
    facts |= {"num_identities": 0, "num_frames": 2, "test_frames": 2, "step": 0}
    save_model(tmp_path / "vit.safetensors", model, {**facts, "img_h": height, "img_w": 16})
    line = ["evaluate", "--dataset", "hitsz-vcm", "--data-dir", str(tiny_set), "--device", "cpu"]
    line += ["--workers", "0", "--checkpoint", str(tmp_path / "vit.safetensors")]
    assert main(line) == code
    said = " ".join(capsys.readouterr().err.split())
    assert ("the nearest size that they tile is 32 x 16" in said) == (code == 2)


def test_without_timm_a_checkpoint_says_what_it_needs(
    tiny_set, baseline, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "timm", None)
    line = ["evaluate", "--dataset", "hitsz-vcm", "--data-dir", str(tiny_set)]
    assert main([*line, "--checkpoint", str(baseline)]) == 2
    assert "pip install 'vireid[timm]'" in capsys.readouterr().err
