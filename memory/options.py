"""How the cluster memories contrast and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class MemoryOptions(Options):
    """Prototypes of the clusters, against which a batch is contrasted."""

    heading: ClassVar[str] = "Memories"

    memory_temperature: float = option("temperature of the cluster memories", 0.05, above=0)
    memory_momentum: float = option(
        "share of the old prototype that an update keeps", 0.1, at_least=0, at_most=1
    )
    memory_mode: Literal["all", "hard"] = option(
        "update prototypes from all samples, or from the least similar one", "all"
    )
    memory_weight: float = option("weight of the memory losses", 1.0)
