"""A synthetic set in the layout of SYSU-MM01."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets.track import Modality
from .presets import SYSU_PRESETS, Preset
from .schedule import PlannedTrack, draw_cameras, draw_walks, unshared_people
from .streams import Stream, stream

# Camera number and place, which chooses the side that people show, in the order of the folders.
_CAMERAS = {
    Modality.VISIBLE: ((1, 0), (2, 1), (4, 2), (5, 3)),
    Modality.INFRARED: ((3, 1), (6, 0)),
}
_VALIDATION = 4  # every fourth training person is listed for validation


class SysuMM01:
    """`cam1/` to `cam6/` and `exp/`: single images, every camera has one modality."""

    name = "sysu-mm01"
    min_frames = 1
    sizes = SYSU_PRESETS
    images = True
    any_cameras = False
    folders: Sequence[str] = tuple(f"cam{number}" for number in range(1, 7))

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All images in file order: by person, modality, camera, number.

        Returns:
            Train and test people mixed by number, as in the original; infrared test images are the
            queries, visible ones the gallery.
        """
        tracks: list[PlannedTrack] = []
        train = _training_people(preset, seed)
        only = unshared_people(train, preset, seed)
        learnt = set(train)
        for person in range(1, preset.train_identities + preset.test_identities + 1):
            for modality, cameras in _CAMERAS.items():
                if only.get(person, modality) is not modality:
                    continue
                split = "train" if person in learnt else "query" if modality else "gallery"
                rng = stream(seed, Stream.SCHEDULE, 2, person, int(modality))
                seen_by = preset.seen_by if modality is Modality.VISIBLE else (1, 2)
                for i in draw_cameras(rng, len(cameras), seen_by):
                    number, place = cameras[i]
                    tracks += [
                        PlannedTrack(split, person, modality, number, place, *walk)
                        for walk in draw_walks(rng, preset)
                    ]
        return tracks

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """See `Layout`."""
        return f"cam{track.camera}/{track.person:04d}/{track.first + index:04d}.jpg"

    def index_files(
        self, tracks: Sequence[PlannedTrack], preset: Preset, seed: int
    ) -> dict[str, str]:
        """See `Layout`."""
        learnt = _training_people(preset, seed)
        people = range(1, preset.train_identities + preset.test_identities + 1)
        held = learnt[_VALIDATION - 1 :: _VALIDATION] or learnt[-1:]
        listed = {
            "train": [person for person in learnt if person not in held] or learnt,
            "val": held,
            "test": sorted(set(people) - set(learnt)),
        }
        return {
            f"exp/{name}_id.txt": ",".join(map(str, ids)) + "\n" for name, ids in listed.items()
        }


def _training_people(preset: Preset, seed: int) -> list[int]:
    people = np.arange(1, preset.train_identities + preset.test_identities + 1)
    chosen = stream(seed, Stream.SPLIT, 0).permutation(people)[: preset.train_identities]
    return sorted(int(person) for person in chosen)
