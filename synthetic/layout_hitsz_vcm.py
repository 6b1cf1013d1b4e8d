"""A synthetic set in the layout of HITSZ-VCM."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.track import Modality
from .presets import PRESETS, Preset
from .schedule import PlannedTrack, draw_cameras, draw_length, sightings_by_camera, unshared_people
from .streams import Stream, stream

_FOLDER = {Modality.VISIBLE: "rgb", Modality.INFRARED: "ir"}
_CODE = {Modality.INFRARED: 1, Modality.VISIBLE: 2}  # as the data set writes modalities
_GAP = 20  # largest jump of the frame number between two tracklets


class HitszVcm:
    """`Train/`, `Test/` and `info/`: every camera has one modality."""

    name = "hitsz-vcm"
    min_frames = 12
    sizes = PRESETS
    images = False
    any_cameras = True
    folders: Sequence[str] = ()

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All tracklets in file order: by person, infrared first, camera, tracklet.

        Returns:
            Train, then test; infrared test tracklets are the queries.
        """
        tracks: list[PlannedTrack] = []
        people = preset.train_identities + preset.test_identities
        only = unshared_people(range(1, preset.train_identities + 1), preset, seed)
        for person in range(1, people + 1):
            train = person <= preset.train_identities
            for modality in (Modality.INFRARED, Modality.VISIBLE):
                if only.get(person, modality) is not modality:
                    continue
                rng = stream(seed, Stream.SCHEDULE, 0, person, int(modality))
                split = "train" if train else "query" if modality else "gallery"
                before = len(tracks)
                places = draw_cameras(rng, preset.cameras, preset.seen_by)
                shares = sightings_by_camera(preset, len(places), person)
                for place, share in zip(places, shares):
                    camera = 1 + place + preset.cameras * int(modality)
                    first = 1 + int(rng.integers(_GAP))
                    count = share or int(rng.integers(*_closed(preset.tracklets)))
                    for track in range(count):
                        # one full tracklet at least, so that no filter removes a person
                        frames = draw_length(rng, preset, full=len(tracks) == before)
                        tracks.append(
                            PlannedTrack(
                                split, person, modality, camera, place, track + 1, frames, first
                            )
                        )
                        first += frames + int(rng.integers(1, _GAP))
        return tracks

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """See `Layout`."""
        part = "Train" if track.split == "train" else "Test"
        folder = _FOLDER[track.modality]
        return f"{part}/{track.person:04d}/{folder}/D{track.camera}/{track.first + index}.jpg"

    def index_files(
        self, tracks: Sequence[PlannedTrack], preset: Preset, seed: int
    ) -> dict[str, str]:
        """See `Layout`."""
        files = {}
        for part in ("train", "test"):
            rows = [track for track in tracks if (track.split == "train") == (part == "train")]
            names: list[str] = []
            infos: list[str] = []
            queries: list[str] = []
            for number, track in enumerate(rows, start=1):
                code = _CODE[track.modality]
                start = len(names) + 1
                names += [
                    f"{track.person:04d}M{code}D{track.camera}T{track.track}F{track.first + i}.jpg"
                    for i in range(track.frames)
                ]
                infos.append(f"{code} {start} {len(names)} {track.person} {track.camera}")
                if track.split == "query":
                    queries.append(str(number))
            files[f"info/{part}_name.txt"] = _lines(names)
            files[f"info/track_{part}_info.txt"] = _lines(infos)
            if part == "test":
                files["info/query_IDX.txt"] = _lines(queries)
        return files


def _closed(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0], bounds[1] + 1


def _lines(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)
