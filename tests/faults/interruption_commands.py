"""The commands that write: how each is called, goes on after a kill, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tiny_runs import flags
from tiny_settings import SHORTEST, SHORTEST_STAGE_ONE
from vireid.cli import main
from vireid.engine.published_checkpoint import write_published
from vireid.models import M3ReID

from .interruption import Outcome, run

SETTINGS = {"dataset": "hitsz-vcm"}
STAGE_ONE = {**SHORTEST_STAGE_ONE, **SETTINGS, "intra_epochs": 2}
STAGE_TWO = {**SHORTEST, **SETTINGS, "weights": "none", "epochs": 2, "steps": 3}
# Where the commands that train lie.
TRAINED_BY = {"baseline": "vireid.baselines.train", "mmm": "vireid.mmm.train"}
TIMING = ("seconds", "clips_per_second", "peak_memory_mib")
# Say when and in which attempt; what a run learned stands elsewhere.
BY_THE_WAY = ("log.txt", "run.lock", "tensorboard", ".console.txt", ".settings.yaml")

NAMES = (
    *("synth", "baseline", "baseline, frames on disk"),
    *("mmm", "mmm --variant paper", "mmm --variant released", "mmm --supervised"),
    *("evaluate", "export", "export --format safetensors", "report", "average"),
)


@dataclass(frozen=True)
class Case:
    """A command of the campaign.

    Attributes:
        words: command line without what says where to write.
        output: file or folder that it writes, beside those of the other commands.
        resumes: whether the next call takes ``--resume``.
        flag: how it is told the output.
    """

    words: tuple[str, ...]
    output: str
    resumes: bool = False
    flag: str = "--output"


class Workshop:
    """A folder with a data set and finished runs, in which the commands can be tried.

    What is made at first is made by this process, so that its forks need not import and compile;
    but for trainings, which start threads of autograd that no fork may follow.

    Args:
        root: where; it is emptied.
        names: of the commands to try; what none of them needs is not made.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root, self.names = root, names
        data, base, model = root / "data", root / "stage one", root / "labelled"
        self.data = data
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        self._need(data, ["synth", str(data), "--preset", "tiny", "--workers", "1"])
        one = training("baseline", data, STAGE_ONE)
        two = training("mmm", data, STAGE_TWO)
        self._need(base, [*one, "--output", str(base)])
        assert main(["cluster", str(base)]) == 0  # compiles
        self._need(
            model, [*two, "--supervised", "--output", str(model)], "mmm", "evaluate", "export"
        )
        page = str(root / "warm.html")
        self._need(root / "warm.html", ["report", str(base), "--output", page], "report")
        again = shutil.copytree(base, root / "stage one again")
        given = ("--baseline", str(base))
        published = root / "published.pth"
        if "export" in names:  # the released code knows networks of one size only
            write_published(published, M3ReID(2, weights=None))
        cache = ("--cache", "disk", "--cache-dir", str(root / "out" / "frames"))
        evaluate = ("evaluate", "--dataset", "hitsz-vcm", "--data-dir", str(data))
        self.cases = {
            "synth": Case(("synth", "--preset", "tiny", "--workers", "1"), "set"),
            "baseline": Case(one, "run", True),
            "baseline, frames on disk": Case((*one, *cache), "run", True),
            "mmm": Case((*two, *given), "run", True),
            "mmm --variant paper": Case((*two, *given, "--variant", "paper"), "run", True),
            "mmm --variant released": Case(
                (*two, *given, "--variant", "released", "--ce-epochs", "1"), "run", True
            ),
            "mmm --supervised": Case((*two, "--supervised"), "run", True),
            "evaluate": Case(
                (*evaluate, "--checkpoint", str(model), "--workers", "0", "--device", "cpu"), "run"
            ),
            "export": Case(("export", str(published)), "model.pth"),
            "export --format safetensors": Case(
                ("export", str(model), "--format", "safetensors"), "model.safetensors"
            ),
            "report": Case(("report", str(base)), "page.html"),
            "average": Case(("average", str(base), str(again)), "average.json"),
        }

    def _need(self, path: Path, words: list[str], *users: str) -> None:
        if users and not any(name.startswith(users) for name in self.names):
            return
        if words[0] in TRAINED_BY:
            import_module(TRAINED_BY[words[0]])
            code = run(words, self.root).code
        else:
            code = main(words)
        assert code == 0, f"{path} could not be made"

    def line(self, case: Case, *more: str) -> list[str]:
        """The command line that writes into ``out``, which is emptied by :meth:`clear`."""
        return [*case.words, case.flag, str(self.output(case)), *more]

    def output(self, case: Case) -> Path:
        """Where the command writes."""
        return self.root / "out" / case.output

    def clear(self) -> None:
        """Forgets the last trial."""
        shutil.rmtree(self.root / "out", ignore_errors=True)
        (self.root / "out").mkdir()

    def go_on(self, case: Case) -> list[Outcome]:
        """Calls the command again as a person would who reads what it says; the last one counts."""
        tries = [run(self.line(case, *["--resume"] * case.resumes), self.root / "out")]
        said = tries[-1].text
        if tries[-1].code == 2 and "Leave out --resume" in said:
            tries.append(run(self.line(case), self.root / "out"))
        elif tries[-1].code == 2 and "another --output" in said and not case.resumes:
            output = self.output(case)
            shutil.rmtree(output) if output.is_dir() else output.unlink()
            tries.append(run(self.line(case), self.root / "out"))
        return tries

    def result(self, case: Case) -> dict[str, Any]:
        """All that the command left which does not say when it was made."""
        output = self.output(case)
        files = [output] if output.is_file() else sorted(p for p in output.rglob("*"))
        return {
            str(path.relative_to(self.root / "out")): content(path)
            for path in files
            if path.is_file() and not any(name in str(path) for name in BY_THE_WAY)
        }

    def left_over(self) -> list[str]:
        """Names of half-written files."""
        # The frame cache, which processes share, removes what is an hour old.
        found = [p for p in (self.root / "out").rglob("*") if "frames" not in p.parts]
        return [p.name for p in found if p.suffix == ".part" or ".rendering" in p.name]


def training(command: str, data: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """The command line of a training without its run folder, on however small a disk."""
    words = flags(command, data, Path(), settings)
    place = words.index("--output")
    return (*words[:place], *words[place + 2 :], "--no-pictures", "--force")


def content(path: Path) -> Any:
    """What is in a file, in a form that can be compared; raises where it is half of one.

    Args:
        path: a file that a command has given its final name.
    """
    if path.suffix == ".safetensors":
        return {name: value.numpy().tobytes() for name, value in load_file(path).items()}
    if path.suffix in (".pt", ".pth"):
        return plain(torch.load(path, weights_only=True))
    if path.name == "metrics.jsonl":
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]  # this file grows by lines
        return [plain(json.loads(line)) for line in whole]
    if path.suffix == ".json":
        return plain(json.loads(path.read_text(encoding="utf-8")))
    if path.name == "config.yaml":
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith("resume:")]
    return path.read_bytes()


def plain(value: Any) -> Any:
    """A value without what depends on the clock; tensors as bytes."""
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in (*TIMING, "metrics_size")}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
