"""Stage two without labels: learn K centres, match, train with the unified labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..engine.checkpoint_fit import restored_labels
from ..losses import ContrastiveLoss
from ..losses.registry import extra_losses
from ..losses.separation import separation_losses
from ..memory import cluster_means
from ..pseudo_labels.artefact import Artefact
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from .alignment import soft_cluster_alignment
from .match_clusters import ClusterMatching
from .memories import Memories, UnifiedMemories
from .self_mimic import confident_means, squared_mimic
from .semi_supervised import known_classes, modalities_to_cluster
from .stage_two import StageTwo
from .track_confidence import track_confidence


class VireidVariant(StageTwo):
    """Multi-memory matching, on tracklets or images.

    Every ``rematch_interval`` epochs: cluster each modality, learn K centres in every cluster,
    match visible to infrared clusters, give both sides one label. Every epoch: confidence of each
    track, and memories from the present features. Source: MMM, sections 3.2 to 3.4; re-clustering,
    memories that stay in training and unmatched clusters are ours.
    """

    stream = 22

    def _prepare(self, artefact: Artefact) -> None:
        self.contrast = ContrastiveLoss(self.settings.contrast_temperature)
        self.ambiguous: Tensor | None = None
        self.memories: Memories

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Clusters and matches when it is time, then fills the memories."""
        self._epoch = epoch
        first = epoch == 0
        features = self._first_features
        if not first:
            features = self.session.training_features(self.model)
            features = clustering_features(features, self.session.cameras, self.settings)
        if epoch % self.settings.rematch_interval == 0:
            labels = self._first_labels
            if not first:
                labels = intra_modality_labels(
                    features,
                    self.session.modalities,
                    self.settings,
                    modalities_to_cluster(self.session.tracks),
                    say=self.session.say,
                )
            found = self._match(features, labels)
            self._take(found, features)
            found.record(self.evaluator, features, self.name, epoch + 1, step)
        self._fill_memories(features)
        self.evaluator.confidence(self.confidence, self.unified, self.name, epoch + 1, step)

    def _take(self, found: ClusterMatching, features: Tensor) -> None:
        """Goes on with the labels of a new matching."""
        self.unified = found.unified

    def _fill_memories(self, features: Tensor) -> None:
        device = self.session.runtime.device
        labels = torch.from_numpy(self.unified)
        means = cluster_means(features, labels)
        self.confidence = track_confidence(
            features @ means.t() / self.settings.memory_temperature,
            labels,
            self.session.modalities,
            seed=self.settings.seed,
        )
        self.confidence[torch.from_numpy(known_classes(self.session.tracks)) >= 0] = 1.0
        self.targets = confident_means(features, labels, self.confidence, len(means)).to(device)
        self.ambiguous = self._find_ambiguous(len(means))
        self.memories = self._new_memories(features, labels, means)

    def _new_memories(self, features: Tensor, labels: Tensor, means: Tensor) -> Memories:
        return UnifiedMemories(
            features,
            labels,
            self.session.modalities,
            means,
            self.ambiguous,
            self.settings,
            self.session.runtime.device,
        )

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Memory, contrast, self-mimic and alignment terms."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        settings = self.settings
        embeddings = output.embeddings
        labels = torch.from_numpy(self.unified)[batch.tracks].to(embeddings.device)
        losses = self.memories.losses(embeddings, batch.tracks, batch.modalities, self.writes)
        if settings.contrast_weight:
            excluded = None
            if self.ambiguous is not None:
                excluded = self.ambiguous[labels[:, None], labels[None, :]]
            losses["contrast"] = settings.contrast_weight * self.contrast(
                embeddings, labels, excluded=excluded
            )
        if settings.mimic_weight:
            losses["mimic"] = settings.mimic_weight * squared_mimic(
                embeddings, self.targets[labels]
            )
        if settings.alignment_weight and self._epoch + 1 >= settings.alignment_from:
            losses["alignment"] = settings.alignment_weight * soft_cluster_alignment(
                embeddings, labels, batch.modalities
            )
        losses.update(separation_losses(output, settings.separation_weight))
        losses.update(extra_losses(settings.extra_loss, output.pooled, labels, batch.modalities))
        return losses

    def state(self) -> dict[str, Any]:
        """The unified labels, which hold until the next matching."""
        return {"unified": torch.from_numpy(self.unified)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes back the unified labels."""
        self.unified = restored_labels(state, "unified", len(self.unified))
