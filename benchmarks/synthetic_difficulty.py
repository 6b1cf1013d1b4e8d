"""How hard a synthetic set is for features that learn nothing.

``python -m benchmarks.synthetic_difficulty DATA_DIR [DATA_DIR ...]`` prints, for each set and
direction, Rank-1 and mAP in per cent of random vectors, histograms of colour and of grey, edges
(what the clothes' patterns look like, the outline, how the limbs move) and the demo's network with
random weights. What training reaches is in the demo's table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from vireid.datasets import ClipReader, load_dataset
from vireid.datasets.track import Track
from vireid.engine.encoder import Encoder
from vireid.engine.runtime import Runtime
from vireid.evaluation import evaluate, protocols_of, tracks_of
from vireid.models import M3ReID

FRAMES = 6
TURNS = 8  # directions of edges
CELLS = 4
REPEATS = 5


def histogram(clips: Tensor, *, colour: bool) -> Tensor:
    """Histogram of the pixels of the person's part of the box, for three horizontal thirds.

    Args:
        clips: [B, T, 3, H, W] uint8.
        colour: joint RGB histogram of CELLS³ cells, or a grey one of 16.

    Returns:
        [B, D] unit rows, square roots of shares (so that a cosine is the Hellinger affinity).
    """
    width = clips.shape[-1]
    middle = clips[..., width // 4 : -(width // 4)].int()
    if colour:
        cell = middle * CELLS // 256
        codes, size = (cell[:, :, 0] * CELLS + cell[:, :, 1]) * CELLS + cell[:, :, 2], CELLS**3
    else:
        codes, size = middle.sum(2) // 3 // 16, 16
    parts = [F.one_hot(part.flatten(1).long(), size).sum(1) for part in codes.chunk(3, dim=2)]
    return F.normalize(torch.cat(parts, 1).float().sqrt(), dim=1)


def edges(grey: Tensor, cells: tuple[int, int]) -> Tensor:
    """How much of the edges in each cell runs in each direction, dark to light or light to dark.

    Args:
        grey: [B, T, H, W] float32.
        cells: rows and columns of cells R, C.

    Returns:
        [B, TURNS, R, C] float32, mean over the frames.
    """
    across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    strength = torch.hypot(across, down).unsqueeze(2)
    turn = torch.atan2(down, across).remainder(torch.pi).unsqueeze(2) * (TURNS / torch.pi)
    away = (turn - torch.arange(TURNS).view(TURNS, 1, 1)).abs()
    share = (1 - torch.minimum(away, TURNS - away)).clamp_min(0)
    pooled = F.adaptive_avg_pool2d((share * strength).flatten(0, 1), cells)
    return pooled.unflatten(0, grey.shape[:2]).mean(1)


def pattern(clips: Tensor) -> Tensor:
    """Directions of fine edges on trunk and legs, from top to bottom; [B, D] unit rows."""
    height, width = clips.shape[-2:]
    middle = clips.float().mean(2)[
        ..., height * 3 // 16 : height * 13 // 16, width // 4 : -width // 4
    ]
    return F.normalize(F.normalize(edges(middle, (8, 1)), dim=1).flatten(1), dim=1)


def outline(clips: Tensor) -> Tensor:
    """Edges left where four pixels are one: the ends of body and luggage; [B, D] unit rows."""
    coarse = F.avg_pool2d(clips.float().mean(2), 4)
    return F.normalize(edges(coarse, (14, 7)).flatten(1).sqrt(), dim=1)


def movement(clips: Tensor) -> Tensor:
    """What changes from frame to frame, where four pixels are one; [B, D] unit rows."""
    coarse = F.avg_pool2d(clips.float().mean(2), 4)
    spread, mean = torch.std_mean(coarse, dim=(-1, -2), keepdim=True)
    steps = ((coarse - mean) / (spread + 1e-3)).diff(dim=1).abs().mean(1)
    return F.normalize(steps.flatten(1), dim=1)


def features(tracks: list[Track], describe: Callable[[Tensor], Tensor], rows: int = 64) -> Tensor:
    """Features of all tracks, [N, D], from clips of this height."""
    reader = ClipReader(tracks, height=rows, width=rows // 2, num_frames=FRAMES, cache="none")
    blocks = np.array_split(np.arange(len(tracks)), max(1, len(tracks) // 64))
    return torch.cat([describe(reader.test_clips(block.tolist())) for block in blocks])


def without_modality(rows: Tensor, tracks: list[Track]) -> Tensor:
    """Unit rows without the mean of their modality: edges are weaker in one than in the other."""
    infrared = torch.tensor([bool(track.modality) for track in tracks])
    centred = rows.clone()
    for these in (infrared, ~infrared):
        centred[these] -= rows[these].mean(0)
    return F.normalize(centred, dim=1)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data_dir", type=Path, nargs="+")
    for root in parser.parse_args().data_dir:
        dataset = load_dataset("hitsz-vcm", root)
        found = protocols_of(dataset)
        tracks = tracks_of(found)
        runtime = Runtime("cpu", "fp32")
        candidates = {
            "random vectors": [
                F.normalize(torch.randn(len(tracks), 128), dim=1) for _ in range(REPEATS)
            ],
            "colour histogram": [features(tracks, lambda c: histogram(c, colour=True))],
            "grey histogram": [features(tracks, lambda c: histogram(c, colour=False))],
            **{
                describe.__name__: [without_modality(features(tracks, describe, 128), tracks)]
                for describe in (pattern, outline, movement)
            },
            "random weights": [
                features(tracks, Encoder(M3ReID(0, backbone="thin-16"), runtime))
                for _ in range(REPEATS)
            ],
        }
        for name, repeats in candidates.items():
            for protocol in found:
                scores = [evaluate(rows, tracks, [protocol])[0].mean for rows in repeats]
                rank1 = np.mean([float(s.cmc[0]) for s in scores])
                mean_ap = np.mean([s.mAP for s in scores])
                print(
                    f"{root.name:10} {name:18} {protocol.direction}  "
                    f"R1 {rank1:6.2%}  mAP {mean_ap:6.2%}"
                )


if __name__ == "__main__":
    main()
