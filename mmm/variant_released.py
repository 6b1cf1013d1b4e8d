"""Stage two as the released MMM code trains it, without that code's faults."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..errors import UserError
from ..losses import BatchHardTripletLoss
from ..losses.separation import separation_losses
from ..models.network import BatchOutput
from ..pseudo_labels.artefact import Artefact
from .alignment import soft_cluster_alignment
from .self_mimic import absolute_mimic, confident_means
from .semi_supervised import known_classes
from .stage_two import StageTwo
from .track_confidence import view_confidence

TRIPLET_MARGIN = 0.2
# Row of the class prototypes for exchanged visible views; 0 and 1 are the modalities' codes.
EXCHANGED = len(Modality)
# Evaluation draws nothing: the exchanged view there is that of green, which is nearest to grey.
GREEN = 1


class ReleasedVariant(StageTwo):
    """A classifier on labels that are matched once, before training, and then stay.

    The first ``ce_epochs`` train with cross entropy alone. From then on each epoch starts with the
    confidence of every track (two Gaussians on the losses of plain views in evaluation mode) and
    confidence-weighted class prototypes, and trains with confidence-weighted cross entropy,
    batch-hard triplets, the L1 distance to the prototypes of the sample's own view, and the soft
    cluster alignment of each visible view with infrared. Source: the code released with MMM.
    """

    stream = 23

    def _prepare(self, artefact: Artefact) -> None:
        self.triplet = BatchHardTripletLoss(TRIPLET_MARGIN)
        self.found = self._match(self._first_features, self._first_labels)
        self.unified = self.found.unified
        self.labels = torch.from_numpy(self.unified)
        self.classes = int(self.labels.max()) + 1
        if self.classes < 2:
            raise UserError(
                f"{artefact.folder} holds {self.classes} clusters; a classifier needs at least 2. "
                "Run stage one longer, or with another --eps."
            )
        self.model.set_num_identities(self.classes)
        self.ambiguous = self._find_ambiguous(self.classes)

    def begin_epoch(self, epoch: int, step: int) -> None:
        """After the cross-entropy epochs: confidences and class prototypes of the network."""
        super().begin_epoch(epoch, step)
        self._epoch = epoch
        if epoch == 0:
            self.found.record(self.evaluator, self._first_features, self.name, 1, step)
        if epoch >= self.settings.ce_epochs:
            self._look_at_all_tracks()
            self.evaluator.confidence(self.confidence[0], self.unified, self.name, epoch + 1, step)

    def _look_at_all_tracks(self) -> None:
        session, device = self.session, self.session.runtime.device
        views = [session.training_features(self.model, unit=False)]
        if self.augment.exchange is not None:
            views.append(session.training_features(self.model, unit=False, view=_green))
        classifier = self.model.classifier
        assert classifier is not None
        weight = classifier.weight.detach().float().cpu()
        self.confidence = view_confidence(
            [features @ weight.t() for features in views],
            self.labels,
            session.modalities,
            seed=self.settings.seed,
        )
        self.confidence[:, torch.from_numpy(known_classes(session.tracks)) >= 0] = 1.0
        prototypes = []
        for code in (Modality.VISIBLE, Modality.INFRARED, EXCHANGED):
            second = code == EXCHANGED
            view = 1 if second and len(views) == 2 else 0
            modality = Modality.VISIBLE if second else code
            chosen = torch.from_numpy(session.modalities == modality)
            prototypes.append(
                confident_means(
                    F.normalize(views[view], dim=1),
                    self.labels.where(chosen, -1),
                    self.confidence[view],
                    self.classes,
                )
            )
        self.prototypes = torch.stack(prototypes).to(device)

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Cross entropy; after ``ce_epochs`` weighted, with triplets, self-mimic and alignment."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        settings, embeddings = self.settings, output.embeddings
        labels = self.labels[batch.tracks].to(embeddings.device)
        second = batch.exchanged.long()
        if self._epoch < settings.ce_epochs:
            losses = self._identity(output, labels, torch.ones_like(labels))
            return losses | separation_losses(output, settings.separation_weight)
        confidence = self.confidence[second.cpu(), batch.tracks].to(embeddings.device)
        losses = self._identity(output, labels, confidence)
        losses["triplet"] = self.triplet(output.pooled, labels)
        if settings.mimic_weight:
            code = torch.where(batch.exchanged, EXCHANGED, batch.modalities)
            losses["mimic"] = settings.mimic_weight * absolute_mimic(
                embeddings, self.prototypes[code, labels]
            )
        if settings.alignment_weight and self._epoch + 1 >= settings.alignment_from:
            losses["alignment"] = settings.alignment_weight * soft_cluster_alignment(
                embeddings, labels, batch.modalities, second
            )
        return losses | separation_losses(output, settings.separation_weight)

    def _identity(
        self, output: BatchOutput, labels: Tensor, confidence: Tensor
    ) -> dict[str, Tensor]:
        """Mean of confidence times cross entropy, of images or clips, and of frames."""
        assert output.logits is not None
        losses = {"ID": self._cross_entropy(output.logits, labels, confidence)}
        if output.frame_logits is not None:
            frames = output.frame_logits.shape[1]
            losses["ID frame"] = self._cross_entropy(
                output.frame_logits.flatten(0, 1),
                labels.repeat_interleave(frames),
                confidence.repeat_interleave(frames),
            )
        return losses

    def _cross_entropy(self, logits: Tensor, labels: Tensor, confidence: Tensor) -> Tensor:
        logits = logits.float()
        if self.ambiguous is not None:
            logits = logits.masked_fill(self.ambiguous[labels], float("-inf"))
        return (confidence * F.cross_entropy(logits, labels, reduction="none")).mean()


def _green(images: Tensor) -> Tensor:
    """All channels become green, [B, T, 3, H, W]."""
    return images[:, :, GREEN : GREEN + 1].expand_as(images)
