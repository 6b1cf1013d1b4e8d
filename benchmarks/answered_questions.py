"""mAP of stage two against the questions that a simulated person answered before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from vireid.commands.command_line import build
from vireid.commands.mmm import MMMSettings, run_mmm
from vireid.datasets.track import Modality
from vireid.pseudo_labels.judgements import FILE, Judgement, judge
from vireid.pseudo_labels.questions import CandidatePairs
from vireid.reporting.run_record import read_run

from .table import Table
from .world import World, read_world, recipe_of, world_flags

CANDIDATES = 10  # a person who asks at random looks at so many of the most similar tracklets
HEAD = ("questions", "chosen", "answer same", "ARI before training", "ARI after", "mAP")


def at_random(world: World, seed: int) -> Iterator[tuple[int, int]]:
    """A random tracklet, and one of its ten most similar ones of the other modality; none twice."""
    similar, rows = world.similarities()
    rng = np.random.default_rng(seed)
    seen: set[tuple[int, int]] = set()
    while len(seen) < similar.size:
        side = int(rng.integers(2))
        table = similar if side == 0 else similar.T
        own = int(rng.integers(len(table)))
        other = int(rng.choice(np.argsort(-table[own], kind="stable")[:CANDIDATES]))
        pair = (own, other) if side == 0 else (other, own)
        if pair not in seen:
            seen.add(pair)
            yield int(rows[0][pair[0]]), int(rows[1][pair[1]])


def most_informative(world: World, seed: int) -> Iterator[tuple[int, int]]:
    """As ``vireid browse --ask`` ranks them, anew after each answer; at random where that ends."""
    row = {key: number for number, key in enumerate(world.keys)}
    own = [np.flatnonzero(world.modalities == modality) for modality in Modality]
    names = [[world.keys[number] for number in side] for side in own]
    vectors = [world.vectors[side] for side in own]
    candidates = CandidatePairs(names[0], names[1], vectors[0], vectors[1])
    judged: list[Judgement] = []
    asked = set()
    while questions := candidates.questions(judged):
        first, second = questions[0].visible, questions[0].infrared
        pair = (row[first], row[second])
        moment = datetime.now(timezone.utc)
        judged.append(Judgement(first, second, world.answer(pair), moment, len(judged) + 1))
        asked.add(pair)
        yield pair
    yield from (pair for pair in at_random(world, seed) if pair not in asked)


RULES = {"at random": at_random, "most informative": most_informative}


def train(settings: MMMSettings) -> tuple[str, str]:
    """Joint adjusted Rand index of the last clustering and mAP of a run; made if not there."""
    if not (settings.output / "model.safetensors").exists():
        run_mmm(settings)
    record = read_run(settings.output)
    joint = [r for r in record.of_kind("pseudo_labels", own=True) if r["modality"] == "joint"]
    ranked = record.of_kind("evaluation", own=True)
    last = [r["mAP"] for r in ranked if r["step"] == ranked[-1]["step"]]
    return f"{joint[-1]['ari_all']:.3f}", f"{mean(last):.1%}"


def main() -> None:
    """Asks, answers, trains and tabulates."""
    flags = world_flags(__doc__)
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--questions", default="0,10,50,200")
    flags.add_argument("--output", type=Path, required=True, help="folder of the runs")
    flags.add_argument("--no-training", action="store_true", help="labels of stage one alone")
    given = flags.parse_args()
    recipe = {**recipe_of(given), "seed": given.seed, "pictures": False}

    def settings(name: str, file: Path | None) -> MMMSettings:
        decisions = {} if file is None else {"semi_supervised": f"decisions:{file}"}
        return build(MMMSettings, {**recipe, **decisions, "output": str(given.output / name)})

    world = read_world(settings("0", None))
    counts = sorted({int(count) for count in given.questions.split(",")})
    table = Table("answered_questions", torch.device("cpu"))
    lines = [f"| {' | '.join(HEAD)} |", "| ---: | --- | ---: | ---: | ---: | ---: |"]
    for rule, ask in RULES.items():
        source = ask(world, given.seed)
        pairs: list[tuple[int, int]] = []
        for count in counts:
            if not count and len(lines) > 2:
                continue  # no question is no question, whoever would have chosen it
            while len(pairs) < count:
                pairs.append(next(source))
            name = f"{rule.replace(' ', '-')}-{count}" if count else "0"
            file = given.output / f"{name}.index" / FILE
            if count and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                for one, other in pairs:
                    judge(file, world.keys[one], world.keys[other], world.answer((one, other)))
            after = ("-", "-")
            if not given.no_training:
                after = train(settings(name, file if count else None))
            same = sum(map(world.same, pairs))
            before = f"{world.agreement(pairs):.3f}"
            lines.append(f"| {count} | {rule} | {same} | {before} | {after[0]} | {after[1]} |")
            print(lines[-1], flush=True)
    table.remark("\n".join(lines))
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
