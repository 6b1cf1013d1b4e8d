"""What the person at the keyboard sees: each mistake is named, with its place and its remedy."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from run_records import records
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_settings import SHORTEST, SHORTEST_STAGE_ONE
from vireid.cli import main
from vireid.datasets import Track, load_dataset
from vireid.datasets.verify import verify_dataset

DATA = {"dataset": "hitsz-vcm"}
BASELINE = {**DATA, **SHORTEST_STAGE_ONE, "intra_epochs": 2}
MMM = {**DATA, **SHORTEST, "epochs": 1, "steps": 2}


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> dict[str, Path]:
    """The settings of each command as YAML files."""
    folder = tmp_path_factory.mktemp("settings")
    files = {}
    for name, values in (("baseline", BASELINE), ("mmm", MMM)):
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(yaml.safe_dump(values), encoding="utf-8")
    return files


@pytest.fixture
def vireid(settings, capsys):
    """Runs a command as `vireid COMMAND ...` does; gives exit code and all that was said."""

    def run(*arguments) -> tuple[int, str]:
        words = [str(word) for word in arguments]
        if words[0] in settings:
            words[1:1] = ["--config", str(settings[words[0]])]
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture(scope="module")
def baseline(tiny_set, settings, tmp_path_factory) -> Path:
    """A finished stage one; tests that change it take a copy."""
    output = tmp_path_factory.mktemp("runs") / "stage one"
    arguments = ["--config", settings["baseline"], "--data-dir", tiny_set, "--output", output]
    assert main(["baseline", *map(str, arguments)]) == 0
    return output


@pytest.fixture
def run_copy(baseline, tmp_path) -> Path:
    return Path(shutil.copytree(baseline, tmp_path / "copy"))


@pytest.fixture
def damaged(tiny_set, tmp_path) -> Path:
    """A copy of the tiny set to damage; frames are links, so replace them, never write to them."""
    return Path(shutil.copytree(tiny_set, tmp_path / "damaged", copy_function=_link))


def _link(source: str, target: str) -> None:
    if source.endswith(".jpg"):
        os.link(source, target)
    else:
        shutil.copy(source, target)


def spoil(frame: Path) -> None:
    """Cuts a picture off without touching the file that other copies share."""
    content = frame.read_bytes()
    frame.unlink()
    frame.write_bytes(content[:200])


def frames_of(root: Path, split: str, row: int) -> list[Path]:
    """Frames of a row of a track list, as files."""
    track = (root / "info" / f"track_{split}_info.txt").read_text().splitlines()[row]
    modality, first, last, _, _ = map(int, track.split())
    names = (root / "info" / f"{split}_name.txt").read_text().splitlines()[first - 1 : last]
    folder = {1: "ir", 2: "rgb"}[modality]
    return [
        root / split.capitalize() / name[:4] / folder / name[6:8] / name.split("F")[1]
        for name in names
    ]


def keep_rows(root: Path, wanted) -> None:
    """Keeps the training tracks whose (modality, person) is wanted."""
    file = root / "info" / "track_train_info.txt"
    rows = [row.split() for row in file.read_text().splitlines()]
    kept = [" ".join(row) for row in rows if wanted(int(row[0]), int(row[3]))]
    file.write_text("\n".join(kept) + "\n")


# verify


def test_verify_accepts_what_was_rendered(vireid, tiny_set):
    code, said = vireid("verify", "--dataset", "hitsz-vcm", "--data-dir", tiny_set)
    assert code == 0
    assert said.rstrip().endswith("complete")


def test_verify_names_a_deleted_frame_and_its_line(vireid, damaged):
    frame = frames_of(damaged, "train", 2)[3]
    frame.unlink()
    code, said = vireid("verify", "--dataset", "hitsz-vcm", "--data-dir", damaged)
    rows = (damaged / "info" / "track_train_info.txt").read_text().splitlines()
    line = int(rows[2].split()[1]) + 3
    assert code == 2
    assert f"{frame} (listed in info/train_name.txt:{line})" in said


@pytest.mark.parametrize(
    ("file", "kept", "place"),
    [
        ("track_train_info.txt", 30, "track_train_info.txt:30"),
        ("train_name.txt", 500, "track_train_info.txt:"),
        ("query_IDX.txt", 0, "query split has no usable tracks"),
    ],
)
def test_verify_names_a_truncated_index(vireid, damaged, file, kept, place):
    index = damaged / "info" / file
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:kept]))
    code, said = vireid("verify", "--dataset", "hitsz-vcm", "--data-dir", damaged)
    assert code == 2
    assert place in said


def test_verify_names_a_query_out_of_range(vireid, damaged):
    index = damaged / "info" / "query_IDX.txt"
    rows = index.read_text().splitlines()
    rows[4] = "4400"
    index.write_text("\n".join(rows) + "\n")
    code, said = vireid("verify", "--dataset", "hitsz-vcm", "--data-dir", damaged)
    assert code == 2
    assert "query_IDX.txt:5: query row 4400 is out of range" in said
    assert "rows 1 to 48" in said


def test_verify_reports_a_person_of_one_modality_without_an_error(vireid, damaged):
    keep_rows(damaged, lambda modality, person: (modality, person) != (1, 1))
    mark = damaged / "vireid-synthetic.json"
    content = json.loads(mark.read_text())
    for row in verify_dataset("hitsz-vcm", damaged).rows:
        split, modality, everything = row.part
        if split == "train" and modality is not None:
            stages = content["counts"][split][modality.name.lower()]
            found = {name: getattr(row.found, name) for name in ("identities", "tracks", "frames")}
            stages["before" if everything else "after"] = found
    # Rows that are equal before and after the filter are shown once.
    stages = content["counts"]["train"]["infrared"]
    stages["before"] = stages["after"]
    mark.write_text(json.dumps(content))
    code, said = vireid("verify", "--dataset", "hitsz-vcm", "--data-dir", damaged)
    assert "1 of 6 identities are visible only: 1" in said
    assert code == 0, said


# folders and layouts


@pytest.mark.parametrize("command", ["verify", "baseline"])
def test_a_folder_that_is_not_there(vireid, tmp_path, command):
    more = ["--output", tmp_path / "run"] if command == "baseline" else []
    missing = tmp_path / "no such folder"
    code, said = vireid(command, "--dataset", "hitsz-vcm", "--data-dir", missing, *more)
    assert code == 2
    assert f"{missing} does not exist; give the folder" in said
    assert "--allow-incomplete" not in said


def test_a_folder_that_cannot_be_listed(vireid, tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    original = Path.iterdir

    def refuse(self):
        if self == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    code, said = vireid("verify", "--dataset", "hitsz-vcm", "--data-dir", closed)
    assert code == 2
    assert f"{closed} cannot be listed (Permission denied)" in said


@pytest.mark.parametrize("name", ["bupt-campus", "folder"])
def test_another_layout_is_recognised(vireid, tiny_set, name):
    code, said = vireid("verify", "--dataset", name, "--data-dir", tiny_set)
    assert code == 2
    assert "It looks like hitsz-vcm: use --dataset hitsz-vcm" in said


def test_an_unknown_data_set(vireid, tiny_set):
    code, said = vireid("verify", "--dataset", "market", "--data-dir", tiny_set)
    assert code == 2
    assert "unknown data set 'market'; known are bupt-campus, folder, hitsz-vcm" in said


@pytest.mark.parametrize(
    ("file", "split"), [("track_train_info.txt", "train"), ("query_IDX.txt", "query")]
)
def test_an_empty_split_is_refused_even_where_incomplete_is_allowed(
    vireid, damaged, tmp_path, file, split
):
    (damaged / "info" / file).write_text("")
    arguments = ["--data-dir", damaged, "--allow-incomplete", "--output", tmp_path / "run"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert f"the {split} split of hitsz-vcm has no tracks (none are listed)" in said


def test_an_incomplete_set_is_refused(vireid, damaged, tmp_path):
    frames_of(damaged, "train", 0)[0].unlink()
    code, said = vireid("baseline", "--data-dir", damaged, "--output", tmp_path / "run")
    assert code == 2
    assert "1 of 1,334 listed frames are missing" in said
    assert "--allow-incomplete" in said


def test_training_needs_both_modalities(vireid, damaged, tmp_path):
    keep_rows(damaged, lambda modality, person: modality == 2)
    arguments = ["--data-dir", damaged, "--allow-incomplete", "--output", tmp_path / "run"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert "hold no infrared one" in said


# frames that cannot be read


@pytest.mark.parametrize(
    "options", [(), ("--cache", "none"), ("--cache", "none", "--workers", "1")]
)
def test_a_corrupt_frame_stops_a_run_by_name(vireid, damaged, tmp_path, options):
    for frame in (*frames_of(damaged, "train", 0), *frames_of(damaged, "test", 0)):
        spoil(frame)
    arguments = ["--data-dir", damaged, "--output", tmp_path / "run", *options]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    split = "test" if options else "train"
    assert str(frames_of(damaged, split, 0)[0]) in said
    assert "cannot be read:" in said
    assert "--skip-corrupt" in said
    if not options:
        assert f"{len(frames_of(damaged, 'train', 0))} frames cannot be read" in said
        assert "untrained" not in said


@pytest.fixture
def lossy(damaged) -> Path:
    """The first training and query track without a readable frame, the second with one gap."""
    whole = load_dataset("hitsz-vcm", damaged)
    for tracks in (whole.train, whole.query):
        for frame in tracks[0].frames:
            spoil(frame)
        spoil(middle(tracks[1]))
    return damaged


def middle(track: Track) -> Path:
    """The second of two evenly spaced frames."""
    return track.frames[-(-len(track.frames) // 2)]


def test_skipping_corrupt_frames_goes_on_through_the_whole_pipeline(vireid, lossy, tmp_path):
    stage_one, stage_two = tmp_path / "one", tmp_path / "two"
    arguments = ["--data-dir", lossy, "--skip-corrupt"]
    code, said = vireid("baseline", *arguments, "--output", stage_one)
    assert code == 0, said
    lost, gap, *_ = load_dataset("hitsz-vcm", lossy).train
    bad = [*lost.frames, middle(gap)]
    assert f"train: {len(bad)} frames are unreadable and left out:" in said
    assert sum(str(frame) in said for frame in bad) == 5
    assert f"and {len(bad) - 5} more" in said
    assert "train: left out without a readable frame: 1 of 47 tracks: " + lost.key in said
    assert "test: left out without a readable frame: 1 of 44 tracks: test/" in said
    noted = next(r for r in records(stage_one, "unreadable") if r["split"] == "train")
    assert sorted(noted["files"]) == sorted(map(str, bad))
    assert len((stage_one / "tracks.csv").read_text().splitlines()) == 1 + 46
    code, said = vireid("mmm", *arguments, "--baseline", stage_one, "--output", stage_two)
    assert code == 0, said
    sizes = {(r["query"], r["gallery"]) for r in records(stage_two, "evaluation")}
    assert sizes == {(21, 22), (22, 21)}
    again = tmp_path / "again"
    common = ["--dataset", "hitsz-vcm", *arguments, "--workers", "0"]
    code, said = vireid("evaluate", *common, "--checkpoint", stage_two, "--output", again)
    assert code == 0, said
    assert {(r["query"], r["gallery"]) for r in records(again, "evaluation")} == sizes
    assert vireid("report", stage_two)[0] == 0


def test_frames_met_without_a_cache_are_named_too(vireid, lossy, baseline):
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", lossy, "--skip-corrupt"]
    code, said = vireid("evaluate", *arguments, "--checkpoint", baseline, "--workers", "1")
    assert code == 0, said
    assert str(middle(load_dataset("hitsz-vcm", lossy).query[1])) in said
    assert "test: left out without a readable frame: 1 of 44 tracks" in said


def test_a_set_without_any_readable_frame(vireid, damaged, baseline):
    for frame in (damaged / "Test").rglob("*.jpg"):
        frame.unlink()
        frame.write_bytes(b"")
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", damaged, "--skip-corrupt"]
    code, said = vireid("evaluate", *arguments, "--checkpoint", baseline, "--workers", "0")
    assert code == 2
    assert "no test track has a readable frame left" in said


# batches and clusters


def test_more_identities_in_a_batch_than_there_are(vireid, tiny_set, tmp_path):
    arguments = ["--supervised", "--weights", "none", "--p-num", "50", "--data-dir", tiny_set]
    code, said = vireid("mmm", *arguments, "--output", tmp_path / "run")
    assert code == 2
    assert "a batch asks for p=50 identities, but only 6 can be drawn; lower p" in said


def test_one_identity_only(vireid, damaged, tmp_path):
    keep_rows(damaged, lambda modality, person: person == 1)
    arguments = ["--data-dir", damaged, "--allow-incomplete", "--weights", "none"]
    code, said = vireid("mmm", "--supervised", *arguments, "--output", tmp_path / "labelled")
    assert code == 2
    assert "needs at least 2 identities to tell apart; the 8 training tracks" in said
    arguments += ["--k1", "2", "--eps", "0.9", "--min-samples", "4", "--on-collapse", "stop"]
    code, said = vireid("baseline", *arguments, "--output", tmp_path / "unlabelled")
    assert code == 2
    assert "4 samples" in said


def test_asking_for_more_clusters_than_there_are_takes_all(vireid, tiny_set, tmp_path):
    arguments = ["--data-dir", tiny_set, "--p-num", "90", "--pretrain-tracks", "90", "--steps", "1"]
    arguments += ["--pretrain-steps", "1", "--intra-epochs", "1", "--output", tmp_path / "run"]
    code, said = vireid("baseline", *arguments)
    assert code == 0, said


def test_no_cluster_stops_with_a_suggestion_and_relaxing_goes_on(vireid, tiny_set, tmp_path):
    output = tmp_path / "run"
    arguments = ["--data-dir", tiny_set, "--output", output, "--pretrain-epochs", "0"]
    arguments += ["--intra-epochs", "1", "--cross-epochs", "0"]
    arguments += ["--eps", "0.001", "--min-samples", "4"]
    code, said = vireid("baseline", *arguments, "--on-collapse", "stop")
    assert code == 2
    assert "visible: no cluster was found" in said
    assert "try ε = 0." in said
    assert "--resume --on-collapse relax" in said
    code, said = vireid("baseline", *arguments, "--resume", "--on-collapse", "relax")
    assert code == 0, said
    assert "Going on with eps 0." in said


# weights and devices


def test_weights_that_are_not_there(vireid, tiny_set, tmp_path):
    missing = tmp_path / "missing.pth"
    arguments = ["--data-dir", tiny_set, "--output", tmp_path / "run"]
    code, said = vireid("baseline", *arguments, "--weights", missing)
    assert code == 2
    assert f"expected a checkpoint file at {missing}, found none" in said
    code, said = vireid("baseline", *arguments, "--weights", missing.with_suffix(".safetensors"))
    assert code == 2
    assert "no model file at" in said


def test_imagenet_weights_without_network(vireid, tiny_set, tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision._internally_replaced_utils.load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    arguments = ["--data-dir", tiny_set, "--output", tmp_path / "run", "--backbone", "resnet18"]
    code, said = vireid("baseline", *arguments, "--weights", "imagenet")
    assert code == 2
    assert "could not be downloaded" in said
    assert "weights=FILE" in said
    assert "weights=none" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_there(vireid, tiny_set, tmp_path):
    arguments = ["--data-dir", tiny_set, "--output", tmp_path / "run", "--device", "cuda"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert "torch finds no CUDA device. Use --device cpu or auto." in said


# settings


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("", "found nothing"),
        ("- lr\n", "found list"),
        ("lr: [\n", "is no YAML"),
        ("lr: 0.1\nlearning_rate: 1\n", "unknown settings: learning_rate"),
        ("lr: fast\n", "--lr: Expected"),
        ("img-h: 0\n", "--img-h is at least 1"),
        ("cache: ram\n", "one of 'memory', 'disk', 'none'"),
    ],
)
def test_a_settings_file_with_a_mistake(vireid, tiny_set, tmp_path, content, complaint):
    file = tmp_path / "größe zwei.yaml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    arguments = ["--config", file, "--data-dir", tiny_set, "--output", tmp_path / "run"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert complaint in said
    assert "usage" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting",
    ["seed", "workers", "pretrain-epochs", "memory-temperature", "memory-momentum", "joint-eps"],
)
def test_numbers_out_of_range_are_refused_before_anything_runs(vireid, tmp_path, setting):
    arguments = ["--data-dir", "x", "--output", tmp_path / "run", f"--{setting}=-1"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert f"--{setting}" in said


@pytest.mark.parametrize(
    "setting",
    [
        "pretrain-epochs=2000000000",
        "intra-epochs=2000000000",
        "cross-epochs=2000000000",
        "workers=10000",
        "seed=4611686018427387904",
        "num-frames=9223372036854775807",
        "test-frames=9223372036854775807",
        "pretrain-frames=9223372036854775807",
    ],
)
def test_numbers_that_no_machine_could_serve_are_refused(vireid, tmp_path, setting):
    arguments = ["--data-dir", "x", "--output", tmp_path / "run", f"--{setting}"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert f"--{setting.partition('=')[0]} lies between" in said


def test_missing_settings_are_named_as_they_are_typed(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["baseline"])
    assert stop.value.code == 2
    assert "missing: --dataset, --data-dir, --output" in capsys.readouterr().err


# run folders


def test_an_output_that_is_a_file(vireid, tiny_set, tmp_path):
    file = tmp_path / "file"
    file.touch()
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", file)
    assert (code, "is a file; wanted is a folder" in said) == (2, True)
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", file / "run")
    assert (code, "cannot be written" in said) == (2, True)


def test_a_run_is_not_overwritten(vireid, tiny_set, baseline):
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", baseline)
    assert code == 2
    assert "already holds a run. Add --resume to go on with it, or choose" in said
    common = ["--dataset", "hitsz-vcm", "--data-dir", tiny_set, "--workers", "0"]
    code, said = vireid("evaluate", *common, "--checkpoint", baseline, "--output", baseline)
    assert code == 2
    assert "already holds a run. Choose another --output." in said


def test_nothing_is_written_into_the_data_folder(vireid, baseline, damaged, tmp_path):
    before = sorted(damaged.rglob("*"))
    place = ["--dataset", "hitsz-vcm", "--data-dir", damaged, "--output", damaged]
    settings = tmp_path / "none.yaml"
    settings.write_text("{}\n")
    recipes = ["--baseline-config", settings, "--mmm-config", settings, "--rows", "stage-one"]
    for command in (
        ["baseline"],
        ["mmm", "--baseline", baseline],
        ["mmm", "--supervised"],
        ["evaluate", "--checkpoint", baseline],
        ["ablate", *recipes, "--seeds", "0"],
    ):
        code, said = vireid(*command, *place)
        assert (code, "is the folder of --data-dir" in said) == (2, True), said
    assert sorted(damaged.rglob("*")) == before


def test_a_command_that_failed_at_its_start_can_be_given_again(vireid, tiny_set, tmp_path):
    arguments = ["baseline", "--output", tmp_path / "run", "--pretrain-epochs", "0"]
    arguments += ["--intra-epochs", "0", "--cross-epochs", "0"]
    assert vireid(*arguments, "--data-dir", tmp_path / "typo")[0] == 2
    code, said = vireid(*arguments, "--data-dir", tiny_set)
    assert code == 0, said


def test_resuming_what_is_not_there(vireid, tiny_set, tmp_path):
    arguments = ["--data-dir", tiny_set, "--output", tmp_path / "run", "--resume"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert "holds no run. Leave out --resume" in said


def test_resuming_with_other_settings_names_them(vireid, tiny_set, run_copy):
    arguments = ["--data-dir", tiny_set, "--output", run_copy, "--resume"]
    code, said = vireid("baseline", *arguments, "--lr", "0.5", "--intra-epochs", "9")
    assert code == 2
    assert "--lr: 0.00035 then, 0.5 now" in said
    assert "--intra-epochs: 2 then, 9 now" in said
    code, said = vireid("mmm", *arguments, "--supervised")
    assert code == 2
    assert "was started by another command" in said


@pytest.mark.parametrize("written", [None, "0.1.4"])
def test_resuming_the_run_of_an_earlier_version(vireid, tiny_set, run_copy, written):
    metrics = run_copy / "metrics.jsonl"
    started, *rest = metrics.read_text(encoding="utf-8").splitlines(keepends=True)
    record = json.loads(started)
    del record["versions"]["vireid"]
    if written is not None:
        record["versions"]["vireid"] = written
    metrics.write_text("".join([json.dumps(record) + "\n", *rest]), encoding="utf-8")
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", run_copy, "--resume")
    assert code == 2
    assert f"{run_copy} was written by " in said
    assert ("vireid 0.1.4" if written else "it names no version") in said
    assert "make it again with this version" in said


def test_resuming_with_harmless_changes_keeps_the_result(vireid, tiny_set, run_copy, baseline):
    arguments = ["--data-dir", tiny_set, "--output", run_copy, "--resume", run_copy]
    code, said = vireid("baseline", *arguments, "--log-interval", "3", "--desc", "again")
    assert code == 0, said
    first, second = (load_file(run / "encoder.safetensors") for run in (baseline, run_copy))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resuming_with_other_data(vireid, damaged, run_copy):
    keep_rows(damaged, lambda modality, person: person > 1)
    arguments = ["--data-dir", damaged, "--allow-incomplete", "--output", run_copy, "--resume"]
    code, said = vireid("baseline", *arguments)
    assert code == 2
    assert "the training tracks are not those with which" in said


@pytest.mark.parametrize("elsewhere", ["encoder.safetensors", "."])
def test_resuming_from_elsewhere_is_refused(vireid, tiny_set, baseline, tmp_path, elsewhere):
    arguments = ["--data-dir", tiny_set, "--output", tmp_path / "run"]
    code, said = vireid("baseline", *arguments, "--resume", baseline / elsewhere)
    assert code == 2
    assert "--weights FILE" in said
    assert "--baseline RUN" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["cut off", "foreign"])
def test_a_damaged_checkpoint(vireid, tiny_set, run_copy, damage):
    checkpoint = run_copy / "checkpoints" / "last.pt"
    if damage == "foreign":
        torch.save({"weights": torch.ones(2)}, checkpoint)
    else:
        checkpoint.write_bytes(checkpoint.read_bytes()[:999])
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", run_copy, "--resume")
    assert code == 2
    assert str(checkpoint) in said
    assert "Without this file, --resume trains from the beginning" in said
    assert len(said.splitlines()) < 4


def test_metrics_that_were_cut_off(vireid, tiny_set, run_copy):
    metrics = run_copy / "metrics.jsonl"
    whole = metrics.read_bytes()
    lines = whole.split(b"\n")
    metrics.write_bytes(b"\n".join(lines[:6]) + b"\n" + lines[6][:9])
    assert vireid("report", run_copy)[0] == 0
    assert "cut off" in (run_copy / "report.html").read_text(encoding="utf-8")
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", run_copy, "--resume")
    assert code == 0, said
    assert "metrics.jsonl was cut off" in said
    assert [json.loads(line)["kind"] for line in metrics.read_bytes().splitlines()[:6]]
    metrics.write_bytes(b"\n".join([lines[0], b"gar{bage", *lines[2:]]))
    code, said = vireid("report", run_copy)
    assert code == 2
    assert "metrics.jsonl, line 2: expected one JSON object" in said


# what one command takes from another


def test_stage_two_on_an_unfinished_stage_one(vireid, tiny_set, run_copy, tmp_path):
    (run_copy / "tracks.csv").unlink()
    arguments = ["--data-dir", tiny_set, "--baseline", run_copy, "--output", tmp_path / "run"]
    code, said = vireid("mmm", *arguments)
    assert code == 2
    assert f"{run_copy} is no finished stage-one run: tracks.csv is missing" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("file", ["features.safetensors", "encoder.safetensors"])
def test_stage_two_on_a_damaged_stage_one(vireid, tiny_set, run_copy, tmp_path, file):
    (run_copy / file).write_bytes((run_copy / file).read_bytes()[:999])
    arguments = ["--data-dir", tiny_set, "--baseline", run_copy, "--output", tmp_path / "run"]
    code, said = vireid("mmm", *arguments)
    assert code == 2
    assert str(run_copy / file) in said


def _with_nan(path):
    tensors = load_file(path)
    save_file({**tensors, "visible": tensors["visible"] * float("nan")}, path)


def _without_width(path):
    tensors = load_file(path)
    save_file({**tensors, "infrared": tensors["infrared"][:, :3].contiguous()}, path)


def _append(content):
    return lambda path: path.write_bytes(path.read_bytes() + content)


@pytest.mark.parametrize(
    ("file", "damage", "complaint"),
    [
        ("tracks.csv", _append(b"\xff\xfe,visible,1,0,1\n"), "expected UTF-8 text"),
        ("tracks.csv", _append(b"x,thermal,1,0,1\n"), "expected visible or infrared"),
        ("tracks.csv", _append(b"x,infrared,1,99999,1\n"), "is no cluster of"),
        ("config.yaml", _append(b"\n[\n"), "is no YAML"),
        ("config.yaml", _append(b"\xff"), "expected UTF-8 text"),
        ("config.yaml", lambda path: path.write_text("text"), "expected settings by name"),
        ("metrics.jsonl", _append(b"x\n{}\n"), "expected one JSON object"),
        ("metrics.jsonl", _append(b'{"kind": "train", "loss": []}\n{}\n'), "expected a number"),
        ("metrics.json", lambda path: path.write_text("[" * 100_000), "nested too deep"),
        ("features.safetensors", _with_nan, "not finite: visible"),
        ("features.safetensors", _without_width, "features of one width"),
    ],
)
def test_stage_two_looks_at_all_of_stage_one_before_it_begins(
    vireid, tiny_set, run_copy, tmp_path, file, damage, complaint
):
    damage(run_copy / file)
    arguments = ["--data-dir", tiny_set, "--baseline", run_copy, "--output", tmp_path / "run"]
    code, said = vireid("mmm", *arguments)
    assert code == 2
    assert complaint in said
    assert str(run_copy / file) in said
    assert not (tmp_path / "run").exists()


def _resaved(path, change):
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.update(stage="x"), "stage should be a number"),
        (lambda state: state.update(stage=77), "behind the end"),
        (lambda state: state.update(step=-1), "step should be a number"),
        (lambda state: state["model"].popitem(), "1 missing"),
        (lambda state: next(iter(state["model"].values())).fill_(float("nan")), "not finite"),
        (lambda state: state.update(stage_state=[]), "stage_state should be a table"),
        (lambda state: state.update(within={"stage": 1}), "stage within should be a table"),
        (lambda state: state.update(within={"sums": "x"}), "sums within should be a table"),
        (lambda state: state.update(within={"clips": "x"}), "clips within should be a number"),
    ],
)
def test_a_checkpoint_of_odd_content_is_refused_before_training(
    vireid, tiny_set, run_copy, change, complaint
):
    _resaved(run_copy / "checkpoints" / "last.pt", change)
    code, said = vireid("baseline", "--data-dir", tiny_set, "--output", run_copy, "--resume")
    assert code == 2
    assert complaint in said


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"num_identities": 2**31 - 1}, "of another shape"),
        ({"num_identities": 10**18}, "num_identities: expected a whole number"),
        ({"backbone": "thin-100000000"}, "does not fit the network"),
        ({"img_h": "x"}, "img_h: expected a whole number"),
        ({"flip": 1}, "flip: expected true or false"),
    ],
)
def test_facts_of_a_network_are_held_against_its_file(vireid, tiny_set, run_copy, facts, complaint):
    file = run_copy / "encoder.safetensors"
    with safe_open(file, framework="pt") as stored:
        known = json.loads(stored.metadata()["vireid"])
    save_file(load_file(file), file, metadata={"vireid": json.dumps({**known, **facts})})
    arguments = ["--dataset", "hitsz-vcm", "--data-dir", tiny_set, "--workers", "0"]
    code, said = vireid("evaluate", *arguments, "--checkpoint", file)
    assert code == 2
    assert complaint in said or "missing" in said


def test_stage_two_without_a_predecessor(vireid, tiny_set, tmp_path):
    code, said = vireid("mmm", "--data-dir", tiny_set, "--output", tmp_path / "run")
    assert code == 2
    assert "give --baseline RUN" in said


def test_evaluating_what_is_no_network(vireid, tiny_set, run_copy, tmp_path):
    def evaluate(network):
        common = ["--dataset", "hitsz-vcm", "--data-dir", tiny_set, "--workers", "0"]
        return vireid("evaluate", *common, "--checkpoint", network)

    code, said = evaluate(tmp_path / "missing")
    assert (code, "no trained network at" in said) == (2, True)
    save_file({"weight": torch.ones(2)}, tmp_path / "foreign.safetensors")
    code, said = evaluate(tmp_path / "foreign.safetensors")
    assert (code, "was not written as a network by vireid" in said) == (2, True)
    code, said = evaluate(run_copy / "checkpoints" / "last.pt")
    assert (code, "is not a readable safetensors file" in said) == (2, True)
    code, said = evaluate(run_copy)
    assert (code, "baseline" in said) == (0, True)


def test_reporting_what_is_no_run(vireid, tmp_path):
    code, said = vireid("report", tmp_path)
    assert code == 2
    assert f"{tmp_path} is no run folder: metrics.jsonl is missing" in said


def test_rendering_into_a_folder_that_is_in_use(vireid, run_copy, tiny_set):
    code, said = vireid("synth", run_copy, "--preset", "tiny")
    assert (code, "is not empty and holds no synthetic set" in said) == (2, True)
    assert (run_copy / "metrics.jsonl").exists()
    code, said = vireid("synth", tiny_set, "--preset", "tiny")
    assert (code, "was rendered before" in said) == (0, True)


def test_a_full_disk_ends_in_a_sentence(vireid, tiny_set, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device", "page.html")

    monkeypatch.setattr("vireid.reporting.write_report", full)
    code, said = vireid("report", tmp_path)
    assert code == 1  # the machine's fault
    assert said.startswith("vireid: page.html: No space left on device")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")]
)
def test_memory_that_is_used_up_ends_in_a_sentence(vireid, tmp_path, monkeypatch, error):
    def full(*arguments, **options):
        raise error

    monkeypatch.setattr("vireid.reporting.write_report", full)
    code, said = vireid("report", tmp_path)
    assert code == 1
    assert said.startswith("vireid: out of memory (")
    assert len(said.splitlines()) == 1


# interruption


def test_ctrl_c_and_resume(vireid, settings, tiny_set, tmp_path):
    output = tmp_path / "run"
    arguments = ["--data-dir", str(tiny_set), "--output", str(output), "--intra-epochs", "12"]
    command = [sys.executable, "-m", "vireid", "baseline", "--config", str(settings["baseline"])]
    with subprocess.Popen(
        [*command, *arguments],
        cwd=tmp_path,  # not the repository
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        bufsize=1,
        # Tests that run in the background of a shell inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        for line in process.stdout:
            if line.startswith("intra_modality 2/12"):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate()
    assert process.returncode == 130
    assert "stage one is complete" not in out
    assert err == "\nvireid: stopped. The same command with --resume goes on.\n"
    code, said = vireid("baseline", *arguments, "--resume")
    assert code == 0, said
    assert "resumed: " in said
    assert "intra_modality 1/12" not in said
    epochs = [r["epoch"] for r in records(output, "train") if r["stage"] == "intra_modality"]
    assert epochs == list(range(1, 13))
