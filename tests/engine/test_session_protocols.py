"""What a session evaluates: chosen protocols, one extraction for all trials, every trial kept."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from vireid.engine.options import SessionOptions
from vireid.engine.run_folder import RunFolder
from vireid.engine.session import Session
from vireid.errors import UserError
from vireid.evaluation.galleries import seeded_gallery
from vireid.evaluation.trials import evaluate
from vireid.models import M3ReID
from vireid.reporting.run_record import read_run

SMALL = {"dataset": "hitsz-vcm", "workers": 0, "device": "cpu", "precision": "fp32"}
SMALL |= {"img_h": 32, "img_w": 16, "test_frames": 1, "allow_incomplete": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "hitsz-vcm/t2v"}, "no protocol .*; known: hitsz-vcm/v2i, hitsz-vcm/i2v"),
        ({"protocol": "sysu-mm01/all/single"}, "no protocol .* for data set hitsz-vcm"),
        ({"gallery": "official"}, "only SYSU-MM01 comes with galleries of its own"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_of_the_user(tiny_set, changes, message):
    with pytest.raises(UserError, match=message):
        Session(SessionOptions(data_dir=tiny_set, **SMALL, **changes), "mmm", None, labelled=True)


def test_trials_count_from_one(tiny_set):
    with pytest.raises(ValueError, match="trial is at least 1; got 0"):
        SessionOptions(data_dir=tiny_set, **SMALL, trial=0)


def test_one_direction_is_evaluated_when_one_is_asked_for(tiny_set, capsys):
    config = SessionOptions(data_dir=tiny_set, protocol="hitsz-vcm/i2v", flip=True, **SMALL)
    session = Session(config, "evaluate", None, labelled=True)
    (record,) = session.evaluate(M3ReID(0, num_frames=1, backbone="thin-16"), "mmm", 1, 2)
    assert (record["protocol"], record["trials"], record["std"]) == ("hitsz-vcm/i2v", 1, None)
    assert "1 trial, whole gallery, flip, no re-ranking)" in capsys.readouterr().out


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("cluster_flip", [False, True])
def test_mirror_images_count_in_clustering_where_they_are_asked_for(tiny_set, flip, cluster_flip):
    config = SessionOptions(data_dir=tiny_set, flip=flip, cluster_flip=cluster_flip, **SMALL)
    session = Session(config, "baseline", None, labelled=True)
    torch.manual_seed(0)
    model = M3ReID(0, num_frames=1, backbone="thin-8")
    found = session.training_features(model)
    lengths = found.norm(dim=1)
    # Of two unit rows that differ the mean is shorter than 1.
    assert (lengths < 0.9999).any() == (flip and cluster_flip)
    tested = session._extraction.features(model, "test", session.test_tracks)
    assert (tested.norm(dim=1) < 0.9999).any() == flip


def test_every_trial_is_kept_and_features_are_extracted_once(tiny_set, tmp_path, monkeypatch):
    config = SessionOptions(data_dir=tiny_set, **SMALL)
    run = RunFolder(tmp_path / "run", "dataset: hitsz-vcm\n", resume=None)
    try:
        session = Session(config, "evaluate", run, labelled=True)
        drawn = []
        for protocol in session.protocols:
            trials = [seeded_gallery(protocol.gallery, 1, seed) for seed in range(10)]
            drawn.append(dataclasses.replace(protocol, trials=trials, gallery_kind="seeded"))
        session.protocols = drawn
        extracted = []
        extract = session._extraction.features

        def counted(*arguments, **named):
            extracted.append(extract(*arguments, **named))
            return extracted[-1]

        monkeypatch.setattr(session._extraction, "features", counted)
        model = M3ReID(0, num_frames=1, backbone="thin-16")
        records = session.evaluate(model, "mmm", 3, 4)
    finally:
        run.close()
    assert len(extracted) == 1
    stored = read_run(tmp_path / "run")
    assert stored.of_kind("evaluation") == [
        {"kind": "evaluation", **record} for record in json.loads(json.dumps(records))
    ]
    for protocol, record in zip(drawn, records):
        wanted = evaluate(extracted[0], session.test_tracks, [protocol])[0].trials
        each = [r for r in stored.of_kind("trial") if r["protocol"] == protocol.name]
        assert [r["trial"] for r in each] == list(range(10))
        assert [r["mAP"] for r in each] == [one.mAP for one in wanted]
        assert all((r["stage"], r["epoch"], r["step"]) == ("mmm", 3, 4) for r in each)
        assert all(r["flip"] is False and r["rerank"] is False for r in each)
        assert record["mAP"] == pytest.approx(sum(one.mAP for one in wanted) / 10)
        assert record["std"]["mAP"] > 0 and record["gallery"] == len(protocol.trials[0])
