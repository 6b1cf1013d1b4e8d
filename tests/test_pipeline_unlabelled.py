"""Footage without identities goes through both stages; what takes identities is not measured."""

import json

import pytest
from tiny_runs import BASELINE, MMM, flags
from vireid.cli import main
from vireid.datasets import load_dataset


@pytest.fixture
def unlabelled(tiny_set, tmp_path):
    """The training tracks of the tiny set in one folder of nobody."""
    for number, track in enumerate(load_dataset("hitsz-vcm", tiny_set).train):
        camera = f"{track.modality.name.lower()}/cam{track.camera + 10 * track.modality}"
        place = tmp_path / "data/train/unknown" / camera / str(number)
        place.mkdir(parents=True)
        for frame in track.frames:
            (place / frame.name).symlink_to(frame.absolute())
    return tmp_path / "data"


def records(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_both_stages_end_and_measure_nothing_with_identities(unlabelled, tmp_path, capsys):
    runs = tmp_path / "one", tmp_path / "two"
    # One epoch of each stage is enough to come by every evaluation.
    short = {"dataset": "folder", "intra_epochs": 1}
    lenient = [*flags("baseline", unlabelled, runs[0], {**BASELINE, **short}), "--skip-corrupt"]
    assert main(lenient) == 0
    second = {**MMM, "dataset": "folder", "epochs": 1, "baseline": runs[0]}
    assert main(flags("mmm", unlabelled, runs[1], second)) == 0
    for run in runs:
        found = records(run)
        assert not [record for record in found if record["kind"] in ("evaluation", "trial")]
        text = json.dumps(found)
        assert not any(name in text for name in ('"mAP"', '"rank1"', '"ari"', '"purity"'))
    assert main(["report", str(runs[1])]) == 0
    capsys.readouterr()
    line = ["evaluate", "--dataset", "folder", "--data-dir", str(unlabelled)]
    shown = tmp_path / "shown"
    line += ["--workers", "0", "--checkpoint", str(runs[1])]
    assert main([*line, "--output", str(shown)]) == 0
    said = capsys.readouterr().out
    assert "no rank-1 and no mAP" in said and "R1" not in said
    kept = [record for record in records(shown) if record["kind"] == "agreement"]
    assert [record["modality"] for record in kept] == ["visible", "infrared"]
    assert not [record for record in records(shown) if record["kind"] == "evaluation"]
    assert main([*line, "--output", str(shown)]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert [record for record in records(shown) if record["kind"] == "agreement"] == kept
    again = flags("baseline", unlabelled, tmp_path / "three", {**BASELINE, **short})
    assert main([*again, "--protocol", "folder/v2i"]) == 2
    assert "no query and no gallery, so nothing is ranked" in capsys.readouterr().err
