"""``vireid forget``: removes people or a period of time from an index, files included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError, as_user_error
from ..options import Options, option
from ..reading import read_text


@dataclass(frozen=True, kw_only=True)
class ForgetSettings(Options):
    """What an index is to hold no longer; several of these narrow each other down."""

    index: Path = option("the index")
    key: str = option("a tracklet's key; with / or * at its end all keys that begin so", "")
    keys: Path | None = option("text file of such keys, one a line", None)
    since: str = option(
        "--from: first moment of a period, in seconds or as 2026-03-01T14:30:00", ""
    )
    until: str = option("--to: last moment of the period", "")
    camera: str = option("names of cameras, joined by commas", "")


def run_forget(settings: ForgetSettings) -> int:
    """Removes the tracklets and says how many.

    Raises:
        UserError: nothing says what to remove, or nothing fits, or a file still holds it.
        OSError: the disk has no room to write the rows that stay; nothing was removed.
    """
    from ..retrieval.forgetting import finish, forget
    from ..retrieval.index_folder import locked, open_index
    from ..retrieval.search import check_cameras

    condition = _condition(settings)
    path = settings.index
    index = open_index(path)
    with locked(path, str(path)):
        index = open_index(path)  # as the process left it that had the lock before
        if index.interrupted:
            finish(index)
            print(f"{path}: removed what an interrupted `vireid forget` had left in files")
        check_cameras(index, _names(settings.camera))
        count = forget(index, condition)
        if not count:
            raise UserError(
                f"{path} holds no such tracklet among {index.store.count():,}; nothing was "
                "removed. `vireid search` shows keys, cameras and times."
            )
        if index.facts.probes is not None:
            from ..retrieval.vector_index import keep_fast

            index.change(probes=None, recall=None)
            keep_fast(index)
    print(
        f"{path}: {count:,} tracklets removed, {index.store.count():,} left; no file of the index "
        "holds their vectors or pictures"
    )
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _condition(settings: ForgetSettings) -> str:
    """Which rows go."""
    from ..datasets.times import parse_time
    from ..retrieval.conditions import Filter, all_of, key_condition

    with as_user_error():
        since, until = (parse_time(t) if t else None for t in (settings.since, settings.until))
    keys = [settings.key] if settings.key else []
    if settings.keys is not None:
        try:
            keys += [line.strip() for line in read_text(settings.keys).splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise UserError(f"--keys {settings.keys} cannot be read: {error}") from error
        if not keys:
            raise UserError(f"--keys {settings.keys} holds no key; wanted is one a line")
    named = " OR ".join(map(key_condition, dict.fromkeys(keys)))
    condition = all_of((named, Filter(_names(settings.camera), None, since, until).condition()))
    if not condition:
        raise UserError(
            "nothing says what to remove: give --key, --keys, --from and --to, or --camera"
        )
    return condition
