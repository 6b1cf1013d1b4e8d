"""`vireid index` and `search` with onnxruntime: PyTorch's vectors, in one index with them."""

import json
import shutil
import sys

import pytest
import torch
from vireid.cli import main
from vireid.datasets.track import Modality
from vireid.engine import onnx_file
from vireid.engine.checkpoint import load_model, save_model
from vireid.errors import UserError
from vireid.models import AGW, M3ReID
from vireid.retrieval.embedding import open_embedder
from vireid.retrieval.index_folder import open_index
from vireid.retrieval.options import EmbedderOptions
from vireid.retrieval.sightings import sightings_of

pytest.importorskip("lancedb")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
FACTS = {"num_identities": 0, "num_frames": 2, "img_h": 32, "img_w": 16, "test_frames": 2}
FACTS |= {"test_resize": "lanczos", "flip": True, "stage": "mmm", "step": 3}
FACTS |= {"backbone": "thin-8", "dataset": "hitsz-vcm"}
HALF = 2e-3  # of a unit vector's numbers in half precision


def make_run(folder, model, **facts):
    folder.mkdir()
    network = folder / "model.safetensors"
    save_model(network, model.eval(), {**FACTS, "network": type(model).__name__, **facts})
    file = folder / "model.onnx"
    assert main(["export", str(folder), "--format", "onnx", "--output", str(file)]) == 0
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    model = M3ReID(0, num_frames=2, backbone="thin-8")
    return make_run(tmp_path_factory.mktemp("runs") / "run", model)


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    torch.manual_seed(1)
    model = AGW(0, backbone="thin-8")
    return make_run(tmp_path_factory.mktemp("runs") / "images", model, num_frames=1, test_frames=1)


def add(run, data, folder, *flags):
    line = ["index", str(run), str(data), "--dataset", "hitsz-vcm", "--output", str(folder)]
    return main([*line, "--dim", "0", *flags])


def vectors(folder):
    keys, rows = open_index(folder).store.vectors("", 1000)
    return dict(zip(keys, torch.from_numpy(rows).float()))


def answers(capsys, *arguments):
    capsys.readouterr()
    assert main(["search", *map(str, arguments), "--format", "jsonl"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", ["run", "image_run"])
def test_both_engines_give_the_same_features(name, request, tiny_set):
    run = request.getfixturevalue(name)
    tracks = [one.track for one in sightings_of(tiny_set, "hitsz-vcm", "")][::4]
    assert {track.modality for track in tracks} == set(Modality)
    found = {}
    for engine in ("torch", "onnx"):
        embedder = open_embedder(run, EmbedderOptions(engine=engine, batch_size=5))
        found[engine] = torch.cat([rows for _, rows in embedder.features(tracks)])
        assert embedder.width() == found[engine].shape[1]
    assert len(found["torch"]) == len(tracks)
    apart = (found["torch"] - found["onnx"]).norm(dim=1).max()
    assert float(apart) <= onnx_file.TOLERANCE


def test_one_index_takes_vectors_of_both(run, tiny_set, tmp_path, capsys):
    plain, mixed = tmp_path / "plain", tmp_path / "mixed"
    assert add(run, tiny_set, plain) == 0
    shutil.copytree(plain, mixed)
    assert main(["forget", str(mixed), "--key", "train/*"]) == 0
    assert add(run, tiny_set, mixed, "--engine", "onnx") == 0
    assert "44 there already, 91 in all" in capsys.readouterr().out
    expected, found = vectors(plain), vectors(mixed)
    assert expected.keys() == found.keys()
    for key, vector in expected.items():
        torch.testing.assert_close(found[key], vector, atol=HALF, rtol=0)
    query = (mixed, "--query", tiny_set, "--dataset", "hitsz-vcm", "--top", 3)
    by_torch, by_onnx = answers(capsys, *query), answers(capsys, *query, "--engine", "onnx")
    for first, second in zip(by_torch, by_onnx, strict=True):
        assert [first[name] for name in ("query", "rank")] == [
            second[name] for name in ("query", "rank")
        ]
        assert first["score"] == pytest.approx(second["score"], abs=HALF)


def test_the_file_stands_for_the_run(run, tiny_set, tmp_path, capsys):
    alone = tmp_path / "elsewhere.onnx"
    shutil.copy(run / "model.onnx", alone)
    index = tmp_path / "index"
    assert add(alone, tiny_set, index) == 0
    assert "91 added" in capsys.readouterr().out
    assert add(run, tiny_set, index) == 0
    assert "0 added, 91 there already" in capsys.readouterr().out
    assert len(answers(capsys, index, "--query", tiny_set, "--dataset", "hitsz-vcm")) == 910


@pytest.fixture
def refused(run, tiny_set, tmp_path, capsys):
    """What `index` says of a run that it does not take; nothing is made."""

    def ask(given, *flags):
        capsys.readouterr()
        assert add(given, tiny_set, tmp_path / "index", *flags) == 2
        assert not (tmp_path / "index").exists()
        said = capsys.readouterr().err
        assert said.startswith("vireid: ") and "Traceback" not in said
        return said

    return ask


def test_a_file_of_another_network_is_refused(run, tmp_path, refused):
    stale = tmp_path / "stale"
    shutil.copytree(run, stale)
    model, facts = load_model(run / "model.safetensors")
    with torch.no_grad():
        next(model.parameters()).mul_(1.5)
    save_model(stale / "model.safetensors", model, facts)
    said = refused(stale, "--engine", "onnx")
    assert "was exported from another network" in said and "--overwrite" in said


def test_a_missing_file_is_named_with_the_command_that_writes_it(run, tmp_path, refused):
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / "model.onnx").unlink()
    said = refused(bare, "--engine", "onnx")
    assert f"vireid export {bare / 'model.safetensors'} --format onnx" in said


def test_an_index_of_another_network_refuses_the_file(run, tiny_set, tmp_path, capsys):
    index = tmp_path / "index"
    assert add(run, tiny_set, index) == 0
    facts = json.loads((index / "index.json").read_text())
    (index / "index.json").write_text(json.dumps(facts | {"fingerprint": "0" * 32}))
    capsys.readouterr()
    assert add(run, tiny_set, index, "--engine", "onnx") == 2
    assert "vectors of another network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--engine", "torch"), "is an ONNX file"),
        (("--device", "cuda"), "on the CPU in fp32"),
        (("--precision", "fp16"), "on the CPU in fp32"),
    ],
)
def test_what_the_engine_cannot_do_is_said(run, refused, flags, says):
    assert says in refused(run / "model.onnx", *flags)


def test_without_onnxruntime_it_says_what_to_install(run, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said = refused(run, "--engine", "onnx")
    assert "onnxruntime, which is not installed: pip install 'vireid[footage]'" in said


def test_a_file_with_other_facts_is_refused(run, tmp_path):
    import onnx

    proto = onnx.load(str(run / "model.onnx"))
    stored = json.loads(proto.metadata_props[0].value)
    for wrong in ({"img_h": 0}, {"img_w": "16"}, {"flip": 1}, {"test_resize": "x"}, {"network": 3}):
        onnx.helper.set_model_props(proto, {onnx_file.KEY: json.dumps(stored | wrong)})
        onnx.save(proto, str(tmp_path / "wrong.onnx"))
        with pytest.raises(UserError, match=f"frames are made \\({next(iter(wrong))}: expected"):
            onnx_file.OnnxNetwork(tmp_path / "wrong.onnx")
