"""Names of the evaluation protocols, which data sets bring, and what shorter names stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..datasets.registry import DATASETS, known_names
from ..datasets.spec import ProtocolRecipe


def recipes_of(dataset: str, trial: int) -> dict[str, ProtocolRecipe]:
    """All protocols of a known data set by full name; of one trial where it has several."""
    spec = DATASETS[dataset]
    start = f"{dataset}/trial-{trial}" if spec.trials else dataset
    return {f"{start}/{recipe.name}": recipe for recipe in spec.protocols}


def known_protocols(dataset: str, trial: int = 1) -> list[str]:
    """Names of the protocols of a data set.

    Args:
        dataset: registered name of the data set.
        trial: where it has numbered splits, which one.

    Returns:
        Full names; see ``choose_protocols`` for shorter ones.

    Raises:
        ValueError: no protocol is known for the data set.
    """
    if dataset not in DATASETS:
        raise ValueError(
            f"no evaluation protocol is known for data set {dataset!r}; known: {known_names()}"
        )
    return list(recipes_of(dataset, trial))


def choose_protocols(dataset: str, names: str | Sequence[str] = (), trial: int = 1) -> list[str]:
    """Full names of the protocols that are asked for.

    Args:
        dataset: registered name of the data set.
        names: protocol names, as a sequence or joined by commas. A shorter name stands for the
            published protocols below it: ``sysu-mm01/all/single`` for its direction I2V,
            ``regdb/trial-3`` for both directions. Nothing: the data set's usual ones.
        trial: where it has numbered splits, the one that was read.

    Returns:
        Names without repetition, in the order asked for.

    Raises:
        ValueError: a name is unknown (the message lists the known ones), or is of another trial.
    """
    known = known_protocols(dataset, trial)
    recipes = recipes_of(dataset, trial)
    asked = names.split(",") if isinstance(names, str) else list(names)
    asked = [name.strip().lower().strip("/") for name in asked if name.strip()]
    if not asked:
        return [name for name in known if recipes[name].default]
    chosen: dict[str, None] = {}
    for name in asked:
        below = [full for full in known if full.startswith(name + "/") and recipes[full].published]
        if name == dataset:
            below = [full for full in below if recipes[full].default]
        if name in recipes:
            below = [name]
        if not below:
            spec, other = DATASETS[dataset], trial_of(name)
            if spec.trials and name.startswith(f"{dataset}/") and other not in (None, trial):
                raise ValueError(
                    f"protocol {name} tests on trial {other} of {spec.title}, but trial {trial} "
                    f"was read; give --trial {other}, or a protocol of trial {trial}: "
                    f"{', '.join(known)}"
                )
            raise ValueError(
                f"no protocol {name!r} for data set {dataset}; known: {', '.join(known)}"
            )
        chosen.update(dict.fromkeys(below))
    return list(chosen)


def trial_of(names: str | Sequence[str]) -> int | None:
    """The trial that protocol names speak of, None if they speak of none.

    Raises:
        ValueError: they speak of several.
    """
    text = names if isinstance(names, str) else ",".join(names)
    trials = {int(number) for number in re.findall(r"/trial-(\d+)", text.lower())}
    if len(trials) > 1:
        raise ValueError(
            f"protocols of several trials ({', '.join(map(str, sorted(trials)))}): a model is "
            "tested on the trial that it was trained on. Evaluate each model by itself; "
            "`vireid average RUN RUN ...` gives the mean over the trials."
        )
    return trials.pop() if trials else None
