"""Both modes of LLCM's released test script: draws, and the scores of every trial."""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from training_vectors import arrays, each_vector, names
from vireid.datasets import load_dataset
from vireid.datasets.readers.llcm import CAMERAS
from vireid.evaluation.protocols import check_protocol, protocols_of
from vireid.evaluation.trials import evaluate

# What the script's modes are called here.
PROTOCOLS = {"script_default": "llcm/i2v", "script_vis_to_ir": "llcm/released/drawn-queries/i2v"}


@pytest.fixture
def world(tmp_path):
    """The data set of a vector on disk, as far as readers look, and the files' rows."""

    def build(data):
        files = names(data["files_utf8"])
        for folder, _, _ in CAMERAS:
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        people = sorted(set(data["identity"].tolist()))
        lists = {"train_vis.txt": "vis/a_c01.jpg 0\n", "train_nir.txt": "nir/a_c01.jpg 0\n"}
        lists["test_id.txt"] = ",".join(map(str, people)) + "\n"
        for name in ("idx", "vis", "nir"):
            (tmp_path / name).mkdir()
        for name, text in lists.items():
            (tmp_path / "idx" / name).write_text(text)
        for file in (*files, "vis/a_c01.jpg", "nir/a_c01.jpg"):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        dataset = load_dataset("llcm", tmp_path)
        row = {str(tmp_path / file): number for number, file in enumerate(files)}
        return dataset, lambda tracks: [row[str(track.frames[0])] for track in tracks]

    return build


def trials_of(data, mode):
    pattern = re.compile(rf"{mode}_drawn_trial(\d+)")
    return sorted(int(found[1]) for name in data if (found := pattern.fullmatch(name)))


@each_vector("llcm_released_*.npz")
def test_the_reader_finds_who_is_seen_by_which_camera(vector, world):
    data = arrays(vector)
    dataset, rows = world(data)
    tracks = [*dataset.query, *dataset.gallery]
    assert sorted(rows(tracks)) == list(range(len(data["identity"])))
    for name, values in (
        ("identity", [track.identity for track in tracks]),
        ("camera", [track.camera for track in tracks]),
        ("visible", [track.modality.name == "VISIBLE" for track in tracks]),
    ):
        assert values == data[name][rows(tracks)].tolist(), name


@pytest.mark.parametrize("mode", PROTOCOLS)
@each_vector("llcm_released_*.npz")
def test_draws_are_those_of_the_script(vector, world, mode):
    data = arrays(vector)
    dataset, rows = world(data)
    (protocol,) = protocols_of(dataset, PROTOCOLS[mode])
    ranked_is_drawn = bool(data[f"{mode}_ranked_is_drawn"])
    assert protocol.draws_queries != ranked_is_drawn
    whole, drawn = (
        (protocol.query, protocol.gallery)
        if ranked_is_drawn
        else (protocol.gallery, protocol.query)
    )
    assert sorted(rows(whole)) == sorted(data[f"{mode}_listed_query"].tolist())
    numbers = trials_of(data, mode)
    assert numbers
    for number in numbers:
        picks = [drawn[position] for position in protocol.trials[number]]
        assert rows(picks) == data[f"{mode}_drawn_trial{number}"].tolist()


@pytest.mark.parametrize("mode", PROTOCOLS)
@pytest.mark.parametrize("kind", ["random", "clustered"])
@each_vector("llcm_released_*.npz")
def test_scores_of_every_trial(vector, world, kind, mode):
    data = arrays(vector)
    dataset, rows = world(data)
    protocols = protocols_of(dataset, PROTOCOLS[mode])
    tracks = [*dataset.query, *dataset.gallery]
    assert not any("both modalities" in note for note in check_protocol(protocols[0]))
    features = F.normalize(torch.from_numpy(data[f"features_{kind}"])[rows(tracks)], dim=1)
    (result,) = evaluate(features, tracks, protocols)
    for number in trials_of(data, mode):
        found, start = result.trials[number], f"{mode}_{kind}_trial{number}"
        wanted = data[f"{start}_cmc"]
        # The released curve ends with the last identity; ours keeps its last value.
        wanted = np.pad(wanted, (0, len(found.cmc) - len(wanted)), mode="edge")
        np.testing.assert_allclose(found.cmc, wanted, rtol=0, atol=1e-6)
        assert found.mAP == pytest.approx(float(data[f"{start}_mAP"]), rel=0, abs=1e-6)
        assert found.mINP == pytest.approx(float(data[f"{start}_mINP"]), rel=0, abs=1e-6)


@each_vector("llcm_released_*.npz")
def test_the_line_says_which_side_was_drawn(vector, world):
    data = arrays(vector)
    dataset, rows = world(data)
    tracks = [*dataset.query, *dataset.gallery]
    features = F.normalize(torch.from_numpy(data["features_random"])[rows(tracks)], dim=1)
    for mode, name in PROTOCOLS.items():
        (result,) = evaluate(features, tracks, protocols_of(dataset, name))
        drawn, listed = (len(data[f"{mode}_{part}"]) for part in ("drawn_trial0", "listed_query"))
        sizes = (listed, drawn) if data[f"{mode}_ranked_is_drawn"] else (drawn, listed)
        assert f"{sizes[0]} x {sizes[1]}" in str(result)
        assert result.record()["gallery"] == sizes[1]
        assert ("seeded queries" in str(result)) == (not data[f"{mode}_ranked_is_drawn"])
