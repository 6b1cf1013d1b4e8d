"""Decoding and augmenting clips, beside a Pillow pipeline that works frame by frame."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from vireid.datasets import ClipReader
from vireid.datasets.frames import decode_bytes, read_frame
from vireid.datasets.resize import resize_frame
from vireid.datasets.track import Modality, Track
from vireid.datasets.transforms import VideoAugmentation
from vireid.datasets.transforms.channels import random_grey_weights, style_factors
from vireid.datasets.transforms.draw import uniform
from vireid.datasets.transforms.erasing import draw_rectangles
from vireid.datasets.transforms.geometry import draw_placement

from . import plain_decode
from .measure import Measured, measure
from .plain_decode import ClipDraw
from .table import Table, parser

FRAMES = 6
SOURCE = (256, 128)
TARGET = (288, 144)
QUALITY = 90
BATCH = 8
CPU = torch.device("cpu")
AUGMENTATION = VideoAugmentation()

Call = Callable[[], object]


def write_pictures(folder: Path, clips: int) -> list[Track]:
    """Tracks of pictures with the spectrum of photographs (amplitude falls with frequency).

    Args:
        folder: where to write.
        clips: number of tracks, of six frames each.
    """
    generator = np.random.default_rng(0)
    rows = np.fft.fftfreq(SOURCE[0])[:, None]
    columns = np.fft.rfftfreq(SOURCE[1])[None]
    amplitude = np.maximum(np.hypot(rows, columns), 1 / SOURCE[0]) ** -1.4

    def field() -> np.ndarray:
        phases = np.exp(2j * np.pi * generator.random(amplitude.shape))
        values = np.fft.irfft2(amplitude * phases, s=SOURCE)
        return values / values.std()

    tracks = []
    for number in range(clips):
        paths = []
        for frame in range(FRAMES):
            shared = field()
            colours = np.stack([shared + 0.4 * field() for _ in range(3)], axis=2)
            noise = generator.normal(0, 1.5, colours.shape)
            pixels = np.clip(128 + 45 * colours + noise, 0, 255).astype(np.uint8)
            paths.append(folder / f"{number}-{frame}.jpg")
            Image.fromarray(pixels).save(paths[-1], quality=QUALITY)
        tracks.append(Track(tuple(paths), Modality(number % 2), 1, None, str(number)))
    return tracks


def draws(modalities: Tensor, generator: torch.Generator) -> tuple[list[ClipDraw], Tensor]:
    """What the augmentation draws for a batch, as parameters of the plain version.

    Args:
        modalities: of each clip, [B].
        generator: in the state in which the augmentation gets it.

    Returns:
        One set a clip; the style factors [B, 3], which the plain version leaves out.
    """
    batch, recipe = len(modalities), AUGMENTATION
    weights = random_grey_weights(batch, generator)
    grey = (uniform(generator, (batch,)) < recipe.grey) & (modalities == Modality.VISIBLE)
    padding = (recipe.padding, recipe.padding)
    placed = draw_placement(batch, padding, generator, flip=recipe.flip)
    gone = draw_rectangles(batch, TARGET, generator, probability=recipe.erasing)
    factors = style_factors(modalities == Modality.INFRARED, generator)
    boxes = torch.stack([gone.top, gone.left, gone.height, gone.width], dim=1).tolist()
    return [
        ClipDraw(
            tuple(weights[i].tolist()) if grey[i] else None,
            recipe.padding,
            (int(placed.top[i]), int(placed.left[i])),
            bool(placed.mirrored[i]),
            tuple(boxes[i]) if gone.erased[i] else None,
        )
        for i in range(batch)
    ], factors


class Pipelines:
    """The same clips through the plain pipeline and through ours.

    Args:
        tracks: of six frames, so that a clip is a whole track.
        folder: where the cache on disk may lie.
    """

    def __init__(self, tracks: list[Track], folder: Path) -> None:
        self.tracks = tracks
        self.modalities = torch.tensor([int(track.modality) for track in tracks])
        starts = range(0, len(tracks), BATCH)
        self.batches = [list(range(s, min(s + BATCH, len(tracks)))) for s in starts]
        self.draws = [draws(self.modalities[rows], _seeded(rows)) for rows in self.batches]
        make = partial(
            ClipReader, tracks, height=TARGET[0], width=TARGET[1], num_frames=FRAMES, workers=1
        )
        self.readers = {
            "no cache": make(cache="none"),
            "disk cache, warm": make(cache="disk", cache_dir=folder),
            "memory cache, warm": make(cache="memory"),
        }

    def plain(self) -> None:
        """Every clip, frame by frame."""
        for rows, (parameters, _) in zip(self.batches, self.draws):
            self.plain_batch(rows, parameters)

    def plain_batch(self, rows: list[int], parameters: list[ClipDraw]) -> Tensor:
        """[B, T, 3, H, W] float32, without style variation."""
        clips = [
            plain_decode.clip(self.tracks[row].frames, *TARGET, drawn)
            for row, drawn in zip(rows, parameters)
        ]
        return torch.stack(clips)

    def read(self, cache: str) -> list[Tensor]:
        """Every clip as pixels: all that the CPU does where a GPU augments."""
        return [self.readers[cache].train_clips(rows, (0,)) for rows in self.batches]

    def ours(self, cache: str) -> None:
        """Every clip, read and augmented."""
        for rows in self.batches:
            self.our_batch(cache, rows)

    def our_batch(self, cache: str, rows: list[int]) -> Tensor:
        """[B, T, 3, H, W] float32, with style variation."""
        clips = self.readers[cache].train_clips(rows, (0,))
        return AUGMENTATION(clips, self.modalities[rows], _seeded(rows))

    def furthest_apart(self) -> float:
        """Largest difference between the two pipelines over all clips and caches."""
        apart = 0.0
        for rows, (parameters, factors) in zip(self.batches, self.draws):
            expected = self.plain_batch(rows, parameters) * factors[:, None, :, None, None]
            for cache in self.readers:
                found = self.our_batch(cache, rows)
                apart = max(apart, float((found - expected).abs().max()))
        return apart


def _seeded(rows: list[int]) -> torch.Generator:
    return torch.Generator().manual_seed(rows[0])


def in_turns(calls: Mapping[str, Call], rounds: int) -> dict[str, Measured[object]]:
    """Measures each call once a round, so that other work on the machine disturbs all alike.

    Args:
        calls: what to measure.
        rounds: the shortest time and the largest peak of so many count.
    """
    best: dict[str, Measured[object]] = {}
    for _ in range(rounds):
        for name, call in calls.items():
            found, old = measure(call, CPU), best.get(name)
            if old is not None:
                found = replace(
                    found,
                    seconds=min(found.seconds, old.seconds),
                    cpu_seconds=min(found.cpu_seconds, old.cpu_seconds),
                    mebibytes=max(found.mebibytes or 0, old.mebibytes or 0),
                )
            best[name] = replace(found, result=None)
    return best


def whole(table: Table, pipelines: Pipelines, rounds: int) -> None:
    """From files to the network's input."""
    clips = len(pipelines.tracks)
    apart = pipelines.furthest_apart()  # compiles, too
    table.section(f"{clips} clips of {FRAMES} frames, decoded and augmented")
    calls: dict[str, Call] = {"plain": pipelines.plain}
    calls |= {cache: partial(pipelines.ours, cache) for cache in pipelines.readers}
    calls["pixels only"] = partial(pipelines.read, "no cache")
    found = in_turns(calls, rounds)

    def rate(name: str) -> str:
        return f"{clips / found[name].cpu_seconds:,.0f} clips/s and core"

    plain = found["plain"]
    table.row(f"frame by frame, Pillow: {rate('plain')}", plain)
    for cache in pipelines.readers:
        table.row(f"ours, {cache}: {rate(cache)}", found[cache], plain)
    table.row(
        f"ours, no cache, pixels only (a GPU augments): {rate('pixels only')}",
        found["pixels only"],
        plain,
    )
    table.remark(
        f"The largest difference of a value between the pipelines is {apart:.1e}. Ours varies the "
        "style in addition; the plain pipeline does not in the timed runs."
    )


def shares(table: Table, pipelines: Pipelines, rounds: int) -> None:
    """Where the time goes, step by step over all frames."""
    paths = [path for track in pipelines.tracks for path in track.frames]
    drawn = [draw for parameters, _ in pipelines.draws for draw in parameters]
    drawn = [draw for draw in drawn for _ in range(FRAMES)]
    images = [plain_decode.decode(path) for path in paths]
    resized = [plain_decode.resize(image, *TARGET) for image in images]
    tensors = [plain_decode.normalise(image) for image in resized]
    data = [read_frame(path) for path in paths]
    pixels = [decode_bytes(content, *SOURCE) for content in data]
    clips = pipelines.read("memory cache, warm")
    pairs = list(zip(resized, drawn))

    def augment() -> None:
        for rows, batch in zip(pipelines.batches, clips):
            AUGMENTATION(batch, pipelines.modalities[rows], _seeded(rows))

    plain: dict[str, Call] = {
        "open and decode": lambda: [plain_decode.decode(path) for path in paths],
        "resize": lambda: [plain_decode.resize(image, *TARGET) for image in images],
        "greyscale": lambda: [plain_decode.grey(image, draw) for image, draw in pairs],
        "pad, crop, flip": lambda: [plain_decode.crop(image, draw) for image, draw in pairs],
        "to a tensor, normalise": lambda: [plain_decode.normalise(image) for image in resized],
        "erase": lambda: [plain_decode.erase(x, draw) for x, draw in zip(tensors, drawn)],
    }
    ours: dict[str, Call] = {
        "open and read": lambda: [read_frame(path) for path in paths],
        "decode": lambda: [decode_bytes(content, *SOURCE) for content in data],
        "resize": lambda: [resize_frame(frame, *TARGET) for frame in pixels],
        "augment in one pass": augment,
    }
    steps = {("plain", name): call for name, call in plain.items()}
    steps |= {("ours", name): call for name, call in ours.items()}
    found = in_turns({f"{who}: {name}": call for (who, name), call in steps.items()}, rounds)
    table.section("share of each step (each by itself, over all frames)")
    for who in ("plain", "ours"):
        rows = {name: row for name, row in found.items() if name.startswith(who)}
        total = sum(row.cpu_seconds for row in rows.values())
        for name, row in rows.items():
            each = 1e6 * row.cpu_seconds / len(paths)
            share = f"{100 * row.cpu_seconds / total:.0f} %"
            table.row(f"{name}: {share}, {each:.0f} µs a frame", row)


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--clips", type=int, default=32)
    flags.add_argument("--rounds", type=int, default=12, help="how often each is measured")
    given = flags.parse_args()
    if given.quick:
        given.clips, given.rounds = 8, 3
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        tracks = write_pictures(Path(folder), given.clips)
        paths = [path for track in tracks for path in track.frames]
        size = sum(path.stat().st_size for path in paths) / len(paths) / 1024
        table = Table("decode", CPU)
        table.remark(
            f"{len(paths)} JPEGs of {SOURCE[0]}x{SOURCE[1]}, quality {QUALITY}, {size:.1f} KiB on "
            f"average, to {TARGET[0]}x{TARGET[1]}; batches of {BATCH} clips, one thread. Measured "
            f"in turns, {given.rounds} rounds, shortest time of each."
        )
        pipelines = Pipelines(tracks, Path(folder) / "cache")
        whole(table, pipelines, given.rounds)
        shares(table, pipelines, given.rounds)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
