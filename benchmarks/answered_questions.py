"""mAP of stage two against the questions that a simulated person answered before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor
from vireid.clustering.constraints import PairConstraints, close_constraints
from vireid.commands.command_line import build
from vireid.commands.mmm import MMMSettings, run_mmm
from vireid.datasets import load_dataset
from vireid.datasets.track import Modality
from vireid.mmm.judged_matching import match_judged
from vireid.options import read_yaml
from vireid.pseudo_labels.artefact import align, read_artefact
from vireid.pseudo_labels.judgements import FILE, Answer, Judgement, judge
from vireid.pseudo_labels.labelling import clustering_features
from vireid.pseudo_labels.questions import CandidatePairs
from vireid.reporting.run_record import read_run

from .table import Table, parser

CANDIDATES = 10  # a person who asks at random looks at so many of the most similar tracklets
HEAD = ("questions", "chosen", "answer same", "ARI before training", "ARI after", "mAP")


@dataclass(frozen=True)
class World:
    """Stage one's view of the training tracks, and the truth that answers questions.

    Attributes:
        keys: of the N tracks.
        vectors: [N, D] unit features, as an index keeps them.
        features: [N, D] as they are clustered.
        labels: [N] clusters within each modality, -1 = noise.
        modalities: [N].
        cameras: [N].
        people: [N] identities.
        settings: of stage two.
    """

    keys: list[str]
    vectors: np.ndarray
    features: Tensor
    labels: np.ndarray
    modalities: np.ndarray
    cameras: np.ndarray
    people: np.ndarray
    settings: MMMSettings

    def same(self, pair: tuple[int, int]) -> bool:
        """Whether a pair is one person."""
        return bool(self.people[pair[0]] == self.people[pair[1]])

    def answer(self, pair: tuple[int, int]) -> Answer:
        """What the person says."""
        return "same" if self.same(pair) else "different"

    def constraints(self, pairs: list[tuple[int, int]]) -> PairConstraints:
        """What answers to these questions ask of the clusters."""
        same = [pair for pair in pairs if self.same(pair)]
        apart = [pair for pair in pairs if not self.same(pair)]
        return close_constraints(len(self.keys), same, apart)

    def agreement(self, pairs: list[tuple[int, int]]) -> float:
        """Adjusted Rand index of stage one's labels, matched under these answers."""
        known = self.constraints(pairs)
        found = match_judged(
            self.features, self.labels, self.modalities, known, self.settings, seed=0
        )
        # Noise counts as people of their own.
        alone = found.unified < 0
        found.unified[alone] = len(alone) + np.flatnonzero(alone)
        return float(adjusted_rand_score(self.people, found.unified))

    def similarities(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """[V, I] cosines, and the tracks of either modality."""
        rows = [np.flatnonzero(self.modalities == modality) for modality in Modality]
        unit = torch.nn.functional.normalize(self.features, dim=1)
        return (unit[rows[0]] @ unit[rows[1]].t()).numpy(), rows


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


def read_world(settings: MMMSettings) -> World:
    """Stage one's artefact, with the identities of the data set.

    Args:
        settings: of stage two.
    """
    assert settings.baseline is not None
    artefact = read_artefact(settings.baseline)
    tracks = load_dataset(settings.dataset, settings.data_dir).train
    row = align(artefact, tracks)
    features = torch.cat([artefact.visible, artefact.infrared])[torch.from_numpy(row)]
    cameras = np.array([track.camera for track in tracks])
    return World(
        [track.key for track in tracks],
        torch.nn.functional.normalize(features, dim=1).numpy(),
        clustering_features(features, cameras, settings),
        artefact.labels[row],
        np.array([int(track.modality) for track in tracks]),
        cameras,
        np.array([-1 if track.identity is None else track.identity for track in tracks]),
        settings,
    )


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
    flags = parser(__doc__)
    flags.add_argument("baseline", type=Path, help="finished run folder of stage one")
    flags.add_argument("data_dir", type=Path, help="its data, whose identities answer")
    flags.add_argument("--config", type=Path, default=Path("configs/demo_mmm.yaml"))
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--questions", default="0,10,50,200")
    flags.add_argument("--output", type=Path, required=True, help="folder of the runs")
    flags.add_argument("--no-training", action="store_true", help="labels of stage one alone")
    given = flags.parse_args()
    common = {"data_dir": str(given.data_dir), "baseline": str(given.baseline), "seed": given.seed}
    recipe = {**read_yaml(given.config), **common, "pictures": False}

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
