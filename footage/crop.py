"""Cuts the boxes of tracks out of a video, a frame at a time."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ..datasets.times import format_time
from ..datasets.track import Modality
from ..files import naming
from .errors import FootageError
from .journal import Crop, Journal
from .options import CropOptions
from .quality import coloured, covered_shares, is_cut, sharpness
from .thermal import Histogram
from .tracks import Tracks
from .video import Picture, Pixels, Video

JPEG_QUALITY = 95
LOOKED_AT = 5  # pictures by which it is decided whether a video has colours


@dataclass(frozen=True, slots=True)
class Footage:
    """One video of one camera.

    Attributes:
        video: where pictures come from.
        tracks: boxes, on the video's frames.
        camera: name of the camera.
        modality: its spectrum.
        start: when its first frame was taken, as `parse_time` reads it.
        name: what the video is called in the crop folder.
    """

    video: Video
    tracks: Tracks
    camera: str
    modality: Modality
    start: str
    name: str


@dataclass(slots=True)
class _Open:
    """A tracklet of which crops are being written."""

    name: str
    folder: Path
    crops: list[Crop] = field(default_factory=list)
    histogram: Histogram | None = None


def safe_name(name: str) -> str:
    """A name that every file system and table takes.

    Args:
        name: of a video or camera.
    """
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".-") or "_"


def crop_footage(
    footage: Footage,
    root: Path,
    options: CropOptions,
    *,
    any_colour: bool = False,
    allow_incomplete: bool = False,
) -> tuple[dict[str, int], bool]:
    """Adds the tracklets of a video to a folder of crops, or goes on where this was interrupted.

    One picture is held at a time, and for each open track a few numbers a crop, with 16 bits the
    counts of its values too: the window over a tracklet is known when it ends, so its raw crops
    wait on disk.

    Args:
        footage: the video and its tracks.
        root: the folder; it exists, and no other process writes to it.
        options: what is left out.
        any_colour: take a visible video without colours, and an infrared one with colours.
        allow_incomplete: go on where tracks reach beyond the video or lie beside its pictures.

    Returns:
        Counts: tracks, tracklets, crops, and boxes left out by reason; and whether all of them
        stood in the folder before.

    Raises:
        FootageError: tracks, video, modality and folder do not fit together.
        OSError: a file cannot be written; what is whole is kept.
    """
    source = (footage.modality.name.lower(), footage.camera, footage.name)
    facts = _facts(footage, options)
    if not allow_incomplete:
        _need_frames(footage)
    journal = Journal(root, source, facts)
    if journal.counts is not None:
        return journal.counts, True
    cropper = _Cropper(footage, options, journal, any_colour, allow_incomplete)
    try:
        _take_all(footage, cropper, journal.whole)
    except FootageError:
        journal.forget_if_empty()
        raise
    return journal.finish(), False


def _take_all(footage: Footage, cropper: _Cropper, whole: set[int]) -> None:
    """Crops all pictures with boxes of tracks that are not whole."""
    tracks, video = footage.tracks, footage.video
    needed = set(tracks.frame[~np.isin(tracks.track, list(whole))].tolist())
    hidden = None  # where there is no terminal
    with tqdm(total=video.frames, desc=footage.name, unit="frame", disable=hidden) as bar:
        for picture in video.pictures(lambda frame: frame in needed):
            bar.update(picture.frame + 1 - bar.n)
            cropper.take(picture)
            del picture  # or it would be held while the next one is made
        bar.update(video.frames - bar.n)
    cropper.close()


def _facts(footage: Footage, options: CropOptions) -> dict[str, Any]:
    tracks = footage.tracks
    digest = hashlib.blake2b(digest_size=16)
    for values in (tracks.frame, tracks.track, tracks.box, tracks.confidence, tracks.hidden):
        digest.update(values.tobytes())
    path = footage.video.path
    size = path.stat().st_size if path.is_file() else footage.video.frames
    return {
        "video": path.name,
        "size": size,
        "tracks": digest.hexdigest(),
        "start": footage.start,
        **{rule.name: getattr(options, rule.name) for rule in fields(CropOptions)},
    }


def _need_frames(footage: Footage) -> None:
    video, tracks = footage.video, footage.tracks
    if tracks.frames > video.frames:
        raise FootageError(
            f"the tracks reach frame {tracks.frames:,}, and {video.path} has {video.frames:,} "
            f"frames ({video.rate:g} a second). Are they of another video, or do they count at "
            "another frame rate (--tracks-rate)? --allow-incomplete takes the frames that there are"
        )


class _Cropper:
    """Crops pictures, one after the other, into open tracklets."""

    def __init__(
        self,
        footage: Footage,
        options: CropOptions,
        journal: Journal,
        any_colour: bool,
        allow_incomplete: bool,
    ) -> None:
        self.footage, self.options, self.journal = footage, options, journal
        self.tracks = footage.tracks
        self.last = self.tracks.last_frames()
        self.allow_incomplete = allow_incomplete
        self.open: dict[int, _Open] = {}
        self.left_out: dict[int, Counter[str]] = {}
        self.last_time: dict[int, float] = {}
        self.taken = 0
        self.colours = None if any_colour else False
        self.checked_size = False

    def take(self, picture: Picture) -> None:
        """Crops the boxes of a picture, and ends the tracks whose last frame it is."""
        pixels = picture.pixels
        rows = self.tracks.at(picture.frame)
        self._check(pixels)
        boxes = self.tracks.box[rows]
        shares = covered_shares(boxes)
        for row, share in zip(range(rows.start, rows.stop), shares):
            track = int(self.tracks.track[row])
            if track in self.journal.whole:
                continue
            reason = self._look(row, float(share), pixels) or self._keep(row, picture)
            if reason:
                self.left_out.setdefault(track, Counter())[reason] += 1
            if picture.frame == self.last[track]:
                self._end(track)

    def _look(self, row: int, share: float, pixels: Pixels) -> str:
        """Why a box is left out before its pixels are looked at; "" where it is not."""
        rules, box = self.options, self.tracks.box[row]
        height, width = pixels.shape[:2]
        left, top, right, bottom = corners(box, width, height)
        if right - left < 2 or bottom - top < 2:
            return "outside"
        if self.tracks.confidence[row] < rules.min_confidence:  # never, where there is none
            return "unsure"
        if box[3] < rules.min_height:
            return "small"
        if is_cut(box, width, height, rules.border):
            return "cut"
        if rules.max_overlap < 1 and (share > rules.max_overlap or self.tracks.hidden[row]):
            return "covered"
        return ""

    def _keep(self, row: int, picture: Picture) -> str:
        """Writes a crop; or why it is left out."""
        track, pixels = int(self.tracks.track[row]), picture.pixels
        before = self.last_time.get(track)
        # Half a millisecond: time stamps are rounded.
        if before is not None and picture.seconds - before < self.options.every - 5e-4:
            return "between"
        height, width = pixels.shape[:2]
        left, top, right, bottom = corners(self.tracks.box[row], width, height)
        crop: NDArray[Any] = pixels[top:bottom, left:right]
        if crop.dtype == np.uint8 and sharpness(crop) < self.options.min_sharpness:
            return "blurred"
        self.last_time[track] = picture.seconds
        tracklet = self.open.get(track)
        if tracklet is None:
            name = f"{self.footage.name}-{track}"
            tracklet = self.open[track] = _Open(name, self.journal.begin(name))
        suffix = ".jpg" if crop.dtype == np.uint8 else ".png"
        file = tracklet.folder / f"{picture.frame:06d}{suffix}"
        if crop.dtype == np.uint16:
            tracklet.histogram = tracklet.histogram or Histogram()
            tracklet.histogram.add(crop)
        _write(file, crop, grey=self.footage.modality is Modality.INFRARED)
        time = format_time(self.footage.start, picture.seconds)
        left, top, wide, high = self.tracks.box[row].tolist()
        tracklet.crops.append(Crop(file.name, picture.frame, time, (left, top, wide, high)))
        return ""

    def _end(self, track: int) -> None:
        """Windows 16-bit crops, and keeps or drops the tracklet."""
        tracklet = self.open.pop(track, None)
        left_out = self.left_out.pop(track, Counter())
        self.last_time.pop(track, None)
        if tracklet is None:
            self.journal.end(track, None, [], dict(left_out), None)
            return
        crops, window = tracklet.crops, None
        if tracklet.histogram is not None:
            window = tracklet.histogram.window(self.options.window)
            crops = []
            for crop in tracklet.crops:
                file = tracklet.folder / crop.file
                with Image.open(file) as image:
                    shown = window.apply(np.asarray(image).astype(np.uint16))
                if sharpness(shown) < self.options.min_sharpness:
                    left_out["blurred"] += 1
                    file.unlink()
                else:
                    _write(file, shown, grey=True)
                    crops.append(crop)
        if len(crops) < self.options.min_frames:
            left_out["short"] += len(crops)
            self.journal.end(track, None, [], dict(left_out), None)
        else:
            self.journal.end(track, tracklet.name, crops, dict(left_out), window)

    def close(self) -> None:
        """Ends the tracks that the video did not reach the end of.

        Raises:
            FootageError: there are some, and that is not accepted.
        """
        missing = [track for track in self.last if track not in self.journal.whole]
        if missing and not self.allow_incomplete:
            raise FootageError(
                f"{self.footage.video.path} ends before {len(missing)} of {len(self.last)} tracks "
                "do: fewer pictures could be read than its header says. Copy or repair it; what "
                "was cropped is kept. --allow-incomplete takes the frames that there are"
            )
        for track in missing:
            self._end(track)

    def _check(self, pixels: Pixels) -> None:
        """Whether pictures and tracks are of one size, and the pictures of the modality.

        Raises:
            FootageError: they are not.
        """
        if not self.checked_size:
            self.checked_size = True
            height, width = pixels.shape[:2]
            _need_size(self.footage, width, height, self.allow_incomplete)
        if self.colours is None or self.taken >= LOOKED_AT:
            return
        self.taken += 1
        self.colours = self.colours or coloured(pixels)
        video, modality = self.footage.video.path, self.footage.modality
        if modality is Modality.INFRARED and self.colours:
            raise FootageError(
                f"{video} has colours, and --modality says infrared. Give visible, or, for a "
                "camera that paints heat in colours, --any-colour"
            )
        enough = self.taken == min(LOOKED_AT, len(set(self.tracks.frame.tolist())))
        if modality is Modality.VISIBLE and not self.colours and enough:
            raise FootageError(
                f"{video} has no colours, and --modality says visible. Give infrared, or, for a "
                "visible camera without colours, --any-colour"
            )


def _need_size(footage: Footage, width: int, height: int, allow_incomplete: bool) -> None:
    tracks, path = footage.tracks, footage.video.path
    if tracks.size not in (None, (width, height)):
        wide, high = tracks.size or (0, 0)
        raise FootageError(
            f"the tracks were made on pictures of {wide} x {high} pixels, and those of {path} "
            f"have {width} x {height}. Give the video that was tracked"
        )
    middle = tracks.box[:, :2] + tracks.box[:, 2:] / 2
    outside = ((middle < 0) | (middle > (width, height))).any(axis=1)
    if outside.mean() > 0.05 and not allow_incomplete:
        reach = (tracks.box[:, :2] + tracks.box[:, 2:]).max(axis=0)
        raise FootageError(
            f"{outside.sum():,} of {len(tracks):,} boxes lie outside the {width} x {height} "
            f"pictures of {path}; they reach to {reach[0]:.0f} x {reach[1]:.0f}. Were they made on "
            "another size? Give the video that was tracked; --allow-incomplete leaves them out"
        )


def corners(box: NDArray[np.float64], width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box in whole pixels, inside the picture.

    Args:
        box: [4] left, top, width, height.
        width, height: of the picture.
    """
    ends = np.clip([box[0], box[1], box[0] + box[2], box[1] + box[3]], -1e6, 1e6).round()
    left, right = np.clip(ends[[0, 2]], 0, width).astype(int)
    top, bottom = np.clip(ends[[1, 3]], 0, height).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _write(file: Path, crop: NDArray[Any], *, grey: bool) -> None:
    """A crop as a file: PNG where its name says so, else JPEG."""
    image = Image.fromarray(crop)
    if grey and image.mode == "RGB":
        image = image.convert("L")
    content = io.BytesIO()
    if file.suffix == ".png":
        image.save(content, "PNG", compress_level=1)
    else:
        image.save(content, "JPEG", quality=JPEG_QUALITY)
    with naming(file):
        file.write_bytes(content.getvalue())
