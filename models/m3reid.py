"""M3-ReID, the video network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from .backbones import build_backbone
from .bn_neck_network import BNNeckNetwork
from .classifier import build_classifier
from .multi_view import MultiViewPooling, ViewMasks
from .non_local import NonLocalBlock
from .normalize import l2_normalize
from .trunk import NonLocalTrunk


class ClipOutput(NamedTuple):
    """What M3-ReID computes for a batch of clips.

    Attributes:
        frames: necked frame embeddings, [B, T, D].
        clips: clip embeddings, the mean of ``frames`` over T, [B, D]; not normalised.
        frame_logits: [B, T, identities]; None without classifiers.
        clip_logits: [B, identities]; None without classifiers.
        masks: masks of the three views, each [batch, heads, positions].
    """

    frames: Tensor
    clips: Tensor
    frame_logits: Tensor | None
    clip_logits: Tensor | None
    masks: ViewMasks


class M3ReID(BNNeckNetwork):
    """Multi-view, multi-granularity video network for visible-infrared tracklets.

    A residual network runs on every frame; spatio-temporal non-local blocks after the last two
    blocks of the second stage and the last three of the third (all, where there are fewer) span the
    T·H·W positions of a clip; the three-view pooling gives 6 × channels values a frame; a
    batch-norm neck with frozen bias follows; a clip is the mean of its necked frames. Nothing
    depends on the order of the frames.

    Runs in either memory layout; ``model.to(memory_format=torch.channels_last)`` is the fast one on
    GPUs, clips stay [B, T, 3, H, W].

    Args:
        num_identities: outputs of the two bias-free classifiers; 0 builds none.
        num_frames: frames a clip of the recipe (kept for the record, any number runs).
        weights: start of the backbone, ``imagenet``, a file, or None; see ``build_backbone``.
        backbone: ``resnet50`` as published, or another name of ``build_backbone``.
        last_stride: stride of the last stage; None is 2 for ResNets (as published), 1 for thin.
        heads: masks of each view.

    Raises:
        ValueError: unknown backbone, negative number of identities, weights that do not fit.
        RuntimeError: ImageNet weights cannot be downloaded.
    """

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
        self.trunk = NonLocalTrunk(parts, NonLocalBlock)
        channels = self.trunk.out_channels
        self.pool = MultiViewPooling(channels, heads)
        self._add_neck(channels * self.pool.out_multiple, num_identities)

    def set_num_identities(self, num_identities: int) -> None:
        """Replaces both classifiers, of clips and of frames; see ``BNNeckNetwork``."""
        super().set_num_identities(num_identities)
        self.frame_classifier = build_classifier(self.neck, num_identities)

    def describe(self, clips: Tensor) -> ClipOutput:
        """Computes everything that losses and pseudo-labels need, in training or eval mode.

        Args:
            clips: normalised frames, [B, T, 3, H, W], floating point.

        Returns:
            Embeddings, logits and masks.

        Raises:
            ValueError: the shape or the type is another, or training on a single frame.
        """
        frames, masks = self._embed(clips)
        embeddings = frames.mean(dim=1)
        frame_logits = None if self.frame_classifier is None else self.frame_classifier(frames)
        clip_logits = None if self.classifier is None else self.classifier(embeddings)
        return ClipOutput(frames, embeddings, frame_logits, clip_logits, masks)

    def forward(self, clips: Tensor) -> ClipOutput | Tensor:
        """Describes clips in training mode, embeds them in eval mode.

        Args:
            clips: normalised frames, [B, T, 3, H, W], floating point; any B and T.

        Returns:
            Training: ``ClipOutput``. Eval: clip embeddings of unit length, [B, D], float32
            (float64 for a float64 network).

        Raises:
            ValueError: the shape or the type is another, or training on a single frame.
        """
        if self.training:
            return self.describe(clips)
        return l2_normalize(self._embed(clips)[0].mean(dim=1))

    def _embed(self, clips: Tensor) -> tuple[Tensor, ViewMasks]:
        """Computes necked frame embeddings [B, T, D] and the masks."""
        self._check(clips)
        num_frames = clips.shape[1]
        features = self.trunk(self.stem(clips.flatten(0, 1)), num_frames)
        pooled, masks = self.pool(features, num_frames)
        return self.neck(pooled).unflatten(0, (-1, num_frames)), masks

    def _check(self, clips: Tensor) -> None:
        if clips.ndim != 5 or clips.shape[2] != 3 or 0 in clips.shape:
            raise ValueError(
                f"M3ReID takes clips of shape [B, T, 3, H, W]; got {list(clips.shape)} (an image "
                "is a clip of one frame: images.unsqueeze(1))"
            )
        if not clips.is_floating_point():
            raise ValueError(
                f"M3ReID takes normalised floating-point frames; got {clips.dtype} (subtract the "
                "mean and divide by the standard deviation of the transforms first)"
            )
        if self.training and clips.shape[0] * clips.shape[1] == 1:
            raise ValueError(
                "M3ReID trains on two frames or more, because its neck normalises over the batch; "
                "got one clip of one frame"
            )
