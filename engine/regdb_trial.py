"""RegDB's rule that a model is tested on the split that it was trained on, and on no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..datasets.errors import DatasetError
from ..datasets.registry import resolve_name
from ..errors import UserError
from ..evaluation.protocol_names import trial_of


def trial_of_model(meta: dict[str, Any]) -> int | None:
    """The RegDB trial on which a network was trained, None if it was trained on something else."""
    return int(meta.get("trial", 1)) if _is_regdb(str(meta.get("dataset"))) else None


def _is_regdb(name: str) -> bool:
    """Whether a data set's name means RegDB; what a checkpoint says may be no name at all."""
    try:
        return resolve_name(name) == "regdb"
    except DatasetError:
        return False


def require_same_trial(file: Path, meta: dict[str, Any], dataset: str, trial: int) -> None:
    """Refuses a network that has seen people of the split on which it is to be used.

    RegDB's ten splits divide the same 412 people, so about half of another trial's test people are
    training people of this one.

    Args:
        file: where the network comes from, for the message.
        meta: what its checkpoint says.
        dataset: data set at hand.
        trial: split at hand.

    Raises:
        UserError: both are RegDB, of different trials.
    """
    trained = trial_of_model(meta)
    if trained is not None and _is_regdb(dataset) and trained != trial:
        raise UserError(
            f"{file} was trained on trial {trained} of RegDB, but trial {trial} is asked for: it "
            f"has seen about half of that trial's test people. Give --trial {trained}, or the "
            f"network of trial {trial}. The mean over trials comes from one run for each "
            "(`vireid average RUN RUN ...`)."
        )


def choose_trial(
    file: Path, meta: dict[str, Any], dataset: str, trial: int | None, protocol: str
) -> int:
    """The trial on which a network is evaluated.

    Args:
        file: where the network comes from, for messages.
        meta: what its checkpoint says.
        dataset: data set at hand.
        trial: as asked for; None: not.
        protocol: protocol names, which may speak of a trial.

    Returns:
        The one asked for, else the network's own, else 1.

    Raises:
        UserError: what is asked for contradicts itself or the network.
    """
    try:
        named = trial_of(protocol)
    except ValueError as error:
        raise UserError(str(error)) from error
    if None not in (trial, named) and trial != named:
        raise UserError(f"--trial {trial} contradicts --protocol {protocol}; give one of the two")
    asked = named if trial is None else trial
    chosen = (trial_of_model(meta) or 1) if asked is None else asked
    require_same_trial(file, meta, dataset, chosen)
    return chosen
