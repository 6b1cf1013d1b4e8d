"""Features of all tracks of a session: clips read, encoded, gathered from all processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from ..datasets.clip_loader import ClipLoader
from ..datasets.track import Track
from ..distributed import ranks
from ..evaluation.features import collect_features
from ..models.network import Network
from .encoder import Encoder
from .feature_room import FeatureRoom
from .frame_source import FrameSource, cache_limit
from .kept_maps import KeptMaps, keeps_maps
from .options import SessionOptions
from .runtime import Runtime


class Extraction:
    """Runs networks over tracks.

    Args:
        frames: readers, and the processes that serve them.
        runtime: where and how precisely networks compute.
        options: batch size, frames of a clip, mirror images.
        room: where features are kept.
        unreadable: called when a frame could not be read that could be before.
    """

    def __init__(
        self,
        frames: FrameSource,
        runtime: Runtime,
        options: SessionOptions,
        room: FeatureRoom,
        unreadable: Callable[[], None],
    ) -> None:
        self.frames = frames
        self.runtime = runtime
        self.options = options
        self.room = room
        self.unreadable = unreadable
        self._kept: KeptMaps | None = None  # made when the first network with frozen stages comes

    def features(
        self,
        model: Network,
        name: str,
        tracks: Sequence[Track],
        *,
        flip: bool | None = None,
        renormalise: bool = False,
    ) -> Tensor:
        """Features of all tracks, in evaluation mode and without augmentation.

        Args:
            model: on the device.
            name: of the tracks' reader, for messages.
            tracks: the N tracks.
            flip: average the features of a clip and of its mirror image; None: as the options say.
            renormalise: scale the mean of mirror images to length 1 again; see :class:`Encoder`.

        Returns:
            [N, D] float32, on the device where it has room.
        """
        reader = self.frames.reader(name, tracks)
        batches = [b.tolist() for b in torch.arange(len(tracks)).split(self.options.batch_size)]
        # Whole batches go to a process: a batch of another size may round differently.
        owners = [batches] * ranks.count()
        if len(batches) >= ranks.count():
            owners = [batches[number :: ranks.count()] for number in range(ranks.count())]
        own = torch.tensor([track for batch in owners[ranks.rank()] for track in batch])
        loader = ClipLoader(
            reader,
            owners[ranks.rank()],
            mode="test",
            workers=self.frames.workers,
            num_frames=self.options.test_frames,
        )
        kept = None
        if keeps_maps(model, self.runtime.device):
            self._kept = kept = self._kept or KeptMaps(cache_limit() // 2)
        flip = self.options.flip if flip is None else flip
        encoder = Encoder(model, self.runtime, flip=flip, renormalise=renormalise, kept=kept)
        modalities = torch.tensor([int(track.modality) for track in tracks])
        bar = tqdm(
            loader,
            desc=f"features of the {name} tracks",
            disable=None if ranks.is_main() else True,
            dynamic_ncols=True,
            leave=False,
            unit="batch",
        )
        row = torch.full((len(tracks),), -1)
        row[own] = torch.arange(len(own))
        self.room.before_extraction()
        features = collect_features(
            lambda clips, rows: encoder(clips, modalities[own[rows]]),
            ((clips, row[index]) for clips, index in bar),
            len(own),
            lambda rows: self.room.home(rows, len(tracks)),
        )
        if len(own) < len(tracks):
            order = [torch.tensor([t for batch in part for t in batch]) for part in owners]
            features = ranks.gather_rows(features, order)
        for corrupt in ranks.of_all(list(reader.corrupt)):
            reader.corrupt += [path for path in corrupt if path not in reader.corrupt]
        if self.frames.report():
            self.unreadable()
        return features
