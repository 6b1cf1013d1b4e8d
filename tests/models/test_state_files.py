"""Reading states: wrappers, files, and no code from a file."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from vireid.models.state_files import WRAPPERS, check_state, read_state_dict

STATE = {"a.weight": torch.arange(4.0).view(2, 2), "a.bias": torch.zeros(2)}


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def assert_state(found):
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("wrapper", [None, *WRAPPERS])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_dictionary_with_and_without_wrapping(wrapper, prefix):
    state = {prefix + name: tensor for name, tensor in STATE.items()}
    assert_state(read_state_dict({wrapper: state, "epoch": 7} if wrapper else state))


def test_files(tmp_path):
    torch.save({"net": STATE, "epoch": 3}, tmp_path / "a b.pth")
    save_file(STATE, tmp_path / "state.safetensors")
    assert_state(read_state_dict(tmp_path / "a b.pth"))
    assert_state(read_state_dict(str(tmp_path / "state.safetensors")))


def test_code_in_a_file_is_not_run(tmp_path):
    target = tmp_path / "executed"
    torch.save({"state_dict": STATE, "extra": Payload(target)}, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match="without running code"):
        read_state_dict(tmp_path / "bad.pth")
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2], protocol=2)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.pth"):
        read_state_dict(path)


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors"])
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        read_state_dict(tmp_path / name)


def test_broken_safetensors_is_named(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"broken\.safetensors"):
        read_state_dict(tmp_path / "broken.safetensors")


def test_what_is_no_state_is_named(tmp_path):
    torch.save([STATE["a.bias"]], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="found a list"):
        read_state_dict(tmp_path / "list.pth")
    with pytest.raises(ValueError, match="entries that are not tensors: epoch"):
        read_state_dict({"epoch": 7, **STATE})
    with pytest.raises(ValueError, match="found nothing"):
        read_state_dict({})


def test_differences_are_named():
    found = {"a.weight": torch.zeros(3, 2), "b": torch.zeros(1)}
    with pytest.raises(ValueError) as error:
        check_state(found, STATE, layout="a state of a")
    message = str(error.value)
    assert "this is not a state of a" in message
    assert "1 missing: a.bias" in message
    assert "1 unexpected: b" in message
    assert "a.weight is [3, 2], not [2, 2]" in message
    check_state({"a.weight": STATE["a.weight"]}, STATE, layout="a state", optional={"a.bias"})
