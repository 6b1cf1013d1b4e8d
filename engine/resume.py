"""Whether a run may go on with the settings at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError, shorten
from ..reading import check_regular, parse_json, parse_yaml, read_text
from ..run_format import require_readable, version_of

# Where the run lies, how it is computed, what is said about it: none of it changes what is learned,
# or something else watches over it (the training tracks are compared with the checkpoint's).
FREE = frozenset(
    {
        *("allow_incomplete", "skip_corrupt", "batch_size", "cache", "cache_dir", "data_dir"),
        *("desc", "device", "force"),
        *("log_interval", "on_collapse", "output", "pictures", "precision", "resume"),
        "test_precision",
        *("save_interval", "test_interval", "workers"),
    }
)
SHOWN = 12
LONGEST_RECORD = 1 << 24  # bytes


def check_same_settings(written: Path, config: str) -> None:
    """Compares ``config.yaml`` of a run with the resolved settings that would go on with it.

    Raises:
        UserError: an earlier version started the run, ``written`` is missing or damaged, or a
            setting outside ``FREE`` differs.
    """
    _check_version(written.parent)
    before, now = _read(written), yaml.safe_load(config)
    if before.keys() != now.keys():
        raise UserError(
            f"--resume: {written.parent} was started by another command or another version of "
            f"vireid: one of the two has no {shorten(sorted(before.keys() ^ now.keys()))}. "
            "Go on with that one, or choose another --output."
        )
    changed = [name for name in sorted(before.keys() - FREE) if before[name] != now[name]]
    if not changed:
        return
    lines = [
        f"  --{name.replace('_', '-')}: {_said(before[name])} then, {_said(now[name])} now"
        for name in changed[:SHOWN]
    ]
    if len(changed) > SHOWN:
        lines.append(f"  and {len(changed) - SHOWN} more")
    listed = "\n".join(lines)
    free = ", ".join("--" + name.replace("_", "-") for name in sorted(FREE - {"output", "resume"}))
    raise UserError(
        f"--resume: {written.parent} was started with other settings:\n{listed}\n"
        "Give those of the start (`--config` with its config.yaml does), or choose another "
        f"--output. These may change: {free}."
    )


def _check_version(folder: Path) -> None:
    """By the record with which every run begins; a run that lost its records is not judged."""
    try:
        check_regular(folder / "metrics.jsonl")
        started = parse_json(first_line(folder / "metrics.jsonl"))
    except (OSError, ValueError):
        return
    require_readable(version_of(started), folder)


def first_line(file: Path) -> bytes:
    """First line of a regular file; nothing of one that is empty or missing.

    Not for the lock file of a folder that this process holds: closing it would end the lock.

    Args:
        file: such as a run's ``metrics.jsonl``.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.readline(LONGEST_RECORD)
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _said(value: Any) -> str:
    return "unset" if value is None else str(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = parse_yaml(read_text(path))
    except FileNotFoundError:
        settings = None
    except ValueError as error:
        raise UserError(
            f"--resume: {path} is damaged ({error}); choose another --output"
        ) from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise UserError(
            f"--resume: {path} does not hold the settings of a run; choose another --output"
        )
    return settings
