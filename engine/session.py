"""What every training and evaluation command starts with: data, device, run folder."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from ..datasets import load_dataset
from ..datasets.clips import ClipLoader
from ..datasets.track import Dataset, Modality, Track
from ..datasets.verify import require_complete, verify_dataset
from ..evaluation.features import extract_features
from ..evaluation.protocols import check_protocol, evaluate_protocol, protocols
from ..evaluation.results import evaluation_record, result_line
from .config import DataConfig
from .encoder import Encoder
from .errors import UserError
from .frame_source import FrameSource
from .run_folder import RunFolder, write_text
from .runtime import Runtime, versions


class Session:
    """Data, device and run folder of one command.

    Args:
        config: the command's settings.
        command: its name, for the record.
        run: the run folder, or None for a command that writes none.
        labelled: whether the tracks keep their identities; without, nobody downstream can see them.

    Raises:
        DatasetError: the data set fails its verification, or its frames cannot be read.
        UserError: a modality has no training track, the test split cannot be ranked, or see
            :class:`Runtime`.
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
        # Lists on disk are sorted by identity; that order must not reach clustering or sampling.
        order = np.random.default_rng((config.seed, 1)).permutation(len(dataset.train))
        self.full_tracks: list[Track] = [dataset.train[i] for i in order]
        self.tracks = (
            self.full_tracks
            if labelled
            else [dataclasses.replace(track, identity=None) for track in self.full_tracks]
        )
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
            if not verification.ok:
                run.log("going on all the same: --allow-incomplete")
            run.log(f"device: {self.runtime.describe()}")
        self._frames = FrameSource(config, self.say)
        self.protocols = protocols(dataset)
        self.test_tracks = self._test_tracks()
        trains = command != "evaluate"
        if config.cache == "memory" and trains:
            # At once, so that damage stops the run before it has cost anything.
            self._frames.reader("train", self.tracks)
            self._frames.reader("test", self.test_tracks)
        if config.skip_corrupt:
            dataset = self._leave_out_lost(dataset, training=trains)
        try:
            remarks = [note for protocol in self.protocols for note in check_protocol(protocol)]
        except ValueError as error:
            raise UserError(str(error)) from error
        for note in (*remarks, *self.runtime.notes):
            self.say(note)
        self._query_keys = {track.key for track in dataset.query}
        self.modalities = np.array([int(track.modality) for track in self.tracks])
        self.cameras = np.array([track.camera for track in self.tracks])
        if trains:
            self._need_both_modalities()
        keys = "\n".join(track.key for track in self.tracks)
        self.fingerprint = hashlib.blake2b(keys.encode(), digest_size=8).hexdigest()

    def _test_tracks(self) -> list[Track]:
        return list({t.key: t for p in self.protocols for t in (*p.query, *p.gallery)}.values())

    def _leave_out_lost(self, dataset: Dataset, *, training: bool) -> Dataset:
        """Drops the tracks without a readable frame before anything counts tracks."""
        if training:
            kept = self._frames.readable("train", self.tracks)
            self.full_tracks = [self.full_tracks[i] for i in kept]
            self.tracks = [self.tracks[i] for i in kept]
        kept = self._frames.readable("test", self.test_tracks)
        keys = {self.test_tracks[i].key for i in kept}
        dataset = dataclasses.replace(
            dataset,
            query=[track for track in dataset.query if track.key in keys],
            gallery=[track for track in dataset.gallery if track.key in keys],
        )
        self.test_tracks = [self.test_tracks[i] for i in kept]
        self.protocols = protocols(dataset)
        self._record_unreadable()
        return dataset

    def _record_unreadable(self) -> None:
        if self.run is not None:
            for name, files in self._frames.unreadable().items():
                self.run.record("unreadable", split=name, count=len(files), files=files)

    def _need_both_modalities(self) -> None:
        for modality in Modality:
            if not (self.modalities == modality).any():
                raise UserError(
                    f"training needs tracks of both modalities; the {len(self.tracks)} training "
                    f"tracks of {self.config.data_dir} hold no {modality.name.lower()} one. "
                    "Look at the counts of `vireid verify`."
                )

    def say(self, message: str) -> None:
        """To the run's log, or to the terminal where there is no run."""
        if self.run is not None:
            self.run.log(message)
        else:
            print(message)

    def training_clips(
        self, batches: Iterable[list[int]], seed: tuple[int, ...], num_frames: int | None = None
    ) -> Iterable[tuple[Tensor, Tensor]]:
        """Random training clips of the given track numbers.

        Args:
            batches: track numbers of each batch.
            seed: what the draws depend on, beside the batch's number.
            num_frames: frames T of a clip; None takes ``--num-frames``.

        Returns:
            uint8 clips [B, T, 3, H, W] and track numbers [B], batch by batch.
        """
        return ClipLoader(
            self._frames.reader("train", self.tracks),
            batches,
            seed=seed,
            mode="train",
            workers=self.config.workers,
            num_frames=num_frames,
        )

    def _features(self, model: nn.Module, name: str, tracks: Sequence[Track]) -> Tensor:
        reader = self._frames.reader(name, tracks)
        size = self.config.batch_size
        batches = [
            list(range(start, min(start + size, len(tracks))))
            for start in range(0, len(tracks), size)
        ]
        loader = ClipLoader(
            reader,
            batches,
            mode="test",
            workers=self.config.workers,
            num_frames=self.config.test_frames,
        )
        encoder = Encoder(model, self.runtime, flip=self.config.flip)
        bar = tqdm(
            loader,
            desc=f"features of the {name} tracks",
            disable=None,
            dynamic_ncols=True,
            leave=False,
            unit="batch",
        )
        features = extract_features(encoder, bar, len(tracks))
        if self._frames.report():
            self._record_unreadable()
        return features

    def training_features(self, model: nn.Module) -> Tensor:
        """Unit features [N, D] of all training tracks, in evaluation mode."""
        return self._features(model, "train", self.tracks)

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
        features = self._features(model, "test", self.test_tracks)
        keys = [track.key for track in self.test_tracks]
        records = []
        for protocol in self.protocols:
            metrics = evaluate_protocol(protocol, features, keys, rerank=self.config.rerank)
            record = evaluation_record(protocol, metrics, stage=stage, epoch=epoch, step=step)
            record["flip"] = self.config.flip
            record["rerank"] = self.config.rerank
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
