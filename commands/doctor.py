"""`vireid doctor`: what this machine offers, and whether a run fits on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..datasets.errors import DatasetError
from ..datasets.registry import dataset_spec, known_spec
from ..datasets.verify import verify_dataset
from ..errors import as_user_error
from ..options import Options, option, read_yaml
from ..reading import shortened, visible

if TYPE_CHECKING:
    import numpy as np
    import torch

# What the largest network (ResNet-50 with classifiers) takes with its optimiser, as float32.
NETWORK_BYTES = 4 * 60e6
CHECKPOINT_COPIES = 4  # weights, two moments, and the file that is being written beside
EMBEDDING = {"m3reid": 12288, "agw": 2048}
RECIPE_COUNTS = ("p_num", "k_num", "num_frames", "img_h", "img_w", "bn_batch", "trial")
MARKS = {"ok": "ok     ", "look": "look   ", "bad": "BAD    "}


@dataclass(frozen=True, kw_only=True)
class DoctorSettings(Options):
    """What to look at beside the machine."""

    recipe: Path | None = option("YAML of a recipe; says its effective batch and its needs", None)
    dataset: str | None = option("data set name; needs --data-dir", None)
    data_dir: Path | None = option("folder of the data set, as it was published", None)
    output: Path = option("where runs will be written; its disk is looked at", Path())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataset is not None and self.data_dir is None:
            raise ValueError("--dataset needs --data-dir, the folder of the data set")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes:
        state: ``ok``; ``look`` for what works but may surprise; ``bad`` for what will stop a run.
        what: the thing.
        text: what was found, and what to do where it is not ok.
    """

    state: Literal["ok", "look", "bad"]
    what: str
    text: str


def run_doctor(settings: DoctorSettings) -> int:
    """Prints all findings; 2 if one would stop a run.

    Raises:
        UserError: the recipe cannot be read.
    """
    recipe: dict[str, Any] = {}
    if settings.recipe is not None:
        with as_user_error(start="--recipe "):
            recipe = read_yaml(settings.recipe)
            _check_recipe(recipe, settings.recipe)
    dataset = settings.dataset or (recipe.get("dataset") if settings.data_dir else None)
    found = list(machine_findings())
    frames = tracks = 0
    if dataset is not None and settings.data_dir is not None:
        finding, frames, tracks = _data_finding(dataset, settings.data_dir, recipe)
        found.append(finding)
    if recipe:
        found += [*_recipe_findings(recipe), _precision_finding(recipe)]
    found += _room_findings(recipe, settings.output, frames, tracks)
    width = max(len(one.what) for one in found)
    for one in found:
        lines = visible(one.text).replace("\n", "\n" + " " * (len(MARKS["ok"]) + width + 2))
        print(f"{MARKS[one.state]}{one.what:<{width}}  {lines}")
    stopping = sum(one.state == "bad" for one in found)
    said = f"{stopping} finding{'s' * (stopping > 1)} would stop a run"
    print(said if stopping else "nothing stands in the way")
    return 2 if stopping else 0


def _check_recipe(recipe: dict[str, Any], file: Path) -> None:
    """Refuses a recipe whose numbers are none; what each number may be is the training's affair.

    Raises:
        ValueError: names the setting.
    """
    for name in RECIPE_COUNTS:
        value = recipe.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
        if not (value is None or whole):
            raise ValueError(f"{file}: {name}: expected a number from 1, found {shortened(value)}")
        if value is None:
            recipe.pop(name, None)
    for name in ("dataset", "network", "cache"):
        if not isinstance(recipe.get(name, ""), str):
            raise ValueError(f"{file}: {name}: expected a name, found {shortened(recipe[name])}")


def machine_findings() -> Iterator[Finding]:
    """Versions, devices, number formats, neighbour search."""
    import torch

    from ..engine.resources import gpu_memory
    from ..engine.runtime import cpu_has_bf16_units, cuda_has_bf16_units, versions

    yield Finding(
        "ok", "versions", ", ".join(f"{name} {version}" for name, version in versions().items())
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    formats = "bf16 units" if cpu_has_bf16_units() else "no bf16 units, so float32"
    yield Finding(
        "ok",
        "cpu",
        f"{platform.machine()}, {cores} cores, {torch.get_num_threads()} threads, {formats}",
    )
    if not torch.cuda.is_available():
        yield Finding("look", "cuda", "torch finds no CUDA device; everything runs on the CPU")
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        bf16 = "bf16" if cuda_has_bf16_units() else "no bf16: use --precision fp16"
        room = gpu_memory(torch.device("cuda", number))
        yield Finding("ok", f"cuda:{number}", f"{card.name}, {room}, {bf16}")
    yield _search_finding()


def _search_finding() -> Finding:
    """Runs each neighbour search on real numbers and compares with a full sort."""
    import numpy as np
    import torch

    from ..clustering.neighbours import nearest_neighbours

    features = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 16)).astype("f4"))
    unit = torch.nn.functional.normalize(features, dim=1)
    wanted = (unit.double() @ unit.double().T).argsort(descending=True)[:, :5]
    notes, state = [], "ok"
    searches: dict[str, Callable[[], torch.Tensor]] = {
        "exact": lambda: nearest_neighbours(features, 5)[1],
        "FAISS": lambda: _faiss_search(unit.numpy(), 5),
    }
    if torch.cuda.is_available():
        searches["CUDA"] = lambda: nearest_neighbours(features.cuda(), 5)[1].cpu()
    for name, search in searches.items():
        try:
            same = bool((search() == wanted).all())
            notes.append(f"{name}: {'works' if same else 'WRONG NEIGHBOURS'}")
            state = state if same else "bad"
        except Exception as error:  # whatever a library raises is the finding
            notes.append(f"{name}: {type(error).__name__}: {error}".splitlines()[0])
            state = state if name == "FAISS" else "bad"
    return Finding(state, "neighbour search", "; ".join(notes))  # type: ignore[arg-type]


def _faiss_search(unit: np.ndarray, k: int) -> torch.Tensor:
    """What the approximate search of `vireid cluster` is built from, without the approximation."""
    import faiss
    import torch

    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    return torch.from_numpy(index.search(unit, k)[1])


def _data_finding(name: str, root: Path, recipe: dict[str, Any]) -> tuple[Finding, int, int]:
    """Verification of the data set, and its training frames and tracks (0 where unreadable)."""
    try:
        options = dataset_spec(name).reader_options(recipe.get("trial", 1))
        verification = verify_dataset(name, root, **options)
    except DatasetError as error:
        return Finding("bad", "data set", str(error)), 0, 0
    training = [row.found for row in verification.rows if row.part[0] == "train"]
    frames = max((row.frames or 0 for row in training), default=0)
    tracks = max((row.tracks or 0 for row in training), default=0)
    state: Literal["ok", "bad"] = "ok" if verification.ok else "bad"
    return Finding(state, "data set", verification.text()), frames, tracks


def _recipe_findings(recipe: dict[str, Any]) -> Iterator[Finding]:
    people, clips = int(recipe.get("p_num", 8)), int(recipe.get("k_num", 4))
    frames = 1 if _images(recipe) else int(recipe.get("num_frames", 6))
    batch = people * clips
    groups = recipe.get("bn_batch") or batch
    yield Finding(
        "ok",
        "effective batch",
        f"{people} x {clips} = {batch} clips of {frames} frames "
        f"({batch * frames} frames of {recipe.get('img_h', 288)} x {recipe.get('img_w', 144)}); "
        f"batch norm sees {groups} clips at once",
    )


def _precision_finding(recipe: dict[str, Any]) -> Finding:
    """What the recipe's number formats come to on this machine."""
    import torch

    from ..engine.runtime import resolved_precision

    on_cpu = recipe.get("device") == "cpu" or not torch.cuda.is_available()
    asked = {"training": recipe.get("precision", "auto")}
    asked["tests"] = recipe.get("test_precision", "fp32")
    said, other = [], False
    for what, name in asked.items():
        found = resolved_precision(str(name), on_cpu=on_cpu)
        said.append(f"{what} {found}" + ("" if found == name else f" ({name} is asked for)"))
        other |= name == "fp16" != found
    return Finding("look" if other else "ok", "number formats", ", ".join(said))


def _images(recipe: dict[str, Any]) -> bool:
    spec = known_spec(str(recipe.get("dataset")))
    return recipe.get("network") == "agw" or (spec is not None and spec.images)


def _room_findings(
    recipe: dict[str, Any], output: Path, frames: int, tracks: int
) -> Iterator[Finding]:
    """Free disk and memory against what a run of this recipe takes."""
    from ..engine.resources import disk_space, host_memory, shared_memory, size_text
    from ..engine.run_needs import LOADED_AHEAD, clustering_bytes

    width = EMBEDDING["agw" if _images(recipe) else "m3reid"]
    features = 4 * width * tracks
    disk_need = CHECKPOINT_COPIES * NETWORK_BYTES + 2 * features
    pixels = 3 * int(recipe.get("img_h", 288)) * int(recipe.get("img_w", 144)) * frames
    if recipe.get("cache") == "disk":
        disk_need += pixels
    disk = disk_space(output)
    yield Finding(
        "ok" if disk.usable > disk_need else "bad",
        "disk",
        f"{disk}, at {output.absolute()}; a run takes about {size_text(disk_need)} "
        "(checkpoints, features, frame cache where asked for)",
    )
    clip = 3 * int(recipe.get("img_h", 288)) * int(recipe.get("img_w", 144))
    clip *= 1 if _images(recipe) else int(recipe.get("num_frames", 6))
    batch = clip * int(recipe.get("p_num", 8)) * int(recipe.get("k_num", 4)) * 2
    workers = int(recipe.get("workers", 4))
    shared, ahead = shared_memory(), batch * (1 + LOADED_AHEAD * workers) if workers else 0
    if shared is not None:
        yield Finding(
            "ok" if shared.usable > ahead else "bad" if recipe else "look",
            "shared memory",
            f"{shared}; {workers} workers take about {size_text(ahead)} (--workers 0 takes none)",
        )
    memory_need = clustering_bytes(tracks, width) + NETWORK_BYTES
    if recipe.get("cache") == "memory":
        memory_need += pixels
    memory = host_memory()
    if memory is None:
        yield Finding("look", "memory", f"a run takes about {size_text(memory_need)}")
        return
    known = "" if tracks else " without the data (give --dataset and --data-dir)"
    yield Finding(
        "ok" if memory.usable > memory_need else "bad",
        "memory",
        f"{memory}; a run takes about {size_text(memory_need)} beside the activations{known}; it "
        "says at its start what it needs with these, and --dry-run measures them",
    )
