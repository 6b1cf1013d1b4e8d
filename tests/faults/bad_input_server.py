"""Runs a case in a child of this process, which has imported everything, and judges its end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .bad_input_cases import Case, build_case
from .bad_input_world import make_world
from .forked import renew_threads

LIMIT_S = 60.0
MEMORY = 12 << 30
LARGEST_FILE = 1 << 30
LONGEST_MESSAGE = 8000
# A message that is nothing but an exception of Python.
BARE = re.compile(
    r"(\w+(Error|Exception|Interrupt|Exit))?(:? ?[\w'\"]{0,40})?"
    r"|\[Errno \d+\].*|'[^']*'|.*object (is not|has no|of type).*|(KeyError|TypeError).*"
)


@dataclass
class Outcome:
    """How a case ended.

    Attributes:
        case: the case.
        code: exit code; None after a hang.
        seconds: wall clock.
        said: standard output and error.
        faults: what was wrong, by kind: ``traceback``, ``hang``, ``code``, ``message``,
            ``touched``, ``executed``.
    """

    case: Case
    code: int | None
    seconds: float
    said: str
    faults: dict[str, str] = field(default_factory=dict)


def prepare() -> None:
    """Imports what every command needs, on one thread."""
    import importlib
    import pkgutil

    import torch
    import vireid

    torch.set_num_threads(1)
    skipped = ("tests", "benchmarks", "examples", "setup", "__main__", "scripts", "docs")
    for module in pkgutil.walk_packages(vireid.__path__, "vireid."):
        parts = module.name.split(".")
        if parts[1] in skipped or parts[-1] == "__main__":
            if module.ispkg:
                sys.modules.setdefault(module.name, None)  # type: ignore[arg-type]
            continue
        importlib.import_module(module.name)
    for name in ("torchvision.io.image", "scipy.io", "PIL.ImageFile", "sklearn.cluster"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run_words(
    words: Sequence[str], folder: Path, *, cwd: Path, limit_s: float = LIMIT_S
) -> tuple[int | None, str]:
    """Runs ``vireid WORDS`` in a child.

    Args:
        words: command line.
        folder: gets the output, and holds ``home`` and ``tmp``.
        cwd: working folder.
        limit_s: after which the child is killed.

    Returns:
        Exit code, minus the signal where one ended it, None after the limit; and what was said.
    """
    said = folder / "said.txt"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _in_child(words, folder, cwd, said)
        finally:
            os._exit(code)
    end = time.monotonic() + limit_s
    pause = 0.002
    status: int | None = None
    while time.monotonic() < end:
        done, found = os.waitpid(child, os.WNOHANG)
        if done:
            status = found
            break
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return code, said.read_bytes().decode("utf-8", "backslashreplace")


def _in_child(words: Sequence[str], folder: Path, cwd: Path, said: Path) -> int:
    os.setsid()
    renew_threads()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.environ.update(
        HOME=str(folder / "home"),
        XDG_CACHE_HOME=str(folder / "home" / ".cache"),
        TMPDIR=str(folder / "tmp"),
        # What would be downloaded is not: the campaign is the same without a network.
        http_proxy="http://127.0.0.1:9",
        https_proxy="http://127.0.0.1:9",
    )
    os.chdir(cwd)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    empty = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((empty, 0), (file, 1), (file, 2)):
        os.dup2(old, new)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace")
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    from vireid.cli import main

    try:
        code: object = main(list(words))
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


def fingerprint(root: Path, left_out: Iterable[Path] = ()) -> dict[str, str]:
    """What lies below a folder: kind, rights and content of everything, links not followed."""
    skipped = {str(path) for path in left_out}
    found = {}
    stack = [str(root)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.path in skipped:
                    continue
                about = entry.stat(follow_symlinks=False)
                told = f"{about.st_mode:o}"
                if entry.is_symlink():
                    told += str(Path(entry.path).readlink())
                elif entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    told += f" {about.st_size} {about.st_mtime_ns}"
                    if about.st_size < 1 << 24:
                        told += " " + _digest(entry.path)
                found[entry.path] = told
    return found


def _digest(path: str) -> str:
    try:
        return hashlib.blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return "unreadable"


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What came, went or changed."""
    return (
        [f"new: {name}" for name in sorted(after.keys() - before.keys())]
        + [f"gone: {name}" for name in sorted(before.keys() - after.keys())]
        + [f"changed: {n}" for n in sorted(before.keys() & after.keys()) if before[n] != after[n]]
    )


class Server:
    """The good inputs and the folder in which cases run.

    Args:
        root: an empty folder.
        limit_s: after which a case hangs.
        small: fewer good inputs, so that the first case comes sooner.
    """

    def __init__(self, root: Path, limit_s: float = LIMIT_S, *, small: bool = False) -> None:
        self.root, self.limit_s = root, limit_s
        self.world = root / "world"
        self.world.mkdir()
        prepare()
        making = root / "making"
        for name in ("home", "tmp"):
            (making / name).mkdir(parents=True)

        def run(words: Sequence[str]) -> int:
            code, said = run_words(words, making, cwd=making, limit_s=300)
            if code != 0:
                print(said, file=sys.stderr)
            return code if code is not None else -1

        make_world(self.world, run, small=small)
        self._good = fingerprint(self.world)

    def try_case(self, seed: int, number: int, *, keep: bool = False) -> Outcome:
        """Makes a case, runs it and judges it.

        Args:
            seed, number: which.
            keep: leave its folder behind.
        """
        folder = self.root / f"case-{seed}-{number}"
        folder.mkdir()
        return self.judge(build_case(seed, number, self.world, folder), folder, keep=keep)

    def judge(self, case: Case, folder: Path, *, keep: bool = False) -> Outcome:
        """Runs a case that lies in ``folder`` and says what was wrong with how it ended."""
        said_file = folder / "said.txt"
        said_file.touch()
        left_out = [*case.written, said_file, folder / "home"]
        before = fingerprint(folder, left_out)
        start = time.monotonic()
        code, said = run_words(case.words, folder, cwd=folder / "cwd", limit_s=self.limit_s)
        outcome = Outcome(case, code, time.monotonic() - start, said)
        faults = outcome.faults
        if code is None:
            faults["hang"] = f"more than {self.limit_s:.0f} s"
        elif code not in (0, 1, 2):
            faults["code"] = f"exit code {code}"
        if "Traceback (most recent call last)" in said:
            faults["traceback"] = said.strip().splitlines()[-1]
        elif code in (1, 2):
            faults |= judge_message(said)
        changed = differences(before, fingerprint(folder, left_out))
        ran = [path.name for path in folder.glob("ran-*")]
        if ran:
            faults["executed"] = ", ".join(ran)
        if changed:
            faults["touched"] = "; ".join(changed[:4])
        if not keep:
            _remove(folder)
        return outcome

    def world_changed(self) -> list[str]:
        """What differs in the good inputs since they were made; nothing should."""
        return differences(self._good, fingerprint(self.world))


def judge_message(said: str) -> dict[str, str]:
    """What is wrong with the words with which a command refused."""
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return {"message": "nothing was said"}
    message = "\n".join(lines)
    if len(message) > LONGEST_MESSAGE:
        return {"message": f"{len(message)} characters"}
    told = [line for line in lines if line.startswith(("vireid", "BAD"))]
    last = (told or lines)[-1]
    words = re.sub(r"^vireid[ \w]*: ", "", last).strip()
    if not told and BARE.fullmatch(words):
        return {"message": f"bare: {last}"}
    if told and BARE.fullmatch(words):
        return {"message": f"bare: {last}"}
    controls = sorted({f"U+{ord(c):04X}" for c in said if _control(c)})
    return {"message": f"controls: {', '.join(controls)}"} if controls else {}


def _control(letter: str) -> bool:
    code = ord(letter)
    odd = (0x202A <= code <= 0x202E) or (0x2066 <= code <= 0x2069)
    return odd or (code < 32 and letter not in "\n\r\t") or code == 127


def _remove(folder: Path) -> None:
    def allow(function: Callable[[str], object], path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            Path(path).chmod(0o700)
            function(path)

    shutil.rmtree(folder, onerror=allow)
