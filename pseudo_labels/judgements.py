"""A person's judgements of pairs of tracklets: same, different, unsure; and taken back.

One JSON object a line, only ever appended: a judgement has ``id``, ``time``, ``first``, ``second``
and ``answer``, taking one back ``id``, ``time`` and ``undoes``. What a person said an hour ago is
therefore never lost by what they say now; only forgetting people writes the file anew.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import UserError
from ..files import append_line, naming, write_whole
from ..reading import is_whole, parse_json, read_bytes, shortened

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Answer = Literal["same", "different", "unsure"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
FILE = "judgements.jsonl"
_JUDGEMENT = {"id", "time", "first", "second", "answer"}
_UNDOING = {"id", "time", "undoes"}
# The system's lock is the process's; this one keeps its threads apart.
_THREADS = threading.Lock()


@dataclass(frozen=True)
class Judgement:
    """What a person said about two tracklets.

    Attributes:
        first, second: their keys, in the order in which they were shown.
        answer: what was said.
        time: when, with its zone.
        number: its id, from 1; a file has each once.
    """

    first: str
    second: str
    answer: Answer
    time: datetime
    number: int

    @property
    def pair(self) -> tuple[str, str]:
        """The two keys, sorted: one for both orders."""
        return (self.first, self.second) if self.first < self.second else (self.second, self.first)


def read_judgements(file: Path) -> list[Judgement]:
    """The judgements that stand: nothing undoes them, and none about the same pair came later.

    Args:
        file: ``judgements.jsonl`` of an index; none is there before the first judgement.

    Returns:
        In the order of the file. A last line that is no JSON is left out: a kill while writing
        leaves one.

    Raises:
        UserError: another line is broken; names it.
        OSError: the file cannot be read.
    """
    with naming(file):
        lines, _ = _read(file)
    latest = {one.pair: one for one in _not_undone(lines)}
    return sorted(latest.values(), key=lambda one: lines[one.number].place)


def all_judgements(file: Path) -> list[Judgement]:
    """Every judgement that the file holds, also those that no longer stand.

    Args:
        file: ``judgements.jsonl`` of an index.

    Raises:
        UserError: a line is broken.
        OSError: the file cannot be read.
    """
    with naming(file):
        lines, _ = _read(file)
    return [line.judgement for line in lines.values() if line.judgement is not None]


def judge(file: Path, first: str, second: str, answer: Answer) -> Judgement:
    """Appends a judgement; it stands from now on, whatever was said about the pair before.

    Args:
        file: ``judgements.jsonl`` of an index; made if missing.
        first, second: keys of two tracklets.
        answer: what is said about them.

    Raises:
        UserError: a tracklet is compared with itself, or the file is broken.
        OSError: it cannot be written; it is as before.
    """
    if first == second:
        raise UserError(f"{shortened(first)} is one tracklet; a judgement is about two")
    with _alone(file):
        number = _prepare(file)[1]
        made = Judgement(first, second, answer, _now(), number)
        pair = {"first": first, "second": second, "answer": answer}
        _append(file, {"id": number, "time": made.time.isoformat(), **pair})
    return made


def undo(file: Path, number: int) -> Judgement:
    """Takes a judgement back; an earlier one about the same pair stands again.

    Args:
        file: ``judgements.jsonl`` of an index.
        number: of the judgement.

    Returns:
        What was taken back.

    Raises:
        UserError: there is none of this number, it was taken back before, or the file is broken.
        OSError: the file cannot be written; it is as before.
    """
    with _alone(file):
        lines, free = _prepare(file)
        found = {one.number: one for one in _not_undone(lines)}.get(number)
        if found is None:
            raise UserError(f"{file} has no judgement {number} that could be taken back")
        _append(file, {"id": free, "time": _now().isoformat(), "undoes": number})
    return found


def forget_judgements(file: Path, gone: Callable[[str], bool]) -> int:
    """Writes the file anew without any line about some tracklets.

    Args:
        file: ``judgements.jsonl`` of an index.
        gone: whether a key is one of theirs.

    Returns:
        How many judgements went, those that were taken back among them; with 0 the file is as
        before.

    Raises:
        UserError: the file is broken.
        OSError: it cannot be written; it is as before.
    """
    if not file.exists():
        return 0
    with _alone(file):
        lines, _ = _prepare(file)
        away = {
            number
            for number, line in lines.items()
            if line.judgement and (gone(line.judgement.first) or gone(line.judgement.second))
        }
        if away:
            stay = [
                line.text
                for number, line in lines.items()
                if number not in away and line.undoes not in away
            ]
            write_whole(file, "".join(f"{text}\n" for text in stay))
    return len(away)


@dataclass(frozen=True)
class _Line:
    """A line as it stands in the file: a judgement, or the number of one that it takes back."""

    text: str
    place: int
    judgement: Judgement | None
    undoes: int | None


def _not_undone(lines: dict[int, _Line]) -> list[Judgement]:
    undone = {line.undoes for line in lines.values()}
    found = [line.judgement for number, line in lines.items() if number not in undone]
    return [one for one in found if one is not None]


def _read(file: Path) -> tuple[dict[int, _Line], int]:
    """Lines by number, and how many bytes of the file are whole lines."""
    try:
        content = read_bytes(file)
    except FileNotFoundError:
        return {}, 0
    lines: dict[int, _Line] = {}
    whole = 0
    texts = content.splitlines(keepends=True)
    for place, text in enumerate(texts, start=1):
        if text.strip():
            try:
                value = parse_json(text)
            except ValueError as error:
                if place == len(texts):
                    break
                raise _broken(file, place, str(error)) from error
            try:
                number, line = _parsed(value, text.decode().strip(), place, lines)
            except ValueError as error:
                raise _broken(file, place, str(error)) from error
            lines[number] = line
        whole += len(text)
    return lines, whole


def _broken(file: Path, place: int, complaint: str) -> UserError:
    return UserError(
        f"{file}, line {place}: {complaint}. Mend or remove the line, or restore the file from a "
        "copy."
    )


def _parsed(value: Any, text: str, place: int, before: dict[int, _Line]) -> tuple[int, _Line]:
    """A line's number and content; ValueError says what else was expected."""
    if not isinstance(value, dict) or set(value) not in (_JUDGEMENT, _UNDOING):
        raise ValueError(
            "expected id, time, first, second, answer of a judgement, or id, time, undoes; found "
            f"{shortened(value)}"
        )
    number = value["id"]
    if not is_whole(number) or not number:
        raise ValueError(f"id: expected a number from 1, found {shortened(number)}")
    if number in before:
        raise ValueError(f"id: {number} is there already, in line {before[number].place}")
    time = _parsed_time(value["time"])
    if "undoes" in value:
        undoes = value["undoes"]
        if not is_whole(undoes) or undoes not in before or before[undoes].judgement is None:
            raise ValueError(
                f"undoes: expected the id of a judgement above, found {shortened(undoes)}"
            )
        return number, _Line(text, place, None, undoes)
    first, second, answer = value["first"], value["second"], value["answer"]
    for name, key in (("first", first), ("second", second)):
        if not isinstance(key, str) or not key:
            raise ValueError(f"{name}: expected the key of a tracklet, found {shortened(key)}")
    if first == second:
        raise ValueError(f"first and second are both {shortened(first)}")
    if answer not in ANSWERS:
        raise ValueError(f"answer: expected one of {', '.join(ANSWERS)}, found {shortened(answer)}")
    return number, _Line(text, place, Judgement(first, second, answer, time, number), None)


def _parsed_time(text: Any) -> datetime:
    wanted = f"time: expected one like 2026-03-01T14:00:00+00:00, found {shortened(text)}"
    if not isinstance(text, str):
        raise ValueError(wanted)
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(wanted) from None
    if time.tzinfo is None:
        raise ValueError(f"{wanted}, which has no zone")
    return time


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Waits for whoever else writes judgements of this index.

    A lock of its own: `vireid index` holds the folder's for hours, and what a person says meanwhile
    is not to be refused. Not on the file itself, since forgetting puts another in its place.
    """
    lock = file.with_suffix(".lock")
    with _THREADS:
        with naming(lock):
            held = lock.open("a")
        with held:
            if fcntl is not None:
                with suppress(OSError):  # a file system without locks: nobody is refused there
                    fcntl.lockf(held, fcntl.LOCK_EX)
            yield


def _prepare(file: Path) -> tuple[dict[int, _Line], int]:
    """Lines by number, and the next free number; the file then ends with a whole line."""
    lines, whole = _read(file)
    if file.exists():
        with naming(file), file.open("r+b") as opened:
            opened.truncate(whole)
            if whole:
                opened.seek(whole - 1)
                if opened.read(1) != b"\n":
                    opened.write(b"\n")
    return lines, max(lines, default=0) + 1


def _append(file: Path, value: dict[str, Any]) -> None:
    # In ASCII, so that no letter of a key ends a line, whoever splits the file.
    append_line(file, json.dumps(value))
