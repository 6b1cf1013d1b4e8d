"""RegDB's stored labels go to the images that they were found for, in whatever order these come."""

import numpy as np
import pytest
import torch
from training_vectors import each_vector, facts
from vireid.datasets import load_dataset
from vireid.datasets.track import Modality
from vireid.pseudo_labels.artefact import align, read_artefact, write_artefact

FOLDERS = {"visible": "Visible", "thermal": "Thermal"}


def listed(expected, kind):
    """Image of each line of a list, and the person on it."""
    part = expected[kind]
    return part["image_order_of_stage_two"], part["identity_of_image"]


@pytest.fixture
def regdb(tmp_path):
    """RegDB's lists as the vector has them; the test lists hold one person of their own."""

    def build(expected):
        (tmp_path / "idx").mkdir()
        for kind, folder in FOLDERS.items():
            lines = [f"{folder}/{i}/{name} {i}" for name, i in zip(*listed(expected, kind))]
            (tmp_path / "idx" / f"train_{kind}_1.txt").write_text("\n".join(lines) + "\n")
            other = max(listed(expected, kind)[1]) + 1
            test = f"{folder}/{other}/a.bmp {other}\n"
            (tmp_path / "idx" / f"test_{kind}_1.txt").write_text(test)
            (tmp_path / folder).mkdir()
        return tmp_path

    return build


@each_vector("order_regdb_labels*.json")
def test_the_reader_gives_each_image_the_person_of_its_line(vector, regdb):
    expected = facts(vector)
    root = regdb(expected)
    train = load_dataset("regdb", root).train
    for kind, modality in (("visible", Modality.VISIBLE), ("thermal", Modality.INFRARED)):
        tracks = [track for track in train if track.modality is modality]
        names, identities = listed(expected, kind)
        assert [track.frames[0].name for track in tracks] == names
        assert [track.identity for track in tracks] == identities


@pytest.mark.parametrize("order", ["as listed", "sorted by name", "shuffled"])
@each_vector("order_regdb_labels*.json")
def test_stored_labels_find_their_images_again(vector, regdb, tmp_path, order):
    expected = facts(vector)
    train = list(load_dataset("regdb", regdb(expected)).train)
    # A label that says which image it was found for: its position in the list of its modality.
    label = {}
    for kind in FOLDERS:
        label |= {name: place for place, name in enumerate(listed(expected, kind)[0])}
    # Stage one sees the images in the released code's order of labels, stage two in another.
    stored = [name for kind in FOLDERS for name in expected[kind]["order_of_stored_labels"]]
    by_name = {track.frames[0].name: track for track in train}
    assert sorted(stored) == sorted(by_name)
    first = [by_name[name] for name in stored]
    folder = tmp_path / "stage one"
    folder.mkdir()
    features = torch.tensor([[float(label[name])] for name in stored])
    write_artefact(folder, first, np.array([label[name] for name in stored]), features, {})
    (folder / "encoder.safetensors").touch()
    artefact = read_artefact(folder)
    second = {
        "as listed": train,
        "sorted by name": sorted(train, key=lambda track: track.frames[0].name),
        "shuffled": [train[i] for i in np.random.default_rng(0).permutation(len(train))],
    }[order]
    rows = align(artefact, second)
    found = artefact.labels[rows].tolist()
    assert found == [label[track.frames[0].name] for track in second]
    both = torch.cat([artefact.visible, artefact.infrared])[torch.from_numpy(rows)]
    assert both[:, 0].tolist() == found
    # Paired by position, as the released code pairs them, they would not fit.
    if any(not expected[kind]["same_order"] for kind in FOLDERS):
        assert artefact.keys != [track.key for track in train]
