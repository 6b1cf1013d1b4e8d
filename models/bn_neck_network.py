"""What M3-ReID and AGW end in: a batch-norm neck and a classifier that can be replaced."""

from __future__ import annotations

from torch import nn

from .classifier import build_classifier


class BNNeckNetwork(nn.Module):
    """A network whose features pass a batch-norm neck with frozen bias and a classifier.

    Attributes:
        neck: its outputs are the embeddings.
        classifier: bias-free; None without identities.
    """

    neck: nn.BatchNorm1d
    classifier: nn.Linear | None

    def _add_neck(self, channels: int, num_identities: int) -> None:
        """Builds the neck of as many channels, and what classifies its outputs."""
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.set_num_identities(num_identities)

    @property
    def embedding_dim(self) -> int:
        """D, the length of an embedding."""
        return self.neck.num_features

    @property
    def num_identities(self) -> int:
        """Outputs of the classifier; 0 where there is none."""
        return 0 if self.classifier is None else self.classifier.out_features

    def set_num_identities(self, num_identities: int) -> None:
        """Replaces the classifier by a fresh one (normal, standard deviation 0.001).

        An optimiser that holds the old one has to be built anew.

        Args:
            num_identities: outputs; 0 removes the classifier.

        Raises:
            ValueError: the number is negative.
        """
        self.classifier = build_classifier(self.neck, num_identities)
