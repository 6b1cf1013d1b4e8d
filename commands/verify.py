"""``vireid verify``: compares a data set with what was published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class VerifySettings(Options):
    """Which data set to verify."""

    dataset: str = option("data set name: hitsz-vcm, bupt-campus, sysu-mm01, regdb, llcm, folder")
    data_dir: Path = option("folder of the data set, as it was published")
    trial: int = option("RegDB: which of its ten splits, 1 to 10", 1)


def run_verify(config: VerifySettings) -> int:
    """Prints what a copy has and lacks; 2 where it is not complete."""
    from ..datasets.registry import resolve_name
    from ..datasets.verify import verify_dataset

    options = {"trial": config.trial} if resolve_name(config.dataset) == "regdb" else {}
    verification = verify_dataset(config.dataset, config.data_dir, **options)
    print(verification.text())
    return 0 if verification.ok else 2
