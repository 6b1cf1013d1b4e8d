"""A synthetic set in the layout of RegDB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets.readers.regdb import TRIALS
from ..datasets.track import Modality
from .presets import REGDB_PRESETS, Preset
from .schedule import PlannedTrack, draw_walks, unshared_people
from .streams import Stream, stream

_CAMERA = 1  # both sensors look from one place, so they see the same walks
_FOLDERS = {Modality.VISIBLE: "Visible", Modality.INFRARED: "Thermal"}
_WORDS = {Modality.VISIBLE: "visible", Modality.INFRARED: "thermal"}
_SIDES = {0: "front", 2: "back"}  # place of the camera: what it sees of a person


class RegDB:
    """`Visible/`, `Thermal/` and `idx/`: one dual camera, ten divisions of the people."""

    name = "regdb"
    min_frames = 1
    sizes = REGDB_PRESETS
    images = True
    any_cameras = False
    folders: Sequence[str] = tuple(_FOLDERS.values())

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All images in file order: by person, modality, number.

        Returns:
            Splits are those of trial 1. Every person has all images of both modalities on disk,
            since training people of one trial are test people of another; where a training person
            has no partner, no training list names the images of the other modality.
        """
        tracks = []
        learnt, only = _division(preset, seed, 1)
        for person in _people(preset):
            rng = stream(seed, Stream.SCHEDULE, 3, person)
            place = (0, 2)[int(rng.integers(2))]
            walks = draw_walks(rng, preset)
            for modality in Modality:
                split = "query" if modality is Modality.VISIBLE else "gallery"
                if person in learnt:
                    split = "train" if only.get(person, modality) is modality else ""
                tracks += [
                    PlannedTrack(split, person, modality, _CAMERA, place, *walk) for walk in walks
                ]
        return tracks

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """See `Layout`."""
        folder = _FOLDERS[track.modality]
        name = f"{_SIDES[track.place]}_{folder[0].lower()}_{track.person:05d}_{track.first + index}"
        return f"{folder}/{track.person}/{name}.bmp"

    def index_files(
        self, tracks: Sequence[PlannedTrack], preset: Preset, seed: int
    ) -> dict[str, str]:
        """See `Layout`."""
        files: dict[str, str] = {}
        for trial in range(1, TRIALS + 1):
            learnt, only = _division(preset, seed, trial)
            rows: dict[str, list[str]] = {
                f"idx/{split}_{word}_{trial}.txt": []
                for split in ("train", "test")
                for word in _WORDS.values()
            }
            for track in tracks:
                split = "train" if track.person in learnt else "test"
                if split == "test" or only.get(track.person, track.modality) is track.modality:
                    name = f"idx/{split}_{_WORDS[track.modality]}_{trial}.txt"
                    rows[name] += [
                        f"{self.frame_path(track, index)} {track.person}\n"
                        for index in range(track.frames)
                    ]
            files |= {name: "".join(lines) for name, lines in rows.items()}
        return files


def _people(preset: Preset) -> range:
    return range(1, preset.train_identities + preset.test_identities + 1)


def _division(preset: Preset, seed: int, trial: int) -> tuple[set[int], dict[int, Modality]]:
    """Training people of a trial, and which of them are listed in one modality only."""
    order = stream(seed, Stream.SPLIT, trial).permutation(np.array(_people(preset)))
    learnt = sorted(int(person) for person in order[: preset.train_identities])
    return set(learnt), unshared_people(learnt, preset, seed, trial)
