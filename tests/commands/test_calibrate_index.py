"""`vireid calibrate --index`: thresholds for the very vectors that an index holds."""

import json
import shutil

import numpy as np
import pytest
import torch
from calibration_people import FACTS, PEOPLE, write_people
from vireid.cli import main
from vireid.datasets import load_dataset
from vireid.datasets.track import Modality, Track
from vireid.engine import onnx_file
from vireid.engine.calibration_file import read_calibration
from vireid.engine.checkpoint import save_model
from vireid.models import M3ReID
from vireid.pseudo_labels.stored_clustering import LabelHistory, StoredClustering, write_clustering
from vireid.retrieval.decisions import thresholds_of
from vireid.retrieval.index_folder import open_index

pytest.importorskip("lancedb")
DIM = 6
HALF = 1e-3  # what rounding to half precision makes of a score
QUICK = ["--fmr", "0.02,0.1", "--fpir", "0.1,0.3", "--gallery-size", "8", "--resamplings", "20"]
QUICK += ["--workers", "0", "--device", "cpu"]


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("data") / "people")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network, and features of training on which projections are fitted."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    torch.manual_seed(0)
    model = M3ReID(0, 1, backbone="thin-8").eval()
    save_model(folder / "model.safetensors", model, FACTS)
    width = model.embed(torch.zeros(1, 1, 3, 32, 16), Modality.VISIBLE).shape[1]
    tracks = [Track((), Modality(n % 2), 1, None, f"t{n}") for n in range(30)]
    kept = StoredClustering(tracks, torch.randn(30, width), torch.zeros(30).long().numpy())
    write_clustering(folder, kept, folder, LabelHistory({}, {}))
    return folder


@pytest.fixture(scope="module")
def index(run, footage):
    folder = run.parent / "index"
    assert main(["index", str(run), str(footage), "--output", str(folder), "--dim", str(DIM)]) == 0
    assert calibrate(run, footage, "--index", folder) == 0
    return folder


def calibrate(run, footage, *flags):
    return main(["calibrate", str(run), "--data-dir", str(footage), *QUICK, *map(str, flags)])


def test_the_rates_are_those_of_the_vectors_in_the_table(index, footage):
    record = read_calibration(index)
    facts = open_index(index).facts
    assert (record["fingerprint"], record["projection"]) == (facts.fingerprint, facts.projection)
    assert record["projection"] != "none" and record["dim"] == facts.dim == DIM
    keys, rows = open_index(index).store.vectors("", 1000)
    stored = dict(zip(keys, rows.astype(np.float32)))
    dataset = load_dataset("folder", footage)
    tracks = [t for t in (*dataset.query, *dataset.gallery) if t.identity < PEOPLE]
    vectors = np.stack([stored[track.key] for track in tracks])
    scores = vectors @ vectors.T
    people = np.array([track.identity for track in tracks])
    kinds = np.array([track.modality.name.lower() for track in tracks])
    cameras = np.array([track.camera for track in tracks])
    apart = people[:, None] != people
    assert len(record["directions"]) >= 4
    for direction in record["directions"]:
        sides = [kinds == direction[side] for side in ("query", "gallery")]
        counted = sides[0][:, None] & sides[1] & (apart | (cameras[:, None] != cameras))
        wrong, right = scores[counted & apart], scores[counted & ~apart]
        assert direction["thresholds"]
        for point in direction["thresholds"]:
            low, high = point["threshold"] - HALF, point["threshold"] + HALF
            assert np.mean(wrong >= high) - 1e-6 <= point["fmr"] <= np.mean(wrong >= low) + 1e-6
            assert np.mean(right < low) - 1e-6 <= point["fnmr"] <= np.mean(right < high) + 1e-6


def searched(capsys, index, *flags):
    """Answers about one person, and what was said beside them."""
    capsys.readouterr()
    line = ["search", str(index), "--query", "query/3/*", "--format", "jsonl", *map(str, flags)]
    assert main(line) == 0
    out, err = capsys.readouterr()
    return [json.loads(one) for one in out.splitlines()], err


def test_they_decide_in_this_index(index, capsys):
    visible = 4 * (PEOPLE + 4)  # two people are in training, too
    found, said = searched(capsys, index, "--top", visible, "--fpir", 0.6)
    threshold = thresholds_of(index).threshold(("infrared", "visible"), ("", ""), visible, 0.6)
    assert len(found) == 4 * visible and threshold is not None
    clear = [line for line in found if abs(line["score"] - threshold) > HALF]
    for line in clear:
        assert line["decision"] == ("same" if line["score"] > threshold else "unknown")
    assert {line["decision"] for line in clear} == {"same", "unknown"}
    assert "no decisions" not in said


def test_they_never_decide_about_other_vectors(index, run, footage, tmp_path, capsys):
    smaller = tmp_path / "smaller"
    assert main(["index", str(run), str(footage), "--output", str(smaller), "--dim", "5"]) == 0
    shutil.copy(index / "calibration.json", smaller)
    found, said = searched(capsys, smaller, "--top", 2)
    assert {line["decision"] for line in found} == {None}
    assert "hold for other vectors" in said and f"--index {smaller}` measures them" in said


def test_an_onnx_file_takes_no_thresholds_of_reduced_vectors(
    index, run, tmp_path, capsys, monkeypatch
):
    taken = []

    def export(*given, calibration, **more):
        taken.append(calibration)
        return {"difference": 0.0}

    monkeypatch.setattr(onnx_file, "export_onnx", export)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(run / "model.safetensors", alone)
    shutil.copy(index / "calibration.json", alone)
    line = ["export", str(alone), "--format", "onnx", "--output", str(alone / "model.onnx")]
    assert main(line) == 0
    assert "calibration.json is for the vectors of an index" in capsys.readouterr().out
    assert taken == [None]


@pytest.mark.parametrize("given", ["network", "index"])
def test_what_does_not_belong_together_is_refused(index, run, footage, tmp_path, capsys, given):
    other = tmp_path / "other"
    other.mkdir()
    torch.manual_seed(1)
    save_model(other / "model.safetensors", M3ReID(0, 1, backbone="thin-8"), FACTS)
    before = (index / "calibration.json").read_bytes()
    if given == "network":
        flags, says = (other, footage, "--index", index), "vectors of another network"
    else:
        flags, says = (run, footage, "--index", other), "is no index"
    assert calibrate(*flags) == 2
    said = capsys.readouterr().err
    assert says in said and "Traceback" not in said
    assert (index / "calibration.json").read_bytes() == before
    assert not (other / "calibration.json").exists()


def test_table_and_page_say_what_is_compared(index, run, footage, tmp_path, capsys):
    assert calibrate(run, footage, "--index", index, "--output", tmp_path) == 0
    sentence = f"Compared are the vectors of an index, {DIM} half-precision numbers each."
    assert sentence in capsys.readouterr().out
    assert sentence in (tmp_path / "calibration.html").read_text(encoding="utf-8")
    assert calibrate(run, footage, "--output", tmp_path) == 0
    assert "Compared are" not in capsys.readouterr().out
    assert read_calibration(tmp_path)["projection"] == "none"
