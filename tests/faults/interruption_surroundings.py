"""What a machine can deny a command while it runs: room, handles, workers, the data, the time.

python -m faults.interruption_surroundings --trials 40 --folder /tmp/faults
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path

import torch

from .interruption import Moment, Outcome, limit, resize, run, small_disk
from .interruption_campaign import moments, trial
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
        self._seconds: dict[str, float] = {}
        self._events: dict[str, int] = {}

    def whole(self, name: str) -> dict[str, object]:
        """What the command leaves when nothing goes wrong."""
        if name not in self._whole:
            self.shop.clear()
            case = self.shop.cases[name]
            outcome = run(self.shop.line(case), self.shop.root / "out")
            assert outcome.code == 0, outcome.text
            self._seconds[name], self._events[name] = outcome.seconds, outcome.events
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

    def kill(self, name: str) -> str:
        """Signal 9 at a random moment."""
        whole = self.whole(name)
        (moment,) = moments(self._seconds[name], self._events[name], 1, self.draw)
        return trial(self.shop, self.shop.cases[name], moment, whole)

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

    def read_only(self, name: str) -> str:
        """A disk that can no longer be written to when a killed command is to go on."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        with small_disk(out, ROOMY_KIB) as mounted:
            if not mounted:
                return "no disk could be mounted"

            moment = Moment(seconds=self.draw.uniform(0, self._seconds[name]))
            run(self.shop.line(case), out, moment=moment)
            os.system(f"mount -o remount,ro '{out}'")
            outcome = run(self.shop.line(case, *["--resume"] * case.resumes), out)
            os.system(f"mount -o remount,rw '{out}'")
            if outcome.code == 0:
                return "ended before"
            if found := judge(outcome, 1, 2) or damaged(self.shop.output(case)):
                return f"fault: {found}"
            return self._goes_on(name) or "said so, went on"

    def handles(self, name: str) -> str:
        """Few open files."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        number = self.draw.randint(6, 40)
        outcome = run(self.shop.line(case), out, prepare=limit(resource.RLIMIT_NOFILE, number))
        if outcome.code == 0:
            same = self.shop.result(case) == self.whole(name)
            return "had enough" if same else f"fault: {number} handles: another result"
        if found := judge(outcome, 1, 2) or damaged(self.shop.output(case)):
            return f"fault: {number} handles: {found}"
        return self._goes_on(name) or "said so, went on"

    def worker(self, name: str) -> str:
        """A process that reads frames is killed."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        wait = self.draw.uniform(0, 2 * self._seconds[name])

        def strike(child: int) -> None:
            end = time.monotonic() + wait
            while running(child):
                found = children(child)
                if found and time.monotonic() > end:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(self.draw.choice(found), signal.SIGKILL)
                    return
                time.sleep(0.002)

        words = self.shop.line(case)
        at = words.index("--workers") + 1 if "--workers" in words else None
        words = [*words, "--workers", "1"] if at is None else [*words[:at], "1", *words[at + 1 :]]
        words += ["--cache", "none"] if "--cache" in words else []
        outcome = run(words, out, meanwhile=strike)
        if outcome.code == 0:
            return "ended before"
        if found := judge(outcome, 1) or damaged(self.shop.output(case)):
            return f"fault: {found}"
        return self._goes_on(name) or "said so, went on"

    def data(self, name: str) -> str:
        """The folder of the data set goes away, and comes back."""
        self.whole(name)
        case, out, data = self.shop.cases[name], self.shop.root / "out", self.shop.data
        self.shop.clear()
        away = data.with_name("elsewhere")

        def hide(_: int) -> None:
            time.sleep(self.draw.uniform(0, self._seconds[name]))
            data.rename(away)

        words = [*self.shop.line(case)]
        if "--cache" in words:
            words[words.index("--cache") + 1] = "none"
        try:
            outcome = run(words, out, meanwhile=hide)
        finally:
            away.rename(data)
        if outcome.code == 0:
            return "ended before"
        if found := judge(outcome, 1, 2) or damaged(self.shop.output(case)):
            return f"fault: {found}"
        return self._goes_on(name) or "said so, went on"

    def clock(self, name: str) -> str:
        """The time of day jumps by up to a year, to and fro."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        draw, true = random.Random(self.draw.random()), time.time

        def jump() -> None:
            time.time = lambda: max(0.0, true() + draw.uniform(-YEAR_S, YEAR_S))

        outcome = run(self.shop.line(case), out, prepare=jump)
        if found := judge(outcome, 0) or damaged(self.shop.output(case)):
            return f"fault: {found}"
        durations = [
            value
            for line in (self.shop.output(case) / "metrics.jsonl").read_text().splitlines()
            for key, value in json.loads(line).items()
            if key in ("seconds", "clips_per_second")
        ]
        if not all(0 <= value < 1e7 for value in durations):
            return f"fault: durations {durations}"
        return "no difference" if self.shop.result(case) == self.whole(name) else "fault: another"

    def signal(self, name: str) -> str:
        """A scheduler's signal: the run keeps its batch, asks to be queued again, and goes on."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        wait = self.draw.uniform(0, self._seconds[name])
        number = self.draw.choice((signal.SIGTERM, signal.SIGUSR1))
        log = self.shop.output(case) / "log.txt"

        def send(child: int) -> None:
            while running(child) and not log.exists():  # else it is not there to be asked
                time.sleep(0.001)
            time.sleep(wait)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

        outcome = run(self.shop.line(case), out, meanwhile=send)
        if outcome.code == 0:
            return "ended before"
        if outcome.code in (-signal.SIGTERM, -signal.SIGUSR1):
            return "fault: not caught"
        if outcome.code != 75 or outcome.text.count("stopped by") != 1:
            return f"fault: exit {outcome.code}: {outcome.text[-1500:]}"
        if found := judge(outcome, 75) if "Traceback" in outcome.text else damaged(log.parent):
            return f"fault: {found}"
        kept = " within an epoch" if " after batch " in outcome.text else ""
        return self._goes_on(name) or f"kept{kept}, went on"

    def second(self, name: str) -> str:
        """Another process wants the folder of a run at work."""
        self.whole(name)
        case, out = self.shop.cases[name], self.shop.root / "out"
        self.shop.clear()
        other: list[Outcome] = []
        lock = self.shop.output(case) / "run.lock"

        def start(child: int) -> None:
            while running(child) and not (lock.exists() and lock.read_text()):
                time.sleep(0.001)
            time.sleep(self.draw.uniform(0, 0.5) * self._seconds[name])
            more = ["--resume"] * self.draw.randint(0, 1) * case.resumes
            other.append(run(self.shop.line(case, *more), out))
            other.append(Outcome(child, "", 0, 0) if running(child) else other[0])

        first = run(self.shop.line(case), out, meanwhile=start)
        if other[0] is other[-1]:
            return "ended before"
        if found := judge(other[0], 2) or judge(first, 0):
            return f"fault: {found}"
        if (
            "is in use" not in other[0].message
            or f"process {other[1].code}" not in other[0].message
        ):
            return f"fault: does not say who: {other[0].message}"
        same = self.shop.result(case) == self.whole(name)
        return "refused" if same else "fault: another result"


def running(child: int) -> bool:
    """Whether a fork has not ended."""
    try:
        state = (
            Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        )
    except OSError:
        return False
    return state != "Z"


def children(process: int) -> list[int]:
    """Processes that a process started and that read frames; not those that watch over memory."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(number) for number in text.split()]


FAULTS = {
    "kill": (),  # has a campaign of its own
    "full_disk": ("baseline", "mmm --variant paper", "evaluate", "report", "synth"),
    "largest_file": ("baseline", "mmm --supervised", "evaluate", "export"),
    "read_only": ("baseline", "evaluate"),
    "handles": ("baseline", "evaluate", "baseline, frames on disk"),
    "worker": ("mmm --supervised", "baseline"),
    "data": ("baseline, frames on disk", "mmm", "evaluate"),
    "clock": ("baseline", "evaluate"),
    "signal": (
        *("baseline", "mmm", "mmm --variant paper", "mmm --variant released"),
        "mmm --supervised",
    ),
    "second": ("baseline", "evaluate"),
}


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
    wanted = [fault for fault in given.faults.split(";") if fault] or list(FAULTS)
    names = given.commands.split(";") if given.commands else sorted({*chain(*FAULTS.values())})
    with contextlib.redirect_stdout(sys.stderr):
        shop = Workshop(given.folder, names)
    trials = Trials(shop, random.Random(given.seed))
    faults = 0
    print("| what | command | trials |\n|---|---|---|")
    for fault in wanted:
        for name in names if given.commands else FAULTS[fault]:
            counts = Counter[str]()
            for _ in range(given.trials):
                how = getattr(trials, fault)(name)
                if how.startswith("fault"):
                    print(f"{fault}, {name}: {how}", flush=True)
                counts[how.split(":")[0]] += 1
            said = ", ".join(f"{count} {how}" for how, count in sorted(counts.items()))
            print(f"| {fault} | `{name}` | {said} |", flush=True)
            faults += counts["fault"]
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
