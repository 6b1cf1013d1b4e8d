"""Matches visible clusters to infrared clusters by their multi-memories."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .. import transfers
from ..registry import Registry

Variant = Literal["paper", "released", "symmetric"]
Matcher = Callable[[Tensor], Tensor]

MATCHERS = Registry[Matcher]("matcher")
UNMATCHED = -1
BLOCK_VALUES = 1 << 23
# A median over fewer costs says nothing of what strangers cost.
FEWEST_STRANGERS = 3
MAD_TO_SIGMA = 1.4826  # standard deviation of a Gaussian by its median absolute deviation


def matching_cost(
    visible: Tensor | ArrayLike, infrared: Tensor | ArrayLike, *, variant: Variant = "paper"
) -> Tensor:
    """Cost of matching each visible cluster with each infrared one (MMM, multi-memory matching).

    ``paper``: Σ over the visible cluster's centres of the Euclidean distance to the infrared
    cluster's nearest centre. ``released``: Σ over the infrared cluster's centres of the distance
    to the visible cluster's nearest one. ``symmetric``: the mean of both.

    Args:
        visible: ``[V, K, D]`` centres; V may be 0.
        infrared: ``[I, K, D]`` centres (the two K may differ); I may be 0.
        variant: which rule.

    Returns:
        ``[V, I]`` float64 on the device of ``visible``; formed in blocks, in float64, because
        squared distances of close centres cancel.

    Raises:
        ValueError: an unknown variant, shapes that do not fit, NaN or infinite centres.
    """
    if variant not in get_args(Variant):
        raise ValueError(f"variant: expected one of {get_args(Variant)}, found {variant!r}")
    left = torch.as_tensor(visible).detach().double()
    right = torch.as_tensor(infrared, device=left.device).detach().double()
    for name, centres in (("visible", left), ("infrared", right)):
        if centres.ndim != 3 or 0 in centres.shape[1:]:
            raise ValueError(
                f"{name}: expected centres [clusters, K, D], found shape {tuple(centres.shape)}"
            )
    if left.shape[2] != right.shape[2]:
        raise ValueError(
            f"expected centres of one length D, found {left.shape[2]} (visible) and "
            f"{right.shape[2]} (infrared)"
        )
    for name, centres in (("visible", left), ("infrared", right)):
        broken = transfers.to_host((~torch.isfinite(centres)).flatten(1).any(1))
        if broken.any():
            raise ValueError(f"{name}: cluster {broken.argmax()} has a NaN or infinite centre")
    cost = left.new_zeros(len(left), len(right))
    if cost.numel() == 0:
        return cost
    # Distances do not change when everything is moved; with the mean at 0 they round less.
    shift = right.mean((0, 1))
    left, right = left - shift, right - shift
    flat = right.flatten(0, 1)
    flat_square = flat.square().sum(1)
    step = max(1, BLOCK_VALUES // (left.shape[1] * len(flat)))
    for start in range(0, len(left), step):
        block = left[start : start + step]
        square = block.square().sum(2)[..., None] + flat_square - 2 * block @ flat.T
        square = square.unflatten(2, right.shape[:2])  # [v, K, I, K]
        if variant in ("paper", "symmetric"):
            cost[start : start + step] += square.amin(3).clamp_min(0).sqrt().sum(1)
        if variant in ("released", "symmetric"):
            cost[start : start + step] += square.amin(1).clamp_min(0).sqrt().sum(2)
    return cost / 2 if variant == "symmetric" else cost


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


def match(cost: Tensor | ArrayLike, method: str = "nearest") -> Tensor:
    """Finds for each visible cluster the infrared cluster that it is matched with.

    Args:
        cost: ``[V, I]`` finite costs; V or I may be 0.
        method: ``nearest``, ``one-to-one`` or ``partial``, the functions below, or another name of
            ``register_matcher``.

    Returns:
        ``[V]`` int64 on the device of ``cost``: infrared cluster, −1 = unmatched.

    Raises:
        ValueError: an unknown method, a cost that is no matrix or not finite, or a rule whose
            answer is no assignment.
    """
    matcher = MATCHERS.named(method)
    cost = torch.as_tensor(cost).detach()
    if cost.ndim != 2:
        raise ValueError(f"cost: expected a matrix [V, I], found shape {tuple(cost.shape)}")
    if transfers.told((~torch.isfinite(cost)).any())[0]:
        row, column = (~torch.isfinite(cost)).nonzero()[0].tolist()
        raise ValueError(f"cost: entry ({row}, {column}) is NaN or infinite")
    if cost.numel() == 0:
        return torch.full((len(cost),), UNMATCHED, device=cost.device)
    return _checked(matcher(cost), cost, method)


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


def _checked(found: Tensor, cost: Tensor, name: str) -> Tensor:
    """The answer of a rule, which may be somebody's own."""
    shape = (len(cost),)
    if not isinstance(found, Tensor) or found.dtype != torch.int64 or found.shape != shape:
        what = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found)
        raise ValueError(f"matcher {name!r}: expected an int64 tensor {list(shape)}, found {what}")
    if transfers.told(((found < UNMATCHED) | (found >= cost.shape[1])).any())[0]:
        raise ValueError(
            f"matcher {name!r}: expected infrared clusters {UNMATCHED} to {cost.shape[1] - 1}, "
            f"found {int(found.min())} to {int(found.max())}"
        )
    return found.to(cost.device)


def _worth(cost: Tensor, threshold: float) -> Tensor:
    """How much lower each cost lies than chance would have it, ``[V, I]``; see ``partial``."""
    left = cost
    for side in (1, 0, 1, 0):  # twice: medians of one side see the offsets of the other
        if cost.shape[side] >= FEWEST_STRANGERS:
            left = left - left.quantile(0.5, dim=side, keepdim=True)
    sigma = MAD_TO_SIGMA * left.abs().flatten().sort().values[left.numel() // 2]
    return -left - threshold * math.sqrt(2 * math.log(cost.numel())) * sigma


def transfer_labels(visible_labels: Tensor | ArrayLike, assignment: Tensor) -> Tensor:
    """Gives visible samples the number of the infrared cluster that theirs is matched with.

    Args:
        visible_labels: ``[N]`` integers, −1 … V − 1.
        assignment: ``[V]`` as ``match`` returns it.

    Returns:
        ``[N]`` int64 numbers of infrared clusters; −1 for noise and for unmatched clusters.

    Raises:
        ValueError: a label beyond V − 1.
    """
    assignment = torch.as_tensor(assignment)
    labels = torch.as_tensor(visible_labels, device=assignment.device).long()
    _check_labels(labels, len(assignment), "visible_labels")
    table = torch.cat([assignment.long(), assignment.new_full((1,), UNMATCHED)])
    return table[labels.clamp_min(-1)]  # −1 reads the last entry


def unify_labels(
    visible_labels: Tensor | ArrayLike,
    infrared_labels: Tensor | ArrayLike,
    assignment: Tensor,
) -> tuple[Tensor, Tensor]:
    """Brings the labels of both modalities into one label space without gaps.

    A matched visible cluster and its infrared cluster share a label, and so do all visible
    clusters matched with one infrared cluster; clusters without a partner keep one of their own.
    Infrared clusters come first, in their order, then the unmatched visible ones.

    Args:
        visible_labels: ``[Nv]`` integers, −1 … V − 1.
        infrared_labels: ``[Ni]`` integers, −1 … I − 1.
        assignment: ``[V]`` as ``match`` returns it.

    Returns:
        Visible labels ``[Nv]`` and infrared labels ``[Ni]``, int64, 0 … C − 1 together, every
        number in use; noise stays −1.

    Raises:
        ValueError: a visible label beyond V − 1, or an assignment to an infrared cluster that
            no infrared sample belongs to.
    """
    assignment = torch.as_tensor(assignment).long()
    visible = torch.as_tensor(visible_labels, device=assignment.device).long()
    infrared = torch.as_tensor(infrared_labels, device=assignment.device).long()
    matched = transfer_labels(visible, assignment)
    missing = ~torch.isin(assignment, torch.cat([infrared, infrared.new_full((1,), UNMATCHED)]))
    if missing.any():
        cluster = int(missing.nonzero()[0])
        raise ValueError(
            f"assignment: visible cluster {cluster} is matched with infrared cluster "
            f"{int(assignment[cluster])}, which no infrared sample belongs to; match again after "
            "every clustering"
        )
    beyond = int(infrared.max()) + 1 if len(infrared) else 0
    own = torch.where((matched == UNMATCHED) & (visible >= 0), max(beyond, 0) + visible, matched)
    both = torch.cat([own, infrared]).clamp_min(UNMATCHED)
    dense = torch.full_like(both, UNMATCHED)
    kept = both >= 0
    dense[kept] = torch.unique(both[kept], return_inverse=True)[1]
    return dense[: len(visible)], dense[len(visible) :]


def _check_labels(labels: Tensor, clusters: int, name: str) -> None:
    """Refuses labels that the assignment knows nothing of."""
    if len(labels) and int(labels.max()) >= clusters:
        raise ValueError(
            f"{name}: found label {int(labels.max())}, but the assignment has {clusters} clusters"
        )
