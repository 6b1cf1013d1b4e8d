"""A network as an ONNX file gives PyTorch's features, or is not written."""

import json
import sys

import pytest
import torch
from vireid.cli import main
from vireid.datasets.track import Modality
from vireid.engine import onnx_file
from vireid.engine.checkpoint import load_model, save_model
from vireid.engine.encoder import Encoder
from vireid.engine.fingerprint import model_fingerprint
from vireid.engine.onnx_file import OnnxNetwork, export_onnx
from vireid.engine.runtime import Runtime
from vireid.errors import UserError
from vireid.models import AGW, M3ReID

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

FACTS = {"num_identities": 5, "num_frames": 3, "test_frames": 3, "img_h": 32, "img_w": 16}
FACTS |= {"test_resize": "bilinear", "flip": True, "stage": "mmm", "step": 3}


def varied(model):
    """Norms that differ, and blocks that do something."""
    generator = torch.Generator().manual_seed(1)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.add_(0.2 * torch.rand(tensor.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="module")
def video():
    torch.manual_seed(0)
    model = varied(M3ReID(5, num_frames=3, backbone="thin-8"))
    return model, {**FACTS, "network": "M3ReID", "backbone": "thin-8"}


@pytest.fixture(scope="module")
def image():
    torch.manual_seed(1)
    model = varied(AGW(5, backbone="thin-8"))
    return model, {**FACTS, "network": "AGW", "backbone": "thin-8", "test_frames": 1}


@pytest.fixture(scope="module")
def any_frames(video, tmp_path_factory):
    file = tmp_path_factory.mktemp("onnx") / "any.onnx"
    export_onnx(file, *video, dynamic_frames=True)
    return file


def pixels(batch, frames, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, frames, 3, 32, 16), dtype=torch.uint8, generator=draw)


def check(file, model, flip, shapes, modalities=None):
    encoder, written = Encoder(model, Runtime("cpu", "fp32"), flip=flip), OnnxNetwork(file)
    for batch, frames in shapes:
        clips = pixels(batch, frames, batch)
        kinds = None if modalities is None else modalities[:batch]
        torch.testing.assert_close(
            written.embed(clips, kinds), encoder(clips, kinds), atol=2e-5, rtol=0
        )


def test_clips_of_any_number_and_length(video, any_frames):
    model, facts = video
    check(any_frames, model, True, [(1, 3), (2, 1), (7, 3), (5, 6), (3, 2)])
    said = OnnxNetwork(any_frames).facts
    assert said["fingerprint"] == model_fingerprint(model, facts)
    assert (said["frames"], said["img_h"], said["img_w"]) == (None, 32, 16)
    assert said["difference"] <= onnx_file.TOLERANCE


def test_a_gallery_is_embedded_alike_in_any_batches(any_frames):
    written, clips = OnnxNetwork(any_frames), pixels(9, 3)
    whole = written.embed(clips)
    parts = torch.cat([written.embed(part) for part in clips.split(2)])
    torch.testing.assert_close(whole, parts, atol=2e-5, rtol=0)
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(9))


def test_images_take_their_modalities(image, tmp_path):
    model, facts = image
    file = tmp_path / "agw.onnx"
    export_onnx(file, model, facts)
    kinds = torch.tensor([1, 0, 0, 1, 1])
    check(file, model, True, [(1, 1), (5, 1)], kinds)
    written = OnnxNetwork(file)
    clips = pixels(2, 1)
    infrared = written.embed(clips, Modality.INFRARED)
    assert not torch.allclose(infrared, written.embed(clips, Modality.VISIBLE), atol=1e-2)
    with pytest.raises(ValueError, match="say which"):
        written.embed(clips)
    with pytest.raises(UserError, match=r"cannot take clips \[2, 3, 3, 32, 16\]"):
        written.embed(pixels(2, 3), kinds[:2])
    with pytest.raises(UserError, match="clips of 1 frame"):
        export_onnx(file, model, facts, dynamic_frames=True)
    # The network itself is as it was.
    assert not model.both_stems


def test_other_features_are_refused_and_leave_nothing(video, tmp_path, monkeypatch):
    model, facts = video
    honest = onnx_file._Graph.forward
    monkeypatch.setattr(
        onnx_file._Graph, "forward", lambda self, clips: honest(self, clips).roll(1, dims=1)
    )
    with pytest.raises(UserError, match="was not written: its features are up to"):
        export_onnx(tmp_path / "m.onnx", model, {**facts, "flip": False})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_library_is_named(video, tmp_path, monkeypatch, capsys, name):
    model, facts = video
    save_model(tmp_path / "model.safetensors", model, facts)
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(onnx_file, "_trace", lambda path, *rest: path.write_bytes(b"x"))
    arguments = ["export", str(tmp_path), "--format", "onnx", "--output", str(tmp_path / "m.onnx")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"need {name}, which is not installed: pip install 'vireid[footage]'" in said
    assert not (tmp_path / "m.onnx").exists()


def test_the_command_stores_thresholds_of_its_own_network(video, tmp_path, capsys):
    model, facts = video
    save_model(tmp_path / "model.safetensors", model, {**facts, "flip": False})
    again, meta = load_model(tmp_path / "model.safetensors")
    point = {"threshold": 0.5, "gallery_size": 10, "fmr": 0.1, "fnmr": 0.2}
    point |= {"fpir": 0.3, "fnir": None}
    direction = {"query": "visible", "gallery": "infrared", "query_camera": None}
    direction |= {"gallery_camera": None, "thresholds": [point], "curve": {"threshold": [0.1]}}
    record = {"version": 1, "directions": [direction], "data_dir": "/home/somebody"}
    out = tmp_path / "m.onnx"
    arguments = ["export", str(tmp_path), "--format", "onnx", "--output", str(out), "--overwrite"]
    for name, sentence in (("x", "is of another network"), (None, "thresholds of its calibr")):
        fingerprint = name or model_fingerprint(again, meta)
        (tmp_path / "calibration.json").write_text(
            json.dumps(record | {"fingerprint": fingerprint})
        )
        assert main(arguments) == 0
        assert sentence in capsys.readouterr().out
        kept = OnnxNetwork(out).facts.get("calibration")
        assert (kept is None) == (name == "x")
    assert kept["directions"][0]["thresholds"] == [point]
    assert "curve" not in kept["directions"][0]
    assert "data_dir" not in kept
    check(out, model, False, [(1, 3), (4, 3)])


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no ONNX file at"), (b"", "no readable ONNX file"), (b"\x08\x01", "no readable ONNX")],
)
def test_other_files_are_refused(tmp_path, content, said):
    file = tmp_path / "m.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=said):
        OnnxNetwork(file)


def test_a_foreign_network_is_refused(any_frames, tmp_path):
    import onnx

    proto = onnx.load(str(any_frames))
    del proto.metadata_props[:]
    onnx.save(proto, str(tmp_path / "foreign.onnx"))
    with pytest.raises(UserError, match="was not written by vireid"):
        OnnxNetwork(tmp_path / "foreign.onnx")
