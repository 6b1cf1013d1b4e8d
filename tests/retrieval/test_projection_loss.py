"""What a projection costs is what plain ranking says."""

import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from vireid import __version__
from vireid.datasets.track import Modality, Track
from vireid.datasets.track_table import track_table
from vireid.evaluation.metrics import rank_metrics
from vireid.retrieval.projection import Projection, fit_projection
from vireid.retrieval.projection_loss import projection_losses, training_features


@pytest.fixture
def run(tmp_path):
    """A run folder with test features of twelve people, four tracks each."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 4)
    rows = rng.normal(size=(12, 24))[people] + 0.9 * rng.normal(size=(48, 24))
    features = torch.nn.functional.normalize(torch.from_numpy(rows)).half().float()
    tracks = [
        Track((tmp_path / f"{n}.jpg",), Modality(n % 2), 1 + n % 4, int(person), f"t{n}")
        for n, person in enumerate(people)
    ]
    sides = [("query", "gallery")[t.modality is Modality.VISIBLE] for t in tracks]
    (tmp_path / "test_tracks.csv").write_text(track_table(tracks, sides, tmp_path), "utf-8")
    save_file({"features": features}, tmp_path / "test_features.safetensors")
    record = {
        **{"kind": "run", "command": "mmm", "data_dir": str(tmp_path), "device": "CPU"},
        **{"dataset": "hitsz-vcm", "verification": "", "seed": 0},
        "versions": {"vireid": __version__},
    }
    (tmp_path / "metrics.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    settings = {"dataset": "hitsz-vcm", "data_dir": str(tmp_path)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return tmp_path, features, tracks


def plain_map(rows, tracks, asks):
    """mAP of one direction."""
    query = [n for n, track in enumerate(tracks) if track.modality is asks]
    gallery = [n for n, track in enumerate(tracks) if track.modality is not asks]
    identity = torch.tensor([track.identity for track in tracks])
    camera = torch.tensor([track.camera for track in tracks])
    found = rank_metrics(
        rows[query] @ rows[gallery].T,
        identity[query],
        identity[gallery],
        camera[query],
        camera[gallery],
    )
    return float(found.mAP)


def test_both_scores_are_those_of_plain_ranking(run):
    folder, features, tracks = run
    projection = fit_projection(features, 3)
    losses = projection_losses(folder, projection)
    assert [loss.protocol for loss in losses] == ["hitsz-vcm/v2i", "hitsz-vcm/i2v"]
    vectors = torch.from_numpy(projection.apply(features).astype(np.float32))
    for loss, asks in zip(losses, Modality):
        assert loss.whole == pytest.approx(plain_map(features, tracks, asks), abs=1e-6)
        assert loss.projected == pytest.approx(plain_map(vectors, tracks, asks), abs=1e-6)
        assert loss.projected < loss.whole - 0.05 and "(-" in str(loss)
    for loss in projection_losses(folder, Projection(None)):
        assert loss.projected == pytest.approx(loss.whole, abs=1e-3)


def test_a_run_without_features_says_nothing(tmp_path, run):
    (run[0] / "test_features.safetensors").unlink()
    assert projection_losses(run[0], Projection(None)) == []
    assert training_features(run[0]) is None
