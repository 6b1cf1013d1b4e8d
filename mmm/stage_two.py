"""What every variant of stage two shares: where it starts, and its batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..clustering.constraints import PairConstraints
from ..datasets.samplers import UnifiedBatchSampler
from ..datasets.track import Track
from ..engine.augment import Augmenter
from ..engine.session import Session
from ..engine.stages import Stage
from ..models.network import Network
from ..pseudo_labels.artefact import Artefact, align
from ..pseudo_labels.labelling import clustering_features
from .epoch_length import steps_of_epoch
from .given_labels import given_labels
from .judged_matching import match_judged
from .match_clusters import ClusterMatching, ambiguous_pairs
from .schedules import stage_two_schedule
from .semi_supervised import match_with_given, taught_tracks
from .settings import StageTwoSettings


class StageTwo(Stage):
    """Starts from stage one's artefact and trains on batches of unified clusters.

    Attributes:
        judged: what a person's judgements of pairs ask of the clusters; None without any.
        unified: [N] unified cluster of each track, -1 for none.
    """

    name = "mmm"

    def __init__(
        self,
        session: Session,
        settings: StageTwoSettings,
        model: Network,
        artefact: Artefact,
        judged: PairConstraints | None = None,
    ) -> None:
        super().__init__(stage_two_schedule(settings))
        self.session = session
        self.settings = settings
        self.model = model
        self.evaluator = session.evaluator
        self.given = given_labels(settings.semi_supervised)
        self.judged = judged
        self.steps = steps_of_epoch(settings, session.modalities)
        self.augment = Augmenter(
            session, settings.augmentation, settings.network, self.stream, views=2
        )
        place = align(artefact, session.tracks)
        features = torch.cat([artefact.visible, artefact.infrared])[torch.from_numpy(place)]
        self._kept_features = clustering_features(features, session.cameras, settings)
        self._first_labels = artefact.labels[place]
        self.unified = np.full(len(place), -1, np.int64)
        self._prepare(artefact)

    def _first_features(self) -> Tensor:
        """Features [N, D] of stage one as they were clustered, where those of the run are kept."""
        return self.session.feature_room.placed(self._kept_features)

    @abstractmethod
    def _prepare(self, artefact: Artefact) -> None:
        """What the variant has beside; called once, when all else is set."""

    def _match(self, features: Tensor, labels: np.ndarray) -> ClusterMatching:
        """Matches clusters [N], with the labels or the judgements of pairs that are given."""
        settings, tracks = self.settings, self.session.tracks
        if self.judged is not None:
            modalities = self.session.modalities
            return match_judged(
                features, labels, modalities, self.judged, settings, seed=settings.seed
            )
        return match_with_given(features, labels, tracks, self.given, settings, seed=settings.seed)

    def _taught(self) -> list[Track]:
        """Tracks with the identities that clusters are made of."""
        return taught_tracks(self.session.tracks, self.given)

    def _find_ambiguous(self, classes: int) -> Tensor | None:
        """[C, C] bool pairs of unified clusters that may be one person; None if none are spared."""
        if not self.settings.spare_unmatched:
            return None
        labels, modalities = map(torch.from_numpy, (self.unified, self.session.modalities))
        return ambiguous_pairs(labels, modalities, classes).to(self.session.runtime.device)

    def batches(self, epoch: int, first: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
        """P unified clusters × (K/2 visible + K/2 infrared) tracks."""
        lists = self._unified_batches(self.unified, epoch)
        seed = (self.settings.seed, self.stream, epoch)
        return self.session.training_clips(lists, seed, first=first)

    def _unified_batches(self, labels: np.ndarray, epoch: int) -> list[list[int]]:
        """P of the labels [N] × K/2 pairs of one label; one without a partner gives K tracks."""
        sampler = UnifiedBatchSampler(
            labels,
            self.session.modalities,
            min(self.settings.p_num, len(np.unique(labels[labels >= 0]))),
            self.settings.k_num,
            self.steps,
            seed=(self.settings.seed, self.stream),
        )
        sampler.set_epoch(epoch)
        return list(sampler)
