"""AGW with two streams, the image network."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..datasets.track import Modality
from ..transfers import to_device
from .backbones import build_backbone
from .bn_neck_network import BNNeckNetwork
from .gem import generalized_mean
from .network import BatchOutput, register_network
from .non_local import DotProductNonLocalBlock
from .timm_networks import is_timm
from .trunk import NonLocalTrunk

NECK_STD = 0.01
LAST_STRIDE = 1


@register_network("agw")
class AGW(BNNeckNetwork):
    """Two-stream AGW: a stem for each modality, one trunk for both.

    The stems (first convolution to max-pooling; of a network of timm all before its first stage)
    belong to the visible and the infrared images; the stages of the residual network are shared
    (last stride 1), with dot-product non-local blocks after the last two blocks of stage 2 and the
    last three of stage 3; generalised-mean pooling (p = 3), batch-norm neck with frozen bias,
    bias-free classifier. The neck's weights start as normal(1, 0.01), as in the code released with
    MMM.

    Ye et al., "Deep learning for person re-identification: a survey and outlook"
    (arXiv:2001.04193), section 4.

    Args:
        num_identities: outputs of the classifier; 0 builds none.
        weights: start of the backbone, ``imagenet``, a file, or None; see ``build_backbone``.
        backbone: ``resnet50`` as published, or another name of ``build_backbone``.
        last_stride: stride of the last stage; None is 1, as published, and that of its own for a
            network of timm.

    Raises:
        ValueError: unknown backbone, negative number of identities, weights that do not fit.
        RuntimeError: ImageNet weights cannot be downloaded.
        UserError: a network of timm, and timm is not installed.
    """

    two_streams: ClassVar[bool] = True
    both_stems = False  # each image passes both stems, and the modality takes one of the results
    classifier_std: ClassVar[float | None] = 0.001

    def __init__(
        self,
        num_identities: int,
        weights: str | Path | None = None,
        *,
        backbone: str = "resnet50",
        last_stride: int | None = None,
    ) -> None:
        super().__init__()
        self.backbone_name = backbone
        if last_stride is None and not is_timm(backbone):
            last_stride = LAST_STRIDE
        parts = build_backbone(backbone, last_stride=last_stride, weights=weights)
        self.visible_stem = parts.stem
        self.infrared_stem = copy.deepcopy(parts.stem)
        self.trunk = NonLocalTrunk(parts, DotProductNonLocalBlock)
        self.add_neck(self.trunk.out_channels, num_identities)
        nn.init.normal_(self.neck.weight, 1.0, NECK_STD)

    @classmethod
    def build(
        cls, num_identities: int, *, num_frames: int, weights: str | Path | None, backbone: str
    ) -> AGW:
        """Builds the network; ``num_frames`` is 1 for images and read nowhere."""
        return cls(num_identities, weights, backbone=backbone)

    def stages(self) -> dict[str, list[nn.Module]]:
        """Both stems as ``stem``, and the shared stages; see ``Network.stages``."""
        return {"stem": [self.visible_stem, self.infrared_stem], **super().stages()}

    def for_graph(self) -> AGW:
        """A copy that runs every image through both stems: rows cannot be chosen by their values.

        Weights are shared. The stems are a small part of the network's work.
        """
        other = copy.copy(self)
        other.both_stems = True
        return other

    def compute(self, clips: Tensor, modalities: Tensor) -> BatchOutput:
        """Computes features before and after the neck, and logits.

        Args:
            clips: normalised images [B, 3, H, W], or clips of one frame [B, 1, 3, H, W], floating
                point.
            modalities: [B] integers, on the CPU.

        Raises:
            ValueError: shape, type or modality codes are others, or training on a single image.
        """
        images = self._images(clips)
        maps = self.trunk.after_stem(lambda: self._stems(images, modalities), keep=self.keep)
        pooled = generalized_mean(maps)
        embeddings = self.neck(pooled)
        return BatchOutput(embeddings, pooled, self.classify(embeddings))

    def _stems(self, images: Tensor, modalities: Tensor) -> Tensor:
        """Runs each image through the stem of its modality, in the order given."""
        if self.both_stems:
            infrared = (modalities == Modality.INFRARED).view(-1, 1, 1, 1)
            return torch.where(infrared, self.infrared_stem(images), self.visible_stem(images))
        stems = {Modality.VISIBLE: self.visible_stem, Modality.INFRARED: self.infrared_stem}
        rows = {code: (modalities == code).nonzero().squeeze(1) for code in stems}
        if sum(map(len, rows.values())) != len(images):
            raise ValueError(
                f"modalities are {int(Modality.VISIBLE)} (visible) and {int(Modality.INFRARED)} "
                f"(infrared); got {sorted(set(modalities.tolist()))}"
            )
        # Plain batch norm cannot take an empty batch; that of a share of a batch can.
        features = [
            stems[code](images[to_device(rows[code], images.device)])
            for code in self.streams_to_run(modalities)
        ]
        order = torch.cat(list(rows.values())).argsort()
        return torch.cat(features)[to_device(order, images.device)]

    def _images(self, clips: Tensor) -> Tensor:
        """Images [B, 3, H, W], checked."""
        images = clips.squeeze(1) if clips.ndim == 5 else clips
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
            raise ValueError(
                "AGW takes images of shape [B, 3, H, W], or clips of one frame [B, 1, 3, H, W]; "
                f"got {list(clips.shape)}"
            )
        # len() would make the number of images a constant of an exported graph.
        self.check_inputs(images.shape[0], images, "images")
        return images
