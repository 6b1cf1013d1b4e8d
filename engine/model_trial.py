"""A model of one numbered split is tested on that split and on no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..datasets.registry import known_spec
from ..errors import UserError, as_user_error
from ..evaluation.protocols import trial_of


def trial_of_model(meta: dict[str, Any], dataset: str) -> int | None:
    """The trial of a data set on which a network was trained, by its checkpoint's ``meta``.

    None if it was trained on another data set, or this one has no numbered splits.
    """
    spec = known_spec(dataset)
    if spec is None or not spec.trials or spec is not known_spec(str(meta.get("dataset"))):
        return None
    return int(meta.get("trial", 1))


def require_same_trial(file: Path, meta: dict[str, Any], dataset: str, trial: int) -> None:
    """Refuses a network that has seen people of the split on which it is to be used.

    Numbered splits divide the same people: RegDB's ten its 412, so about half of another trial's
    test people are training people of this one. ``file`` is for the message.

    Raises:
        UserError: it was trained on another trial of the data set.
    """
    spec, trained = known_spec(dataset), trial_of_model(meta, dataset)
    if spec and spec.trials and trained not in (None, trial):
        raise UserError(
            f"{file} was trained on trial {trained} of {spec.title}, but trial {trial} is asked "
            f"for: it has seen {spec.trials.seen} of that trial's test people. Give --trial "
            f"{trained}, or the network of trial {trial}. The mean over trials comes from one run "
            "for each (`vireid average RUN RUN ...`)."
        )


def choose_trial(
    file: Path, meta: dict[str, Any], dataset: str, trial: int | None, protocol: str
) -> int:
    """The trial on which a network is evaluated: the one asked for, else its own, else 1.

    ``trial`` or the names in ``protocol`` may ask for one; ``file`` is for messages.

    Raises:
        UserError: what is asked for contradicts itself or the network.
    """
    with as_user_error():
        named = trial_of(protocol)
    if None not in (trial, named) and trial != named:
        raise UserError(f"--trial {trial} contradicts --protocol {protocol}; give one of the two")
    asked = named if trial is None else trial
    chosen = (trial_of_model(meta, dataset) or 1) if asked is None else asked
    require_same_trial(file, meta, dataset, chosen)
    return chosen
