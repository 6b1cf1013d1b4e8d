"""Matches visible clusters to infrared clusters by their multi-memories."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import transfers
from .matchers import MATCHERS, UNMATCHED

Variant = Literal["paper", "released", "symmetric"]
BLOCK_VALUES = 1 << 23


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


def match(cost: Tensor | ArrayLike, method: str = "nearest") -> Tensor:
    """Finds for each visible cluster the infrared cluster that it is matched with.

    Args:
        cost: ``[V, I]`` finite costs; V or I may be 0.
        method: ``nearest``, ``one-to-one``, ``partial`` or ``adaptive``, the functions of
            ``matchers``, or another name of ``register_matcher``.

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
