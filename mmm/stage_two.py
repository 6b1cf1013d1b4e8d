"""What every variant of stage two shares: where it starts, and its batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..datasets.samplers import UnifiedBatchSampler
from ..engine.augment import Augmenter
from ..engine.session import Session
from ..models.network import Network
from ..pseudo_labels.artefact import Artefact, align
from ..pseudo_labels.evaluator import PseudoLabelEvaluator
from ..pseudo_labels.labelling import clustering_features
from .config import MMMConfig
from .epoch_length import steps_of_epoch
from .match_clusters import ambiguous_pairs


class StageTwo(ABC):
    """Starts from stage one's artefact and trains on batches of unified clusters.

    Attributes:
        unified: [N] unified cluster of each track, -1 for none.
    """

    name = "mmm"
    # Number of the random stream of augmentation and batches.
    stream: int

    def __init__(
        self,
        session: Session,
        config: MMMConfig,
        model: Network,
        evaluator: PseudoLabelEvaluator,
        artefact: Artefact,
    ) -> None:
        self.session = session
        self.config = config
        self.model = model
        self.evaluator = evaluator
        self.epochs = config.epochs
        self.lr = config.lr
        self.steps = steps_of_epoch(config, session.modalities)
        self.milestones = tuple(self.steps * epoch for epoch in config.lr_steps)
        self.augment = Augmenter(session, config, self.stream, views=2)
        rows = align(artefact, session.tracks)
        features = torch.cat([artefact.visible, artefact.infrared])[torch.from_numpy(rows)]
        self._first_features = clustering_features(features, session, config)
        self._first_labels = artefact.labels[rows]
        self.unified = np.full(len(rows), -1, np.int64)
        self._epoch = 0
        self._prepare(artefact)

    @abstractmethod
    def _prepare(self, artefact: Artefact) -> None:
        """What the variant has beside; called once, when all else is set."""

    def _find_ambiguous(self, classes: int) -> Tensor | None:
        """[C, C] bool pairs of unified clusters that may be one person; None if none are spared."""
        if not self.config.spare_unmatched:
            return None
        labels, modalities = map(torch.from_numpy, (self.unified, self.session.modalities))
        return ambiguous_pairs(labels, modalities, classes).to(self.session.runtime.device)

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """P unified clusters × (K/2 visible + K/2 infrared) tracks."""
        sampler = UnifiedBatchSampler(
            self.unified,
            self.session.modalities,
            min(self.config.p_num, int(self.unified.max()) + 1),
            self.config.k_num,
            self.steps,
            seed=self.config.seed + self.stream,
        )
        sampler.set_epoch(epoch)
        return self.session.training_clips(list(sampler), (self.config.seed, self.stream, epoch))
