"""What every training and evaluation command starts with: data, device, run folder."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from ..datasets import load_dataset
from ..datasets.clip_loader import ClipLoader, shares
from ..datasets.clip_workers import lost_worker
from ..datasets.registry import dataset_spec
from ..datasets.track import Dataset, Modality, Track
from ..datasets.track_table import track_table
from ..datasets.verify import require_complete, verify_dataset
from ..distributed import ranks
from ..errors import UserError, as_user_error
from ..evaluation.protocols import (
    Protocol,
    check_protocol,
    choose_protocols,
    protocols_of,
    tracks_of,
)
from ..evaluation.results import result_line
from ..evaluation.trials import evaluate
from ..files import write_whole
from ..models.network import Network
from ..pseudo_labels.evaluator import PseudoLabelEvaluator
from ..random_streams import Draw, numpy_generator
from ..reporting.tensorboard_pictures import show_embedding, show_matching, show_ranked_lists
from .extraction import Extraction
from .feature_room import FeatureRoom
from .frame_source import FrameSource
from .options import SessionOptions
from .run_folder import RunFolder
from .runtime import Runtime, versions
from .weight_average import WeightAverage


def _as_permitted(
    tracks: list[Track], labelled: bool | Callable[[Sequence[Track]], list[Track]]
) -> list[Track]:
    """The tracks as training may see them."""
    if callable(labelled):
        return labelled(tracks)
    if labelled:
        return tracks
    return [dataclasses.replace(track, identity=None) for track in tracks]


class Session:
    """Data, device and run folder of one command.

    The true identities of the training tracks have one owner, :attr:`evaluator`, which measures
    pseudo-labels with them and hands out none. Everybody else sees what ``labelled`` leaves.

    As a context manager it ends the processes that read frames, however its command ends, and says
    in one message that one of them was killed.

    Args:
        options: data, frames, evaluation, machine.
        command: name of the command, for the record.
        run: the run folder, or None for a command that writes none.
        labelled: whether the tracks keep their identities. A function from tracks to the same
            tracks hides the identities of some.
        facts: what the run's first record says beside the data and the machine.

    Attributes:
        tracks: the N training tracks, in an order drawn by seed.
        feature_room: where features are kept.
        average: moving average of the trained network, which gives all features where there is one.

    Raises:
        DatasetError: the data set fails its verification, or its frames cannot be read.
        UserError: a modality has no training track, the test split cannot be ranked, or see
            :class:`Runtime`.
    """

    def __init__(
        self,
        options: SessionOptions,
        command: str,
        run: RunFolder | None,
        *,
        labelled: bool | Callable[[Sequence[Track]], list[Track]],
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.options = options
        self.run = run
        self.average: WeightAverage | None = None
        self.runtime = Runtime(
            options.device, options.precision, options.seed, options.test_precision
        )
        spec = dataset_spec(options.dataset)
        with as_user_error():  # before anything is read
            choose_protocols(spec.name, options.protocol, options.trial)
        split = spec.reader_options(options.trial)
        verification = verify_dataset(options.dataset, options.data_dir, **split)
        require_complete(verification, options.allow_incomplete)
        dataset = load_dataset(options.dataset, options.data_dir, **split)
        # Lists on disk are sorted by identity; that order must not reach clustering or sampling.
        order = numpy_generator(Draw.ORDER, options.seed).permutation(len(dataset.train))
        identified: list[Track] = [dataset.train[i] for i in order]
        self.tracks = _as_permitted(identified, labelled)
        if run is not None and not run.resumed:
            run.record(
                "run",
                command=command,
                dataset=dataset.name,
                data_dir=str(options.data_dir),
                seed=options.seed,
                **split,
                versions=versions(),
                device=self.runtime.device_summary(),
                training_precision=self.runtime.precision,
                test_precision=self.runtime.test_precision,
                **(facts or {}),
                verification=verification.text(),
            )
            run.log(verification.text())
            if not verification.ok:
                run.log("going on all the same: --allow-incomplete")
            run.log(f"device: {self.runtime.device_summary()}")
        self.feature_room = FeatureRoom(self.runtime.device, self.say)
        pin = self.runtime.device.type == "cuda"
        self._frames = FrameSource(options, options.skip_corrupt, self.say, pin=pin)
        self._extraction = Extraction(
            self._frames, self.runtime, options, self.feature_room, self._record_unreadable
        )
        self.protocols = self._protocols(dataset)
        self.test_tracks = tracks_of(self.protocols)
        trains = command != "evaluate"
        if trains:
            # At once, so that damage stops the run before a cache has cost anything, and so that
            # the processes that read know both.
            self._frames.reader("train", self.tracks)
            self._frames.reader("test", self.test_tracks)
        if options.skip_corrupt:
            if trains:
                kept = self._frames.readable("train", self.tracks)
                identified = [identified[i] for i in kept]
                self.tracks = [self.tracks[i] for i in kept]
            dataset = self._leave_out_lost(dataset)
        with as_user_error():
            remarks = [note for protocol in self.protocols for note in check_protocol(protocol)]
        for note in (*remarks, *self.runtime.notes):
            self.say(note)
        self._query_keys = {track.key for track in dataset.query}
        self.modalities = np.array([int(track.modality) for track in self.tracks])
        self.cameras = np.array([track.camera for track in self.tracks])
        if trains:
            self._need_both_modalities()
        keys = "\n".join(track.key for track in self.tracks)
        self.fingerprint = hashlib.blake2b(keys.encode(), digest_size=8).hexdigest()
        self._evaluator: PseudoLabelEvaluator | None = None
        if run is not None:
            picture = partial(show_matching, run)
            self._evaluator = PseudoLabelEvaluator(identified, run, options.data_dir, picture)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        self._frames.close()
        if error is not None and (lost := lost_worker(error)):
            raise lost from error

    @property
    def evaluator(self) -> PseudoLabelEvaluator:
        """The one owner of the training tracks' identities; a command without a run has none."""
        assert self._evaluator is not None
        return self._evaluator

    def _protocols(self, dataset: Dataset) -> list[Protocol]:
        if not dataset.query and not dataset.gallery:
            if self.options.protocol:
                raise UserError(
                    f"--protocol {self.options.protocol}: {dataset.root} has no query and no "
                    "gallery, so nothing is ranked. Leave --protocol out"
                )
            return []
        with as_user_error():
            return protocols_of(dataset, self.options.protocol, gallery=self.options.gallery)

    def _leave_out_lost(self, dataset: Dataset) -> Dataset:
        """Drops the test tracks without a readable frame before anything counts tracks."""
        kept = self._frames.readable("test", self.test_tracks)
        keys = {self.test_tracks[i].key for i in kept}
        dataset = dataclasses.replace(
            dataset,
            query=[track for track in dataset.query if track.key in keys],
            gallery=[track for track in dataset.gallery if track.key in keys],
        )
        self.test_tracks = [self.test_tracks[i] for i in kept]
        self.protocols = self._protocols(dataset)
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
                    f"tracks of {self.options.data_dir} hold no {modality.name.lower()} one. "
                    "Look at the counts of `vireid verify`."
                )

    def say(self, message: str) -> None:
        """To the run's log, or to the terminal where there is no run."""
        if self.run is not None:
            self.run.log(message)
        elif ranks.is_main():
            print(message)

    def training_clips(
        self,
        batches: Iterable[list[int]],
        seed: tuple[int, ...],
        num_frames: int | None = None,
        *,
        first: int = 0,
    ) -> Iterable[tuple[Tensor, Tensor]]:
        """Random training clips of the given track numbers.

        Args:
            batches: track numbers of each batch.
            seed: what the draws depend on, beside the batch's number.
            num_frames: frames T of a clip; None takes ``--num-frames``.
            first: number of the first batch that is wanted; those before it are not read.

        Returns:
            uint8 clips [B, T, 3, H, W] and track numbers [B], batch by batch.
        """
        loader = ClipLoader(
            self._frames.reader("train", self.tracks),
            batches,
            seed=seed,
            mode="train",
            workers=self._frames.workers,
            num_frames=num_frames,
            first=first,
            share=(ranks.rank(), ranks.count()),
        )
        return loader if ranks.count() == 1 else map(self._whole_batch, loader)

    def _whole_batch(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Each process decoded its share of the clips; augmentation and losses see all."""
        clips, index = batch
        if len(clips) == len(index):
            return batch
        order = [torch.arange(len(index))[share] for share in shares(len(index), ranks.count())]
        # Pixels lie in memory as [B, T, H, W, 3].
        pixels = clips.permute(0, 1, 3, 4, 2).to(self.runtime.device, non_blocking=True)
        return ranks.gather_rows(pixels, order).permute(0, 1, 4, 2, 3), index

    def training_features(self, model: Network) -> Tensor:
        """Features [N, D] of all training tracks, in evaluation mode and without augmentation.

        Unit rows, on the device where it has room; where mirror images count, a row is the mean of
        two.
        """
        flip = self.options.flip and self.options.cluster_flip
        return self._extraction.features(self._current(model), "train", self.tracks, flip=flip)

    def _current(self, model: Network) -> Network:
        return model if self.average is None else self.average.network

    def evaluate(
        self, model: Network, stage: str, epoch: int, step: int, *, keep: bool = False
    ) -> list[dict[str, Any]]:
        """Ranks the test split under every protocol; all trials share one extraction.

        ``epoch`` counts within the stage, ``step`` within the run; ``keep`` writes the test
        features into the run folder for the report.

        Returns:
            One record for each protocol; fractions of 1. None of a data set without query and
            gallery: what it takes identities to measure is not measured.
        """
        if not self.protocols:
            return []
        features = self._extraction.features(
            self._current(model), "test", self.test_tracks, renormalise=True
        )
        keys = [track.key for track in self.test_tracks]
        records = []
        moment = {"stage": stage, "epoch": epoch, "step": step, "flip": self.options.flip}
        rerank = self.options.rerank
        for result in ranks.from_main(
            lambda: evaluate(features, self.test_tracks, self.protocols, rerank=rerank)
        ):
            record = moment | result.record()
            records.append(record)
            if self.run is not None:
                for trial in result.trial_records():
                    self.run.record("trial", **moment, **trial)
                self.run.record("evaluation", **record)
            self.say(f"{stage} {epoch} | {result_line(record)}")
        if self.run is not None:
            show_ranked_lists(self.run, self.protocols, features, keys, step)
        if keep and self.run is not None:
            self._keep_test_features(self.run, features)
            show_embedding(self.run, features, self.test_tracks, step)
        return records

    def _keep_test_features(self, run: RunFolder, features: Tensor) -> None:
        file = run.path / "test_features.safetensors"
        write_whole(file, save({"features": features.cpu()}))
        splits = ["query" if t.key in self._query_keys else "gallery" for t in self.test_tracks]
        table = track_table(self.test_tracks, splits, self.options.data_dir)
        write_whole(run.path / "test_tracks.csv", table)
