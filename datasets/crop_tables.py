"""The tables of a folder of crops: when and where each frame was seen.

``tracks.csv`` has a row for each crop; ``thermal.csv`` the window of each 16-bit tracklet;
``crops.jsonl`` a line for each video that is done. While videos are being cropped, ``.crop`` holds
what is not done.
"""

from __future__ import annotations

from pathlib import Path

from ..reading import read_table
from .errors import DatasetError
from .times import parse_time

TRACKS, WINDOWS, CROPS, PENDING = "tracks.csv", "thermal.csv", "crops.jsonl", ".crop"
TRACK_COLUMNS = (
    *("modality", "camera", "tracklet", "file", "time", "video", "track", "frame"),
    *("left", "top", "width", "height"),
)
WINDOW_COLUMNS = ("modality", "camera", "tracklet", "low", "high", "below", "above")

# Modality, camera and tracklet: what stays when somebody moves a tracklet to an identity.
TrackletName = tuple[str, str, str]


def read_crop_times(root: Path) -> dict[TrackletName, dict[str, float]]:
    """When each crop was seen.

    Args:
        root: folder of a data set; without a table of crops there are none.

    Returns:
        Tracklet -> file name -> seconds, on the clock that ``vireid crop --start`` was given.

    Raises:
        DatasetError: the table is malformed; names the line.
    """
    path = root / TRACKS
    if not path.exists():
        return {}
    times: dict[TrackletName, dict[str, float]] = {}
    try:
        columns, rows = read_table(path)
        if columns != TRACK_COLUMNS:
            raise ValueError(
                f"{path}: the columns should be {', '.join(TRACK_COLUMNS)}; found "
                f"{', '.join(columns)}"
            )
        for number, row in enumerate(rows, start=2):
            tracklet = (row["modality"], row["camera"], row["tracklet"])
            try:
                times.setdefault(tracklet, {})[row["file"]] = parse_time(row["time"])
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{error}. Crop the footage again, or remove the table") from error
    return times
