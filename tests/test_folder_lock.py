"""One process at a time in a folder; what a dead one leaves behind blocks nobody."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from vireid import folder_lock
from vireid.errors import UserError
from vireid.folder_lock import FolderLock

HOLD = """
import sys, time
from pathlib import Path
from vireid.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), "it")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_and_told_who_is_first(tmp_path, holder):
    with pytest.raises(UserError, match=rf"^--output X is in use .*process {holder.pid} on"):
        FolderLock(tmp_path, "--output X")


def test_a_killed_process_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / folder_lock.FILE).exists()
    lock = FolderLock(tmp_path, "--output X")
    assert lock.held
    lock.release()
    assert f"process {os.getpid()} " in lock.path.read_text(encoding="utf-8")


def test_without_locks_nobody_is_refused(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock.fcntl, "lockf", refuse)
    lock = FolderLock(tmp_path, "--output X")
    lock.release()
    assert not lock.held
