"""Rules that choose infrared clusters for visible ones, from the costs of all pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .. import transfers
from ..registry import Registry
from .pair_mixture import likely_pairs

Matcher = Callable[[Tensor], Tensor]

MATCHERS = Registry[Matcher]("matcher")
UNMATCHED = -1
# A median over fewer costs says nothing of what strangers cost.
FEWEST_STRANGERS = 3
MAD_TO_SIGMA = 1.4826  # standard deviation of a Gaussian by its median absolute deviation
ROUNDS = 20  # enough to settle; should two sets of pairs take turns, the last one counts
REHEARSED_PAIRS = 800  # of strangers, whose mean and deviation are wanted


def register_matcher(name: str) -> Callable[[Matcher], Matcher]:
    """A decorator that makes a rule known to ``match``, and to the commands as ``--matcher``.

    The function takes costs ``[V, I]``, finite, V and I at least 1, and returns the infrared
    cluster of each visible one, ``[V]`` int64, −1 = unmatched.

    Args:
        name: lower-case letters and digits, parts joined by hyphens.

    Raises:
        ValueError: the name has another form, or is taken.
    """
    return MATCHERS.register(name)


@register_matcher("nearest")
def nearest(cost: Tensor) -> Tensor:
    """The cheapest infrared cluster; several visible ones may share it (the first of equals)."""
    return cost.argmin(1)


@register_matcher("one-to-one")
def one_to_one(cost: Tensor) -> Tensor:
    """The assignment of least total cost (Hungarian); clusters left over are unmatched."""
    rows, columns = linear_sum_assignment(transfers.to_host(cost.double()))
    found = np.full(len(cost), UNMATCHED, np.int64)
    found[rows] = columns
    return transfers.to_device(found, cost.device)


@register_matcher("partial")
def partial(cost: Tensor, threshold: float = 0.8) -> Tensor:
    """One-to-one with a dustbin, for modalities that share only part of their identities.

    Most pairs are strangers, so their costs tell what chance gives: from each cost the median of
    its row and of its column is taken (a cluster near or far from all says nothing of a pair), and
    σ is the robust deviation of what is left. Of n Gaussian costs the lowest lies about √(2 ln n)·σ
    below the middle. A pair is worth by how much its cost lies lower than ``threshold`` times that,
    n being V·I; the assignment of greatest total worth is taken, and pairs worth nothing stay
    alone. With fewer than three clusters on both sides there is nothing to compare with, and it is
    the one-to-one match.

    Args:
        cost: ``[V, I]``, finite.
        threshold: how far out a match must lie, in units of the lowest cost that chance gives, at
            least 0; a higher one leaves more clusters alone. 1 lets next to no pair of strangers
            pass; the default lets pass a few in a hundred and loses fewer true pairs.

    Raises:
        ValueError: threshold < 0.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold: expected at least 0, found {threshold}")
    if max(cost.shape) < FEWEST_STRANGERS:
        return one_to_one(cost)
    worth = _worth(cost.double(), threshold)
    found = one_to_one(-worth.clamp_min(0))
    own = worth.gather(1, found.clamp_min(0)[:, None])[:, 0]
    return found.where(own > 0, UNMATCHED)


@register_matcher("adaptive")
def adaptive(cost: Tensor) -> Tensor:
    """One-to-one, but for the pairs that are more likely strangers than one person.

    How likely a pair is right depends on how many clusters have a partner at all. Both are found
    together from the costs, offsets of clusters taken off as in :func:`partial`: what pairs cost in
    an assignment of strangers is rehearsed with costs drawn from those of all pairs that are not
    matched, and the matched pairs are parted into such ones and better ones (:func:`likely_pairs`).
    Strangers choose among those whom no kept pair has taken, and fewer choices cost more: so it is
    rehearsed again with as many clusters as the last round left, until the same pairs are kept.
    Where nearly all have a partner this is ``one-to-one``, where few have, it is close to
    ``partial``; no share has to be known.

    Args:
        cost: ``[V, I]``, finite.
    """
    found = one_to_one(cost)
    if min(cost.shape) < FEWEST_STRANGERS:
        return found
    left = transfers.to_host(_without_offsets(cost.double()))
    infrared = transfers.to_host(found)
    visible = np.flatnonzero(infrared != UNMATCHED)
    matched = left[visible, infrared[visible]]
    others = np.ones(left.shape, bool)
    others[visible, infrared[visible]] = False
    strangers = np.sort(left[others])  # so that the order of clusters decides nothing
    # The first round takes everybody for a stranger.
    kept = np.zeros(len(matched), bool)
    for _ in range(ROUNDS):
        before = kept
        alone = [max(side - kept.sum(), FEWEST_STRANGERS) for side in left.shape]
        kept, _ = likely_pairs(matched, _cost_of_strangers(strangers, alone))
        if (kept == before).all():
            break
    infrared[visible[~kept]] = UNMATCHED
    return transfers.to_device(infrared, cost.device)


def _cost_of_strangers(costs: NDArray[np.float64], shape: Sequence[int]) -> NDArray[np.float64]:
    """What the pairs of assignments cost whose costs are drawn from these."""
    draw = np.random.default_rng(0)
    pairs: list[NDArray[np.float64]] = []
    for _ in range(-(-REHEARSED_PAIRS // min(shape))):
        drawn = draw.choice(costs, shape)
        pairs.append(drawn[linear_sum_assignment(drawn)])
    return np.concatenate(pairs)


def _without_offsets(cost: Tensor) -> Tensor:
    """Costs without the medians of rows and columns, ``[V, I]``."""
    left = cost
    for side in (1, 0, 1, 0):  # twice: medians of one side see the offsets of the other
        if cost.shape[side] >= FEWEST_STRANGERS:
            left = left - left.quantile(0.5, dim=side, keepdim=True)
    return left


def _worth(cost: Tensor, threshold: float) -> Tensor:
    """How much lower each cost lies than chance would have it, ``[V, I]``; see ``partial``."""
    left = _without_offsets(cost)
    sigma = MAD_TO_SIGMA * left.abs().flatten().sort().values[left.numel() // 2]
    return -left - threshold * math.sqrt(2 * math.log(cost.numel())) * sigma
