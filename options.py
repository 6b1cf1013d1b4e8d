"""Options: small frozen dataclasses that a function takes whole and a command inherits as flags."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from .reading import parse_yaml, read_text

LONGEST_PATH = 4096
MOST_EPOCHS = 1_000_000  # each is planned and recorded before the first one begins
MOST_PROCESSES = 512  # thousands, all started at once, bring a machine to a standstill
MOST_THREADS = 1024  # of a process
MOST_FRAMES = 100_000  # of a clip


class OptionError(ValueError):
    """A value that an option does not take.

    Attributes:
        option: name of the option, as in Python.
        complaint: what it takes and what it got, to stand after the name.
    """

    def __init__(self, option: str, complaint: str) -> None:
        super().__init__(f"{option} {complaint}")
        self.option = option
        self.complaint = complaint

    @property
    def flag(self) -> str:
        """The option as it is typed on a command line."""
        return "--" + self.option.replace("_", "-")


@dataclass(frozen=True)
class Range:
    """Numbers that an option takes; None leaves a side open.

    Attributes:
        at_least, at_most: bounds that belong to the range.
        above, below: bounds that do not.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """The range as the end of a sentence: "is at least 1"."""
        low = self.at_least if self.above is None else self.above
        high = self.at_most if self.below is None else self.below
        if low is not None and high is not None:
            open_ends = {(True, True): ", both excluded", (True, False): f", {low} excluded"}
            open_ends[False, True] = f", {high} excluded"
            ends = open_ends.get((self.above is not None, self.below is not None), "")
            return f"lies between {low} and {high}{ends}"
        if low is not None:
            return f"is {'at least' if self.above is None else 'above'} {low}"
        return f"is {'at most' if self.below is None else 'below'} {high}"


def option(
    help: str,
    default: Any = dataclasses.MISSING,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    bare: str | None = None,
) -> Any:
    """A field of an options dataclass.

    Args:
        help: one line for ``--help``.
        default: value when none is given; the option is required without it.
        at_least, at_most, above, below: bounds of a number, as in :class:`Range`.
        bare: on a command line, the value that the flag stands for when it is given without one.
    """
    limits = Range(at_least, at_most, above, below)
    metadata = {"help": help, "bare": bare, "range": limits if limits != Range() else None}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of all options: refuses numbers outside the ranges of their fields.

    Attributes:
        heading: title of the group of flags in ``--help``; the first line of the class's docstring
            stands below it.
    """

    heading: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            limits = field.metadata["range"]
            value = getattr(self, field.name)
            if value is None and field.default is not None and "None" not in str(field.type):
                raise OptionError(field.name, "needs a value; leave it out to take the default")
            for one in value if isinstance(value, (tuple, list)) else (value,):
                if complaint := _complaint(one):
                    raise OptionError(field.name, complaint)
            if limits is not None and value is not None and value not in limits:
                raise OptionError(field.name, f"{limits}; got {value}")


def _complaint(value: Any) -> str:
    """What is wrong with a value whatever the option."""
    if isinstance(value, int) and value.bit_length() > 63:
        return "is a number that 64 bits hold; got a larger one"
    if isinstance(value, float) and not math.isfinite(value):
        return f"is a finite number; got {value}"
    if isinstance(value, (str, Path)) and "\0" in str(value):
        return "holds no NUL character"
    if isinstance(value, Path) and len(str(value)) > LONGEST_PATH:
        return f"is a path of at most {LONGEST_PATH:,} characters; got {len(str(value)):,}"
    return ""


def read_yaml(file: Path) -> dict[str, Any]:
    """Values by name from a YAML file, as :func:`to_yaml` writes them.

    Raises:
        ValueError: the file cannot be read or holds something else; names the file.
    """
    try:
        text = read_text(file)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    try:
        found = parse_yaml(text)
    except ValueError as error:
        raise ValueError(f"{file} {error}") from error
    if not isinstance(found, dict):
        kind = "nothing" if found is None else type(found).__name__
        raise ValueError(f"{file}: expected lines like `lr: 0.001`; found {kind}")
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def to_yaml(options: Any) -> str:
    """Options as YAML that ``--config`` reads back, from any folder."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value.absolute())
        return list(value) if isinstance(value, tuple) else value

    fields = {f.name: plain(getattr(options, f.name)) for f in dataclasses.fields(options)}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
