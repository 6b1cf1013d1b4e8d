"""Stage two as the MMM paper describes it: three memories, trained jointly with the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..datasets.track import Modality
from ..engine.checkpoint_fit import restored_labels
from .match_clusters import ClusterMatching
from .matching import transfer_labels
from .memories import Memories, ThreeMemories, three_prototypes
from .variant_vireid import VireidVariant


class PaperVariant(VireidVariant):
    """Clusters of each modality and of their union (CMC), a memory for each, joint training.

    Differences from :class:`VireidVariant`: ClusterNCE on three memories instead of one of the
    unified labels; the unified labels choose the batches and the targets of self-mimic and
    alignment, and lead matched visible samples to the infrared memory. The network starts from
    ``--weights``, because the paper describes one training of all parts; the first labels are those
    of stage one. Source: MMM, sections 3.2 to 3.4.
    """

    union_of_known = True  # it is what brings the modalities together here

    def _take(self, found: ClusterMatching, features: Tensor) -> None:
        super()._take(found, features)
        self.labels = found.labels
        visible = self.session.modalities == Modality.VISIBLE
        self.moved = found.labels.copy()
        moved = transfer_labels(found.labels[visible], torch.from_numpy(found.assignment))
        self.moved[visible] = moved.numpy()

    def _first_prototypes(
        self, features: Tensor, labels: Tensor, means: Tensor
    ) -> dict[str, Tensor]:
        own, union = torch.from_numpy(self.labels), torch.from_numpy(self.union)
        return three_prototypes(features, own, union, self.session.modalities)

    def _memories_of(self, prototypes: dict[str, Tensor]) -> Memories:
        return ThreeMemories(
            prototypes,
            torch.from_numpy(self.labels),
            torch.from_numpy(self.moved),
            torch.from_numpy(self.union),
            self.session.modalities,
            self.settings,
            self.session.runtime.device,
        )

    def state(self) -> dict[str, Any]:
        """Unified labels and those of the three memories, until the next matching."""
        own = {"labels": torch.from_numpy(self.labels), "moved": torch.from_numpy(self.moved)}
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes all labels back."""
        super().load_state(state)
        self.labels, self.moved = (
            restored_labels(state, name, len(self.unified)) for name in ("labels", "moved")
        )
