"""What M3-ReID and AGW end in: a batch-norm neck and a classifier that can be replaced."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from .network import Network


class BNNeckNetwork(Network):
    """A network whose features pass a batch-norm neck with frozen bias and a classifier.

    Luo et al., "Bag of tricks and a strong baseline for deep person re-identification"
    (arXiv:1903.07071), section 3.5.

    Attributes:
        neck: its outputs are the embeddings.
        classifier_std: standard deviation of a fresh classifier's normal weights; None keeps the
            default of a linear layer, uniform within 1 / sqrt(inputs).
    """

    head: ClassVar[tuple[str, ...]] = ("neck.", "classifier.")
    classifier_std: ClassVar[float | None] = None
    neck: nn.BatchNorm1d

    def add_neck(self, channels: int, num_identities: int) -> None:
        """Builds the neck of as many channels, and what classifies its outputs.

        Raises:
            ValueError: the number of identities is negative.
        """
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.set_num_identities(num_identities)

    def set_num_identities(self, num_identities: int) -> None:
        """Replaces the classifier by a fresh one.

        An optimiser that holds the old one has to be built anew.

        Args:
            num_identities: outputs; 0 removes the classifier.

        Raises:
            ValueError: the number is negative.
        """
        self.classifier = self._fresh_classifier(num_identities)

    def check_inputs(self, frames: int, clips: Tensor, noun: str) -> None:
        """Refuses what is not normalised, and training on a single frame or image.

        A share of a batch may hold one: its batch norm spans all of them.

        Raises:
            ValueError: as said.
        """
        name = type(self).__name__
        if not clips.is_floating_point():
            raise ValueError(
                f"{name} takes normalised floating-point {noun}; got {clips.dtype} (subtract the "
                "mean and divide by the standard deviation of the transforms first)"
            )
        if self.training and self.splitter is None and frames == 1:
            raise ValueError(
                f"{name} trains on two {noun} or more, because its neck normalises over the "
                "batch; got one"
            )

    def classify(self, embeddings: Tensor) -> Tensor | None:
        """Logits of embeddings [..., D], [..., identities]; None without a classifier."""
        return None if self.classifier is None else self.classifier(embeddings)

    def _fresh_classifier(self, num_identities: int) -> nn.Linear | None:
        """A classifier of the neck's outputs, on its device and in its type."""
        if num_identities < 0:
            raise ValueError(f"`num_identities` is 0 (no classifier) or more; got {num_identities}")
        if num_identities == 0:
            return None
        like = self.neck.weight
        classifier = nn.Linear(
            len(like), num_identities, bias=False, device=like.device, dtype=like.dtype
        )
        if self.classifier_std is not None:
            nn.init.normal_(classifier.weight, std=self.classifier_std)
        return classifier
