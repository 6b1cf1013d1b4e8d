"""AGW with two streams, the image network."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..datasets.track import Modality
from .backbones import build_backbone
from .bn_neck_network import BNNeckNetwork
from .gem import generalized_mean
from .non_local import DotProductNonLocalBlock
from .normalize import l2_normalize
from .trunk import NonLocalTrunk


class ImageOutput(NamedTuple):
    """What AGW computes for a batch of images.

    Attributes:
        pooled: pooled features before the neck, [B, D].
        embeddings: features after the neck, [B, D]; not normalised.
        logits: [B, identities]; None without a classifier.
    """

    pooled: Tensor
    embeddings: Tensor
    logits: Tensor | None


class AGW(BNNeckNetwork):
    """Two-stream AGW: a stem for each modality, one trunk for both.

    The stems (first convolution to max-pooling) belong to the visible and the infrared images; the
    stages of the residual network are shared (last stride 1), with dot-product non-local blocks
    after the last two blocks of stage 2 and the last three of stage 3; generalised-mean pooling
    (p = 3), batch-norm neck with frozen bias, bias-free classifier.

    Ye et al., "Deep learning for person re-identification: a survey and outlook"
    (arXiv:2001.04193), section 4.

    Args:
        num_identities: outputs of the classifier; 0 builds none.
        weights: start of the backbone, ``imagenet``, a file, or None; see ``build_backbone``.
        backbone: ``resnet50`` as published, or another name of ``build_backbone``.
        last_stride: stride of the last stage, 1 as published.

    Raises:
        ValueError: unknown backbone, negative number of identities, weights that do not fit.
        RuntimeError: ImageNet weights cannot be downloaded.
    """

    def __init__(
        self,
        num_identities: int,
        weights: str | Path | None = None,
        *,
        backbone: str = "resnet50",
        last_stride: int = 1,
    ) -> None:
        super().__init__()
        self.backbone_name = backbone
        parts = build_backbone(backbone, last_stride=last_stride, weights=weights)
        self.visible_stem = parts.stem
        self.infrared_stem = copy.deepcopy(parts.stem)
        self.trunk = NonLocalTrunk(parts, DotProductNonLocalBlock)
        self._add_neck(self.trunk.out_channels, num_identities)

    def describe(self, images: Tensor, modality: Modality | Tensor) -> ImageOutput:
        """Computes everything that losses and pseudo-labels need, in training or eval mode.

        Args:
            images: normalised images, [B, 3, H, W], floating point.
            modality: of all images, or of each, [B] integers.

        Returns:
            Features before and after the neck, and logits.

        Raises:
            ValueError: shape, type or modality codes are others, or training on a single image.
        """
        pooled, embeddings = self._embed(images, modality)
        logits = None if self.classifier is None else self.classifier(embeddings)
        return ImageOutput(pooled, embeddings, logits)

    def forward(self, images: Tensor, modality: Modality | Tensor) -> ImageOutput | Tensor:
        """Describes images in training mode, embeds them in eval mode.

        Args:
            images: normalised images, [B, 3, H, W], floating point.
            modality: of all images, or of each, [B] integers.

        Returns:
            Training: ``ImageOutput``. Eval: embeddings of unit length, [B, D], float32 (float64
            for a float64 network).

        Raises:
            ValueError: shape, type or modality codes are others, or training on a single image.
        """
        if self.training:
            return self.describe(images, modality)
        return l2_normalize(self._embed(images, modality)[1])

    def _embed(self, images: Tensor, modality: Modality | Tensor) -> tuple[Tensor, Tensor]:
        self._check(images)
        pooled = generalized_mean(self.trunk(self._stems(images, modality)))
        return pooled, self.neck(pooled)

    def _stems(self, images: Tensor, modality: Modality | Tensor) -> Tensor:
        """Runs each image through the stem of its modality, in the order given."""
        stems = {Modality.VISIBLE: self.visible_stem, Modality.INFRARED: self.infrared_stem}
        if not isinstance(modality, Tensor):
            return stems[Modality(modality)](images)
        if modality.shape != images.shape[:1]:
            raise ValueError(
                f"AGW takes one modality for all images or one for each, [{len(images)}]; got "
                f"{list(modality.shape)}"
            )
        rows = {code: (modality == code).nonzero().squeeze(1) for code in stems}
        if sum(map(len, rows.values())) != len(images):
            raise ValueError(
                f"modalities are {int(Modality.VISIBLE)} (visible) and {int(Modality.INFRARED)} "
                f"(infrared); got {sorted(set(modality.tolist()))}"
            )
        # A stem that gets no image is not run: batch norm cannot take an empty batch.
        features = [stems[code](images[row]) for code, row in rows.items() if len(row)]
        return torch.cat(features)[torch.cat(list(rows.values())).argsort()]

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
            raise ValueError(f"AGW takes images of shape [B, 3, H, W]; got {list(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(
                f"AGW takes normalised floating-point images; got {images.dtype} (subtract the "
                "mean and divide by the standard deviation of the transforms first)"
            )
        if self.training and len(images) == 1:
            raise ValueError(
                "AGW trains on two images or more, because its neck normalises over the batch; "
                "got one"
            )
