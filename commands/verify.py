"""``vireid verify``: compares a data set with what was published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..datasets import dataset_spec, verify_dataset
from ..datasets.options import DATASET_HELP, TRIAL_HELP
from ..options import Options, option
from ..reading import visible


@dataclass(frozen=True, kw_only=True)
class VerifySettings(Options):
    """Which data set to verify."""

    dataset: str = option(DATASET_HELP)
    data_dir: Path = option("folder of the data set, as it was published")
    trial: int = option(TRIAL_HELP, 1)


def run_verify(config: VerifySettings) -> int:
    """Prints what a copy has and lacks; 2 where it is not complete."""
    options = dataset_spec(config.dataset).reader_options(config.trial)
    verification = verify_dataset(config.dataset, config.data_dir, **options)
    print(visible(verification.text()))
    return 0 if verification.ok else 2
