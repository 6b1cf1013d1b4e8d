"""``vireid cluster`` reads run folders and feature files, and says what clustering finds."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from vireid.cli import main
from vireid.clustering.camera_mean import centre_by_camera
from vireid.clustering.dbscan import dbscan
from vireid.clustering.jaccard import jaccard_distance
from vireid.commands.cluster import ClusterSettings, run_cluster
from vireid.datasets.track import Modality, Track
from vireid.pseudo_labels.artefact import write_artefact


def people(count=10, each=12, spread=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    identity = torch.arange(count).repeat_interleave(each)
    rows = torch.randn(count, 24, generator=generator)[identity]
    rows = rows + spread * torch.randn(len(identity), 24, generator=generator)
    return torch.nn.functional.normalize(rows, dim=1), identity


@pytest.fixture
def run_folder(tmp_path):
    """A stage-one run whose cameras shift the features and whose recipe takes that out."""
    visible, visible_ids = people(seed=1)
    infrared, infrared_ids = people(count=7, seed=2)
    features, ids = torch.cat([visible, infrared]), torch.cat([visible_ids, infrared_ids])
    shift = torch.randn(2, 24, generator=torch.Generator().manual_seed(3))
    cameras = [(i % 2) + 2 * (i >= len(visible)) for i in range(len(features))]
    features = features + shift[torch.tensor(cameras) % 2]
    tracks = [
        Track(
            frames=(),
            modality=Modality.VISIBLE if i < len(visible) else Modality.INFRARED,
            camera=cameras[i],
            identity=int(ids[i]),
            key=f"t{i}",
        )
        for i in range(len(features))
    ]
    write_artefact(tmp_path, tracks, np.zeros(len(tracks), np.int64), features, {})
    (tmp_path / "encoder.safetensors").touch()
    (tmp_path / "config.yaml").write_text("k1: 9\nk2: 3\neps: 0.45\ncamera_mean: true\n")
    return tmp_path, features, torch.tensor(cameras)


def test_a_run_folder_is_clustered_as_its_recipe_says(run_folder, capsys):
    folder, features, cameras = run_folder
    found = run_cluster(ClusterSettings(input=folder))
    assert list(found) == ["visible", "infrared"]
    centred = centre_by_camera(features, cameras)
    for name, part in (("visible", centred[:120]), ("infrared", centred[120:])):
        labels = dbscan(jaccard_distance(part, 9, 3), 0.45, 4)
        (row,) = found[name]
        assert row.clusters == labels.max() + 1
        assert row.noise_share == pytest.approx((labels == -1).mean())
        assert row.ari > 0.9
    printed = capsys.readouterr().out
    assert "visible: 120 samples, 10 identities; k1 9, k2 3, min samples 4" in printed


def test_a_scan_covers_the_grid_and_marks_the_recipe(run_folder, capsys):
    folder, *_ = run_folder
    assert main(["cluster", str(folder), "--scan", "--grid", "0.2,.7", "--k1", "10"]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines() if "%" in line]
    assert [line[0] for line in lines] == ["0.20", "0.45", "0.70"] * 2
    assert [line[-1] == "recipe" for line in lines] == [False, True, False] * 2
    assert "k1 10, k2 3" in printed


def test_a_feature_file_needs_no_identities(tmp_path, capsys):
    features, identity = people()
    save_file(
        {"infrared": features, "visible": features.half(), "visible_identities": identity},
        tmp_path / "f.safetensors",
    )
    found = run_cluster(ClusterSettings(input=tmp_path / "f.safetensors", k1=10, k2=3, scan=True))
    assert [row.ari is None for row in found["infrared"]] == [True] * 19
    assert max(row.ari for row in found["visible"]) == pytest.approx(1)
    assert "identities unknown" in capsys.readouterr().out


def test_a_degenerate_clustering_ends_in_advice(tmp_path, capsys):
    save_file({"visible": people()[0]}, tmp_path / "f.safetensors")
    given = ["cluster", str(tmp_path / "f.safetensors"), "--eps", "0.0", "--k1=10", "--k2=3"]
    assert main(given) == 2
    message = capsys.readouterr().err
    assert "visible: no cluster was found" in message
    assert "try ε = " in message


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (None, "no features at"),
        ({"ids": torch.arange(3)}, "expected at least one matrix"),
        ({"visible": torch.full((5, 2), torch.nan)}, "visible: features: row 0 of 5"),
        ({"visible": torch.arange(6).view(3, 2)}, "floating point"),
    ],
)
def test_bad_input_is_named(tensors, message, tmp_path, capsys):
    path = tmp_path / "f.safetensors"
    if tensors is not None:
        save_file(tensors, path)
    assert main(["cluster", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_network_is_no_set_of_features(tmp_path, capsys):
    tensors = {f"layer{n}.weight": torch.ones(4, 4) for n in range(100)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"vireid": "{}"})
    assert main(["cluster", str(tmp_path / "model.safetensors")]) == 2
    message = capsys.readouterr().err
    assert "found a network of 100 tensors" in message and "layer" not in message


def test_of_many_tensors_that_are_no_features_a_few_are_named(tmp_path, capsys):
    tensors = {f"layer{n:02}": torch.ones(4) for n in range(100)}
    save_file(tensors, tmp_path / "f.safetensors")
    assert main(["cluster", str(tmp_path / "f.safetensors")]) == 2
    message = capsys.readouterr().err
    assert "layer00 [4], layer01 [4]" in message and "layer10" not in message


def test_a_file_of_another_kind_is_named(tmp_path, capsys):
    (tmp_path / "f.safetensors").write_text("no tensors here")
    assert main(["cluster", str(tmp_path / "f.safetensors")]) == 2
    assert "is no .safetensors file" in capsys.readouterr().err


def test_an_eps_out_of_range_is_refused():
    with pytest.raises(ValueError, match="eps lies between"):
        ClusterSettings(input="x", eps=1.0)
