"""Maximum mean discrepancy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .inputs import in_full_precision

KERNELS = 5
FACTOR = 2.0


class MMDLoss(nn.Module):
    """Squared maximum mean discrepancy between two sets, with five Gaussian kernels.

    The kernel is the sum of exp(-d² / w) over w = b/4, b/2, b, 2b, 4b, where b is the mean squared
    distance between different vectors of both sets together; b is a constant for the gradient. The
    loss is mean k(s, s') + mean k(t, t') - 2 mean k(s, t), so the sets may differ in size. If all
    vectors are equal it is 0 with a gradient of 0.

    Gretton et al., "A kernel two-sample test", equation 5 (the biased estimate); several kernels
    after Long et al. (arXiv:1502.02791).
    """

    @in_full_precision
    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Computes the discrepancy of two sets.

        Args:
            source: [N, D], floating point.
            target: [M, D], floating point.

        Returns:
            Scalar, not negative up to rounding, float32 (float64 for float64 input).

        Raises:
            ValueError: the sets are no rows of one length, or one of them is empty.
        """
        alike = source.ndim == target.ndim == 2 and source.shape[1] == target.shape[1]
        if not (alike and len(source) and len(target)):
            raise ValueError(
                "MMDLoss takes a source [N, D] and a target [M, D] with N, M > 0; got "
                f"{list(source.shape)} and {list(target.shape)}"
            )
        return self.of_each(source[None], target[None])[0]

    @in_full_precision
    def of_each(self, source: Tensor, target: Tensor) -> Tensor:
        """Computes the discrepancies of several pairs of sets at once.

        Args:
            source: [G, N, D], floating point.
            target: [G, M, D], floating point.

        Returns:
            [G], each as :meth:`forward` gives it.
        """
        # By differences, not by a matrix product: its rounding noise between equal vectors would be
        # all there is of a bandwidth, and the loss of two equal sets would be anything.
        both = torch.cat([source, target], dim=1)
        distances = torch.cdist(both, both, compute_mode="donot_use_mm_for_euclid_dist").square()
        # +1/N for the source and -1/M for the target: the three means are one quadratic form.
        sizes = ((source.shape[1], 1), (target.shape[1], -1))
        signs = torch.cat([both.new_full((size,), sign / size) for size, sign in sizes])
        total = len(signs)
        bandwidth = distances.detach().sum(dim=(1, 2)) / (total * (total - 1))
        # All equal: every distance is 0, and so is the loss for any bandwidth.
        bandwidth = torch.where(bandwidth > 0, bandwidth, 1.0)[:, None, None]
        widths = [bandwidth * FACTOR ** (step - KERNELS // 2) for step in range(KERNELS)]
        kernel = torch.stack([torch.exp(-distances / width) for width in widths]).sum(dim=0)
        return signs @ kernel @ signs
