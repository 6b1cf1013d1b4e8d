"""A synthetic set in the layout of BUPTCampus."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..datasets.track import Modality
from .presets import PRESETS, Preset
from .schedule import PlannedTrack, draw_cameras, draw_length, sightings_by_camera, unshared_people
from .streams import Stream, stream

CAMERAS = ("LS3", "G25", "CQ1", "W4", "TSG1", "TSG2")
_FOLDER = {Modality.VISIBLE: "RGB", Modality.INFRARED: "IR"}
_STEP = 7  # distance between the frame numbers of neighbouring frames


class BuptCampus:
    """`DATA/` and lists: every camera records both modalities at once."""

    name = "bupt-campus"
    min_frames = 1  # its readers drop nothing
    sizes = PRESETS
    images = False
    any_cameras = False
    folders: Sequence[str] = ()

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All tracklets in file order, infrared before visible.

        Returns:
            Train, test, auxiliary. A test person's first tracklet is its query, in one modality
            (the other one lies on disk, but no list names it); all others are gallery.
        """
        tracks: list[PlannedTrack] = []
        train = preset.train_identities
        test = train + preset.test_identities
        only = unshared_people(range(1, train + 1), preset, seed)
        for person in range(1, test + preset.auxiliary_identities + 1):
            rng = stream(seed, Stream.SCHEDULE, 1, person)
            split = "train" if person <= train else "gallery" if person <= test else "auxiliary"
            low, high = preset.seen_by
            most = high + 1 if preset.sightings is None else min(high + 1, preset.sightings)
            places = draw_cameras(rng, len(CAMERAS), (low, most))
            query = (places[int(rng.integers(len(places)))], 1)
            query_modality = Modality(int(rng.integers(2)))
            if split == "auxiliary":
                places = places[:1]
            shares = sightings_by_camera(preset, len(places), person)
            for place, share in zip(places, shares):
                first = 1000 + int(rng.integers(8000))
                count = share or int(rng.integers(preset.tracklets[0], preset.tracklets[1] + 1))
                for track in range(1, 2 if split == "auxiliary" else count + 1):
                    frames = draw_length(rng, preset, full=track == 1)
                    for modality in (Modality.INFRARED, Modality.VISIBLE):
                        if only.get(person, modality) is not modality:
                            continue
                        listed = split
                        if split == "gallery" and (place, track) == query:
                            listed = "query" if modality is query_modality else ""
                        tracks.append(
                            PlannedTrack(
                                listed, person, modality, place, place, track, frames, first
                            )
                        )
                    first += frames * _STEP + int(rng.integers(50, 500))
        return tracks

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """See `Layout`."""
        return f"DATA/{self._path_in_data(track, index)}"

    def _path_in_data(self, track: PlannedTrack, index: int) -> str:
        folder, camera = _FOLDER[track.modality], CAMERAS[track.camera]
        number = track.first + index * _STEP
        name = f"{track.person}_{folder}_{camera}_{track.track}_{number}.jpg"
        return f"{track.person}/{folder}/{camera}/{name}"

    def index_files(
        self, tracks: Sequence[PlannedTrack], preset: Preset, seed: int
    ) -> dict[str, str]:
        """See `Layout`."""
        paths: dict[str, dict[str, dict[str, dict[str, list[str]]]]] = {}
        only = unshared_people(range(1, preset.train_identities + 1), preset, seed)
        lists: dict[str, list[str]] = {"train": [], "auxiliary": [], "query": [], "gallery": []}
        for track in tracks:
            folder, camera = _FOLDER[track.modality], CAMERAS[track.camera]
            of_camera = paths.setdefault(str(track.person), {}).setdefault(folder, {})
            of_camera.setdefault(camera, {})[str(track.track)] = [
                self._path_in_data(track, i) for i in range(track.frames)
            ]
            if track.split in ("train", "auxiliary"):
                alone = track.person in only
                if alone or track.modality is Modality.VISIBLE:  # one line stands for both
                    sides = folder if alone else "RGB/IR"
                    lists[track.split].append(f"{track.person} {sides} {camera} {track.track}\n")
            elif track.split:
                lists[track.split].append(f"{track.person} {folder} {camera} {track.track}\n")
        return {
            "data_paths.json": json.dumps(paths, indent=0) + "\n",
            "train.txt": "".join(lists["train"]),
            "train_auxiliary.txt": "".join(lists["auxiliary"]),
            "query.txt": "".join(lists["query"]),
            "gallery.txt": "".join(lists["gallery"]),
        }
