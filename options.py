"""Options: small frozen dataclasses that a function takes whole and a command inherits as flags."""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import yaml

# Types of plain values, for the person at the keyboard.
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "nothing",
}
Kind = TypeVar("Kind", bound="Options")


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
            if limits is not None and value is not None and value not in limits:
                raise OptionError(field.name, f"{limits}; got {value}")


def read_yaml(file: Path) -> dict[str, Any]:
    """Values by name from a YAML file, as :func:`to_yaml` writes them.

    Raises:
        ValueError: the file cannot be read or holds something else; names the file.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file}: expected UTF-8 text ({error.reason} at byte {error.start})"
        ) from error
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    if not isinstance(found, dict):
        kind = "nothing" if found is None else type(found).__name__
        raise ValueError(f"{file}: expected lines like `lr: 0.001`; found {kind}")
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def build(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Options from plain values, as a YAML file holds them.

    Args:
        kind: options dataclass.
        values: by name; text stands for a path, a list for a tuple, a whole number for a float.

    Raises:
        ValueError: a name is unknown, one that is needed is missing, or a value is of another type
            or outside its range.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(values.keys() - fields.keys()):
        raise ValueError(f"unknown settings: {', '.join(unknown)}")
    needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    if missing := sorted(needed - values.keys()):
        raise ValueError(f"missing settings: {', '.join(missing)}")
    return kind(**{name: _converted(name, value, hints[name]) for name, value in values.items()})


def _converted(name: str, value: Any, hint: Any) -> Any:
    """A plain value as the type that a field asks for."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for one in inner:
            with contextlib.suppress(OptionError):
                return _converted(name, value, one)
    elif origin is Literal:
        if value in inner:
            return value
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            return tuple(_converted(name, one, inner[0]) for one in value)
    elif hint is Path:
        if isinstance(value, (str, Path)):
            return Path(value)
    elif hint is float:
        # YAML reads 1e-3, without a dot, as text.
        with contextlib.suppress(ValueError):
            if isinstance(value, (int, float, str)) and not isinstance(value, bool):
                return float(value)
    elif isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise OptionError(name, f"takes {_worded(hint)}; got {value!r}")


def _worded(hint: Any) -> str:
    """A type for the person at the keyboard."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_worded(one) for one in inner)
    if origin is tuple:
        return f"a list of {_worded(inner[0])}"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def to_yaml(options: Any) -> str:
    """Options as YAML that ``--config`` reads back, from any folder."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value.absolute())
        return list(value) if isinstance(value, tuple) else value

    fields = {f.name: plain(getattr(options, f.name)) for f in dataclasses.fields(options)}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
