"""What one specification of a data set means everywhere: names, splits, networks, folders."""

import dataclasses
from pathlib import Path

import pytest
from vireid.datasets import DatasetError, DatasetSpec, Modality, Scan, Track, load_dataset
from vireid.datasets import verify_dataset as verify
from vireid.datasets.layouts import recognise_layout
from vireid.datasets.registry import DATASETS, known_spec, register_dataset
from vireid.datasets.spec import ProtocolRecipe, Trials
from vireid.engine.network import choose_trial, require_same_trial
from vireid.errors import UserError
from vireid.evaluation.protocols import choose_protocols, protocols_of

FILE = Path("model.safetensors")


def scan_ward(root, problems, *, trial=1):
    """Two cameras; the people of a trial have its number."""
    frame = root / "a.jpg"
    tracks = {
        split: [
            Track((frame,), modality, int(modality), 10 * trial, f"{split}/{modality.name}")
            for modality in Modality
        ]
        for split in ("train", "query", "gallery")
    }
    return Scan(listed=tracks, used=tracks)


@pytest.fixture
def ward(tmp_path):
    before = dict(DATASETS)
    spec = DatasetSpec(
        name="ward",
        scan=scan_ward,
        title="The Ward",
        aliases=("station",),
        marks=("ward.txt|w.txt",),
        trials=Trials(3, "all"),
        protocols=(ProtocolRecipe("night/v2i"), ProtocolRecipe("i2v", "all", default=False)),
    )
    (tmp_path / "a.jpg").touch()
    yield register_dataset(spec)
    DATASETS.clear()
    DATASETS.update(before)


def test_other_spellings_and_names_mean_the_same(ward):
    assert known_spec("W a-R_d") is known_spec("Station") is ward
    assert known_spec("wards") is None


def test_numbered_splits_reach_reader_record_and_names(ward, tmp_path):
    default, third = load_dataset("ward", tmp_path), load_dataset("ward", tmp_path, trial=3)
    assert (default.options, third.options) == ({"trial": 1}, {"trial": 3})
    assert {track.identity for track in third.query} == {30}
    assert [protocol.name for protocol in protocols_of(third)] == ["ward/trial-3/night/v2i"]
    (reverse,) = protocols_of(third, "ward/trial-3/i2v")
    assert (reverse.rule, [t.modality for t in reverse.query]) == ("all", [Modality.INFRARED])
    for read in (load_dataset, verify):
        with pytest.raises(DatasetError, match="The Ward has trials 1 to 3; got 4"):
            read("ward", tmp_path, trial=4)
    with pytest.raises(ValueError, match="tests on trial 2 of The Ward, but trial 3 was read"):
        choose_protocols("ward", "ward/trial-2", trial=3)


def test_a_model_of_one_split_is_refused_on_another(ward):
    meta = {"dataset": "WARD", "trial": 2}
    assert choose_trial(FILE, meta, "station", None, "") == 2
    with pytest.raises(UserError, match=r"trial 2 of The Ward, but trial 3.*has seen all of that"):
        require_same_trial(FILE, meta, "ward", 3)
    require_same_trial(FILE, {"dataset": "regdb", "trial": 2}, "ward", 3)


def test_a_folder_is_recognised_by_its_marks_and_none_without(ward, tmp_path):
    assert recognise_layout(tmp_path) is None
    (tmp_path / "w.txt").touch()
    (tmp_path / "train").mkdir()
    assert recognise_layout(tmp_path) == "ward"  # although a plain folder has a `train`, too
    DATASETS["ward"] = dataclasses.replace(ward, marks=())
    assert recognise_layout(tmp_path) == "folder"


@pytest.mark.parametrize(
    ("about", "network"),
    [({}, "m3reid"), ({"images": True}, "agw"), ({"images": True, "network": "own"}, "own")],
)
def test_the_network_of_the_recipe_follows_from_clips_or_images(about, network):
    assert DatasetSpec(name="a", scan=scan_ward, **about).network == network


def test_every_published_set_is_a_file_of_its_own():
    readers = Path(__file__).parents[2] / "datasets" / "readers"
    files = {path.stem.replace("_", "-") for path in readers.glob("[!_]*.py")}
    assert files <= set(DATASETS)
