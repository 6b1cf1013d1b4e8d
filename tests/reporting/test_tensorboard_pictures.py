"""TensorBoard gets pictures beside numbers, and a run goes on where it cannot."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from vireid.datasets.track import Modality, Track
from vireid.engine.options import SessionOptions
from vireid.engine.run_folder import RunFolder
from vireid.engine.session import Session
from vireid.models import M3ReID
from vireid.pseudo_labels.stored_clustering import StoredClustering
from vireid.reporting import tensorboard_pictures as module
from vireid.reporting.feature_map import COMPONENTS
from vireid.reporting.film_strip import TILE
from vireid.reporting.tensorboard_pictures import MISSED, RIGHT, VERDICTS, WRONG

SMALL = {"dataset": "hitsz-vcm", "workers": 0, "device": "cpu", "precision": "fp32"}
SMALL |= {"img_h": 32, "img_w": 16, "test_frames": 1}


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "run", "dataset: hitsz-vcm\n", resume=None)
    yield run
    run.close()


@pytest.fixture
def session(tiny_set, folder):
    return Session(SessionOptions(data_dir=tiny_set, **SMALL), "evaluate", folder, labelled=True)


def model():
    torch.manual_seed(0)
    return M3ReID(0, num_frames=1, backbone="thin-8")


def clusters_of_people(session):
    """One cluster for each person and modality, and the right partner of each visible one."""
    people = np.array([track.identity for track in session.tracks])
    labels = np.unique(people, return_inverse=True)[1].astype(np.int64)
    return labels, np.arange(labels.max() + 1)


def events(run):
    run.close()
    found = EventAccumulator(str(run.path / "tensorboard"))
    return found.Reload()


def picture(found, tag):
    (event,) = found.Images(tag)
    return event.step, np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))


def test_an_evaluation_shows_lists_and_numbers(session, folder):
    records = session.evaluate(model(), "mmm", 1, 7, keep=True)
    found = events(folder)
    names = {record["protocol"] for record in records}
    assert {f"ranked_lists/{name}" for name in names} == set(found.Tags()["images"])
    for record in records:
        (scalar,) = found.Scalars(f"evaluation/{record['protocol']}/mAP")
        assert (scalar.step, scalar.value) == (7, pytest.approx(record["mAP"]))
        step, pixels = picture(found, f"ranked_lists/{record['protocol']}")
        assert step == 7
        width, height = TILE[0] + 2 * module.FRAME, TILE[1] + 2 * module.FRAME
        assert pixels.shape == (3 * height, 11 * width + module.GAP, 3)
        frames = {tuple(pixels[0, width * place + module.GAP]) for place in range(1, 11)}
        assert frames <= set(VERDICTS.values())
        assert VERDICTS["right"] in frames  # the best query


def test_the_projector_knows_whom_it_shows(session, folder):
    session.evaluate(model(), "mmm", 1, 7, keep=True)
    board = folder.path / "tensorboard"
    assert "test_features:00007" in (board / "projector_config.pbtxt").read_text()
    (table,) = board.rglob("metadata.tsv")
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ["identity", "camera", "modality", "key"]
    wanted = [
        [str(t.identity), str(t.camera), t.modality.name.lower()] for t in session.test_tracks
    ]
    assert [line[:3] for line in lines[1:]] == wanted
    (points,) = board.rglob("tensors.tsv")
    rows = [line.split("\t") for line in points.read_text().splitlines()]
    assert len(rows) == len(wanted)
    assert {len(row) for row in rows} == {min(COMPONENTS, len(wanted))}


def test_no_projector_before_the_end(session, folder):
    session.evaluate(model(), "mmm", 1, 7)
    assert not list((folder.path / "tensorboard").rglob("tensors.tsv"))


def test_a_matching_is_shown(session, folder):
    labels, partner = clusters_of_people(session)
    session.evaluator.matching(labels, partner, "mmm", 1, 5, np.eye(len(partner)))
    found = events(folder)
    step, pixels = picture(found, "matching/matrix")
    assert step == 5
    assert pixels.shape[0] == pixels.shape[1]
    assert found.Scalars("matching/matched")[0].value == len(partner)


def test_without_pictures_the_numbers_stay(tiny_set, folder):
    folder.pictures = False
    config = SessionOptions(data_dir=tiny_set, **SMALL)
    session = Session(config, "evaluate", folder, labelled=True)
    session.evaluate(model(), "mmm", 1, 7, keep=True)
    session.evaluator.matching(*clusters_of_people(session), "mmm", 1, 7)
    found = events(folder)
    assert not found.Tags()["images"]
    assert "matching/matched" in found.Tags()["scalars"]
    assert not list((folder.path / "tensorboard").rglob("tensors.tsv"))


def test_a_failure_is_said_once_and_stops_nothing(session, folder, monkeypatch, capsys):
    def fails(*arguments, **named):
        raise RuntimeError("no room on the board")

    monkeypatch.setattr(module, "score_direction", fails)
    for step in (1, 2):
        assert len(session.evaluate(model(), "mmm", step, step)) == 2
    assert capsys.readouterr().out.count("no room on the board") == 1
    assert "evaluation/hitsz-vcm/v2i/mAP" in events(folder).Tags()["scalars"]


def test_without_tensorboard_a_run_says_so_once(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    run = RunFolder(tmp_path / "run", "{}\n", resume=None)
    try:
        for step in (1, 2):
            run.record("train", step=step, loss=0.5)
    finally:
        run.close()
    assert capsys.readouterr().out.count("pip install 'vireid[tensorboard]'") == 1
    assert run.metrics.read_text(encoding="utf-8").count("\n") == 2
    assert not (run.path / "tensorboard").exists()


def test_a_process_that_is_not_the_main_one_draws_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("vireid.distributed.ranks.is_main", lambda: False)
    run = RunFolder(tmp_path / "run", "{}\n", resume=None)
    try:
        run.to_tensorboard(lambda writer: pytest.fail("drawn"), 1)
    finally:
        run.close()


TRACKS = [Track((Path("none.jpg"),), Modality.VISIBLE, 0, 0, f"{n}") for n in range(5)]


def pair_colours(partner, people, *, cost=None):
    """Colour of each cell, of clusters whose members show the given people."""
    tracks = [
        dataclasses.replace(track, identity=person, modality=modality)
        for modality, side in zip(Modality, people)
        for track, person in zip(TRACKS, side)
    ]
    labels = np.concatenate([np.arange(len(side)) for side in people])
    clustering = StoredClustering(
        tracks, torch.zeros(len(tracks), 0), labels, assignment=np.array(partner), cost=cost
    )
    pixels = module.matching_pixels(clustering)
    cell = pixels.shape[0] // len(people[0])
    return [[tuple(pixel) for pixel in row] for row in pixels[::cell, ::cell].tolist()]


def test_right_wrong_and_missed_pairs_have_their_colours():
    # Rows show persons 5, 7, 9 in this order; columns 5, 7, 8.
    cells = pair_colours([0, 2, -1], ([5, 7, 9], [5, 7, 8]))
    assert cells[0][0] == RIGHT
    assert cells[1][2] == WRONG
    assert cells[1][1] == MISSED
    assert cells[2] == [module.BOARD] * 3


def test_low_costs_are_ink():
    cost = np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    cells = pair_colours([-1, -1], ([5, 7], [6, 8]), cost=cost)
    assert cells[0][0] != module.BOARD
    assert cells[0][1] == cells[1][0] == cells[1][1] == module.BOARD
