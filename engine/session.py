"""What every training and evaluation command starts with: data, device, run folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import platform
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..datasets import load_dataset
from ..datasets.clips import ClipLoader, ClipReader
from ..datasets.track import Track
from ..datasets.verify import require_complete, verify_dataset
from ..evaluation.features import extract_features
from ..evaluation.protocols import check_protocol, evaluate_protocol, protocols
from ..evaluation.results import evaluation_record, result_line
from .config import DataConfig
from .encoder import Encoder
from .errors import UserError
from .run_folder import RunFolder, write_text
from .runtime import Runtime


def versions() -> dict[str, str]:
    """Versions of the libraries that decide a number."""
    import faiss
    import scipy
    import sklearn
    import torchvision

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "faiss": faiss.__version__,
        "scikit-learn": sklearn.__version__,
        "scipy": scipy.__version__,
        "numpy": np.__version__,
    }


class Session:
    """Data, device and run folder of one command.

    Args:
        config: the command's settings.
        command: its name, for the record.
        run: the run folder, or None for a command that writes none.
        labelled: whether the tracks keep their identities; without, nobody downstream can see them.

    Raises:
        DatasetError: the data set fails its verification.
        UserError: see :class:`Runtime` and :class:`RunFolder`.
    """

    def __init__(
        self, config: DataConfig, command: str, run: RunFolder | None, *, labelled: bool
    ) -> None:
        self.config = config
        self.run = run
        self.runtime = Runtime(config.device, config.precision, config.seed)
        verification = verify_dataset(config.dataset, config.data_dir)
        require_complete(verification, config.allow_incomplete)
        dataset = load_dataset(config.dataset, config.data_dir)
        self.protocols = protocols(dataset)
        try:
            remarks = [note for protocol in self.protocols for note in check_protocol(protocol)]
        except ValueError as error:
            raise UserError(str(error)) from error
        # Lists on disk are sorted by identity; that order must not reach clustering or sampling.
        order = np.random.default_rng((config.seed, 1)).permutation(len(dataset.train))
        self.full_tracks: list[Track] = [dataset.train[i] for i in order]
        self.tracks = (
            self.full_tracks
            if labelled
            else [dataclasses.replace(track, identity=None) for track in self.full_tracks]
        )
        self.modalities = np.array([int(track.modality) for track in self.tracks])
        self.cameras = np.array([track.camera for track in self.tracks])
        self.test_tracks = list(
            {t.key: t for p in self.protocols for t in (*p.query, *p.gallery)}.values()
        )
        self._query_keys = {track.key for track in dataset.query}
        self._readers: dict[str, ClipReader] = {}
        if run is not None and not run.resumed:
            run.record(
                "run",
                command=command,
                dataset=dataset.name,
                data_dir=str(config.data_dir),
                seed=config.seed,
                versions=versions(),
                device=self.runtime.describe(),
                verification=verification.text(),
            )
            run.log(verification.text())
            run.log(f"device: {self.runtime.describe()}")
        for note in (*remarks, *self.runtime.notes):
            self.say(note)

    def say(self, message: str) -> None:
        """To the run's log, or to the terminal where there is no run."""
        if self.run is not None:
            self.run.log(message)
        else:
            print(message)

    def _reader(self, name: str, tracks: Sequence[Track], frames: int) -> ClipReader:
        if name not in self._readers:
            config = self.config
            self._readers[name] = ClipReader(
                tracks,
                height=config.img_h,
                width=config.img_w,
                num_frames=frames,
                cache=config.cache,
                skip_corrupt=config.skip_corrupt,
            )
        return self._readers[name]

    def training_clips(
        self, batches: Iterable[list[int]], seed: tuple[int, ...]
    ) -> Iterable[tuple[Tensor, Tensor]]:
        """Random training clips of the given track numbers: uint8 [B, T, 3, H, W] and [B]."""
        reader = self._reader("train", self.tracks, self.config.num_frames)
        return ClipLoader(reader, batches, seed=seed, mode="train", workers=self.config.workers)

    def _features(
        self, model: nn.Module, name: str, tracks: Sequence[Track], frames: int
    ) -> Tensor:
        reader = self._reader(name, tracks, frames)
        size = self.config.batch_size
        batches = [
            list(range(start, min(start + size, len(tracks))))
            for start in range(0, len(tracks), size)
        ]
        loader = ClipLoader(reader, batches, seed=(0,), mode="test", workers=self.config.workers)
        encoder = Encoder(model, self.runtime, flip=self.config.flip)
        return extract_features(encoder, loader, len(tracks))

    def training_features(self, model: nn.Module) -> Tensor:
        """Unit features [N, D] of all training tracks, in evaluation mode."""
        return self._features(model, "train", self.tracks, self.config.num_frames)

    def evaluate(
        self, model: nn.Module, stage: str, epoch: int, step: int, *, keep: bool = False
    ) -> list[dict[str, Any]]:
        """Ranks the test split in both directions.

        Args:
            model: the network.
            stage: name of the stage, for the record.
            epoch: epoch within the stage.
            step: steps of the run so far.
            keep: write the test features into the run folder for the report.

        Returns:
            One record for each protocol; fractions of 1.
        """
        features = self._features(model, "test", self.test_tracks, self.config.test_frames)
        keys = [track.key for track in self.test_tracks]
        records = []
        for protocol in self.protocols:
            metrics = evaluate_protocol(protocol, features, keys)
            record = evaluation_record(protocol, metrics, stage=stage, epoch=epoch, step=step)
            record["flip"] = self.config.flip
            records.append(record)
            if self.run is not None:
                self.run.record("evaluation", **record)
            self.say(f"{stage} {epoch} | {result_line(record)}")
        if keep and self.run is not None:
            self._keep_test_features(self.run, features)
        return records

    def _keep_test_features(self, run: RunFolder, features: Tensor) -> None:
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("index", "key", "split", "modality", "camera", "identity", "frames"))
        for index, track in enumerate(self.test_tracks):
            picked = np.linspace(0, len(track.frames) - 1, min(6, len(track.frames))).round()
            frames = [track.frames[int(i)] for i in picked]
            rows.writerow(
                (
                    index,
                    track.key,
                    "query" if track.key in self._query_keys else "gallery",
                    track.modality.name.lower(),
                    track.camera,
                    track.identity,
                    "|".join(f.relative_to(self.config.data_dir).as_posix() for f in frames),
                )
            )
        beside = run.path / "test_features.safetensors.part"
        save_file({"features": features}, beside)
        beside.replace(run.path / "test_features.safetensors")
        write_text(run.path / "test_tracks.csv", table.getvalue())
