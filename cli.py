"""The command ``vireid``: one sub-command for each thing the toolkit does."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from . import __version__
from .engine.errors import UserError
from .engine.settings import parse, setting


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """Which synthetic set to render."""

    output: Path = setting("folder to write")
    layout: Literal["hitsz-vcm", "bupt-campus"] = setting("on-disk layout", "hitsz-vcm")
    preset: Literal["tiny", "demo", "bench"] = setting("size", "demo")
    seed: int = setting("who the people and what the cameras are", 0)
    workers: int | None = setting("rendering processes; unset: one for each core", None)


@dataclass(frozen=True, kw_only=True)
class VerifyConfig:
    """Which data set to verify."""

    dataset: str = setting("data set name: hitsz-vcm, bupt-campus, folder")
    data_dir: Path = setting("folder of the data set, as it was published")


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Which run to report."""

    run: Path = setting("run folder")
    output: Path | None = setting("HTML file; unset: report.html in the run folder", None)


def _synth(config: SynthConfig) -> int:
    from .datasets.synthetic import render_dataset

    rendered = render_dataset(
        config.output,
        layout=config.layout,
        preset=config.preset,
        seed=config.seed,
        workers=config.workers,
    )
    done = "was rendered before, in" if rendered.reused else "rendered into"
    print(f"{config.preset}, seed {config.seed}: {done} {config.output}")
    return 0


def _verify(config: VerifyConfig) -> int:
    from .datasets.verify import verify_dataset

    verification = verify_dataset(config.dataset, config.data_dir)
    print(verification.text())
    return 0 if verification.ok else 2


def _report(config: ReportConfig) -> int:
    from .evaluation.report import write_report

    try:
        print(write_report(config.run, config.output))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    return 0


@dataclass(frozen=True)
class Command:
    """A sub-command.

    Attributes:
        help: one line.
        config: ``module:class`` of its settings; imported when the command is chosen.
        run: ``module:function``, from settings to exit code or a result that is left alone.
        positional: setting that may be given without its flag.
    """

    help: str
    config: str
    run: str
    positional: str | None = None


COMMANDS = {
    "synth": Command("render a synthetic data set", ".cli:SynthConfig", ".cli:_synth", "output"),
    "verify": Command(
        "compare a data set with what was published", ".cli:VerifyConfig", ".cli:_verify"
    ),
    "baseline": Command(
        "stage one: encoder and pseudo-labels, without labels",
        ".baselines.config:BaselineConfig",
        ".baselines.train:run_baseline",
    ),
    "mmm": Command(
        "stage two: multi-memory matching; or --supervised",
        ".mmm.config:MMMConfig",
        ".mmm.train:run_mmm",
    ),
    "evaluate": Command(
        "rank the test split with a trained network",
        ".engine.evaluate:EvaluateConfig",
        ".engine.evaluate:run_evaluation",
    ),
    "cluster": Command(
        "cluster stored features, once or for a grid of eps (--scan)",
        ".engine.cluster_command:ClusterConfig",
        ".engine.cluster_command:run_cluster",
        "input",
    ),
    "report": Command("write a run as one HTML page", ".cli:ReportConfig", ".cli:_report", "run"),
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


def _expected_errors() -> tuple[type[Exception], ...]:
    from .clustering.pseudo_labels import DegenerateClustering
    from .datasets.errors import DatasetError

    return (UserError, DatasetError, DegenerateClustering)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a sub-command.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        0 on success, 2 on an error that the user can mend, 130 after Ctrl-C.
    """
    if arguments is None:
        _prepare_terminal()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if given else 2
    if given[0] in ("-V", "--version"):
        print(f"vireid {__version__}")
        return 0
    name, *rest = given
    if name not in COMMANDS:
        print(f"vireid: unknown command {name!r}\n\n{usage()}", file=sys.stderr)
        return 2
    command = COMMANDS[name]
    if command.positional and rest and not rest[0].startswith("-"):
        rest = [f"--{command.positional}={rest[0]}", *rest[1:]]
    elif command.positional and len(rest) > 1 and _dangling(rest):
        rest = [*rest[:-1], f"--{command.positional}={rest[-1]}"]
    return _run(command, name, rest)


def _prepare_terminal() -> None:
    if not sys.warnoptions:
        # Libraries warn about libraries; -W and PYTHONWARNINGS show it.
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A folder's name, or an epsilon, may be more than the terminal can show.
            stream.reconfigure(errors="backslashreplace")


def _dangling(arguments: Sequence[str]) -> bool:
    """Whether the last argument is no flag and no flag's value."""
    before, last = arguments[-2:]
    return not last.startswith("-") and (not before.startswith("-") or "=" in before)


def _run(command: Command, name: str, arguments: Sequence[str]) -> int:
    try:
        program = f"vireid {name}"
        kind = _named(command.config)
        config = parse(kind, arguments, program=program, description=command.help)
        result = _named(command.run)(config)
    except KeyboardInterrupt:
        way_on = " The same command with --resume goes on." if name in ("baseline", "mmm") else ""
        print(f"\nvireid: stopped.{way_on}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output, for instance `head`, has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except _expected_errors() as error:
        print(f"vireid: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # The disk, a permission, the network: no fault of the program either.
        print(f"vireid: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0
