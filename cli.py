"""The command ``vireid``: one sub-command for each thing the toolkit does."""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from . import __version__
from .commands.command_line import parse
from .distributed import processes
from .engine import program
from .engine.thread_waiting import wait_briefly
from .errors import (
    Stopped,
    SystemFault,
    UserError,
    explain_system_error,
    first_line,
    wants_memory,
)

REQUEUE = 75  # EX_TEMPFAIL: nothing is wrong, and the same command may be tried again


@dataclass(frozen=True)
class Command:
    """A sub-command.

    Attributes:
        help: one line.
        config: ``module:class`` of its settings; imported when the command is chosen.
        run: ``module:function``, from settings to exit code or a result that is left alone.
        positional: setting that may be given without its flag.
        many: the positional setting is a list, as many words as come before the first flag.
    """

    help: str
    config: str
    run: str
    positional: str | None = None
    many: bool = False


COMMANDS = {
    "synth": Command(
        "render a synthetic data set",
        ".commands.synth:SynthSettings",
        ".commands.synth:run_synth",
        "output",
    ),
    "crop": Command(
        "cut the tracks of your own video out, as a data set",
        ".commands.crop:CropSettings",
        ".commands.crop:run_crop",
        "video",
        many=True,
    ),
    "verify": Command(
        "compare a data set with what was published",
        ".commands.verify:VerifySettings",
        ".commands.verify:run_verify",
    ),
    "baseline": Command(
        "stage one: encoder and pseudo-labels, without labels",
        ".baselines.settings:BaselineSettings",
        ".baselines.train:run_baseline",
    ),
    "mmm": Command(
        "stage two: multi-memory matching; or --supervised",
        ".commands.mmm:MMMSettings",
        ".commands.mmm:run_mmm",
    ),
    "ablate": Command(
        "train variants of stage two over seeds, and tabulate what each gains",
        ".ablation.settings:AblateSettings",
        ".ablation.run:run_ablation",
    ),
    "evaluate": Command(
        "rank the test split with a trained network",
        ".commands.evaluate:EvaluateSettings",
        ".commands.evaluate:run_evaluation",
    ),
    "calibrate": Command(
        "thresholds of a trained network's scores, and the errors of each",
        ".commands.calibrate:CalibrateSettings",
        ".commands.calibrate:run_calibrate",
        "run",
    ),
    "average": Command(
        "mean and spread over finished runs, such as RegDB's trials",
        ".commands.average:AverageSettings",
        ".commands.average:run_average",
        "runs",
        many=True,
    ),
    "cluster": Command(
        "cluster stored features, once or for a grid of eps (--scan)",
        ".commands.cluster:ClusterSettings",
        ".commands.cluster:run_cluster",
        "input",
    ),
    "export": Command(
        "write a network in the published layout or as ONNX, or a published checkpoint as ours",
        ".commands.export:ExportSettings",
        ".commands.export:run_export",
        "input",
    ),
    "index": Command(
        "add tracklets to an index that lasts: vectors, times, thumbnails",
        ".commands.index:IndexSettings",
        ".commands.index:run_index",
        "inputs",
        many=True,
    ),
    "search": Command(
        "look for tracklets in an index, across modalities",
        ".commands.search:SearchSettings",
        ".commands.search:run_search",
        "index",
    ),
    "browse": Command(
        "look through an index in a web page of your own, and say who is the same",
        ".commands.browse:BrowseSettings",
        ".commands.browse:run_browse",
        "index",
    ),
    "forget": Command(
        "remove people, or a period of time, from an index and its files",
        ".commands.forget:ForgetSettings",
        ".commands.forget:run_forget",
        "index",
    ),
    "doctor": Command(
        "look at this machine, a recipe's batch, a data set's counts, and the room a run needs",
        ".commands.doctor:DoctorSettings",
        ".commands.doctor:run_doctor",
    ),
    "compare": Command(
        "say where two runs part: data, settings, or the first record that differs",
        ".commands.compare:CompareSettings",
        ".commands.compare:run_compare",
        "runs",
        many=True,
    ),
    "report": Command(
        "write one or several runs as one HTML page",
        ".commands.report:ReportSettings",
        ".commands.report:run_report",
        "runs",
        many=True,
    ),
}


def _named(path: str) -> Any:
    module, name = path.split(":")
    return getattr(import_module(module, __package__), name)


def usage() -> str:
    """What ``vireid --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        (
            "usage: vireid COMMAND [settings]",
            "",
            "Visible-infrared person re-identification, with and without labels.",
            "",
            "commands:",
            *lines,
            "",
            "`vireid COMMAND --help` lists the settings of a command.",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        0 on success; 1 where the machine denied something (room, a handle, a worker process), or a
        run does not fit on it; 2 on an error in the command or its data; 75 after a scheduler's
        signal; 130 after Ctrl-C.
    """
    if arguments is None:
        _prepare_terminal()
        wait_briefly()
        program.remember_file(sys.argv[0])
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        return _tell(usage()) or (0 if given else 2)
    if given[0] in ("-V", "--version"):
        return _tell(f"vireid {__version__}")
    name, *rest = given
    if name not in COMMANDS:
        print(f"vireid: unknown command {name!r}\n\n{usage()}", file=sys.stderr)
        return 2
    command = COMMANDS[name]
    if command.many:
        words = list(itertools.takewhile(lambda word: not word.startswith("-"), rest))
        listed = [f"--{command.positional}={json.dumps(words)}"] if words else []
        rest = [*listed, *rest[len(words) :]]
    elif command.positional:
        rest = _with_flag(command.positional, rest)
    code = _run(command, name, rest)
    if arguments is None and code == 0 and processes.count() > 1:
        from .distributed import ranks

        ranks.leave()
    return code


def _tell(text: str) -> int:
    """Prints; 1 where the output takes nothing any more."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try again at the end, and complain in its own way.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # `head` has had enough
            processes.say_once(f"vireid: {explain_system_error(error)[0]}")
        return 1
    return 0


def _prepare_terminal() -> None:
    if not sys.warnoptions:
        # Libraries warn about libraries; -W and PYTHONWARNINGS show it.
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A folder's name, or an epsilon, may be more than the terminal can show.
            stream.reconfigure(errors="backslashreplace")


def _with_flag(name: str, arguments: Sequence[str]) -> list[str]:
    """Gives the first argument that is no flag and no flag's value its flag."""
    for index, (before, argument) in enumerate(zip(["", *arguments], arguments)):
        if not argument.startswith("-") and (not before.startswith("-") or "=" in before):
            return [*arguments[:index], f"--{name}={argument}", *arguments[index + 1 :]]
    return list(arguments)


def _run(command: Command, name: str, arguments: Sequence[str]) -> int:
    try:
        kind = _named(command.config)
        config = parse(kind, arguments, program=f"vireid {name}", description=command.help)
        result = _named(command.run)(config)
    except KeyboardInterrupt:
        if processes.is_main():
            print(f"\nvireid: stopped.{_way_on(name)}", file=sys.stderr)
        return 130
    except Stopped as stopped:
        if str(stopped) and processes.is_main():
            print(f"vireid: {stopped}{_way_on(name)}", file=sys.stderr)
        return REQUEUE
    except BrokenPipeError:
        # The reader of our output, for instance `head`, has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UserError as error:
        denied = isinstance(error, SystemFault)
        processes.say_once(f"vireid: {error}{_way_on(name) if denied else ''}")
        return error.exit_code
    except OSError as error:
        # The disk, a permission, the network: no fault of the program either.
        text, machine = explain_system_error(error)
        processes.say_once(f"vireid: {text}{_way_on(name) if machine else ''}")
        return 1 if machine else 2
    except (MemoryError, RuntimeError) as error:
        if not wants_memory(error):
            raise
        parts = ", or --accumulate parts of a batch" if name in ("baseline", "mmm") else ""
        processes.say_once(
            f"vireid: out of memory ({first_line(error)}). Lower the sizes that the command "
            f"computes with{parts}; free some memory.{_way_on(name)}"
        )
        return 1
    return result if isinstance(result, int) else 0


def _way_on(name: str) -> str:
    """How a command goes on that ended before its time."""
    if name in ("baseline", "mmm"):
        return " The same command with --resume goes on."
    return " The same command goes on." if name in ("ablate", "crop", "index", "forget") else ""
