"""The network of a run, as an index uses it: tracklets in, features out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from tqdm import tqdm

from ..datasets.clip_loader import ClipLoader
from ..datasets.clip_reader import ClipReader
from ..datasets.clip_workers import ClipWorkers
from ..datasets.resize import Filter
from ..datasets.track import Track
from ..engine.checkpoint import find_model, load_model
from ..engine.encoder import Encoder
from ..engine.fingerprint import model_fingerprint
from ..engine.network import place
from ..engine.onnx_file import OnnxNetwork
from ..engine.runtime import Runtime
from ..errors import UserError
from ..evaluation.features import FeaturesNotFinite
from .options import EmbedderOptions

ONNX = ".onnx"
# uint8 clips [B, T, 3, H, W] and their modalities [B] to unit features [B, W].
Embed = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Embedder:
    """What turns tracklets into features.

    Attributes:
        embed: the network, by whichever engine runs it.
        meta: what the network's file says: size and number of frames, filter.
        fingerprint: names all that decides the features.
        batch_size: clips of a batch.
        workers: processes that decode; 0 decodes in this one.
    """

    embed: Embed
    meta: dict[str, Any]
    fingerprint: str
    batch_size: int = 32
    workers: int = 0

    def width(self) -> int:
        """Numbers W of a feature, by a black clip."""
        height, width, frames = (self.meta[name] for name in ("img_h", "img_w", "test_frames"))
        clip = torch.zeros(1, frames, height, width, 3, dtype=torch.uint8).permute(0, 1, 4, 2, 3)
        return self.embed(clip, torch.zeros(1, dtype=torch.int64)).shape[1]

    def features(
        self, tracks: Sequence[Track], *, skip_corrupt: bool = False, show: str = ""
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Features, batch by batch, so that they can be kept before all are there.

        A session's extraction gives all at once, and only PyTorch's; its readers are forked.

        Args:
            tracks: whose frames are read.
            skip_corrupt: leave unreadable frames out instead of stopping, and tracks without any.
            show: what the progress bar calls it.

        Yields:
            Positions in ``tracks`` and features [B, W] float32 on the CPU.

        Raises:
            CorruptFrames: a frame cannot be read.
            FeaturesNotFinite: the network gave none.
        """
        reader = ClipReader(
            tracks,
            height=self.meta["img_h"],
            width=self.meta["img_w"],
            num_frames=self.meta["test_frames"],
            cache="none",
            skip_corrupt=skip_corrupt,
            resize=cast(Filter, self.meta.get("test_resize", "bilinear")),
        )
        lost = set(reader.leave_out_lost()) if skip_corrupt else set()
        kept = [number for number in range(len(tracks)) if number not in lost]
        batches = [b.tolist() for b in torch.arange(len(kept)).split(self.batch_size)]
        modalities = torch.tensor([int(tracks[number].modality) for number in kept])
        # Processes that were forked would inherit the threads of LanceDB, and wait for them.
        method = "spawn" if self.workers else None
        with (
            ClipWorkers([reader], self.workers, start_method=method) as pool,
            tqdm(total=len(kept), desc=show, disable=None, leave=False, unit="tracklet") as bar,
        ):
            frames = self.meta["test_frames"]
            for clips, index in ClipLoader(
                reader, batches, mode="test", workers=pool, num_frames=frames
            ):
                rows = self.embed(clips, modalities[index]).float().cpu()
                if not bool(torch.isfinite(rows).all()):
                    raise FeaturesNotFinite(
                        "the network's features are not finite: its training has diverged. Take "
                        "an earlier network."
                    )
                yield [kept[row] for row in index.tolist()], rows
                bar.update(len(index))


def open_embedder(run: Path, options: EmbedderOptions) -> Embedder:
    """The network of a run folder, run by the engine that is asked for.

    Args:
        run: a finished run folder, or a network's file, ``.safetensors`` or ``.onnx``.
        options: engine, device, precision, batches, readers.

    Raises:
        UserError: there is no network, it is damaged, or the engine does not take it.
    """
    exported = run.suffix == ONNX
    if options.engine == "torch" and exported:
        raise UserError(
            f"--engine torch computes with a run, and {run} is an ONNX file; give the run that it "
            "was exported from, or --engine onnx"
        )
    if exported or options.engine == "onnx":
        return _by_onnx(run, options)
    file = find_model(run)
    model, meta = load_model(file)
    runtime = Runtime(options.device, "fp32", 0, options.precision)
    fingerprint = model_fingerprint(model, meta)
    network = place(model, runtime)
    network.eval()
    encoder = Encoder(network, runtime, flip=bool(meta["flip"]))
    return Embedder(encoder, meta, fingerprint, options.batch_size, options.workers)


def _by_onnx(run: Path, options: EmbedderOptions) -> Embedder:
    """The ONNX file itself, or the one beside a run's network, of which it has to be."""
    if options.device == "cuda" or options.precision not in ("auto", "fp32"):
        raise UserError(
            "--engine onnx computes on the CPU in fp32: leave out --device and --precision, or "
            "take --engine torch"
        )
    if run.suffix == ONNX:
        written = OnnxNetwork(run)
    else:
        network = find_model(run)
        file = network.with_suffix(ONNX)
        if not file.is_file():
            raise UserError(
                f"no ONNX file at {file}: write it with `vireid export {network} --format onnx "
                f"--output {file}`, or give another in place of the run"
            )
        written = OnnxNetwork(file)
        if written.facts["fingerprint"] != model_fingerprint(*load_model(network)):
            raise UserError(
                f"{file} was exported from another network than {network}; write it anew: `vireid "
                f"export {network} --format onnx --output {file} --overwrite`"
            )
    facts = written.facts
    return Embedder(written.embed, facts, facts["fingerprint"], options.batch_size, options.workers)


def require_same_model(found: str, wanted: str, run: Path, index: Path) -> None:
    """Refuses a network other than the one whose vectors an index holds.

    Args:
        found, wanted: fingerprints of the network at hand and of the index.
        run: where the network is from.
        index: the index.

    Raises:
        UserError: they differ.
    """
    if found != wanted:
        raise UserError(
            f"{index} holds vectors of another network ({wanted[:12]}…) than that of {run} "
            f"({found[:12]}…), and the two do not compare. Use the run that the index was made "
            "with, or make a new index with this one."
        )
