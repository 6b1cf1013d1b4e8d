"""Reading a checkpoint runs no code that lies in it."""

import os
import pickle
import re
from pathlib import Path

import pytest
import torch
import vireid
from vireid.engine.checkpoint import CHECKPOINT_KEYS, load_checkpoint, load_model, save_tensors
from vireid.errors import UserError
from vireid.models.state_files import read_state_dict


class Malicious:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("kind", ["torch", "legacy", "plain pickle"])
def test_pickled_code_is_never_run(tmp_path, kind):
    path, trace = tmp_path / "last.pt", tmp_path / "it-ran"
    state = {**dict.fromkeys(CHECKPOINT_KEYS, 0), "model": Malicious(trace)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "torch")
    for read in (load_checkpoint, load_model, read_state_dict):
        with pytest.raises((UserError, ValueError)):
            read(path)
    assert not trace.exists()
    # The file would have run it.
    with path.open("rb") as file:
        if kind == "plain pickle":
            pickle.load(file)
            assert trace.exists()


def test_no_reader_in_the_package_allows_pickled_code():
    root = Path(vireid.__file__).parent
    folders = {path.name for path in root.iterdir() if path.is_dir()} - {"tests", ".venv", "build"}
    sources = [
        p for name in folders if not name.startswith(".") for p in (root / name).rglob("*.py")
    ]
    found = 0
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"\bpickle\.loads?\(|allow_pickle=True", text), source
        for call in re.finditer(r"torch\.load\((?!path, weights_only=False\) and pass)", text):
            found += 1
            assert "weights_only=True" in text[call.start() : call.start() + 120], source
    assert found >= 1


def test_a_checkpoint_survives_a_write_that_was_cut_off(tmp_path):
    path = tmp_path / "last.pt"
    state = {**dict.fromkeys(CHECKPOINT_KEYS, 0), "model": {"weight": torch.arange(3)}}
    save_tensors(path, state)
    path.with_name("last.pt.part").write_bytes(b"half")
    assert torch.equal(load_checkpoint(path)["model"]["weight"], torch.arange(3))
