"""The good inputs that the campaign damages copies of: small sets, runs, weights, settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from tiny_settings import SHORTEST, SHORTEST_STAGE_ONE
from vireid.models.network import network_named
from vireid.synthetic import render_dataset

LAYOUTS = ("hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb", "llcm", "folder")
# Files that name other places of the world; a copy names the same places of the copy.
NAMING = (".yaml", ".jsonl", ".json")

Run = Callable[[Sequence[str]], int]


def make_world(root: Path, run: Run, *, small: bool = False) -> None:
    """Makes everything below ``root``.

    Args:
        root: an empty folder.
        run: runs a command of ours in a process of its own and gives its exit code.
        small: two of the layouts, no run on images and no ablation: what takes a third of the time.
    """
    data = root / "data"
    for layout in ("hitsz-vcm", "sysu-mm01") if small else LAYOUTS[:-1]:
        render_dataset(
            data / layout,
            layout=layout,
            workers=1,
            progress=False,
            train_identities=4,
            test_identities=3,
        )
    _folder_set(data / "hitsz-vcm", data / "folder")
    _galleries(data / "sysu-mm01")
    _settings(root / "settings")
    _weights(root / "weights")
    _features(root / "features" / "features.safetensors")
    _runs(root, run, small)


def _folder_set(source: Path, target: Path) -> None:
    """Frames of the HITSZ-VCM set in plain folders: two frames of a tracklet, single images."""
    for split, inside in (("train", "Train"), ("query", "Test"), ("gallery", "Test")):
        for person in sorted((source / inside).iterdir())[:3]:
            for old, new in (("rgb", "visible"), ("ir", "infrared")):
                for camera in sorted((person / old).iterdir())[:2]:
                    place = target / split / person.name / new / camera.name
                    (place / "1").mkdir(parents=True)
                    frames = sorted(camera.iterdir())
                    for frame in frames[:2]:
                        shutil.copy(frame, place / "1")
                    shutil.copy(frames[2], place)


def _galleries(root: Path) -> None:
    from scipy.io import savemat

    cameras = np.empty((6, 1), object)
    for camera in range(6):
        cells = np.empty((30, 1), object)
        for person in range(30):
            folder = root / f"cam{camera + 1}" / f"{person + 1:04d}"
            count = len(list(folder.glob("*.jpg"))) if folder.is_dir() else 0
            cells[person, 0] = np.array([np.arange(1, count + 1)] * 10 if count else [], "u2")
        cameras[camera, 0] = cells
    savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": cameras})


def _settings(folder: Path) -> None:
    folder.mkdir()
    shared = {"workers": 0, "device": "cpu"}
    one = {"dataset": "hitsz-vcm", **SHORTEST_STAGE_ONE, **shared, "pictures": False}
    two = {"dataset": "hitsz-vcm", **SHORTEST, **shared, "epochs": 1, "steps": 2, "pictures": False}
    files = {
        "baseline": one,
        "mmm": two,
        "images": {**one, "dataset": "regdb", "network": "agw"},
        "rows": {"hot memory": {"memory_temperature": 0.2}},
        "synth": {"preset": "tiny", "layout": "regdb", "seed": 1, "workers": 1},
    }
    for name, values in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def _weights(folder: Path) -> None:
    folder.mkdir()
    torch.manual_seed(0)
    for network, mark in (("m3reid", "mvl_attention."), ("agw", "base_resnet.")):
        model = network_named(network).build(0, num_frames=1, weights=None, backbone="thin-8")
        state = model.state_dict()
        torch.save(state, folder / f"{network}.pt")
        # No published network has a backbone this small, so this one is refused by its shapes.
        marked = {f"{mark}{name}": value for name, value in state.items()}
        torch.save({"net": marked, "epoch": 3}, folder / f"{network}-published.pth")
        trunk = {key.partition(".")[2]: value for key, value in state.items()}
        torch.save(trunk, folder / f"{network}-trunk.pth")


def _features(path: Path) -> None:
    path.parent.mkdir()
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(6), 6)
    centres = rng.normal(size=(6, 16))
    save_file(
        {
            "visible": torch.from_numpy(
                (centres[people] + 0.1 * rng.normal(size=(36, 16))).astype("f4")
            ),
            "visible_identities": torch.from_numpy(people.astype("i8")),
        },
        path,
    )


def _runs(root: Path, run: Run, small: bool) -> None:
    settings, data, runs = root / "settings", root / "data", root / "runs"
    hitsz = ["--data-dir", str(data / "hitsz-vcm")]
    cache = ["--cache", "disk", "--cache-dir", str(root / "cache")]
    lines = (
        ["baseline", "--config", "baseline.yaml", *hitsz, *cache, "--output", "one"],
        ["mmm", "--config", "mmm.yaml", *hitsz, "--baseline", "one", "--output", "two"],
        [
            *("baseline", "--config", "images.yaml", "--data-dir", str(data / "regdb")),
            *("--output", "images"),
        ],
        [
            *("evaluate", "--dataset", "hitsz-vcm", *hitsz, "--checkpoint", "one"),
            *("--workers", "0", "--device", "cpu", "--output", "ranked"),
        ],
        [
            *("ablate", "--dataset", "hitsz-vcm", *hitsz, "--baseline-config", "baseline.yaml"),
            *("--mmm-config", "mmm.yaml", "--rows", "stage-one", "--seeds", "0"),
            *("--output", "ablation"),
        ],
    )
    names = {"one", "two", "images", "ranked", "ablation"}
    for line in lines:
        if small and line[-1] in ("images", "ablation"):
            continue
        words = [
            str(settings / word)
            if word.endswith(".yaml")
            else str(runs / word)
            if word in names
            else word
            for word in line
        ]
        if run(words) != 0:
            raise RuntimeError(f"a good input could not be made: vireid {' '.join(words)}")
    keys = (runs / "one" / "tracks.csv").read_text(encoding="utf-8").splitlines()[1:9]
    labelled = "".join(line.split(",")[0] + "\n" for line in keys)
    (settings / "labelled.txt").write_text(labelled, encoding="utf-8")


def copy_part(world: Path, part: str, target: Path) -> None:
    """Copies ``part`` of the world to the same place below ``target``.

    Pictures are links to those of the world: a damage replaces them and never writes to them.
    """
    source, goal = world / part, target / part
    goal.parent.mkdir(parents=True, exist_ok=True)

    def copy(old: str, new: str) -> None:
        path = Path(old)
        if path.suffix in (".jpg", ".bmp"):
            os.link(old, new)
        elif path.suffix in NAMING or path.name.endswith(".yaml"):
            content = path.read_bytes().replace(bytes(world), bytes(target))
            Path(new).write_bytes(content)
        else:
            shutil.copyfile(old, new)

    if source.is_dir():
        shutil.copytree(source, goal, copy_function=copy)
    else:
        copy(str(source), str(goal))
