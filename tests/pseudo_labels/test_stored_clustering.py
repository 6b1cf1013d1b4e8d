"""The kept clustering: written, read, carried over a resume, refused when it does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from vireid.datasets.track import Modality, Track
from vireid.engine.run_folder import RunFolder
from vireid.pseudo_labels.evaluator import PseudoLabelEvaluator
from vireid.pseudo_labels.stored_clustering import LabelHistory, read_clustering

LABELS = np.array([0, 0, 1, -1, 0, 0, 1, 1])
UNIFIED = np.array([0, 0, 1, -1, 1, 1, 0, 0])


def tracks(root, known=True):
    return [
        Track(
            tuple(root / f"{n}" / f"{frame}.jpg" for frame in range(9)),
            Modality.VISIBLE if n < 4 else Modality.INFRARED,
            camera=n % 3,
            identity=n // 2 if known else None,
            key=f"train/{n}",
        )
        for n in range(8)
    ]


def features():
    rows = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(rows, dim=1)


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "run", f"dataset: x\ndata_dir: {tmp_path}\n", resume=False)
    yield run
    run.close()


def cluster(judge, labels, epoch, **more):
    for modality in Modality:
        judge.labels(labels, "mmm", epoch, 10 * epoch, modality, features())
    judge.labels(UNIFIED, "mmm", epoch, 10 * epoch, None, features())
    judge.keep(features(), labels, "mmm", epoch, unified=UNIFIED, **more)


def stabilities(run):
    lines = map(json.loads, run.metrics.read_text().splitlines())
    return [(r["epoch"], r["modality"], r.get("stability")) for r in lines]


def test_what_a_run_keeps_comes_back(folder, tmp_path):
    judge = PseudoLabelEvaluator(tracks(tmp_path), folder, tmp_path)
    cost = np.array([[0.5, 1.0], [1.0, 0.25]])
    cluster(judge, LABELS, 3, assignment=torch.tensor([1, 0]), cost=torch.from_numpy(cost))
    found = read_clustering(folder.path, tmp_path)
    assert [t.key for t in found.tracks] == [t.key for t in tracks(tmp_path)]
    assert [len(t.frames) for t in found.tracks] == [6] * 8
    assert found.tracks[2].frames[0] == tmp_path / "2" / "0.jpg"
    assert found.tracks[2].frames[-1] == tmp_path / "2" / "8.jpg"
    np.testing.assert_array_equal(found.labels, LABELS)
    np.testing.assert_array_equal(found.unified, UNIFIED)
    np.testing.assert_array_equal(found.assignment, [1, 0])
    np.testing.assert_allclose(found.cost, cost)
    assert (found.stage, found.epoch) == ("mmm", 3)
    torch.testing.assert_close(found.features, features(), atol=1e-3, rtol=0)
    assert found.identities.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert not list(folder.path.rglob("*.part"))


def test_records_hold_what_needs_no_identity(folder, tmp_path):
    judge = PseudoLabelEvaluator(tracks(tmp_path, known=False), folder, tmp_path)
    cluster(judge, LABELS, 1)
    cluster(judge, LABELS, 2)
    judge.matching(LABELS, np.array([0, 1]), "mmm", 2, 20, torch.tensor([[1.0, 2.0], [3.0, 1.0]]))
    records = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    for record in records[:-1]:
        assert 0 < record["camera_purity"] <= 1 and -1 <= record["silhouette"] <= 1
        assert "ari" not in record
        assert ("mixed" in record) == (record["modality"] == "joint")
    assert records[2]["mixed"] == 1.0
    assert [r.get("stability") for r in records[:6]] == [None] * 3 + [1.0] * 3
    assert records[-1]["margin"] == pytest.approx((0.5 + 2 / 3) / 2)
    assert read_clustering(folder.path, tmp_path).identities is None


@pytest.mark.parametrize("again", [2, 3])
def test_a_resumed_run_compares_with_the_same_clustering(folder, tmp_path, again):
    """Killed after epoch 2 was clustered: epoch 2 comes again, or epoch 3 follows."""
    other = np.array([0, 1, 1, 0, 0, 1, 0, 1])
    judge = PseudoLabelEvaluator(tracks(tmp_path), folder, tmp_path)
    cluster(judge, LABELS, 1)
    cluster(judge, other, 2)
    if again == 3:
        cluster(judge, LABELS, 3)
    wanted = stabilities(folder)[-3:]
    folder.metrics.write_text("")
    if again == 3:  # as it lay there before epoch 3
        judge = PseudoLabelEvaluator(tracks(tmp_path), folder, tmp_path)
        cluster(judge, LABELS, 1)
        cluster(judge, other, 2)
        folder.metrics.write_text("")
    folder.resumed = True
    judge = PseudoLabelEvaluator(tracks(tmp_path), folder, tmp_path)
    cluster(judge, other if again == 2 else LABELS, again)
    assert stabilities(folder) == wanted
    assert all(value is not None for _, _, value in wanted)


def test_history_of_another_moment():
    history = LabelHistory({"joint": LABELS}, {"joint": UNIFIED}, "mmm", 4)
    assert history.before_that_of("mmm", 5)["joint"] is LABELS
    assert history.before_that_of("mmm", 4)["joint"] is UNIFIED
    assert history.before_that_of("mmm", 3) == {}
    assert history.before_that_of("cross_modality", 1)["joint"] is LABELS


def test_damage_is_named(folder, tmp_path):
    judge = PseudoLabelEvaluator(tracks(tmp_path), folder, tmp_path)
    with pytest.raises(FileNotFoundError, match="last_clustering"):
        read_clustering(folder.path, tmp_path)
    cluster(judge, LABELS, 1)
    kept = folder.path / "last_clustering.safetensors"
    tensors = load_file(kept)
    save_file({**tensors, "labels": tensors["labels"][:5]}, kept)
    with pytest.raises(ValueError, match="8 tracks are listed, but it holds 5 labels"):
        read_clustering(folder.path, tmp_path)
    kept.write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="damaged"):
        read_clustering(folder.path, tmp_path)
    save_file(tensors, kept)
    table = folder.path / "train_tracks.csv"
    table.write_text(table.read_text().replace("infrared", "ultraviolet"))
    with pytest.raises(ValueError, match="line 6: not a track"):
        read_clustering(folder.path, tmp_path)


def test_fewer_tracks_than_a_match_speaks_of(folder, tmp_path):
    judge = PseudoLabelEvaluator(tracks(tmp_path), folder, tmp_path)
    cost = torch.tensor([[0.5, 1.0], [1.0, 0.25]])
    cluster(judge, LABELS, 1, assignment=torch.tensor([1, 0]), cost=cost)
    table = folder.path / "train_tracks.csv"
    lines = table.read_text().splitlines(keepends=True)
    for wrong in (lines[:-1], [*lines, lines[-1].replace("train/7", "train/8")]):
        table.write_text("".join(wrong))
        with pytest.raises(ValueError, match="tracks are listed, but it holds 8 features"):
            read_clustering(folder.path, tmp_path)


def test_the_artefact_of_stage_one_stands_in(folder, tmp_path):
    from vireid.pseudo_labels.artefact import write_artefact

    write_artefact(folder.path, tracks(tmp_path), LABELS, features(), {})
    found = read_clustering(folder.path, tmp_path)
    np.testing.assert_array_equal(found.labels, LABELS)
    torch.testing.assert_close(found.features, features())
    assert found.assignment is None and found.unified is None
