"""A run folder takes only a folder that is its own or empty, and follows no link out of it."""

import os

import pytest
from vireid.engine.run_folder import IN_PLACE, RunFolder
from vireid.errors import UserError


def test_files_that_no_run_wrote_are_kept(tmp_path):
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    with pytest.raises(UserError, match=r"holds no run but .*config\.yaml"):
        RunFolder(tmp_path, "seed: 0\n", resume=False)
    assert (tmp_path / "config.yaml").read_text() == "mine: 1\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml"]


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
