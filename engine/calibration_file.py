"""Reading ``calibration.json``, the thresholds of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UserError
from ..reading import parse_json, read_text

NAME = "calibration.json"
VERSION = 1
WHOLE = "none"  # in place of a projection's fingerprint: thresholds of the features themselves


def read_calibration(folder: Path) -> dict[str, Any] | None:
    """What ``vireid calibrate`` wrote into a folder.

    Args:
        folder: of the network.

    Returns:
        The record: ``version``, ``fingerprint``, ``projection``, ``approximate``, and
        ``directions``, each with ``query``, ``gallery``, ``query_camera``, ``gallery_camera``
        (None: all) and ``thresholds``.
        None where there is none.

    Raises:
        UserError: the file is damaged, or of another version.
    """
    file = folder / NAME
    try:
        record = parse_json(read_text(file))
        if not isinstance(record, dict) or record.get("version") != VERSION:
            raise ValueError(f"expected version {VERSION}")
        if not isinstance(record.get("fingerprint"), str):
            raise ValueError("there is no fingerprint")
        for direction in record["directions"]:
            _check(direction)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file} is no calibration that this version reads ({error}); run `vireid calibrate` "
            "again, or remove it"
        ) from error
    return record


def _check(direction: Any) -> None:
    """Refuses a direction that no calibration writes."""
    for name in ("query", "gallery"):
        if direction[name] not in ("visible", "infrared"):
            raise ValueError(f"{name} is neither visible nor infrared")
        if not isinstance(direction[f"{name}_camera"], (str, int, type(None))):
            raise ValueError(f"{name}_camera is no name")
    for point in direction["thresholds"]:
        for name in ("threshold", "gallery_size"):
            if not isinstance(point[name], (int, float)) or isinstance(point[name], bool):
                raise ValueError(f"{name} is no number")
        for name in ("fmr", "fnmr", "fpir", "fnir"):
            if not isinstance(point[name], (int, float, type(None))):
                raise ValueError(f"{name} is no number")
