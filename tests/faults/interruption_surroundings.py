"""What a machine can deny a command while it runs: room, handles, workers, the data, the time.

python -m faults.interruption_surroundings --trials 40 --folder /tmp/faults
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import sys
from collections import Counter
from pathlib import Path

import torch

from .interruption import Outcome, limit, resize, run, small_disk
from .interruption_commands import Workshop, content

ROOMY_KIB = 1 << 18
YEAR_S = 365 * 86400.0


def judge(outcome: Outcome, *codes: int) -> str:
    """What is wrong with how a command ended; empty where nothing is.

    Args:
        outcome: of the command.
        codes: that it may end with.
    """
    if outcome.code not in codes:
        return f"exit {outcome.code}: {outcome.text[-1500:]}"
    if "Traceback" in outcome.text or "Exception ignored" in outcome.text:
        return f"a traceback: {outcome.text[-1500:]}"
    if outcome.code and outcome.text.count("\nvireid: ") + outcome.text.startswith("vireid: ") != 1:
        return f"not one message: {outcome.text[-1500:]}"
    return ""


def damaged(output: Path) -> str:
    """The first file that has its final name and cannot be read."""
    for path in sorted(output.rglob("*")) if output.is_dir() else [output]:
        if path.is_file() and path.suffix not in (".part", ".jpg"):
            try:
                content(path)
            except Exception as error:
                return f"{path.name} is damaged: {error}"
    return ""


class Trials:
    """The faults of one workshop.

    Args:
        shop: the commands.
        whole: result of each when nothing goes wrong, made when it is asked for.
    """

    def __init__(self, shop: Workshop, draw: random.Random) -> None:
        self.shop, self.draw = shop, draw
        self._whole: dict[str, dict[str, object]] = {}
        self._sizes: dict[str, int] = {}

    def whole(self, name: str) -> dict[str, object]:
        """What the command leaves when nothing goes wrong."""
        if name not in self._whole:
            self.shop.clear()
            case = self.shop.cases[name]
            assert run(self.shop.line(case), self.shop.root / "out").code == 0
            self._whole[name] = self.shop.result(case)
            files = [p for p in (self.shop.root / "out").rglob("*") if p.is_file()]
            self._sizes[name] = sum(-(-p.stat().st_size // 4096) * 4 for p in files) + 64
        return self._whole[name]

    def _goes_on(self, name: str) -> str:
        case = self.shop.cases[name]
        last = self.shop.go_on(case)[-1]
        if found := judge(last, 0):
            return f"fault: afterwards {found}"
        return "" if self.shop.result(case) == self.whole(name) else "fault: another result"

    def full_disk(self, name: str) -> str:
        """A disk that is full at some moment of the command, and then is not."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        kib = self.draw.randint(4, self._sizes[name])
        with small_disk(out, kib) as mounted:
            if not mounted:
                return "no disk could be mounted"
            outcome = run(self.shop.line(case), out)
            if outcome.code == 0:
                return "had room"
            if found := judge(outcome, 1) or damaged(self.shop.output(case)):
                return f"fault: {kib} KiB: {found}"
            if str(out) not in outcome.message or "Make room" not in outcome.message:
                return f"fault: {kib} KiB: names no file: {outcome.message}"
            resize(out, ROOMY_KIB)
            return self._goes_on(name) or "said so, went on"

    def largest_file(self, name: str) -> str:
        """A limit on the size of files, below the largest that the command writes."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        number = int(self.draw.uniform(0, 1) ** 3 * self._sizes[name] * 512)
        outcome = run(self.shop.line(case), out, prepare=limit(resource.RLIMIT_FSIZE, number))
        if outcome.code == 0:
            return "had room"
        if found := judge(outcome, 1) or damaged(self.shop.output(case)):
            return f"fault: {number} bytes: {found}"
        return self._goes_on(name) or "said so, went on"


def main() -> int:
    """Exit code 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", default="")
    parser.add_argument("--commands", default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        shop = Workshop(given.folder)
    trials = Trials(shop, random.Random(given.seed))
    faults = 0
    for fault in given.faults.split(";"):
        for name in given.commands.split(";"):
            counts = Counter[str]()
            for _ in range(given.trials):
                how = getattr(trials, fault)(name)
                if how.startswith("fault"):
                    print(f"{fault}, {name}: {how}", flush=True)
                counts[how.split(":")[0]] += 1
            print(f"| {fault} | `{name}` | {dict(counts)} |", flush=True)
            faults += counts["fault"]
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
