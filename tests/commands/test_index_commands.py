"""`vireid index`, `search` and `forget` as they are typed, with a network that learned nothing."""

import json
import tempfile

import footage_cases as cases
import pytest
import torch
from vireid.cli import main
from vireid.datasets.track import Modality, Track
from vireid.engine.checkpoint import load_model, save_model
from vireid.engine.fingerprint import model_fingerprint
from vireid.models import M3ReID
from vireid.pseudo_labels.stored_clustering import LabelHistory, StoredClustering, write_clustering

pytest.importorskip("lancedb")
FACTS = {"network": "M3ReID", "backbone": "thin-8", "num_identities": 0, "num_frames": 2}
FACTS |= {"img_h": 32, "img_w": 16, "test_resize": "bilinear", "test_frames": 2, "flip": False}
FACTS |= {"stage": "mmm", "step": 3, "dataset": "hitsz-vcm"}
KEYS = ["query", "rank", "key", "camera", "modality", "score", "decision"]


def make_run(folder, seed=0):
    folder.mkdir()
    torch.manual_seed(seed)
    model = M3ReID(0, num_frames=2, backbone="thin-8").eval()
    save_model(folder / "model.safetensors", model, FACTS)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def index(tmp_path, run, tiny_set, capsys):
    folder = tmp_path / "index"
    assert add(run, tiny_set, folder, "--dim", "0") == 0
    assert "0 there already" in capsys.readouterr().out
    return folder


def add(run, data, folder, *flags):
    line = ["index", str(run), str(data), "--dataset", "hitsz-vcm", "--output", str(folder)]
    return main([*line, "--device", "cpu", *flags])


def lines(capsys, *arguments):
    capsys.readouterr()
    assert main(["search", *map(str, arguments), "--format", "jsonl"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(capsys, *arguments):
    """What a command says that fails: one message."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("vireid: ") and "Traceback" not in said
    return said


def test_from_a_folder_to_answers_and_out_again(index, run, tiny_set, capsys):
    assert add(run, tiny_set, index) == 0
    assert "0 added, 91 there already, 91 in all" in capsys.readouterr().out
    found = lines(capsys, index, "--query", "train/0001M1D5T1", "--top", 3)
    assert [list(line) for line in found] == [KEYS] * 3
    assert [line["rank"] for line in found] == [1, 2, 3]
    assert {line["modality"] for line in found} == {"visible"}
    assert all(line["decision"] is None for line in found)
    whole = lines(capsys, index, "--query", tiny_set, "--dataset", "hitsz-vcm", "--top", 3)
    assert len(whole) == 3 * 91
    assert [line for line in whole if line["query"] == "train/0001M1D5T1"] == found
    assert main(["forget", str(index), "--key", "train/0001M*"]) == 0
    assert "8 tracklets removed, 83 left" in capsys.readouterr().out
    rest = lines(capsys, index, "--query", "test/*", "--top", 91)
    assert not [line for line in rest if line["key"].startswith("train/0001M")]
    assert add(run, tiny_set, index) == 0
    assert "8 added, 83 there already" in capsys.readouterr().out


def test_a_page_and_a_table_are_written(index, tmp_path, capsys):
    page = tmp_path / "new" / "folder" / "answer.html"
    line = ["search", str(index), "--query", "train/0001M1D5T1", "--output", str(page)]
    assert main([*line, "--format", "html"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 11 and "calibrated thresholds" in text
    assert main(line) == 0
    assert "rank  score" in page.read_text(encoding="utf-8")
    assert "no decisions, only scores" in capsys.readouterr().err


def test_calibrated_thresholds_decide(index, run, tmp_path, capsys):
    network = run / "model.safetensors"
    query = ("--query", "train/0001M1D5T1", "--modality", "visible", "--top", 4)
    scores = [line["score"] for line in lines(capsys, index, *query)]
    assert scores[1] > scores[2]
    point = {"threshold": (scores[1] + scores[2]) / 2, "gallery_size": 45}
    point |= {"fpir": 0.001, "fnir": None, "fmr": 0, "fnmr": None}
    cameras = {"query_camera": None, "gallery_camera": None}
    direction = {"query": "infrared", "gallery": "visible", **cameras, "thresholds": [point]}
    table = {"version": 1, "fingerprint": model_fingerprint(*load_model(network))}
    (index / "calibration.json").write_text(json.dumps(table | {"directions": [direction]}))
    found = lines(capsys, index, *query)
    assert [line["decision"] for line in found] == ["same", "same", "unknown", "unknown"]
    assert {line["decision"] for line in lines(capsys, index, *query, "--fpir", 1e-4)} == {
        "unknown"
    }


def test_the_projection_is_fitted_on_training_features_and_its_loss_is_told(
    run, tmp_path, tiny_set, capsys
):
    said = refused(
        capsys,
        *("index", run, tiny_set, "--dataset", "hitsz-vcm", "--output", tmp_path / "x"),
        *("--dim", 9, "--device", "cpu"),
    )
    assert "keeps no training features" in said and "--dim 0" in said
    clustered = make_run(tmp_path / "clustered")
    model = load_model(clustered / "model.safetensors")[0].eval()
    width = model.embed(torch.zeros(1, 2, 3, 32, 16), Modality.VISIBLE).shape[1]
    tracks = [Track((), Modality(n % 2), 1, None, f"t{n}") for n in range(30)]
    kept = StoredClustering(tracks, torch.randn(30, width), torch.zeros(30).long().numpy())
    write_clustering(clustered, kept, tmp_path, LabelHistory({}, {}))
    folder = tmp_path / "small"
    assert add(clustered, tiny_set, folder, "--dim", "9", "--blur-thumbnails") == 0
    out = capsys.readouterr().out
    assert f"{width:,} numbers to 9, fitted on 30 training tracks" in out
    assert "its loss in mAP is not known" in out and "9 half-precision numbers" in out
    assert len(lines(capsys, folder, "--query", "train/0001M1D5T1")) == 10
    sharp = tmp_path / "sharp"
    assert add(clustered, tiny_set, sharp, "--dim", "9") == 0
    arguments = ("index", clustered, tiny_set, "--dataset", "hitsz-vcm", "--output", sharp)
    assert "without --blur-thumbnails" in refused(
        capsys, *arguments, "--blur-thumbnails", "--device", "cpu"
    )


def test_a_small_threshold_builds_the_vector_index(run, tmp_path, tiny_set, capsys):
    folder = tmp_path / "index"
    assert add(run, tiny_set, folder, "--dim", "0", "--exact-below", "60") == 0
    assert "parts are looked at; they hold" in capsys.readouterr().out
    assert len(lines(capsys, folder, "--query", "train/0001M1D5T1")) == 10
    assert main(["forget", str(folder), "--key", "train/*"]) == 0
    assert json.loads((folder / "index.json").read_text())["probes"] is None


def test_vectors_of_another_network_are_refused(index, tmp_path, tiny_set, capsys):
    other = make_run(tmp_path / "other", seed=1)
    arguments = ("--dataset", "hitsz-vcm", "--device", "cpu")
    said = refused(capsys, "index", other, tiny_set, *arguments, "--output", index)
    assert "vectors of another network" in said
    said = refused(capsys, "search", index, "--query", tiny_set, "--run", other, *arguments)
    assert "vectors of another network" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("search", "INDEX", "--query", "nobody"), "nor the key of a tracklet"),
        (("search", "INDEX", "--query", "test/*", "--camera", "roof"), "its cameras are 1, 2"),
        (("search", "INDEX", "--query", "test/*", "--from", "noon"), "expected a time like"),
        (("search", "INDEX", "--query", "EMPTY"), "holds no frame"),
        (("search", "INDEX", "--query", "EMPTY", "--dataset", "hitsz-vcm"), "hitsz-vcm"),
        (("search", "EMPTY", "--query", "x"), "is no index"),
        (("search", "INDEX", "--query", "test/*", "--transitions", "x.csv"), "--transitions x.csv"),
        (("forget", "INDEX"), "nothing says what to remove"),
        (("forget", "INDEX", "--key", "nobody"), "nothing was removed"),
        (("forget", "INDEX", "--from", "2026-01-01", "--to", "2026-01-02"), "nothing was removed"),
        (("forget", "INDEX", "--camera", "roof"), "its cameras are 1, 2"),
        (("forget", "INDEX", "--keys", "nothing.txt"), "--keys nothing.txt cannot be read"),
        (("forget", "EMPTY", "--key", "x"), "is no index"),
        (("index", "RUN", "--output", "EMPTY"), "expected a run and one folder"),
        (("index", "RUN", "EMPTY", "--output", "INDEX"), "EMPTY"),
        (("index", "EMPTY", "DATA", "--dataset", "hitsz-vcm", "--output", "INDEX"), "no trained"),
        (("index", "RUN", "DATA", "--dataset", "hitsz-vcm", "--output", "DATA"), "holds no index"),
    ],
)
def test_bad_input_is_one_message(index, run, tiny_set, tmp_path, capsys, arguments, says):
    empty = tmp_path / "EMPTY"
    empty.mkdir()
    places = {"INDEX": index, "RUN": run, "DATA": tiny_set, "EMPTY": empty}
    assert says in refused(capsys, *(places.get(word, word) for word in arguments))
    assert len(lines(capsys, index, "--query", "test/*", "--top", 1)) == 44


def test_a_second_writer_is_refused(index, run, tiny_set, capsys, monkeypatch):
    from vireid import folder_lock
    from vireid.errors import UserError

    def taken(self, folder, wanted, instead):
        raise UserError(f"{wanted} is in use by another process (process 1)")

    # A lock is the process's own: it would hand it to itself a second time.
    monkeypatch.setattr(folder_lock.FolderLock, "__init__", taken)
    arguments = ("index", run, tiny_set, "--dataset", "hitsz-vcm", "--output", index)
    assert "in use by another process" in refused(capsys, *arguments, "--device", "cpu")
    assert "in use by another process" in refused(capsys, "forget", index, "--key", "test/*")


def test_an_interrupted_removal_is_said_and_finished(index, capsys):
    (index / "forgetting").touch()
    assert main(["search", str(index), "--query", "test/*", "--top", "1"]) == 0
    assert "was interrupted" in capsys.readouterr().err
    assert main(["forget", str(index), "--key", "train/0001M1D5T1"]) == 0
    assert "had left in files" in capsys.readouterr().out
    assert not (index / "forgetting").exists()


@pytest.fixture
def footage(tmp_path, monkeypatch):
    """Pictures of two people, their tracks, and where temporary files go."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    pictures = cases.image_folder(tmp_path / "walk")
    return pictures, cases.write_mot(tmp_path / "walk.txt", cases.boxes()), temporary


RATE = ("--frame-rate", cases.RATE)


def test_a_video_answers_as_its_crops_do(index, footage, tmp_path, capsys):
    pictures, tracks, temporary = footage
    crops = tmp_path / "crops"
    line = ["crop", pictures, "--tracks", tracks, *RATE, "--output", crops]
    assert main([*map(str, line), "--camera", "door", "--modality", "visible"]) == 0
    wanted = lines(capsys, index, "--query", crops)
    video = ("--query", pictures, "--tracks", tracks, "--query-modality", "visible", *RATE)
    found = lines(capsys, index, *video)
    assert {line["query"] for line in found} == {"walk-3", "walk-7"}
    for line in wanted:
        line["query"] = line["query"].rsplit("/", 1)[1]
    assert found == wanted
    one = lines(capsys, index, *video, "--track", 7)
    assert one == [line for line in wanted if line["query"] == "walk-7"]
    assert not list(temporary.iterdir())


def test_the_moment_of_a_video_rules_journeys_out(run, index, footage, tmp_path, capsys):
    pictures, tracks, _ = footage
    crops, moments = tmp_path / "crops", tmp_path / "moments"
    line = ["crop", pictures, "--tracks", tracks, *RATE, "--output", crops, "--start", 50]
    assert main([*map(str, line), "--camera", "door", "--modality", "visible"]) == 0
    assert main(["index", str(run), str(crops), "--output", str(moments), "--dim", "0"]) == 0
    ways = tmp_path / "ways.csv"
    ways.write_text("from,to,dt_min,dt_max\ndoor,yard,30,60\nyard,door,30,60\n")
    video = ("--query", pictures, "--tracks", tracks, "--query-modality", "infrared", *RATE)
    video = (*video, "--any-colour", "--transitions", ways, "--track", 3)
    place = ("--query-camera", "yard", "--start")
    assert len(lines(capsys, moments, *video)) == 2
    assert len(lines(capsys, moments, *video, *place, 10)) == 2
    assert not lines(capsys, moments, *video, *place, 40)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--tracks", "TRACKS"), "add --query-modality"),
        (("--tracks", "TRACKS", "SEEN", "--track", 5), "no such track; it has 3, 7"),
        (("--tracks", "TRACKS", "SEEN", "--min-frames", 99), "24 boxes in tracklets of too few"),
        (("--tracks", "TRACKS", "SEEN", "--start", "noon"), "--start: expected a time like"),
        (("--tracks", "NOWHERE", "SEEN"), "Give a tracker's file"),
        (("--tracks", "TRACKS", "SEEN", "--tracks-rate", 50), "tracks cannot count frames"),
        (("--tracks", "TRACKS", "--query-modality", "infrared"), "has colours"),
        (("--track", 3, "--start", 5), "--track, --start: only of a video"),
    ],
)
def test_a_video_that_does_not_fit_is_one_message(index, footage, capsys, arguments, says):
    pictures, tracks, temporary = footage
    places = {"TRACKS": (tracks,), "NOWHERE": ("nowhere.txt",)}
    places["SEEN"] = ("--query-modality", "visible")
    words = [part for word in arguments for part in places.get(word, (word,))]
    assert says in refused(capsys, "search", index, "--query", pictures, *RATE, *words)
    assert not list(temporary.iterdir())


def test_a_video_without_tracks_is_told_of_them(index, tmp_path, capsys):
    (tmp_path / "walk.mp4").write_bytes(b"video")
    assert "--tracks FILE" in refused(capsys, "search", index, "--query", tmp_path / "walk.mp4")
