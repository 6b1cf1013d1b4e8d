"""Reading files that anybody may have made: each function ends in a value, OSError or ValueError.

A pipe would be waited for without end, a file of a tebibyte would fill the memory, and the readers
of JSON, YAML and CSV fail in ways of their own; here all of it becomes one of two exceptions whose
text says what is wrong with the file.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

LARGEST = 4 << 30  # bytes of a file that is read into memory at once
MOST_VALUES = 1_000_000  # of a YAML file, aliases written out
_DIGITS, _BITS = 20, 64  # of a whole number, without its sign
_LONGEST_CELL = 1 << 24  # characters of a cell of a table


def check_regular(path: Path, largest: int | None = None) -> int:
    """Makes sure that opening a file neither waits nor takes all memory.

    Args:
        path: the file; a link is followed.
        largest: bytes that it may have; None for any number.

    Returns:
        Its size in bytes.

    Raises:
        OSError: it cannot be looked at, is a folder, pipe, socket or device, or is larger.
    """
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder; wanted is a file", str(path))
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "is a pipe or device; wanted is a file", str(path))
    if largest is not None and about.st_size > largest:
        said = f"has {about.st_size:,} bytes, too many to be what is wanted here"
        raise OSError(errno.EFBIG, said, str(path))
    return about.st_size


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a file.

    Args:
        path: the file.
        largest: bytes that it may have.

    Raises:
        OSError: see :func:`check_regular`.
    """
    check_regular(path, largest)
    return path.read_bytes()


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file.

    Args:
        path: the file.
        encoding: ``utf-8``, or ``utf-8-sig`` where a byte order mark may stand before the text.

    Raises:
        OSError: see :func:`check_regular`.
        ValueError: it is no such text; says at which byte.
    """
    content = read_bytes(path)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8 text ({error.reason} at byte {error.start})") from error


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Args:
        text: the text, or its bytes as UTF-8.

    Raises:
        ValueError: it is none, nests too deep, or holds a number that nothing can hold.
    """
    try:
        value = json.loads(
            text, parse_int=_json_int, parse_float=_json_float, parse_constant=_json_constant
        )
        if ("\\ud" if isinstance(text, str) else b"\\ud") in text.lower():  # type: ignore[operator]
            # Half of a pair of letters, which no text may hold that is written again.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise ValueError("brackets are nested too deep") from error
    except json.JSONDecodeError:
        raise
    except UnicodeError as error:
        raise ValueError(f"expected UTF-8 text ({error})") from error
    except ValueError as error:  # of bytes that are no text, or a number of thousands of digits
        raise ValueError(str(error).split(";")[0]) from error


def _json_int(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS or int(digits).bit_length() > _BITS:
        raise ValueError("a whole number is larger than 64 bits hold")
    return int(digits)


def _json_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{shortened(digits)} is larger than any number here")
    return number


def _json_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def parse_yaml(text: str) -> Any:
    """The value of a YAML text; no tag of it runs anything.

    Args:
        text: the text.

    Raises:
        ValueError: it is none, nests too deep, or grows beyond measure through its aliases.
    """
    try:
        value = yaml.safe_load(text)
        _count(value, {})
    except yaml.YAMLError as error:
        raise ValueError(f"is no YAML: {visible(str(error))}") from error
    except RecursionError as error:
        raise ValueError("is no YAML: brackets are nested too deep") from error
    except (ValueError, TypeError, AttributeError) as error:
        # Of a day that no month has, a number of thousands of digits, a tag with an odd value.
        raise ValueError(f"is no YAML: {visible(str(error)).split(';')[0]}") from error
    return value


def _count(value: Any, known: dict[int, int]) -> int:
    """Values inside, each alias written out; ``known`` holds what was counted, by identity."""
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise ValueError("a whole number is larger than 64 bits hold")
    if not isinstance(value, (dict, list, tuple, set)):
        return 1
    if id(value) in known:
        if known[id(value)] == 0:
            raise ValueError("an alias lies inside what it stands for")
        return known[id(value)]
    known[id(value)] = 0
    inside = [*value, *value.values()] if isinstance(value, dict) else list(value)
    total = 1 + sum(_count(one, known) for one in inside)
    if total > MOST_VALUES:
        raise ValueError("its aliases grow to more than a million values")
    known[id(value)] = total
    return total


def read_table(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """A CSV file with a line of column names.

    Args:
        path: the file.

    Returns:
        The columns and the rows below them, by column.

    Raises:
        OSError: see :func:`check_regular`.
        ValueError: it is no UTF-8 text or no table, or a row has other cells than there are
            columns; names the file and line.
    """
    try:
        text = read_text(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    before = csv.field_size_limit(_LONGEST_CELL)
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        columns = tuple(next(lines, ()))
        rows = []
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(columns):
                raise ValueError(
                    f"{path}, line {lines.line_num}: {len(columns)} cells expected, "
                    f"{len(cells)} found"
                )
            rows.append(dict(zip(columns, cells)))
    except csv.Error as error:
        raise ValueError(f"{path}, line {lines.line_num}: {error}") from error
    finally:
        csv.field_size_limit(before)
    return columns, rows


# What a terminal would obey instead of showing, and what turns the order of letters around.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def visible(text: str) -> str:
    """The text with control characters written as escapes.

    Args:
        text: of a message or a name; line breaks and tabs stay.
    """
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def is_whole(value: object) -> bool:
    """Whether a value that was read is a whole number from 0 that 63 bits hold.

    Args:
        value: whatever was found; true and false are none.
    """
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def is_number(value: object) -> bool:
    """Whether a value that was read is a number.

    Args:
        value: whatever was found; true and false are none.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_count(text: str) -> bool:
    """Whether a word is a number from 0 in digits 0 to 9 that 64 bits hold.

    Args:
        text: the word; digits of other scripts, signs and spaces are none.
    """
    return re.fullmatch("[0-9]{1,18}", text) is not None


def whole_number(text: str) -> int:
    """A number of a list or table, as a 64-bit integer.

    Args:
        text: digits 0 to 9, with a minus where it is negative, and spaces around it.

    Raises:
        ValueError: it is none, or is larger than 64 bits hold.
    """
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        raise ValueError(f"expected a whole number, found {shortened(text)}")
    return int(text)


def shortened(value: object, most: int = 80) -> str:
    """How a value from a file is shown in a message: quoted, on one line, cut off.

    Args:
        value: whatever was found.
        most: letters.
    """
    told = visible(ascii(value) if isinstance(value, bytes) else repr(value))
    return told if len(told) <= most else told[: most - 1] + "…"


def inside(path: str) -> bool:
    """Whether a relative path, read with slashes, stays below the folder that it starts in.

    Args:
        path: as a list or table names it.
    """
    parts = path.split("/")
    return (
        bool(path)
        and not path.startswith(("/", os.sep))
        and ".." not in parts
        and ("\0" not in path)
    )
