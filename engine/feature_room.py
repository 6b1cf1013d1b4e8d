"""Where the features of an extraction are kept: on the card that computed them, if it has room."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..distributed import processes, ranks
from .peak_memory import extraction_peak, start_extraction
from .resources import Room, gpu_memory, size_text

# Features at once while they are clustered: as they came, of one modality, without the camera's
# mean, scaled, and what one operation takes and gives.
COPIES = 6
# A block of the search, of the K-means or of a ranking, whichever is largest, and the confidences.
BLOCKS = 3 << 29


def device_need(features: int, extraction: int = 0) -> int:
    """Bytes that a card has to have free to keep features.

    Args:
        features: bytes of the features.
        extraction: bytes that the network takes beside them while they are computed.
    """
    return features + max(extraction, (COPIES - 1) * features + BLOCKS)


class FeatureRoom:
    """Decides by size, before anything is allocated, where features are kept.

    On the CPU they are clustered, matched and ranked just as well, only slower. Processes that
    share a card share what it has free, and all processes keep features alike: two devices round
    differently, and memories and matchings would drift apart.

    Args:
        device: of the run.
        say: takes a remark for the person at the keyboard.
    """

    def __init__(self, device: torch.device, say: Callable[[str], None]) -> None:
        self._device = device
        self._say = say
        self._said = False

    def before_extraction(self) -> None:
        """Measures from here on what the network takes."""
        start_extraction(self._device)

    def home(self, rows: Tensor, count: int) -> torch.device:
        """Where the features of an extraction are kept.

        Args:
            rows: those of the first batch, [B, D] float32, on the device of the run.
            count: tracks, N.
        """
        size = count * rows.shape[1] * rows.element_size()
        return self._chosen(size, extraction_peak(rows.device))

    def placed(self, features: Tensor) -> Tensor:
        """Features [N, D] that came from a file, where those of an extraction would be."""
        size = features.numel() * features.element_size()
        return features.to(self._chosen(size, 0))

    def _chosen(self, features: int, extraction: int) -> torch.device:
        room = gpu_memory(self._device)
        if room is None:
            return self._device
        need = processes.count_on_card() * device_need(features, extraction)
        lacks = None if need <= room.usable else (need, room)
        short = [found for found in ranks.of_all(lacks) if found is not None]
        if not short:
            return self._device
        self._remark(features, *short[0])
        return torch.device("cpu")

    def _remark(self, features: int, need: int, room: Room) -> None:
        if not self._said:
            self._said = True
            self._say(
                f"the features ({size_text(features)}) go to the machine's memory, and the CPU "
                f"clusters and ranks them, more slowly: on the card that would take "
                f"{size_text(need)}, and it has {room}."
            )
