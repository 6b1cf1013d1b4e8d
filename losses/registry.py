"""In-batch losses by name, for ``--extra-loss``: those here, and those that others register."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from ..registry import Registry
from .weighted_triplet import WeightedTripletLoss

Term = Callable[[Tensor, Tensor, Tensor], Tensor]

LOSSES = Registry[Term]("loss")
# Terms that the stages themselves have, which one of the same name would replace.
OWN_TERMS = frozenset({"alignment", "contrast", "memory", "mimic"})


def register_loss(name: str) -> Callable[[Term], Term]:
    """A decorator that makes a loss known to the commands, for ``--extra-loss NAME=WEIGHT``.

    The function takes embeddings ``[B, D]`` (before the neck, not normalised, of any floating
    type), labels ``[B]`` int64 (identities or clusters, none of them noise) and modalities ``[B]``
    int64, and returns a scalar. Parameters of its own are not trained.

    Args:
        name: lower-case letters and digits, parts joined by hyphens.

    Raises:
        ValueError: the name has another form, or is taken, perhaps by a term of the stages.
    """
    if name in OWN_TERMS:
        raise ValueError(f"{name!r} is a term of the stages themselves; choose another name")
    return LOSSES.register(name)


@register_loss("weighted-triplet")
def weighted_triplet(embeddings: Tensor, labels: Tensor, modalities: Tensor) -> Tensor:
    """``WeightedTripletLoss``, which does not ask for the modalities."""
    loss: Tensor = WeightedTripletLoss()(embeddings, labels)
    return loss


def parse_losses(text: str) -> dict[str, float]:
    """Reads what ``--extra-loss`` says.

    Args:
        text: ``NAME=WEIGHT`` joined by commas; may be empty.

    Returns:
        Weights by name.

    Raises:
        ValueError: a part has another form, a loss is unknown or named twice, or a weight is not
            finite.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (word.strip() for word in part.partition("="))
        LOSSES.named(name)
        if name in weights:
            raise ValueError(f"{name} is named twice")
        try:
            weights[name] = float(number)
        except ValueError:
            raise ValueError(f"expected {name}=WEIGHT, found {part!r}") from None
        if not math.isfinite(weights[name]):
            raise ValueError(f"the weight of {name} is finite; found {number}")
    return weights


def extra_losses(
    text: str, embeddings: Tensor, labels: Tensor, modalities: Tensor
) -> dict[str, Tensor]:
    """The weighted terms of ``--extra-loss``.

    Args:
        text: see ``parse_losses``.
        embeddings: ``[B, D]``, floating point.
        labels: ``[B]`` int64.
        modalities: ``[B]`` int64.

    Returns:
        Weighted scalars by name; empty if there are none.

    Raises:
        ValueError: as ``parse_losses``; or a term is no scalar.
    """
    terms = {}
    for name, weight in parse_losses(text).items():
        value = LOSSES.named(name)(embeddings, labels, modalities)
        if value.ndim:
            raise ValueError(f"loss {name}: expected a scalar, found shape {list(value.shape)}")
        terms[name] = weight * value
    return terms
