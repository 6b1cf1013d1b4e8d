"""A written file is whole, or what it was before, and as readable as its owner wants it."""

import errno
import os
import resource
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch
from safetensors.torch import save_file
from vireid.files import append_line, write_whole


def fail(beside):
    beside.write_bytes(b"half")
    raise KeyboardInterrupt


WRITERS = {
    "text": "ä\n",
    "bytes": b"\xff",
    "function": lambda beside: beside.write_text("x"),
    "torch": partial(torch.save, {"a": torch.ones(2)}),
    "safetensors": partial(save_file, {"a": torch.ones(2)}),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("umask", [0o022, 0o077])
@pytest.mark.parametrize("shared", [False, True])
def test_permissions_follow_the_umask_whoever_writes(tmp_path, name, umask, shared):
    path = tmp_path / "file"
    path.with_name("file.part").touch(0o600)  # left over by a killed run
    before = os.umask(umask)
    try:
        write_whole(path, WRITERS[name], shared=shared)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert path.stat().st_size > 0


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "file"
    for content in ("grün\nü", b"\x00\xff"):
        write_whole(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shared", [False, True])
def test_a_stop_in_the_middle_leaves_the_old_file_and_nothing_beside(tmp_path, shared):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail, shared=shared)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "file"
    write_whole(
        path,
        lambda outer: (write_whole(path, "inner", shared=True), outer.write_text("outer")),
        shared=True,
    )
    assert path.read_text() == "outer"
    assert list(tmp_path.iterdir()) == [path]


def test_libraries_that_hide_why_still_name_the_file(tmp_path):
    path = tmp_path / "file"

    def writer(beside):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904 - as torch.save does

    def other(beside):
        raise ValueError("I/O error: No space left on device (os error 28)")  # as safetensors does

    for content in (writer, other):
        with pytest.raises(OSError, match="No space left") as caught:
            write_whole(path, content)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_writer_stays_what_it_is(tmp_path):
    def content(beside):
        raise RuntimeError("no error of the system")

    with pytest.raises(RuntimeError, match="no error of the system"):
        write_whole(tmp_path / "file", content)


def test_a_line_is_added_whole_or_not_at_all(tmp_path):
    path = tmp_path / "lines"
    append_line(path, "grün")
    size = path.stat().st_size

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, size + 5))

    code = "import sys; from pathlib import Path; from vireid.files import append_line as add"
    code += "; add(Path(sys.argv[1]), 'x' * 9)"
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert f"File too large: '{path}'" in done.stderr
    assert path.read_text(encoding="utf-8") == "grün\n"
