"""`vireid browse` as it is typed: what it prints, how it ends, and what it refuses."""

import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from browse_cases import pairs_of_people
from vireid.cli import main

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


def refused(capsys, *arguments):
    assert main(["browse", *map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vireid: ") and "Traceback" not in said
    return said


def test_it_prints_an_address_serves_it_and_ends(index):
    pairs_of_people(index)
    running = subprocess.Popen(
        [sys.executable, "-m", "vireid", "browse", str(index.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = running.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert b"vireid browse" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="403") as found:
            urllib.request.urlopen(address.rsplit("/", 2)[0] + "/", timeout=60)
        found.value.close()
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=120)[1]
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0
    assert "no decisions, only scores" in said and "Traceback" not in said


def test_no_index_is_said(tmp_path, capsys):
    assert "is no index" in refused(capsys, tmp_path)
    assert "does not exist" in refused(capsys, tmp_path / "nowhere")


def test_a_missing_package_is_named_with_what_to_install(index, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = refused(capsys, index.path)
    assert "uvicorn" in said and "pip install 'vireid[footage]'" in said


def test_a_port_that_is_taken_is_named(index, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"--port {port} cannot be listened on" in refused(capsys, index.path, "--port", port)


def test_broken_judgements_are_named_before_the_page_is_there(index, capsys):
    (index.path / "judgements.jsonl").write_text('{"id": 0}\n{}\n')
    assert "judgements.jsonl, line 1" in refused(capsys, index.path)
