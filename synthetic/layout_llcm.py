"""A synthetic set in the layout of LLCM."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.track import Modality
from .presets import LLCM_PRESETS, Preset
from .schedule import PlannedTrack, draw_cameras, draw_walks, unshared_people
from .streams import Stream, stream

# Places with a sensor of each modality; the third has no infrared one.
_PLACES = {
    Modality.VISIBLE: (1, 2, 3, 4, 5, 6, 7, 8, 9),
    Modality.INFRARED: (1, 2, 4, 5, 6, 7, 8, 9),
}
_WORDS = {Modality.VISIBLE: "vis", Modality.INFRARED: "nir"}


class Llcm:
    """Listed training images, test images by camera; nine places with two sensors each."""

    name = "llcm"
    min_frames = 1
    sizes = LLCM_PRESETS
    images = True
    any_cameras = False
    folders: Sequence[str] = tuple(
        f"test_{word}/cam{number}" for m, word in _WORDS.items() for number in _PLACES[m]
    )

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All images in file order: by person, modality, camera, number.

        Returns:
            Train, then test; infrared test images are the queries, visible ones the gallery.
        """
        tracks: list[PlannedTrack] = []
        only = unshared_people(range(1, preset.train_identities + 1), preset, seed)
        for person in range(1, preset.train_identities + preset.test_identities + 1):
            for modality, places in _PLACES.items():
                if only.get(person, modality) is not modality:
                    continue
                train = person <= preset.train_identities
                split = "train" if train else "query" if modality else "gallery"
                rng = stream(seed, Stream.SCHEDULE, 4, person, int(modality))
                for i in draw_cameras(rng, len(places), preset.seen_by):
                    number = places[i]
                    tracks += [
                        PlannedTrack(split, person, modality, number, number - 1, *walk)
                        for walk in draw_walks(rng, preset)
                    ]
        return tracks

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """See `Layout`."""
        word, number = _WORDS[track.modality], track.first + index
        name = f"{track.person:04d}_c{track.camera:02d}_f{number:04d}_{word}.jpg"
        if track.split == "train":
            return f"{word}/{track.person:04d}/{name}"
        return f"test_{word}/cam{track.camera}/{track.person:04d}/{name}"

    def index_files(
        self, tracks: Sequence[PlannedTrack], preset: Preset, seed: int
    ) -> dict[str, str]:
        """See `Layout`."""
        first_test = preset.train_identities + 1
        people = range(first_test, first_test + preset.test_identities)
        files = {"idx/test_id.txt": ",".join(map(str, people)) + "\n"}
        for modality, word in _WORDS.items():
            files[f"idx/train_{word}.txt"] = "".join(
                f"{self.frame_path(track, index)} {track.person - 1}\n"
                for track in tracks
                if track.split == "train" and track.modality is modality
                for index in range(track.frames)
            )
        return files
