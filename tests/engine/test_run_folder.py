"""A run folder takes only a folder that is its own or empty, and follows no link out of it."""

import json
import os

import pytest
from run_records import STARTED
from vireid.engine.run_folder import IN_PLACE, RunFolder, refuse_data_folder
from vireid.errors import UserError


def test_files_that_no_run_wrote_are_kept(tmp_path):
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    with pytest.raises(UserError, match=r"holds no run but .*config\.yaml"):
        RunFolder(tmp_path, "seed: 0\n", resume=False)
    assert (tmp_path / "config.yaml").read_text() == "mine: 1\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml"]


STARTED_LINE = json.dumps(STARTED) + "\n"


@pytest.mark.parametrize("resume", [False, True, None])
@pytest.mark.parametrize(
    "first",
    [
        '{"step": 1, "loss": 0.5}\n',
        '{"kind": "run", "project": "other"}\n',
        '{"kind": "run", "versions": {"torch": "2.4"}}',
        '{"kind": "train", "versions": {"vireid": "0.3.0"}}\n',
        '["kind", "run"]\n',
        "\n",
        "epoch loss\n",
    ],
)
def test_the_files_of_another_program_are_kept(tmp_path, first, resume):
    # They have the names of ours, the empty lock of many programs among them.
    files = {"config.yaml": "mine: 1\n", "log.txt": "mine\n", "metrics.jsonl": first}
    files["run.lock"] = ""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=r"holds no run but .*metrics\.jsonl.*another folder"):
        RunFolder(tmp_path, "seed: 0\n", resume=resume)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    "files",
    [
        {"metrics.jsonl": '{"loss": 1}\n'},
        {"run.lock": "4711\n"},
        {"config.yaml": "mine: 1\n", "metrics.jsonl": ""},
        {"config.yaml": "mine: 1\n", "run.lock": ""},
        {"log.txt": "mine\n", "metrics.jsonl": "", "run.lock": "4711\n"},
    ],
    ids=lambda files: "+".join(files),
)
def test_less_than_a_start_leaves_is_no_run(tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match="holds no run but"):
        RunFolder(tmp_path, "seed: 0\n", resume=False)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == files


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("record", ["", '{"ki', STARTED_LINE[:40], STARTED_LINE])
@pytest.mark.parametrize("locks", [True, False])
def test_what_a_start_left_is_started_again(tmp_path, record, resume, locks):
    RunFolder(tmp_path, "seed: 0\n", resume=False).close()
    (tmp_path / "metrics.jsonl").write_text(record)
    if not locks:  # of a file system that knows none
        (tmp_path / "run.lock").write_text("")
    run = RunFolder(tmp_path, "seed: 1\n", resume=resume)
    run.close()
    assert not run.resumed
    assert run.metrics.read_text() == ""
    assert (tmp_path / "config.yaml").read_text() == "seed: 1\n"


@pytest.mark.parametrize("kind", ["evaluation", "agreement"])
def test_results_are_not_written_over(tmp_path, kind):
    run = RunFolder(tmp_path, "seed: 0\n", resume=None)
    run.record(**STARTED)
    run.record(kind, modality="visible")
    run.close()
    before = run.metrics.read_text()
    with pytest.raises(UserError, match=r"already holds a run\. Choose another --output"):
        RunFolder(tmp_path, "seed: 0\n", resume=None)
    assert run.metrics.read_text() == before


def test_the_data_folder_takes_no_run(tmp_path):
    data, link = tmp_path / "data", tmp_path / "link"
    data.mkdir()
    link.symlink_to(data)
    for output in (data, link, tmp_path / "x" / ".." / "data"):
        with pytest.raises(UserError, match="is the folder of --data-dir"):
            refuse_data_folder(output, data)
    for output in (data / "runs" / "one", tmp_path / "data-runs", tmp_path):
        refuse_data_folder(output, data)


def test_other_files_are_no_hindrance(tmp_path):
    (tmp_path / "slurm-17.out").write_text("queued\n")
    RunFolder(tmp_path, "seed: 0\n", resume=False).close()
    assert (tmp_path / "slurm-17.out").read_text() == "queued\n"


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("resume", [False, True])
def test_nothing_is_written_through_a_link(tmp_path, name, resume):
    outside, folder = tmp_path / "outside.txt", tmp_path / "run"
    RunFolder(folder, "seed: 0\n", resume=False).close()
    outside.write_text("keep\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    with pytest.raises(UserError, match=f"{name} is a link"):
        RunFolder(folder, "seed: 0\n", resume=resume)
    assert outside.read_text() == "keep\n"


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="or a pipe"):
        RunFolder(tmp_path, "seed: 0\n", resume=True)
