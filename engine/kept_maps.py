"""Maps of frozen first stages, kept from one pass over the tracks to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..models.network import Network

KEPT_STAGES = ("stem", "layer1")


class KeptMaps:
    """What stem and first stage made of a batch of clips, found again by the clips' pixels.

    Clustering and tests see the same frames each time, without augmentation. Where ``stem`` and
    ``layer1`` are frozen, so are their maps. Those of later stages are not, because trained
    non-local blocks stand between; and training clips come augmented, each time another way.

    Args:
        limit: bytes that may be kept; what comes later is computed each time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._maps: dict[bytes, Tensor] = {}
        self._weights: tuple[tuple[int, int], ...] = ()

    def of_batch(
        self, model: Network, clips: Tensor, modalities: Tensor, *, mirrored: bool = False
    ) -> Callable[[Callable[[], Tensor]], Tensor]:
        """What takes the computation of a batch's maps, and gives the maps.

        Args:
            model: whose first stages are frozen; if their weights are other ones than before,
                nothing of before is used.
            clips: pixels, [B, T, 3, H, W], uint8.
            modalities: [B].
            mirrored: whether the network sees the mirror images of these pixels.
        """
        stages = model.stages()
        state = [
            value
            for name in KEPT_STAGES
            for part in stages[name]
            for value in part.state_dict().values()
        ]
        weights = tuple((value.data_ptr(), value._version) for value in state)
        if weights != self._weights:
            self._maps, self._weights, self.bytes = {}, weights, 0
        digest = hashlib.blake2b(repr((tuple(clips.shape), mirrored)).encode())
        digest.update(modalities.contiguous().numpy().tobytes())
        digest.update(clips.permute(0, 1, 3, 4, 2).contiguous().numpy().tobytes())
        return partial(self._find, digest.digest())

    def _find(self, key: bytes, compute: Callable[[], Tensor]) -> Tensor:
        if key not in self._maps:
            maps = compute()
            if self.bytes + maps.nbytes > self.limit:
                return maps
            self._maps[key] = maps
            self.bytes += maps.nbytes
        # A later stage may write into what it is given.
        return self._maps[key].clone()


def keeps_maps(model: Network, device: torch.device) -> bool:
    """Whether maps are kept: the stages are frozen, and computed where the maps would lie.

    From the host's memory to a GPU they would have to be copied, with what gain was not measured.

    Args:
        model: the network.
        device: on which it computes.
    """
    return device.type == "cpu" and set(KEPT_STAGES) <= set(model.frozen)
