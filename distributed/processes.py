"""The processes of one run, as torchrun starts them: which one this is, and which one speaks."""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..reading import is_count, visible

if TYPE_CHECKING:
    from torch.distributed import Store

_apart = False
PATIENCE = 4.0  # seconds for the main process to say what went wrong, before another does


def rank() -> int:
    """Number of this process, from 0."""
    return 0 if _apart else _number("RANK", 0)


def count() -> int:
    """Number of processes of the run."""
    return 1 if _apart else _number("WORLD_SIZE", 1)


def count_here() -> int:
    """Number of processes of the run on this machine."""
    return _number("LOCAL_WORLD_SIZE", _number("WORLD_SIZE", 1))


def count_on_card() -> int:
    """Number of processes of the run that share one card of this machine, or its CPU."""
    import torch  # slow to import, and seldom needed

    return -(-count_here() // max(1, torch.cuda.device_count()))


def _number(name: str, default: int) -> int:
    """What a launcher says in the environment; what is no number was not said by one."""
    said = os.environ.get(name, "")
    return int(said) if is_count(said) else default


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Within it this process is by itself: nothing that it computes waits for another."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


def is_main() -> bool:
    """Whether this process writes the run folder and prints."""
    return rank() == 0


def _store() -> Store | None:
    """The small table of names that torchrun keeps for its processes."""
    import torch.distributed as dist  # slow to import, and seldom needed

    try:
        store = dist.TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=datetime.timedelta(seconds=PATIENCE),
            wait_for_workers=False,
        )
    except (KeyError, ValueError, RuntimeError, dist.DistError):
        return None
    return dist.PrefixStore(f"vireid/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)


def say_once(message: str) -> None:
    """Prints the message with which a run ends, from one process only.

    An error that all processes meet is told by the main one; an error of another process alone is
    told by it after a moment, and those that only lost contact with it stay silent.
    """
    message = visible(message)
    store = _store() if count() > 1 else None
    if store is None:
        print(message, file=sys.stderr)
        return
    try:
        end = time.monotonic() + (0 if is_main() else PATIENCE)
        while not store.check(["said"]) and time.monotonic() < end:
            time.sleep(0.05)
        if not store.check(["said"]) and (is_main() or store.add("speaker", 1) == 1):
            print(message, file=sys.stderr, flush=True)
            store.set("said", "1")
    except RuntimeError:
        # torchrun has gone; there is nobody left to disagree with.
        print(message, file=sys.stderr)
