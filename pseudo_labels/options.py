"""When a stage that clusters is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..options import MOST_EPOCHS, Options, option

SETTLED = 0.98  # adjusted Rand index from which on two clusterings count as the same
HURRY = 3  # times as fast do a stage's learning rates pass from then on


@dataclass(frozen=True, kw_only=True)
class StoppingOptions(Options):
    """How long a stage that clusters trains, within its epochs."""

    heading: ClassVar[str] = "Clustering"

    shorten_when_settled: int = option(
        "after so many clusterings in a row that agree with the ones before (adjusted Rand index "
        f"of {SETTLED} or more) the rest of a stage's learning rates passes {HURRY} times as fast, "
        "and the stage ends with it; 0: never",
        0,
        at_least=0,
        at_most=MOST_EPOCHS,
    )
