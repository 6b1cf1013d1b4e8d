"""M3-ReID, the video network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from .backbones import build_backbone
from .bn_neck_network import BNNeckNetwork
from .multi_view import MultiViewPooling
from .network import BatchOutput, register_network
from .non_local import NonLocalBlock
from .trunk import NonLocalTrunk


@register_network("m3reid")
class M3ReID(BNNeckNetwork):
    """Multi-view, multi-granularity video network for visible-infrared tracklets.

    A residual network runs on every frame; spatio-temporal non-local blocks after the last two
    blocks of the second stage and the last three of the third (all, where there are fewer) span the
    T·H·W positions of a clip (of thin backbones keys and values are a quarter of them); the
    three-view pooling gives 6 × channels values a frame; a batch-norm neck with frozen bias
    follows; a clip is the mean of its necked frames. Nothing depends on the order of the frames.

    Runs in either memory layout; ``model.to(memory_format=torch.channels_last)`` is the fast one on
    GPUs, clips stay [B, T, 3, H, W].

    Args:
        num_identities: outputs of the two bias-free classifiers; 0 builds none.
        num_frames: frames a clip of the recipe (kept for the record, any number runs).
        weights: start of the backbone, ``imagenet``, a file, or None; see ``build_backbone``.
        backbone: ``resnet50`` as published, or another name of ``build_backbone``.
        last_stride: stride of the last stage; None is 2 for ResNets (as published), 1 for thin,
            and the only choice for a network of timm.
        heads: masks of each view.

    Raises:
        ValueError: unknown backbone, negative number of identities, weights that do not fit.
        RuntimeError: ImageNet weights cannot be downloaded.
        UserError: a network of timm, and timm is not installed.
    """

    head: ClassVar[tuple[str, ...]] = ("pool.", *BNNeckNetwork.head, "frame_classifier.")
    frame_classifier: nn.Linear | None

    def __init__(
        self,
        num_identities: int,
        num_frames: int = 6,
        weights: str | Path | None = None,
        *,
        backbone: str = "resnet50",
        last_stride: int | None = None,
        heads: int = 2,
    ) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.backbone_name = backbone
        parts = build_backbone(backbone, last_stride=last_stride, weights=weights)
        self.stem = parts.stem
        # Xavier is as released; from random weights a thin network learnt less with it. Its first
        # block sees maps of a quarter of the image's side, and took nearly half of the time of a
        # test (docs/methods.md).
        thin = backbone.startswith("thin")
        block = partial(NonLocalBlock, xavier=not thin, subsample=thin)
        self.trunk = NonLocalTrunk(parts, block)
        if thin:
            self.revision = 2  # until then its non-local blocks looked at all positions
        channels = self.trunk.out_channels
        self.pool = MultiViewPooling(channels, heads)
        self.add_neck(channels * self.pool.out_multiple, num_identities)

    @classmethod
    def build(
        cls, num_identities: int, *, num_frames: int, weights: str | Path | None, backbone: str
    ) -> M3ReID:
        """Builds the network; see ``Network.build``."""
        return cls(num_identities, num_frames, weights, backbone=backbone)

    def stages(self) -> dict[str, list[nn.Module]]:
        """The stem and the stages of the trunk; see ``Network.stages``."""
        return {"stem": [self.stem], **super().stages()}

    def set_num_identities(self, num_identities: int) -> None:
        """Replaces both classifiers, of clips and of frames; see ``BNNeckNetwork``."""
        super().set_num_identities(num_identities)
        self.frame_classifier = self._fresh_classifier(num_identities)

    def compute(self, clips: Tensor, modalities: Tensor) -> BatchOutput:
        """Computes embeddings, logits and masks (``ViewMasks``) of clips and frames.

        Args:
            clips: normalised frames, [B, T, 3, H, W], floating point; any B and T.
            modalities: not read; one stream takes both.

        Raises:
            ValueError: the shape or the type is another, or training on a single frame.
        """
        if clips.ndim != 5 or clips.shape[2] != 3 or 0 in clips.shape:
            raise ValueError(
                f"M3ReID takes clips of shape [B, T, 3, H, W]; got {list(clips.shape)} (an image "
                "is a clip of one frame: images.unsqueeze(1))"
            )
        self.check_inputs(clips.shape[0] * clips.shape[1], clips, "frames")
        num_frames = clips.shape[1]
        features = self.trunk.after_stem(
            lambda: self.stem(clips.flatten(0, 1)), num_frames, self.keep
        )
        pooled, masks = self.pool(features, num_frames)
        frames = self.neck(pooled).unflatten(0, (-1, num_frames))
        embeddings = frames.mean(dim=1)
        frame_logits = None if self.frame_classifier is None else self.frame_classifier(frames)
        logits = self.classify(embeddings)
        return BatchOutput(embeddings, embeddings, logits, frames, frame_logits, masks)
