"""Features of many tracks, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from .. import transfers
from ..datasets.clip_loader import ClipLoader
from ..datasets.clip_reader import ClipReader
from ..datasets.clip_workers import ClipWorkers
from ..datasets.transforms import normalise
from ..errors import UserError


class FeaturesNotFinite(UserError, ValueError):
    """A network gave infinite features, or NaN."""


@torch.inference_mode()
def extract_features(
    embed: Callable[[Tensor, Tensor], Tensor],
    reader: ClipReader,
    *,
    batch_size: int = 64,
    num_frames: int | None = None,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> Tensor:
    """Features of all tracks of a reader, from evenly spaced frames without augmentation.

    Args:
        embed: normalised clips [B, T, 3, H, W] float32 and modalities [B] int64, both on
            ``device``, to features [B, D]; for instance ``model.embed`` of a network in evaluation
            mode.
        reader: the N tracks, and the size of their frames.
        batch_size: tracks of a batch.
        num_frames: frames T of a clip; None takes the reader's.
        device: where ``embed`` computes.
        workers: processes that read; 0 reads in this one.

    Returns:
        [N, D] float32 on ``device``, in the order of ``reader.tracks``.

    Raises:
        FeaturesNotFinite: a feature is infinite or NaN; a ``ValueError``.
        CorruptFrames: a frame is unreadable and the reader does not skip it.
    """
    modalities = torch.tensor([int(track.modality) for track in reader.tracks])
    batches = [batch.tolist() for batch in torch.arange(len(reader)).split(batch_size)]
    pin = torch.device(device).type == "cuda"
    with ClipWorkers([reader], workers, pin=pin) as pool:
        loader = ClipLoader(reader, batches, mode="test", workers=pool, num_frames=num_frames)
        return collect_features(
            lambda clips, index: embed(
                normalise(clips.to(device, non_blocking=True)),
                modalities[index].to(device, non_blocking=True),
            ),
            loader,
            len(reader),
        )


def collect_features(
    encode: Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    count: int,
    home: Callable[[Tensor], torch.device] | None = None,
) -> Tensor:
    """Runs ``encode`` over clips and puts the rows into the order of the tracks.

    Args:
        encode: uint8 clips [B, T, 3, H, W] and their track numbers [B] to features [B, D].
        batches: pairs of clips and their track numbers [B], every track once.
        count: number of tracks, N.
        home: chooses by the features of the first batch [B, D] where all are kept; None keeps
            them where ``encode`` computes them.

    Returns:
        [N, D] float32.

    Raises:
        ValueError: a track got no feature.
        FeaturesNotFinite: a feature is infinite or NaN.
    """
    features: Tensor | None = None
    seen = np.zeros(count, bool)
    for clips, index in batches:
        rows = encode(clips, index).float()
        if features is None:
            device = rows.device if home is None else home(rows)
            features = rows.new_zeros(count, rows.shape[1], device=device)
        places = transfers.host_array(index)
        features[transfers.to_device(places, features.device)] = rows.to(features.device)
        seen[places] = True
    if features is None or not seen.all():
        raise ValueError(f"{int((~seen).sum())} of {count} tracks got no feature")
    broken = np.flatnonzero(transfers.to_host(~torch.isfinite(features).all(dim=1)))
    if len(broken):
        raise FeaturesNotFinite(
            f"the network's features of {len(broken)} of {count} tracks are not finite (first: "
            f"track {int(broken[0])}): its training has diverged. Train with a lower --lr, or take "
            "an earlier network."
        )
    return features
