"""Kills each command at random moments and looks whether anything is lost; prints a table.

python -m faults.interruption_campaign --trials 100 --folder /tmp/faults
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from .interruption import Moment, run
from .interruption_commands import NAMES, Case, Workshop, content

LATE_S = 0.004  # a file is written in less


def moments(seconds: float, events: int, number: int, draw: random.Random) -> list[Moment]:
    """Half by time, a quarter just before a file is touched, a quarter while it is.

    Args:
        seconds: that the command takes.
        events: times that it touches a file.
        number: how many moments.
        draw: random numbers.
    """
    found = []
    offset = draw.randrange(4)
    for one in range(number):
        event = draw.randint(1, max(1, events))
        way = (one + offset) % 4
        if way % 2 == 0 or not events:
            found.append(Moment(seconds=draw.uniform(0, seconds)))
        elif way == 1:
            found.append(Moment(event=event))
        else:
            found.append(Moment(event=event, delay=draw.uniform(0, LATE_S)))
    return found


def trial(shop: Workshop, case: Case, moment: Moment, whole: dict[str, object]) -> str:
    """One kill and what comes after it.

    Args:
        shop: where.
        case: the command.
        moment: of the kill.
        whole: result of the command that nobody killed.

    Returns:
        In few words how it went; begins with ``fault`` where something was lost.
    """
    shop.clear()
    killed = run(shop.line(case), shop.root / "out", moment=moment)
    if killed.code != -9:
        return "ended before" if killed.code == 0 else f"fault: exit {killed.code}: {killed.text}"
    output = shop.output(case)
    for path in [output, *output.rglob("*")] if output.is_dir() else [output]:
        if path.is_file() and not path.name.endswith(".part") and path.suffix != ".jpg":
            try:
                content(path)
            except Exception as error:
                return f"fault: half of {path.name} was left under its name: {error}"
    if case.output == "set" and output.exists() and shop.result(case).keys() != whole.keys():
        return "fault: half of a data set was left under its name"
    tries = shop.go_on(case)
    for one in tries:
        if "Traceback" in one.text or one.code not in (0, 2):
            return f"fault: the next call: exit {one.code}: {one.text}"
    if tries[-1].code != 0:
        return f"fault: what it says does not help: {tries[-1].message}"
    if shop.result(case) != whole:
        now = shop.result(case)
        names = [n for n in {*now, *whole} if now.get(n) != whole.get(n)]
        return f"fault: another result in {', '.join(sorted(names))}"
    if left := shop.left_over():
        return f"fault: left over: {', '.join(left)}"
    return "went on" if len(tries) == 1 else "said what to do"


def campaign(shop: Workshop, name: str, trials: int, seed: int, budget: float) -> Counter[str]:
    """All kills of one command; prints each fault.

    Args:
        shop: where.
        name: of the command.
        trials: how many.
        seed: of the moments.
        budget: seconds after which no trial is begun.
    """
    case, draw, counts = shop.cases[name], random.Random(f"{seed} {name}"), Counter[str]()
    shop.clear()
    first = run(shop.line(case), shop.root / "out")
    assert first.code == 0, first.text
    whole = shop.result(case)
    end = time.monotonic() + budget
    for number, moment in enumerate(moments(first.seconds, first.events, trials, draw)):
        if time.monotonic() > end:
            break
        how = trial(shop, case, moment, whole)
        if how.startswith("fault"):
            print(f"{name}, {number}, {moment}: {how}", flush=True)
        counts[how.split(":")[0]] += 1
    print(row(name, first.seconds, first.events, counts), flush=True)
    return counts


HEADS = ("went on", "said what to do", "ended before", "fault")


def row(name: str, seconds: float, events: int, counts: Counter[str]) -> str:
    """A line of the table."""
    cells = (f"{sum(counts.values())}", *(str(counts[head]) for head in HEADS))
    return f"| `{name}` | {seconds:.1f} | {events} | " + " | ".join(cells) + " |"


def main() -> int:
    """Exit code 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=1e9, help="seconds for each command")
    parser.add_argument("--commands", default="", help="names, joined by ;")
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = [name.strip() for name in given.commands.split(";") if name.strip()]
    with contextlib.redirect_stdout(sys.stderr):
        shop = Workshop(given.folder, names or NAMES)
    print("| command | seconds | file changes | kills | " + " | ".join(HEADS) + " |")
    print("|" + "---|" * (4 + len(HEADS)))
    faults = 0
    for name in names or NAMES:
        faults += campaign(shop, name, given.trials, given.seed, given.budget)["fault"]
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
