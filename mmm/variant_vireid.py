"""Stage two without labels: learn K centres, match, train with the unified labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..clustering.constraints import constrain
from ..clustering.dense_labels import dense_labels
from ..engine.checkpoint_fit import restored_labels
from ..losses import ContrastiveLoss
from ..losses.registry import extra_losses
from ..losses.separation import separation_losses
from ..memory import cluster_means
from ..pseudo_labels.artefact import Artefact
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels, joint_labels
from ..pseudo_labels.refinement import LabelRefinement
from ..pseudo_labels.settled_labels import SettledLabels
from ..transfers import to_device
from .alignment import soft_cluster_alignment
from .match_clusters import ClusterMatching
from .memories import Memories, UnifiedMemories, unified_prototypes
from .schedules import goes_on, reads_union
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
    steadiness: SettledLabels
    union_of_known = False  # whether tracks of given identities are in the joint clusters

    def _prepare(self, artefact: Artefact) -> None:
        self.contrast = ContrastiveLoss(self.settings.contrast_temperature)
        self.ambiguous: Tensor | None = None
        self.union = np.full(len(self.unified), -1, np.int64)
        self.memories: Memories
        self.refinement = LabelRefinement(self.settings, self.session.say)
        self.steadiness = SettledLabels(self.settings)

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Clusters and matches when it is time, then fills the memories."""
        super().begin_epoch(epoch, step)
        first = epoch == 0
        # The first labels are stage one's, and matched by the features that they came from.
        clustered, labels = (self._first_features() if first else None), self._first_labels
        if clustered is not None and goes_on(self.settings):
            features = clustered
        else:
            features = self.session.training_features(self.model)
            features = clustering_features(features, self.session.cameras, self.settings)
        if epoch % self.settings.rematch_interval == 0:
            if clustered is None:
                clustered = features
                labels = intra_modality_labels(
                    features,
                    self.session.modalities,
                    self.settings,
                    modalities_to_cluster(self._taught()),
                    cameras=self.session.cameras,
                    refinement=self.refinement,
                    say=self.session.say,
                )
            found = self._match(clustered, labels)
            self._take(found, clustered)
            self.steadiness.see(self.unified, epoch)
            found.record(self.evaluator, clustered, self.name, epoch + 1, step)
        self._fill_memories(features)
        self.evaluator.confidence(self.confidence, self.unified, self.name, epoch + 1, step)

    def _take(self, found: ClusterMatching, features: Tensor) -> None:
        """Goes on with the labels of a new matching."""
        self.unified = found.unified
        if reads_union(self.settings):
            self.union = self._union_labels(features)

    def _union_labels(self, features: Tensor) -> np.ndarray:
        """Joint clusters [N] of both modalities (CMC), -1 = none.

        Beside the matched ones, tracks of given identities are in none: what they are is known.
        """
        union = joint_labels(
            features,
            self.session.modalities,
            self.settings,
            refinement=self.refinement,
            say=self.session.say,
        )
        if self.judged is not None:
            union = constrain(union, self.judged, features)
        if not self.union_of_known:
            union = np.where(known_classes(self._taught()) >= 0, -1, union)
        return dense_labels(union)

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
        self.confidence[torch.from_numpy(known_classes(self._taught())) >= 0] = 1.0
        self.targets = confident_means(features, labels, self.confidence, len(means)).to(device)
        self.ambiguous = self._find_ambiguous(len(means))
        self.memories = self._memories_of(self._first_prototypes(features, labels, means))

    def _first_prototypes(
        self, features: Tensor, labels: Tensor, means: Tensor
    ) -> dict[str, Tensor]:
        """Of each memory by name, from the present features."""
        modalities = self.session.modalities
        return unified_prototypes(features, labels, self.union, modalities, means, self.settings)

    def _memories_of(self, prototypes: dict[str, Tensor]) -> Memories:
        return UnifiedMemories(
            prototypes,
            torch.from_numpy(self.unified),
            torch.from_numpy(self.union),
            self.session.modalities,
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
        device = embeddings.device
        of_tracks = torch.from_numpy(self.unified)[batch.tracks]
        labels, modalities = to_device(of_tracks, device), to_device(batch.modalities, device)
        weights = self.phase.losses
        losses = self.memories.losses(
            embeddings, batch.tracks, batch.modalities, weights, self.writes
        )
        if "contrast" in weights:
            excluded = None
            if self.ambiguous is not None:
                excluded = self.ambiguous[labels[:, None], labels[None, :]]
            losses["contrast"] = weights["contrast"] * self.contrast(
                embeddings, labels, excluded=excluded
            )
        if "union contrast" in weights:
            union = to_device(torch.from_numpy(self.union)[batch.tracks], device)
            # Stage 1b does not draw a track without a joint cluster, so it repels nobody here.
            outside = (union < 0).expand(len(union), -1)
            loss = self.contrast(embeddings, union, excluded=outside)
            losses["union contrast"] = weights["union contrast"] * loss
        if "mimic" in weights:
            losses["mimic"] = weights["mimic"] * squared_mimic(embeddings, self.targets[labels])
        if "alignment" in weights:
            losses["alignment"] = weights["alignment"] * soft_cluster_alignment(
                embeddings, of_tracks, batch.modalities
            )
        losses.update(separation_losses(output, weights))
        losses.update(extra_losses(settings.extra_loss, output.pooled, labels, modalities))
        return losses

    def state(self) -> dict[str, Any]:
        """The labels, which hold until the next matching, and what that takes from them."""
        held = {"refinement": self.refinement.state(), "settled": self.steadiness.state()}
        more: dict[str, Any] = {name: state for name, state in held.items() if state}
        if reads_union(self.settings):
            more["union"] = torch.from_numpy(self.union)
        return {"unified": torch.from_numpy(self.unified), **more}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes them back."""
        self.unified = restored_labels(state, "unified", len(self.unified))
        if reads_union(self.settings):
            self.union = restored_labels(state, "union", len(self.unified), some=False)
        self.refinement.load_state(state.get("refinement", {}))
        self.steadiness.load_state(state.get("settled", {}))

    def epoch_state(self) -> dict[str, Any]:
        """Targets of the self-mimic, spared pairs, and memories."""
        state = {"targets": self.targets, "memories": self.memories.prototypes()}
        return state if self.ambiguous is None else {**state, "ambiguous": self.ambiguous}

    def continue_epoch(self, epoch: int, step: int, state: dict[str, Any]) -> None:
        """Takes them back; the labels are back already."""
        super().continue_epoch(epoch, step, state)
        device = self.session.runtime.device
        self.targets = state["targets"].to(device)
        self.ambiguous = state["ambiguous"].to(device) if "ambiguous" in state else None
        self.memories = self._memories_of(state["memories"])
