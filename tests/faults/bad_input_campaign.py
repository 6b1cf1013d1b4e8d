"""The campaign of bad input, with tests/ on the path: `python -m faults.bad_input_campaign`.

Prints each case that ended badly, and at the end the counts as a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from .bad_input_server import LIMIT_S, Outcome, Server

KINDS = ("traceback", "hang", "code", "message", "touched", "executed")


def table(outcomes: Sequence[Outcome], first: str, groups: dict[str, list[Outcome]]) -> str:
    """Counts of exit codes and faults, a line for each group."""
    heads = (first, "cases", "exit 0", "exit 1", "exit 2", *KINDS)
    rows = [f"| {' | '.join(heads)} |", f"|---{'|---:' * (len(heads) - 1)}|"]
    for name, found in [*sorted(groups.items()), ("all", list(outcomes))]:
        codes = Counter(one.code for one in found)
        faults = Counter(kind for one in found for kind in one.faults)
        numbers = (len(found), *(codes[c] for c in (0, 1, 2)), *(faults[kind] for kind in KINDS))
        rows.append(f"| {name} | {' | '.join(map(str, numbers))} |")
    return "\n".join(rows)


def tables(outcomes: Sequence[Outcome]) -> str:
    """By command, and by damage; a case with two damages counts under each."""
    commands: dict[str, list[Outcome]] = defaultdict(list)
    damages: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        commands[one.case.command].append(one)
        for damage in {damage for damage, _ in one.case.damages} or {"none"}:
            damages[damage.replace("_", " ")].append(one)
    return table(outcomes, "command", commands) + "\n\n" + table(outcomes, "damage", damages)


def describe(outcome: Outcome, seed: int) -> str:
    """A case that ended badly, in a few lines."""
    case = outcome.case
    done = "; ".join(f"{damage} {where}" for damage, where in case.damages)
    faults = "; ".join(f"{kind}: {text}" for kind, text in outcome.faults.items())
    return f"seed {seed} case {case.number} ({case.command}): {done}\n  {faults}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs cases; 1 if one ended badly."""
    parser = argparse.ArgumentParser(description="Bad input, drawn at random.")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", help="numbers of cases, joined by commas, instead")
    parser.add_argument("--folder", type=Path, help="where to work; unset: a temporary folder")
    parser.add_argument("--small", action="store_true", help="fewer good inputs, made sooner")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no case after these")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of a case")
    parser.add_argument("--keep", action="store_true", help="leave folders and words of bad cases")
    parser.add_argument("--json", type=Path, help="file for the outcomes")
    given = parser.parse_args(arguments)
    numbers = range(given.first, given.first + given.cases)
    chosen = [int(n) for n in given.only.split(",")] if given.only else list(numbers)
    outcomes = []
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="bad-input-") as root:
        server = Server(Path(root), given.limit, small=given.small)
        end = time.monotonic() + 60 * given.minutes
        for number in chosen:
            if time.monotonic() > end:
                break
            outcome = server.try_case(given.seed, number)
            outcomes.append(outcome)
            if outcome.faults:
                print(describe(outcome, given.seed), flush=True)
                if given.keep:
                    print("  " + " ".join(outcome.case.words)[:3000])
                    print("  " + outcome.said[-3000:].replace("\n", "\n  "), flush=True)
        changed = server.world_changed()
    if given.json:
        listed = [
            {
                "number": one.case.number,
                "command": one.case.command,
                "damages": one.case.damages,
                "code": one.code,
                "seconds": round(one.seconds, 3),
                "faults": one.faults,
                "said": one.said[-2000:],
            }
            for one in outcomes
        ]
        given.json.write_text(json.dumps(listed, indent=1), encoding="utf-8")
    print(f"\n{tables(outcomes)}")
    if changed:
        print("the good inputs themselves changed: " + "; ".join(changed[:5]))
    bad = sum(bool(one.faults) for one in outcomes)
    print(f"\n{len(outcomes)} cases, {bad} ended badly")
    return 1 if bad or changed else 0


if __name__ == "__main__":
    sys.exit(main())
