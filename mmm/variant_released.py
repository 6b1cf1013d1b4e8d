"""Stage two as the released MMM code trains it, without that code's faults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.samplers import UnpairedBatchSampler
from ..engine.augment import AugmentedBatch, Augmenter
from ..engine.checkpoint_fit import restored_labels
from ..engine.step_guard import StepGuard
from ..errors import UserError
from ..losses.inputs import at_least_float32
from ..losses.separation import separation_losses
from ..memory.writes import PendingWrites
from ..models.network import BatchOutput
from ..pseudo_labels.artefact import Artefact
from ..pseudo_labels.labelling import in_both_modalities
from ..transfers import to_device
from .epoch_length import steps_of_epoch
from .released_labels import released_classes
from .released_losses import ViewBatch, identity_losses, main_losses
from .self_mimic import ViewPrototypes
from .semi_supervised import known_classes
from .stage_two import StageTwo
from .track_confidence import view_confidence

Batches = Iterable[tuple[Tensor, Tensor]]


class ReleasedVariant(StageTwo):
    """A classifier on labels that are matched once, before training, and then stay.

    The network starts from ``--weights``; of stage one only labels and features are read, the
    features for the matching. The first ``ce_epochs`` train with cross entropy alone, on batches
    whose two sides are unrelated. From then on each epoch starts with a pass over all tracks that
    gives the confidences (two Gaussians on the losses), trains on pairs of one label with
    ``main_losses``, and ends with a second pass over the same batches that gives the prototypes of
    the next epoch. Both passes augment, and run in training mode without gradient. Source: the code
    released with MMM.
    """

    stream = 23
    confidence_stream = 24
    prototype_stream = 25

    def _prepare(self, artefact: Artefact) -> None:
        session, settings = self.session, self.settings
        self.artefact = artefact
        self.found = self._match(self._first_features(), self._first_labels)
        self.unified = released_classes(self.found.unified, session.modalities)
        lost = int(((self.found.unified >= 0) & (self.unified < 0)).sum())
        if lost:
            session.say(f"left out, their label is above the number of labels: {lost} tracks")
        self.labels = torch.from_numpy(self.unified)
        self.classes = int(self.labels.max()) + 1
        # Classes of one modality give no pairs.
        both = in_both_modalities(self.unified, session.modalities)
        self.paired = np.where(both, self.unified, -1)
        pairs = len(np.unique(self.paired[self.paired >= 0]))
        if pairs < 2:
            raise UserError(
                f"{artefact.folder} holds {pairs} clusters with tracks of both modalities; "
                "--variant released needs at least 2. Run stage one longer, or with another --eps."
            )
        self.steps = steps_of_epoch(settings, session.modalities[self.unified >= 0])
        self.model.set_num_identities(self.classes)
        self.ambiguous = self._find_ambiguous(self.classes)
        classifier = self.model.classifier
        assert classifier is not None
        self.prototypes = ViewPrototypes(
            self.classes, classifier.in_features, at_least_float32(classifier.weight)
        )
        self.confidence = torch.ones(2, len(self.unified))
        # The passes draw from streams of their own.
        self.looks = {
            stream: Augmenter(session, settings.augmentation, settings.network, stream, views=2)
            for stream in (self.confidence_stream, self.prototype_stream)
        }

    @property
    def in_main_phase(self) -> bool:
        """Whether the epoch comes after those of cross entropy alone."""
        return "triplet" in self.phase.losses

    def begin_epoch(self, epoch: int, step: int) -> None:
        """In the main phase: the confidence of every track."""
        super().begin_epoch(epoch, step)
        if epoch == 0:
            self.found.record(self.evaluator, self._first_features(), self.name, 1, step)
        if self.in_main_phase:
            self.confidence = self._confidence(epoch)
            self.evaluator.confidence(self.confidence[0], self.unified, self.name, epoch + 1, step)

    def batches(self, epoch: int, first: int = 0) -> Batches:
        """Unrelated sides in the first epochs, pairs of one label in the main phase."""
        lists = self._pairs(epoch) if self.in_main_phase else self._unpaired(epoch, self.stream)
        seed = (self.settings.seed, self.stream, epoch)
        return self.session.training_clips(lists, seed, first=first)

    def end_epoch(self, epoch: int, step: int) -> None:
        """In the main phase: prototypes of the network as it is now, for the next epoch."""
        if not self.in_main_phase:
            return
        for batch, output in self._look(self._pairs(epoch), self.prototype_stream, epoch):
            rows = self._rows(batch, output.pooled)
            assert rows.confidence is not None
            pooled = at_least_float32(output.pooled)
            known = (rows.labels, rows.views, rows.confidence)
            self.prototypes.see(pooled, *(to_device(values, pooled.device) for values in known))
        self.prototypes.renew()

    def _pairs(self, epoch: int) -> list[list[int]]:
        """Batches of the labels that both modalities have."""
        return self._unified_batches(self.paired, epoch)

    def _unpaired(self, epoch: int, stream: int) -> list[list[int]]:
        settings = self.settings
        sampler = UnpairedBatchSampler(
            self.unified,
            self.session.modalities,
            settings.p_num * settings.k_num // 2,
            # A pass for confidences sees every track, however short the epochs are.
            settings.steps if stream == self.stream else None,
            seed=(settings.seed, stream),
        )
        sampler.set_epoch(epoch)
        return list(sampler)

    def _look(
        self, lists: list[list[int]], stream: int, epoch: int
    ) -> Iterable[tuple[AugmentedBatch, BatchOutput]]:
        """What the network makes of batches in training mode, without gradient.

        A batch that leaves the range of fp16 moves no statistics of batch norm.
        """
        clips_of = self.session.training_clips(lists, (self.settings.seed, stream, epoch))
        self.model.train()
        scaled = self.session.runtime.scaler is not None
        guard = StepGuard(self.model, PendingWrites()) if scaled else None
        for number, (clips, index) in enumerate(clips_of):
            batch = self.looks[stream](clips, index, epoch * len(lists) + number)
            with torch.no_grad():
                if guard is not None:
                    guard.before_step()
                output = self._forward(batch)
                if guard is not None:
                    guard.judge(output.pooled.sum())
                    guard.after_step()
                yield batch, output

    def _confidence(self, epoch: int) -> Tensor:
        """[2, N] confidence of every track in its plain and, if visible, its exchanged view."""
        views = 1 if self.augment.exchange is None else 2
        device = self.session.runtime.device
        losses = torch.full((views, len(self.unified)), float("nan"), device=device)
        lists = self._unpaired(epoch, self.confidence_stream)
        for batch, output in self._look(lists, self.confidence_stream, epoch):
            assert output.logits is not None
            labels = to_device(self.labels[batch.tracks], device)
            each = F.cross_entropy(at_least_float32(output.logits), labels, reduction="none")
            view, tracks = (to_device(v, device) for v in (batch.exchanged.long(), batch.tracks))
            # Beyond the range of fp16 a track counts as not visited.
            losses[view, tracks] = each.float().where(each.isfinite(), float("nan"))
        found = view_confidence(
            losses.cpu(), self.labels, self.session.modalities, seed=self.settings.seed
        )
        found[:, torch.from_numpy(known_classes(self._taught())) >= 0] = 1.0
        return found

    def _forward(self, batch: AugmentedBatch) -> BatchOutput:
        with self.session.runtime.autocast():
            return self.model.forward_features(batch.images, batch.modalities)

    def _rows(self, batch: AugmentedBatch, like: Tensor) -> ViewBatch:
        """Labels and confidences of a batch, in the precision of ``like``."""
        labels = self.labels[batch.tracks]
        if not self.in_main_phase:
            return ViewBatch(labels, batch.modalities, batch.exchanged)
        confidence = self.confidence[batch.exchanged.long(), batch.tracks]
        confidence = confidence.to(at_least_float32(like).dtype)
        return ViewBatch(labels, batch.modalities, batch.exchanged, confidence)

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Cross entropy; in the main phase weighted, with triplets, self-mimic and alignment."""
        batch = self.augment(clips, index, step)
        output = self._forward(batch)
        rows = self._rows(batch, output.pooled)
        if self.in_main_phase:
            losses = main_losses(
                output,
                rows,
                self.prototypes,
                self.phase.losses,
                ambiguous=self.ambiguous,
            )
        else:
            losses = identity_losses(output, rows, self.ambiguous)
        return losses | separation_losses(output, self.phase.losses)

    def state(self) -> dict[str, Any]:
        """The prototypes, which the next epoch reads, the confidences of this one, and the labels.

        They are all that an epoch holds, so one that goes on in its middle needs no more.
        """
        return {
            "unified": self.labels,
            "prototypes": self.prototypes.values,
            "confidence": self.confidence,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes back prototypes and confidences.

        Raises:
            UserError: stage one gives other labels now than it gave to this run.
        """
        before = restored_labels(state, "unified", len(self.unified))
        if not np.array_equal(before, self.unified):
            raise UserError(
                f"{self.artefact.folder} gives other labels than when this run began: its stage "
                "one was trained on, or its features computed anew. --variant released keeps its "
                "labels, and its classifier knows them; begin anew, in another --output."
            )
        self.prototypes.values = state["prototypes"].to(self.prototypes.values)
        self.confidence = state["confidence"].cpu()
