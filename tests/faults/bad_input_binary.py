"""Damages of what is not text: weights, features, checkpoints, MATLAB files, frame shards.

A pickle that would run code touches a file beside the case, which is looked for afterwards.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file

from .bad_input_damages import Damage, replace
from .bad_input_pictures import png_bomb
from .bad_input_text import VALUES, _mutated


class Runs:
    """Pickled, it asks to run a command when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


def make_strangers(folder: Path) -> None:
    """Files of kinds that nobody asked for; ``secret.txt`` is what links and paths lead to."""
    folder.mkdir()
    (folder / "secret.txt").write_text("secret\n", encoding="utf-8")
    mark = folder.parent / "ran-pickle"
    (folder / "pickle.pkl").write_bytes(pickle.dumps({"state_dict": Runs(mark)}))
    torch.save({"state_dict": Runs(mark)}, folder / "code.pt")
    np.save(folder / "objects.npy", np.array([Runs(mark)], object), allow_pickle=True)
    with zipfile.ZipFile(folder / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escaped", bytes(10**6))
    (folder / "script.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    (folder / "bomb.png").write_bytes(png_bomb(60000, 60000))
    (folder / "page.html").write_text("<script>alert(1)</script>", encoding="utf-8")
    Image.new("RGB", (3, 2)).save(folder / "small.jpg")


# safetensors


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = dict(file.metadata() or {})
        return load_file(path), about
    except (SafetensorError, OSError):
        return {"features": torch.ones(2, 2)}, {}


def _odd(tensor: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """The tensor with other values, another type or another shape."""
    kinds = (
        lambda t: torch.full_like(t, float("nan")) if t.is_floating_point() else t - 10**6,
        lambda t: torch.full_like(t, float("inf")) if t.is_floating_point() else t + 2**40,
        lambda t: t.double() if t.is_floating_point() else t.int(),
        lambda t: t.half(),
        lambda t: t.bfloat16(),
        lambda t: t.to(torch.int64),
        lambda t: t > 0,
        lambda t: t.reshape(-1),
        lambda t: t.reshape(1, *t.shape),
        lambda t: t.new_zeros((0,)),
        lambda t: t.new_zeros((0, *t.shape[1:])),
        lambda t: t[:-1] if t.ndim and len(t) > 1 else t,
        lambda t: torch.cat([t, t]) if t.ndim else t,
        lambda t: t.new_zeros(()),
        lambda t: torch.zeros_like(t),
        lambda t: t * 1e30 if t.is_floating_point() else t * 1000,
        lambda t: t[:, :1] if t.ndim > 1 else t,
        lambda t: torch.complex(t.float(), t.float()),
    )
    return rng.choice(kinds)(tensor).contiguous()


def tensors(path: Path, rng: random.Random, strangers: Path) -> None:
    """Some tensors with other values, types, shapes or names; gone or added."""
    held, about = _read_safetensors(path)
    for _ in range(rng.choice((1, 1, 3))):
        name = rng.choice(sorted(held)) if held else "x"
        kind = rng.randrange(6)
        tensor = held.get(name, torch.ones(2))
        if kind == 0:
            held.pop(name, None)
        elif kind == 1:
            held["extra" + name] = tensor.clone()
        elif kind == 2:
            held.pop(name, None)
            held[rng.choice(("", "x", "visible", "now/", "now/x/y", "other/z", "\u202e"))] = tensor
        else:
            held[name] = _odd(tensor, rng)
    path.unlink()
    save_file(held, path, metadata=about or None)


def metadata(path: Path, rng: random.Random, strangers: Path) -> None:
    """Other facts beside the weights."""
    held, about = _read_safetensors(path)
    if "vireid" in about and rng.random() < 0.8:
        facts = _mutated(json.loads(about["vireid"]), rng)
        try:
            about["vireid"] = json.dumps(facts)
        except ValueError:
            about["vireid"] = '{"num_identities": ' + "9" * 4400 + "}"
    elif "vireid" in about:
        about["vireid"] = rng.choice(("", "[]", "{}", "{", "3", "null", "[" * 100000))
    else:
        about = {name: rng.choice(("", "x", "-1", "9" * 5000, "\u0663")) for name in about}
    path.unlink()
    save_file(held, path, metadata=about)


def header(path: Path, rng: random.Random, strangers: Path) -> None:
    """The header of a safetensors file: its length, or what it says of a tensor."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8].ljust(8, b"\0"))[0]
    try:
        facts = json.loads(content[8 : 8 + size])
    except ValueError:
        facts = {}
    kind = rng.randrange(3)
    if kind == 0 or not facts:
        lengths = (10**18, 2**64 - 1, 2**63, 0, 1, len(content), len(content) * 2)
        replace(path, struct.pack("<Q", rng.choice(lengths)) + content[8:])
        return
    name = rng.choice([name for name in facts if name != "__metadata__"] or ["x"])
    entry = dict(facts.get(name, {}))
    entry[rng.choice(("dtype", "shape", "data_offsets"))] = rng.choice(
        (
            "F32",
            "I64",
            "F8_E4M3",
            "X",
            [10**18],
            [2**40, 2**40],
            [-1],
            [0, 10**18],
            [8, 4],
            [],
            None,
        )
    )
    facts[name] = entry
    head = json.dumps(facts).encode()
    replace(path, struct.pack("<Q", len(head)) + head + content[8 + size :])


# what torch.save wrote


def _read_checkpoint(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return {"model": {}}


def checkpoint_value(path: Path, rng: random.Random, strangers: Path) -> None:
    """A value somewhere inside: another tensor, another type, gone, added."""
    state = _read_checkpoint(path)
    for _ in range(rng.choice((1, 1, 3))):
        state = _inside(state, rng)
    path.unlink()
    torch.save(state, path)


def _inside(value: Any, rng: random.Random) -> Any:
    if isinstance(value, torch.Tensor) and rng.random() < 0.8:
        try:
            return _odd(value, rng)
        except RuntimeError:
            return torch.ones(1)
    if isinstance(value, dict) and value and rng.random() < 0.92:
        key = rng.choice(list(value))
        changed = dict(value)
        kind = rng.random()
        if kind < 0.1:
            del changed[key]
        elif kind < 0.2:
            changed["extra"] = rng.choice(VALUES)
        else:
            changed[key] = _inside(value[key], rng)
        return changed
    if isinstance(value, (list, tuple)) and value and rng.random() < 0.9:
        changed_list = list(value)
        at = rng.randrange(len(value))
        changed_list[at] = _inside(value[at], rng)
        return type(value)(changed_list) if type(value) in (list, tuple) else changed_list
    return rng.choice([v for v in VALUES if v != 10**4400] + [torch.ones(2)])


def checkpoint_shape(path: Path, rng: random.Random, strangers: Path) -> None:
    """Another thing altogether, code among them."""
    state = _read_checkpoint(path)
    mark = strangers.parent / "ran-checkpoint"
    kind = rng.randrange(9)
    path.unlink()
    if kind == 0:
        torch.save({**state, "code": Runs(mark)} if isinstance(state, dict) else Runs(mark), path)
    elif kind == 1:
        path.write_bytes(pickle.dumps(Runs(mark)))
    elif kind == 2:
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif kind == 3:
        torch.save([state], path)
    elif kind == 4:
        torch.save(torch.nn.Linear(2, 2), path)
    elif kind == 5:
        torch.save({1: torch.ones(2), (2, 3): torch.ones(1)}, path)
    elif kind == 6:
        _repacked(path, state, rng)
    elif kind == 7:
        torch.save({"state_dict": {"state_dict": state}}, path)
    else:
        torch.save(rng.choice((None, 3, "x", {}, [], torch.ones(3))), path)


def _repacked(path: Path, state: Any, rng: random.Random) -> None:
    """The archive with an entry left out, emptied, or compressed from a size it does not have."""
    whole = io.BytesIO()
    torch.save(state, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        names = old.namelist()
        victim, kind = rng.choice(names), rng.randrange(4)
        for name in names:
            content = old.read(name)
            how = zipfile.ZIP_STORED
            if name == victim:
                if kind == 0:
                    continue
                content = (b"", b"", bytes(50 * 10**6), content[: len(content) // 2])[kind]
                how = zipfile.ZIP_DEFLATED if kind == 2 else how
            new.writestr(name, content, how)


def matlab(path: Path, rng: random.Random, strangers: Path) -> None:
    """Other variables, types and shapes in a MATLAB file."""
    from scipy.io import savemat

    cells = np.empty((6, 1), object)
    for camera in range(6):
        inner = np.empty((30, 1), object)
        inner[:] = rng.choice(("x", -1.0, np.nan, np.array([[1e300]]), np.array(["text"])))
        cells[camera, 0] = inner
    kinds: tuple[dict[str, Any], ...] = (
        {"rand_perm_cam": cells},
        {"rand_perm_cam": np.ones((6, 1))},
        {"rand_perm_cam": "text"},
        {"rand_perm_cam": {"a": 1}},
        {"other": cells},
    )
    path.unlink()
    savemat(path, rng.choice(kinds))


def shard_tail(path: Path, rng: random.Random, strangers: Path) -> None:
    """The JSON at the end of a frame shard, and its length."""
    content = path.read_bytes()
    length = rng.choice((10**18, 2**64 - 1, 0, 1, len(content)))
    replace(path, content[:-16] + struct.pack("<Q", length) + content[-8:])


SAFETENSORS: tuple[Damage, ...] = (tensors, tensors, tensors, metadata, metadata, header)
CHECKPOINT: tuple[Damage, ...] = (checkpoint_value, checkpoint_value, checkpoint_shape)
