"""From a frozen dataclass to a command line: flags, help, YAML files and their mixture."""

from __future__ import annotations

import dataclasses
import itertools
import re
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jsonargparse
import yaml

from ..distributed.processes import say_once

Config = TypeVar("Config")
MOST_LINES = 12  # of a complaint

# Names that other code bases of the field gave their users, beside ours.
ALIASES = {
    "--dataset-dir": "--data-dir",
    "--fp16": "--precision=fp16",
    "--print-config": "--print_config",
}


class _Parser(jsonargparse.ArgumentParser):
    """Says what is wrong in a few lines; a hundred flags of usage would hide it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        lines = _with_flags(message).strip().splitlines()
        if len(lines) > MOST_LINES:
            lines = [*lines[:MOST_LINES], "..."]
        text = "\n".join(lines)
        say_once(f"{self.prog}: {text}\n`{self.prog} --help` lists the settings.")
        sys.exit(2)


def _with_flags(message: str) -> str:
    """Names settings as they are typed."""

    def flag(name: str) -> str:
        return "--" + name.replace("_", "-")

    required = re.fullmatch(r"the following arguments are required: (.*)", message)
    if required:
        return "missing: " + ", ".join(flag(name) for name in required[1].split(", "))
    message = re.sub(r'Parser key "(\w+)":\s*', lambda key: f"{flag(key[1])}: ", message)
    message = re.sub(r"a typing\.Literal\[(.*?)\]", r"one of \1", message)
    return re.sub(r"a <class '(.*?)'>", r"\1", message)


def build_parser(config: type, program: str, description: str) -> jsonargparse.ArgumentParser:
    """A parser with the fields of ``config`` as flags, ``--config`` and ``--print_config``."""
    parser = _Parser(prog=program, description=description)
    parser.add_argument(
        "--config", action="config", help="YAML file with any of the settings below"
    )
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        flag = "--" + field.name.replace("_", "-")
        options: dict[str, Any] = {"help": field.metadata["help"]}
        if field.default is dataclasses.MISSING:
            options["required"] = True
        else:
            options["default"] = field.default
        if hints[field.name] is bool:
            parser.add_argument(flag, action=jsonargparse.ActionYesNo(no_prefix="no-"), **options)
            continue
        if field.metadata["bare"] is not None:
            options.update(nargs="?", const=field.metadata["bare"])
        parser.add_argument(flag, type=hints[field.name], **options)
    return parser


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


def parse(
    config: type[Config], arguments: Sequence[str], *, program: str, description: str
) -> Config:
    """Builds ``config`` from defaults, then ``--config`` files and flags in the order given.

    Raises:
        SystemExit: with code 2 and a message on a bad or missing setting; 0 after ``--help``.
    """
    parser = build_parser(config, program, description)
    flags = normalise_flags(arguments)
    names = {field.name for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    for before, flag in itertools.pairwise(["", *flags]):
        if before == "--config" or flag.startswith("--config="):
            complaint = _complaint_about(Path(flag.removeprefix("--config=")), names)
            if complaint:
                parser.error(complaint)
    values = parser.parse_args(flags).as_dict()
    values.pop("config", None)
    try:
        return config(**values)
    except ValueError as error:
        parser.error(str(error))


def _complaint_about(file: Path, names: set[str]) -> str | None:
    """What is wrong with a ``--config`` file as a whole; its values are checked as flags are."""
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        return f"--config {file}: {error.strerror}"
    except UnicodeDecodeError as error:
        return f"--config {file}: expected UTF-8 text ({error.reason} at byte {error.start})"
    except yaml.YAMLError as error:
        return f"--config {file} is no YAML: {error}"
    if not isinstance(settings, dict):
        found = "nothing" if settings is None else type(settings).__name__
        return f"--config {file}: expected lines like `lr: 0.001`; found {found}"
    unknown = [str(name) for name in settings if str(name).replace("-", "_") not in names]
    if unknown:
        return f"--config {file}: unknown settings: {', '.join(unknown)}"
    return None
