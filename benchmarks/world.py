"""Stage one's view of the training tracks, beside who they are: where benchmarks start from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vireid.clustering.constraints import PairConstraints, close_constraints
from vireid.commands.command_line import build
from vireid.commands.mmm import MMMSettings
from vireid.datasets import load_dataset
from vireid.datasets.track import Modality
from vireid.mmm.judged_matching import match_judged
from vireid.options import read_yaml
from vireid.pseudo_labels.artefact import align, read_artefact
from vireid.pseudo_labels.judgements import Answer
from vireid.pseudo_labels.label_quality import label_quality
from vireid.pseudo_labels.labelling import clustering_features

from .table import parser


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
        """Adjusted Rand index of stage one's labels, matched under these answers.

        Noise counts as people of their own.
        """
        known = self.constraints(pairs)
        found = match_judged(
            self.features, self.labels, self.modalities, known, self.settings, seed=0
        )
        return label_quality(found.unified, self.people).ari_all

    def similarities(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """[V, I] cosines, and the tracks of either modality."""
        rows = [np.flatnonzero(self.modalities == modality) for modality in Modality]
        unit = torch.nn.functional.normalize(self.features, dim=1)
        return (unit[rows[0]] @ unit[rows[1]].t()).numpy(), rows

    def only(self, rows: np.ndarray, labels: np.ndarray) -> World:
        """Some of the tracks, in other clusters.

        Args:
            rows: [n] which.
            labels: [n] their clusters within each modality, -1 = noise.
        """
        return World(
            [self.keys[row] for row in rows],
            self.vectors[rows],
            self.features[torch.from_numpy(rows)],
            labels,
            self.modalities[rows],
            self.cameras[rows],
            self.people[rows],
            self.settings,
        )


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


def world_flags(description: str | None) -> ArgumentParser:
    """Flags of a benchmark that starts from a finished stage one.

    Args:
        description: first line of the help.
    """
    flags = parser(description)
    flags.add_argument("baseline", type=Path, help="finished run folder of stage one")
    flags.add_argument("data_dir", type=Path, help="its data, whose identities say what is right")
    flags.add_argument("--config", type=Path, default=Path("configs/demo_mmm.yaml"))
    return flags


def recipe_of(given: Namespace) -> dict[str, Any]:
    """Settings of stage two on that run, but for its output folder.

    Args:
        given: values of :func:`world_flags`.
    """
    paths = {"data_dir": str(given.data_dir), "baseline": str(given.baseline)}
    return {**read_yaml(given.config), **paths}


def world_of(given: Namespace) -> World:
    """Stage one's view as a benchmark reads it that writes no run.

    Args:
        given: values of :func:`world_flags`.
    """
    return read_world(build(MMMSettings, {**recipe_of(given), "output": str(given.baseline)}))
