"""The stage-one artefact: what is written is read, and what does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import vireid
from vireid.datasets.track import Modality, Track
from vireid.errors import UserError
from vireid.pseudo_labels.artefact import align, read_artefact, write_artefact


def make_tracks(count=7):
    return [
        Track((Path(f"{i}.jpg"),), Modality(i % 2), i % 3, i // 2, f'track "{i}", größe')
        for i in range(count)
    ]


@pytest.fixture
def folder(tmp_path):
    tracks = make_tracks()
    features = torch.arange(14, dtype=torch.float32).reshape(7, 2)
    write_artefact(tmp_path, tracks, np.array([0, 0, 1, -1, 0, 1, 1]), features, {"steps": 3})
    (tmp_path / "encoder.safetensors").touch()
    return tmp_path


def test_rows_come_back_in_the_order_of_the_tracks(folder):
    artefact = read_artefact(folder)
    tracks = make_tracks()[::-1]
    rows = align(artefact, tracks)
    features = torch.cat([artefact.visible, artefact.infrared])[torch.from_numpy(rows)]
    assert torch.equal(features, torch.arange(14, dtype=torch.float32).reshape(7, 2).flip(0))
    assert artefact.labels[rows].tolist() == [1, 1, 0, -1, 1, 0, 0]
    assert len(artefact.visible) == 4
    assert len(artefact.infrared) == 3


@pytest.mark.parametrize(
    "name", ["tracks.csv", "features.safetensors", "encoder.safetensors", "metrics.json"]
)
def test_a_missing_part_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        read_artefact(folder)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"steps": 3}', "it names no version"),
        ('{"vireid": "0.1.9"}', "vireid 0.1.9"),
        ("[]", "it names no version"),
        ("{", "is damaged"),
    ],
)
def test_an_artefact_of_an_earlier_version_is_refused(folder, text, found):
    assert json.loads((folder / "metrics.json").read_text())["vireid"] == vireid.__version__
    (folder / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=found) as refused:
        read_artefact(folder)
    if text != "{":
        assert f"this is vireid {vireid.__version__}" in str(refused.value)
        assert "make it again" in str(refused.value)


def test_other_data_are_refused(folder):
    artefact = read_artefact(folder)
    with pytest.raises(UserError, match="belongs to other data"):
        align(artefact, make_tracks(8))
    with pytest.raises(UserError, match="belongs to other data"):
        align(artefact, make_tracks(6))


def test_rows_that_do_not_fit_are_refused(folder):
    text = (folder / "tracks.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "tracks.csv").write_text("".join(text[:-1]), encoding="utf-8")
    with pytest.raises(UserError, match="infrared rows"):
        read_artefact(folder)
