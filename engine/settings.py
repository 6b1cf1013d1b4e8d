"""From a frozen dataclass to a command line: flags, help, YAML files and their mixture."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import jsonargparse

Config = TypeVar("Config")

# Names that other code bases of the field gave their users, beside ours.
ALIASES = {
    "--dataset-dir": "--data-dir",
    "--fp16": "--precision=fp16",
    "--print-config": "--print_config",
    "--checkpoint": "--resume",
}


def setting(help: str, default: Any = dataclasses.MISSING, *, bare: str | None = None) -> Any:
    """A dataclass field with a help text.

    Args:
        help: one line for ``--help``.
        default: value when neither a file nor a flag gives one; required without it.
        bare: the value that the flag stands for when it is given without one.
    """
    metadata = {"help": help, "bare": bare}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def build_parser(config: type, program: str, description: str) -> jsonargparse.ArgumentParser:
    """A parser with the fields of ``config`` as flags, ``--config`` and ``--print_config``."""
    parser = jsonargparse.ArgumentParser(prog=program, description=description)
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
    return flags


def parse(
    config: type[Config], arguments: Sequence[str], *, program: str, description: str
) -> Config:
    """Builds ``config`` from defaults, then ``--config`` files and flags in the order given.

    Raises:
        SystemExit: with code 2 and a message on a bad or missing setting; 0 after ``--help``.
    """
    parser = build_parser(config, program, description)
    values = parser.parse_args(normalise_flags(arguments)).as_dict()
    values.pop("config", None)
    try:
        return config(**values)
    except ValueError as error:
        parser.error(str(error))


def to_yaml(config: Any) -> str:
    """The resolved settings as YAML that ``--config`` reads back."""
    import yaml

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        return list(value) if isinstance(value, tuple) else value

    fields = {f.name: plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
