"""Stage two without labels: learn K centres, match, train with the unified labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..clustering.subclusters import subcluster_centres
from ..datasets.samplers import UnifiedBatchSampler
from ..datasets.track import Modality
from ..engine.artefact import Artefact, align
from ..engine.augment import Augmenter
from ..engine.judge import LabelJudge
from ..engine.labelling import clustering_features, within_labels
from ..engine.session import Session
from ..losses import ContrastiveLoss, MMDLoss, SeparationLoss
from ..memory import ClusterMemory, MultiMemory, cluster_means
from ..models import M3ReID
from .confidence import clean_probability
from .config import MMMConfig
from .matching import match, matching_cost, unify_labels

STREAM = 22
DEFAULT_STEPS = 100


class Matched:
    """Multi-memory matching on tracklets.

    Every ``rematch_interval`` epochs: cluster each modality, learn K centres in every cluster,
    match visible to infrared clusters, give both sides one label. Every epoch: confidence of each
    track, and memories from the present features. Source: MMM, sections 3.2 to 3.4; re-clustering,
    memories that stay in training and unmatched clusters are ours.
    """

    name = "mmm"

    def __init__(
        self,
        session: Session,
        config: MMMConfig,
        model: M3ReID,
        judge: LabelJudge,
        artefact: Artefact,
    ) -> None:
        self.session = session
        self.config = config
        self.model = model
        self.judge = judge
        self.epochs = config.epochs
        self.lr = config.lr
        self.milestones = tuple(self.steps * epoch for epoch in config.lr_steps)
        self.augment = Augmenter(session, config, STREAM)
        self.contrast = ContrastiveLoss(config.contrast_temperature)
        self.mmd = MMDLoss()
        self.separation = SeparationLoss()
        rows = align(artefact, session.tracks)
        self._first_features = torch.cat([artefact.visible, artefact.infrared])[
            torch.from_numpy(rows)
        ]
        self._first_labels = artefact.labels[rows]
        self.unified = np.full(len(rows), -1, np.int64)
        self._epoch = 0
        self._pending: list[tuple[ClusterMemory | MultiMemory, Tensor, Tensor]] = []

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.config.steps or DEFAULT_STEPS

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Clusters and matches when it is time, then fills the memories."""
        self._epoch = epoch
        first = epoch == 0
        features = clustering_features(
            self._first_features if first else self.session.training_features(self.model),
            self.session,
            self.config,
        )
        if epoch % self.config.rematch_interval == 0:
            labels = (
                self._first_labels if first else within_labels(features, self.session, self.config)
            )
            self._match(features, labels, epoch, step)
        self._fill_memories(features)

    def _match(self, features: Tensor, labels: np.ndarray, epoch: int, step: int) -> None:
        config = self.config
        sides = [torch.from_numpy(self.session.modalities == m) for m in Modality]
        own = [torch.from_numpy(labels)[side] for side in sides]
        centres = [
            subcluster_centres(features[side], mine, config.memories, seed=config.seed)[0]
            for side, mine in zip(sides, own)
        ]
        cost = matching_cost(*centres, variant=config.cost)
        assignment = match(cost, config.matcher)
        unified = unify_labels(own[0], own[1], assignment)
        for side, values in zip(sides, unified):
            self.unified[side.numpy()] = np.asarray(values)
        for modality in Modality:
            self.judge.labels(labels, self.name, epoch + 1, step, modality)
        self.judge.labels(self.unified, self.name, epoch + 1, step, None)
        self.judge.matching(labels, np.asarray(assignment), self.name, epoch + 1, step)

    def _fill_memories(self, features: Tensor) -> None:
        config, device = self.config, self.session.runtime.device
        labels = torch.from_numpy(self.unified)
        means = cluster_means(features, labels)
        self.confidence = self._confidence(features, labels, means)
        self.targets = _weighted_means(features, labels, self.confidence, len(means)).to(device)
        options = {
            "temperature": config.memory_temperature,
            "momentum": config.memory_momentum,
        }
        self.unified_memory: ClusterMemory | MultiMemory
        if config.memory_prototypes == 1:
            self.unified_memory = ClusterMemory(
                means.to(device), mode=config.memory_mode, **options
            )
        else:
            centres = subcluster_centres(
                features, labels, config.memory_prototypes, seed=config.seed
            )[0]
            self.unified_memory = MultiMemory(F.normalize(centres, dim=2).to(device), **options)
        self.memories: dict[int, ClusterMemory] = {}
        self.own_label: dict[int, Tensor] = {}
        for modality in Modality:
            chosen = torch.from_numpy(self.session.modalities == modality)
            present = torch.unique(labels[chosen & (labels >= 0)])
            # Unified labels that this modality lacks stay -1, which a memory leaves out.
            dense = torch.full((len(means) + 1,), -1)
            dense[present] = torch.arange(len(present))
            self.own_label[int(modality)] = dense.to(device)
            self.memories[int(modality)] = ClusterMemory(
                cluster_means(features[chosen], dense[labels[chosen]]).to(device),
                mode=config.memory_mode,
                **options,
            )

    def _confidence(self, features: Tensor, labels: Tensor, means: Tensor) -> Tensor:
        """Probability that a track's unified label is right, from its loss in evaluation mode."""
        confidence = torch.zeros(len(features))
        logits = features @ means.t() / self.config.memory_temperature
        losses = F.cross_entropy(logits, labels, ignore_index=-1, reduction="none")
        for modality in Modality:
            chosen = torch.from_numpy(self.session.modalities == modality) & (labels >= 0)
            if bool(chosen.any()):
                probability = clean_probability(losses[chosen], seed=self.config.seed)
                confidence[chosen] = torch.as_tensor(probability).float()
        return confidence

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """P unified clusters × (K/2 visible + K/2 infrared) tracks."""
        sampler = UnifiedBatchSampler(
            self.unified,
            self.session.modalities,
            min(self.config.p_num, int(self.unified.max()) + 1),
            self.config.k_num,
            self.steps,
            seed=self.config.seed + STREAM,
        )
        sampler.set_epoch(epoch)
        return self.session.training_clips(list(sampler), (self.config.seed, STREAM, epoch))

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Memory, contrast, self-mimic and alignment terms."""
        images, modalities = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model(images)
        config = self.config
        rows = output.clips
        labels = torch.from_numpy(self.unified)[index].to(rows.device)
        losses = {"memory": config.memory_weight * self.unified_memory(rows, labels)}
        self._pending = [(self.unified_memory, rows.detach(), labels)]
        losses.update(self._modality_losses(rows, labels, modalities))
        if config.contrast_weight:
            losses["contrast"] = config.contrast_weight * self.contrast(rows, labels)
        if config.intra_weight:
            distance = F.normalize(rows.float(), dim=1) - self.targets[labels]
            losses["intra"] = config.intra_weight * distance.square().sum(1).mean()
        if config.inter_weight and self._epoch + 1 >= config.inter_from:
            losses["inter"] = config.inter_weight * self._alignment(rows, labels, modalities)
        if config.separation_weight:
            masks = sum((self.separation(m) for m in output.masks), start=rows.new_zeros(()))
            losses["separation"] = config.separation_weight * (
                masks + self.separation(output.frames)
            )
        return losses

    def _modality_losses(
        self, rows: Tensor, labels: Tensor, modalities: Tensor
    ) -> dict[str, Tensor]:
        config = self.config
        losses: dict[str, Tensor] = {}
        for modality in Modality:
            chosen = modalities == modality
            for weight, name, source in (
                (config.within_weight, "within", modality),
                (config.cross_weight, "cross", modality.other),
            ):
                if weight:
                    targets = self.own_label[int(source)][labels[chosen]]
                    term = weight * config.memory_weight
                    loss = term * self.memories[int(source)](rows[chosen], targets)
                    losses[name] = losses.get(name, 0) + loss / len(Modality)
            own = self.own_label[int(modality)][labels[chosen]]
            self._pending.append((self.memories[int(modality)], rows[chosen].detach(), own))
        return losses

    def _alignment(self, rows: Tensor, labels: Tensor, modalities: Tensor) -> Tensor:
        """Mean over identities of ½[MMD²(V, sg R) + MMD²(R, sg V)] (MMM, eq. of SCA)."""
        unit = F.normalize(rows.float(), dim=1)
        terms = []
        for label in torch.unique(labels):
            visible = unit[(labels == label) & (modalities == Modality.VISIBLE)]
            infrared = unit[(labels == label) & (modalities == Modality.INFRARED)]
            if len(visible) and len(infrared):
                terms.append(self.mmd(visible, infrared.detach()))
                terms.append(self.mmd(infrared, visible.detach()))
        return torch.stack(terms).mean() if terms else rows.sum() * 0

    def after_step(self) -> None:
        """Writes the memories, after the backward pass that read them."""
        for memory, rows, targets in self._pending:
            memory.update(rows, targets)
        self._pending = []

    def state(self) -> dict[str, Any]:
        """The unified labels, which hold until the next matching."""
        return {"unified": torch.from_numpy(self.unified)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes back the unified labels."""
        self.unified = state["unified"].numpy().copy()


def _weighted_means(features: Tensor, labels: Tensor, weights: Tensor, count: int) -> Tensor:
    """Confidence-weighted unit means, [count, D]; plain where no member is confident.

    Args:
        features: [N, D] unit features.
        labels: [N] int64, -1 = noise.
        weights: [N] in [0, 1].
        count: number of clusters.
    """
    kept = labels >= 0
    sums = features.new_zeros(count, features.shape[1])
    # The small constant keeps a cluster without any confident member at its plain mean.
    sums.index_add_(0, labels[kept], features[kept] * (weights[kept, None] + 1e-4))
    return F.normalize(sums, dim=1)
