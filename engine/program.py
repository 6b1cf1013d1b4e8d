"""How this process came to be the command ``vireid``, so that it can start the command again."""

from __future__ import annotations

import sys
from pathlib import Path

# A user's file that registered parts of its own and then handed over to `vireid.cli.main`.
_file: Path | None = None


def remember_file(started: str) -> None:
    """Keeps the file that a user started as the command, if it is one.

    Call it only where the process's own arguments are the command's: a program that calls commands
    by itself would start all over again. ``started`` is the first word of the process's arguments.
    """
    global _file
    file = Path(started)
    if file.suffix == ".py" and file.name != "__main__.py" and file.is_file():
        _file = file.resolve()


def command_line(command: str) -> tuple[list[str], dict[str, str]]:
    """How to start a sub-command in a process of its own, as this one was started.

    Returns:
        The first words, and what to add to the environment.
    """
    if _file is not None:
        return [sys.executable, str(_file), command], {}
    # The folder of the command must not hide installed packages from the child.
    return [sys.executable, "-m", "vireid", command], {"PYTHONSAFEPATH": "1"}
