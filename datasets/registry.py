"""The data sets that are known, by name."""

from __future__ import annotations

from typing import get_args

from ..reading import shortened
from ..registry import Registry
from .errors import DatasetError
from .spec import DIRECTIONS, DatasetSpec, Rule

DATASETS = Registry[DatasetSpec]("data set")


def register_dataset(spec: DatasetSpec) -> DatasetSpec:
    """Makes the data set of a spec known to every command and to `load_dataset`; returns the spec.

    Raises:
        ValueError: its name has another form, a name is taken, or a protocol has no direction or
            no known camera rule.
    """
    for name in (spec.name, *spec.aliases):
        if known_spec(name) is not None:
            raise ValueError(f"there is a data set {name!r} already; known are {known_names()}")
    rules = get_args(Rule)
    for recipe in spec.protocols:
        if recipe.name.rpartition("/")[2] not in DIRECTIONS or recipe.rule not in rules:
            raise ValueError(
                f"a protocol of {spec.name} ends in one of {', '.join(DIRECTIONS)} and has one of "
                f"the rules {', '.join(rules)}; got {recipe.name!r}, rule {recipe.rule!r}"
            )
    return DATASETS.register(spec.name)(spec)


def dataset_spec(name: str) -> DatasetSpec:
    """The data set that a user's spelling means.

    Args:
        name: for instance "hitsz-vcm", "HITSZVCM" or "bupt".

    Raises:
        DatasetError: no data set has this name.
    """
    spec = known_spec(name)
    if spec is None:
        raise DatasetError(f"unknown data set {shortened(name)}; known are {known_names()}")
    return spec


def known_spec(name: str) -> DatasetSpec | None:
    """As :func:`dataset_spec`; None where no data set has the name."""
    plain = _plain(name)
    for spec in DATASETS.values():
        if plain in map(_plain, (spec.name, *spec.aliases)):
            return spec
    return None


def known_names() -> str:
    """The registered names, for messages and help."""
    return ", ".join(DATASETS)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
