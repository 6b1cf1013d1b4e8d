"""Augmentation of a batch, drawn from the step so that a resumed run repeats it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..datasets.track import Modality
from ..datasets.transforms import ImageAugmentation, RecolourAugmentation, VideoAugmentation
from ..random_streams import generator
from ..transfers import to_device
from .session import Session


class AugmentedBatch(NamedTuple):
    """What the network sees of a batch.

    All but the pixels stays on the CPU, where it is known: whoever asks the device which rows are
    visible has to wait for it.

    Attributes:
        images: [B', T, 3, H, W] float32 on the device; B' > B where clips are seen twice.
        modalities: [B'] int64.
        tracks: [B'] track numbers.
        exchanged: [B'] bool; the second view of visible clips, which come last.
    """

    images: Tensor
    modalities: Tensor
    tracks: Tensor
    exchanged: Tensor


def sees_two_views(augmentation: str, network: str) -> bool:
    """Whether a stage with two views shows visible clips plainly and with channel exchange.

    Args:
        augmentation: ``published`` or ``recolour``.
        network: its name.
    """
    return augmentation == "published" and network == "agw"


class Augmenter:
    """Moves uint8 clips to the device and augments them there.

    The published augmentation is that of the network: M3-ReID's for clips, MMM's for images, where
    each visible image may be seen twice, plainly and with channel exchange.

    Args:
        session: modalities of the tracks, the device and the seed.
        augmentation: ``published`` or ``recolour``.
        network: name of the network, which decides what is published.
        stream: number that keeps the draws of different stages apart.
        views: 2 lets the published augmentation of images give both views of visible ones.
    """

    def __init__(
        self, session: Session, augmentation: str, network: str, stream: int, *, views: int = 1
    ) -> None:
        self.runtime = session.runtime
        self.modalities = torch.from_numpy(session.modalities).long()
        self.seed = session.options.seed
        self.stream = stream
        self.augmentation: ImageAugmentation | RecolourAugmentation | VideoAugmentation
        self.exchange: ImageAugmentation | None = None
        if augmentation == "recolour":
            self.augmentation = RecolourAugmentation()
        elif network == "agw":
            self.augmentation = ImageAugmentation()
        else:
            self.augmentation = VideoAugmentation()
        if views == 2 and sees_two_views(augmentation, network):
            self.exchange = ImageAugmentation(exchange=True)

    def __call__(self, clips: Tensor, index: Tensor, step: int) -> AugmentedBatch:
        """The batch as the network takes it, second views at the end.

        Args:
            clips: [B, T, 3, H, W] uint8.
            index: [B] track numbers.
            step: of the run.
        """
        device = self.runtime.device
        modalities = self.modalities[index]
        stream = generator(self.seed, self.stream, step, device=device)
        pixels = clips.to(device, non_blocking=True)
        images = self.augmentation(pixels, to_device(modalities, device), stream)
        exchanged = torch.zeros(len(images), dtype=torch.bool)
        if self.exchange is None:
            return AugmentedBatch(images, modalities, index, exchanged)
        again = (modalities == Modality.VISIBLE).nonzero()[:, 0]
        visible = to_device(again, device)
        codes = to_device(modalities[again], device)
        second = self.exchange(pixels[visible], codes, stream)
        return AugmentedBatch(
            torch.cat([images, second]),
            torch.cat([modalities, modalities[again]]),
            torch.cat([index, index[again]]),
            torch.cat([exchanged, torch.ones_like(exchanged[again])]),
        )
