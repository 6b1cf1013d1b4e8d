"""Names of the evaluation protocols, and what each name stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..datasets.registry import SCANNERS
from .metrics import Rule

SYSU_SHOTS = {"single": 1, "multi": 10}
SYSU_CAMERAS = {"all": None, "indoor": (1, 2)}  # of the visible side; None: all of them


@dataclass(frozen=True)
class Recipe:
    """What a protocol's name stands for.

    Attributes:
        rule: camera rule.
        published: one of those that a shorter name stands for.
        shots: images of each identity and camera in a drawn gallery; None: the whole gallery.
        cameras: cameras of the visible side; None: all.
        default: evaluated when nothing is asked for.
    """

    rule: Rule
    published: bool = True
    shots: int | None = None
    cameras: tuple[int, ...] | None = None
    default: bool = True


def recipes_of(dataset: str, trial: int) -> dict[str, Recipe]:
    """All protocols of a known data set by full name, RegDB's for one trial."""
    if dataset == "sysu-mm01":
        found = {}
        for mode, cameras in SYSU_CAMERAS.items():
            for shot, number in SYSU_SHOTS.items():
                # For infrared queries released code and the data set's own rule agree.
                ends: tuple[tuple[str, Rule], ...] = (
                    ("i2v", "sysu"),
                    ("v2i", "sysu-symmetric"),
                    ("released/v2i", "sysu"),
                )
                for end, rule in ends:
                    published = end == "i2v"
                    found[f"sysu-mm01/{mode}/{shot}/{end}"] = Recipe(
                        rule,
                        published=published,
                        shots=number,
                        cameras=cameras,
                        default=published and shot == "single",
                    )
        return found
    if dataset == "regdb":
        return {f"regdb/trial-{trial}/{end}": Recipe("all") for end in ("v2t", "t2v")}
    if dataset == "llcm":
        return {f"llcm/{end}": Recipe("llcm", shots=1) for end in ("v2i", "i2v")}
    found = {f"{dataset}/{end}": Recipe("standard") for end in ("v2i", "i2v")}
    if dataset == "bupt-campus":
        for end in ("v2i", "i2v"):
            found[f"bupt-campus/released/{end}"] = Recipe("all", published=False, default=False)
    return found


def known_protocols(dataset: str, trial: int = 1) -> list[str]:
    """Names of the protocols of a data set.

    Args:
        dataset: registered name of the data set.
        trial: RegDB's split, from 1.

    Returns:
        Full names; see ``choose_protocols`` for shorter ones.

    Raises:
        ValueError: no protocol is known for the data set.
    """
    if dataset not in SCANNERS:
        raise ValueError(
            f"no evaluation protocol is known for data set {dataset!r}; known: "
            f"{', '.join(SCANNERS)}"
        )
    return list(recipes_of(dataset, trial))


def choose_protocols(dataset: str, names: str | Sequence[str] = (), trial: int = 1) -> list[str]:
    """Full names of the protocols that are asked for.

    Args:
        dataset: registered name of the data set.
        names: protocol names, as a sequence or joined by commas. A shorter name stands for the
            published protocols below it: ``sysu-mm01/all/single`` for its direction I2V,
            ``regdb/trial-3`` for both directions. Nothing: the data set's usual ones.
        trial: RegDB's split that was read, from 1.

    Returns:
        Names without repetition, in the order asked for.

    Raises:
        ValueError: a name is unknown (the message lists the known ones), or is of another RegDB
            trial.
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
            other = trial_of(name)
            if dataset == "regdb" and other not in (None, trial):
                raise ValueError(
                    f"protocol {name} tests on trial {other} of RegDB, but trial {trial} was read; "
                    f"give --trial {other}, or a protocol of trial {trial}: {', '.join(known)}"
                )
            raise ValueError(
                f"no protocol {name!r} for data set {dataset}; known: {', '.join(known)}"
            )
        chosen.update(dict.fromkeys(below))
    return list(chosen)


def trial_of(names: str | Sequence[str]) -> int | None:
    """The RegDB trial that protocol names speak of, None if they speak of none.

    Raises:
        ValueError: they speak of several.
    """
    text = names if isinstance(names, str) else ",".join(names)
    trials = {int(number) for number in re.findall(r"regdb/trial-(\d+)", text.lower())}
    if len(trials) > 1:
        raise ValueError(
            f"protocols of several RegDB trials ({', '.join(map(str, sorted(trials)))}): a model "
            "is tested on the trial that it was trained on. Evaluate each model by itself; "
            "`vireid average RUN RUN ...` gives the mean over the trials."
        )
    return trials.pop() if trials else None
