"""How hard a synthetic set is for features that learn nothing.

``python -m benchmarks.synthetic_difficulty DATA_DIR [DATA_DIR ...]`` prints, for each set and
direction, Rank-1 and mAP in per cent of random vectors, a colour histogram, a grey histogram and
the demo's network with random weights. What training reaches is in the demo's table.
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


def features(tracks: list[Track], describe: Callable[[Tensor], Tensor]) -> Tensor:
    """Features of all tracks, [N, D]."""
    reader = ClipReader(tracks, height=64, width=32, num_frames=FRAMES, cache="none")
    blocks = np.array_split(np.arange(len(tracks)), max(1, len(tracks) // 64))
    return torch.cat([describe(reader.test_clips(block.tolist())) for block in blocks])


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
