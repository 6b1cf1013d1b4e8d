"""From a frozen dataclass to a command line: flags, help, YAML files and their mixture."""

from __future__ import annotations

import dataclasses
import itertools
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jsonargparse

from ..distributed.processes import say_once
from ..options import OptionError, read_yaml

Settings = TypeVar("Settings")
MOST_LINES, MOST_LETTERS = 12, 600  # of a complaint, and of a line of it

# Groups of flags in --help, the most used first; groups that are not named here follow.
GROUPS = (
    *("Settings", "Data", "Run", "Stage one", "Stage two", "Matching", "Labels", "Clustering"),
    *("Memories", "Losses", "Network", "Batches", "Optimiser", "Frames", "Evaluation", "Machine"),
)

NUMBER = r"-?(\d+\.?\d*|\.\d+)(e-?\d+)?"

# Names that other code bases of the field gave their users, beside ours, and shorter ones.
ALIASES = {
    "--dataset-dir": "--data-dir",
    "--fp16": "--precision=fp16",
    "--print-config": "--print_config",
    # No field of a dataclass can be called `from`.
    "--from": "--since",
    "--to": "--until",
}


class _Parser(jsonargparse.ArgumentParser):
    """Says what is wrong in a few lines; a hundred flags of usage would hide it."""

    def format_help(self, *formatter: Any) -> str:
        """Help with types in the words of the person at the keyboard."""
        return str(super().format_help(*formatter)).replace("<class 'Path'>", "path")

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        lines = _with_flags(message).strip().splitlines()
        if len(lines) > MOST_LINES:
            lines = [*lines[:MOST_LINES], "..."]
        text = "\n".join(_cut(line) for line in lines)
        if not self.exit_on_error:
            raise ValueError(text)
        say_once(f"{self.prog}: {text}\n`{self.prog} --help` lists the settings.")
        sys.exit(2)


def _cut(line: str) -> str:
    return line if len(line) <= MOST_LETTERS else line[: MOST_LETTERS - 1] + "…"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _with_flags(message: str) -> str:
    """Names settings as they are typed."""
    required = re.fullmatch(r"the following arguments are required: (.*)", message)
    if required:
        return "missing: " + ", ".join(_flag(name) for name in required[1].split(", "))
    message = re.sub(r'Parser key "(\w+)":\s*', lambda key: f"{_flag(key[1])}: ", message)
    message = re.sub(r"a typing\.Literal\[(.*?)\]", r"one of \1", message)
    return re.sub(r"a <class '(.*?)'>", r"\1", message)


def build_parser(settings: type, program: str, description: str) -> jsonargparse.ArgumentParser:
    """A parser with the fields of ``settings`` as flags, ``--config`` and ``--print_config``.

    Flags stand in groups, one for each options dataclass that ``settings`` inherits from.
    """
    by_name = {field.name: field for field in dataclasses.fields(settings)}
    groups = _groups(settings)
    required = [
        f"{_flag(name)} {name.upper()}"
        for names in groups.values()
        for name in names
        if by_name[name].default is dataclasses.MISSING
    ]
    usage = " ".join([program, *required, "[settings]"])
    # A hundred flags in the first line would hide the few that a run needs.
    parser = _Parser(prog=program, description=description, usage=usage)
    parser.add_argument(
        "--config", action="config", help="YAML file with any of the settings below"
    )
    hints = typing.get_type_hints(settings)
    for (heading, sentence), names in groups.items():
        group = parser.add_argument_group(heading, sentence)
        for name in names:
            _add_flag(group, by_name[name], hints[name])
    return parser


def _groups(settings: type) -> dict[tuple[str, str], list[str]]:
    """Heading and sentence of each group of flags to the names of its fields, in order."""
    groups: dict[tuple[str, str], list[str]] = {}
    seen: set[str] = set()
    known = {field.name for field in dataclasses.fields(settings)}
    # From the bottom, so that a field whose default a command changes stays where it belongs.
    for kind in reversed(settings.__mro__):
        own = vars(kind).get("__annotations__", {})
        names = [name for name in own if name in known and name not in seen]
        seen.update(names)
        if names:
            sentence = (kind.__doc__ or "").strip().splitlines()[0]
            heading = vars(kind).get("heading", "Settings")
            place = next((group for group in groups if group[0] == heading), (heading, sentence))
            groups.setdefault(place, []).extend(names)

    def place_of(group: tuple[str, str]) -> int:
        return GROUPS.index(group[0]) if group[0] in GROUPS else len(GROUPS)

    return {group: groups[group] for group in sorted(groups, key=place_of)}


def _add_flag(group: Any, field: dataclasses.Field[Any], kind: Any) -> None:
    flag = _flag(field.name)
    more: dict[str, Any] = {"help": field.metadata["help"]}
    if field.default is dataclasses.MISSING:
        more["required"] = True
    else:
        more["default"] = field.default
    if kind is bool:
        group.add_argument(flag, action=jsonargparse.ActionYesNo(no_prefix="no-"), **more)
        return
    if field.metadata["bare"] is not None:
        more.update(nargs="?", const=field.metadata["bare"])
    group.add_argument(flag, type=kind, **more)


def normalise_flags(arguments: Sequence[str]) -> list[str]:
    """Writes ``--data_dir`` as ``--data-dir`` and replaces the aliases."""
    flags = []
    for argument in arguments:
        if argument.startswith("--") and not argument.startswith("--print_config"):
            name, equals, value = argument.partition("=")
            argument = ALIASES.get(name.replace("_", "-"), name.replace("_", "-")) + equals + value
        flags.append(argument)
    return _joined(flags, "--protocol")


def _joined(flags: list[str], flag: str) -> list[str]:
    """Makes one comma list of a flag that is given several times; the last would win silently."""
    values, rest = [], []
    given = iter(flags)
    for argument in given:
        if argument == flag:
            values.append(next(given, ""))
        elif argument.startswith(flag + "="):
            values.append(argument[len(flag) + 1 :])
        else:
            rest.append(argument)
    return [*rest, f"{flag}={','.join(values)}"] if len(values) > 1 else flags


def _bracketed(flags: list[str], settings: type) -> list[str]:
    """Writes the numbers of a list, ``40,60``, as the parser wants them: ``[40,60]``."""
    hints = typing.get_type_hints(settings)
    lists = {_flag(name) for name, kind in hints.items() if _is_list_of_numbers(kind)}
    done: list[str] = []
    for before, flag in itertools.pairwise(["", *flags]):
        name, equals, value = flag.partition("=")
        if before in lists:
            name, equals, value = "", "", flag
        elif name not in lists:
            value = ""
        numbers = re.fullmatch(f"{NUMBER}(\\s*,\\s*{NUMBER})*", value)
        done.append(f"{name}{equals}[{value}]" if numbers else flag)
    return done


def _is_list_of_numbers(kind: Any) -> bool:
    """Whether a setting takes numbers, as many as are given, or perhaps nothing at all."""
    return bool({tuple[int, ...], tuple[float, ...]} & {kind, *typing.get_args(kind)})


def parse(
    settings: type[Settings], arguments: Sequence[str], *, program: str, description: str
) -> Settings:
    """Builds ``settings`` from defaults, then ``--config`` files and flags in the order given.

    Raises:
        SystemExit: with code 2 and a message on a bad or missing setting; 0 after ``--help``.
    """
    parser = build_parser(settings, program, description)
    flags = _bracketed(normalise_flags(arguments), settings)
    if any(flag.partition("=")[0] == "--print-schedule" for flag in flags):
        flags = [*_unread_paths(settings), *flags]
    names = {field.name for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
    for before, flag in itertools.pairwise(["", *flags]):
        name, equals, value = flag.partition("=")
        if _is_config(before) or (equals and _is_config(name)):
            file = flag if _is_config(before) else value
            complaint = _complaint_about(Path(file), names)
            if complaint:
                parser.error(complaint)
    values = parser.parse_args(flags).as_dict()
    try:
        return _checked(settings, values)
    except ValueError as error:
        parser.error(str(error))


def _is_config(word: str) -> bool:
    """Whether a word is ``--config``, which argparse lets a user cut short."""
    return len(word) > 2 and "--config".startswith(word)


def _unread_paths(settings: type) -> list[str]:
    """Flags for the required paths, which a command that prints its schedule does not look at."""
    hints = typing.get_type_hints(settings)
    required = (
        field.name
        for field in dataclasses.fields(settings)
        if field.default is dataclasses.MISSING and hints[field.name] is Path
    )
    return [f"{_flag(name)}={Path()}" for name in required]


def build(settings: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Builds ``settings`` from plain values by name, as a YAML file holds them.

    Raises:
        ValueError: a name is unknown, or a value is missing or bad.
    """
    known = {field.name for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"unknown settings: {', '.join(unknown)}")
    parser = build_parser(settings, "settings", "")
    parser.exit_on_error = False
    return _checked(settings, parser.parse_object(dict(values)).as_dict())


def _checked(settings: type[Settings], parsed: dict[str, Any]) -> Settings:
    """``settings`` of what a parser read; an option that complains is named as it is typed."""
    parsed.pop("config", None)
    try:
        return settings(**parsed)
    except OptionError as error:
        raise ValueError(f"{error.flag} {error.complaint}") from error


def _complaint_about(file: Path, names: set[str]) -> str | None:
    """What is wrong with a ``--config`` file as a whole; its values are checked as flags are."""
    try:
        values = read_yaml(file)
    except ValueError as error:
        return f"--config {error}"
    unknown = [name for name in values if name not in names]
    return f"--config {file}: unknown settings: {', '.join(unknown)}" if unknown else None
