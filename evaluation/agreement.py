"""How far a network agrees with itself where nobody is known: what needs no identity, and no more.

None of it is an accuracy. A network that is wrong in a steady way agrees with itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .similarity import InnerProducts
from .tracklet_pairs import pair_scores

ROWS = 1024  # of a block of similarities


@dataclass(frozen=True)
class Agreement:
    """Tracklets of one modality that look for those of the other.

    Attributes:
        tracklets: how many look, A.
        ranked: among how many, R.
        mutual: share whose nearest tracklet has them as its own nearest.
        mutual_at_random: that share for similarities without any sense, R / (A + R - 1).
        halves: share of those with halves both of which have the same nearest tracklet.
        halves_at_random: the same, 1 / R.
        apart: share of comparisons in which the second half of a tracklet is more similar to the
            first than that of a tracklet which the camera saw at the same time, and which is
            therefore somebody else; None without such a pair. At random a half.
        comparisons: how many.
    """

    tracklets: int
    ranked: int
    mutual: float
    mutual_at_random: float
    halves: float | None
    halves_at_random: float
    apart: float | None
    comparisons: int

    def record(self) -> dict[str, Any]:
        """As it is kept in a run folder."""
        return asdict(self)


def nearest(queries: Tensor, gallery: Tensor) -> Tensor:
    """The most similar row of a gallery for each query, the first of equals.

    Args:
        queries: [Q, D] floating unit rows.
        gallery: [G, D] floating unit rows; G at least 1.

    Returns:
        [Q] int64.
    """
    products = InnerProducts(queries, gallery)
    found = [torch.empty(0, dtype=torch.int64, device=queries.device)]
    for start in range(0, len(queries), ROWS):
        found.append(products.rows(slice(start, start + ROWS)).argmax(dim=1))
    return torch.cat(found)


def agreement(
    features: Tensor,
    others: Tensor,
    halves: tuple[Tensor, Tensor],
    pairs: NDArray[Any],
) -> Agreement:
    """Agreement of one modality's features.

    Args:
        features: [A, D] unit rows of whole tracklets; A at least 1.
        others: [R, D], the same of the other modality; R at least 1.
        halves: [H, D] each, of first and second halves of those tracklets that have some.
        pairs: [M, 2] rows of ``halves`` that show two people, see
            :func:`~vireid.evaluation.tracklet_pairs.overlapping_pairs`.
    """
    count, ranked = len(features), len(others)
    there, back = nearest(features, others), nearest(others, features)
    mutual = (back[there] == torch.arange(count, device=there.device)).float().mean()
    first, second = halves
    same = nearest(first, others) == nearest(second, others)
    return Agreement(
        tracklets=count,
        ranked=ranked,
        mutual=float(mutual),
        mutual_at_random=ranked / (count + ranked - 1),
        halves=float(same.float().mean()) if len(first) else None,
        halves_at_random=1 / ranked,
        apart=_apart(first, second, pairs) if len(pairs) else None,
        comparisons=4 * len(pairs),
    )


def _apart(first: Tensor, second: Tensor, pairs: ArrayLike) -> float:
    """Share of comparisons that the own half wins; a tie counts as half a win."""
    own = torch.as_tensor(pairs)
    total = 0.0
    for one, other in (own.T, own.T.flip(0)):
        for ahead, behind in ((first, second), (second, first)):
            same = pair_scores(ahead, behind, torch.stack([one, one], dim=1).numpy())
            wrong = pair_scores(ahead, behind, torch.stack([one, other], dim=1).numpy())
            total += float((same > wrong).mean() + (same == wrong).mean() / 2)
    return total / 4


def agreement_table(found: Mapping[str, Agreement], more: Mapping[str, Mapping[str, str]]) -> str:
    """Agreement as a table for the terminal, with what random similarities would give.

    Args:
        found: by name of the modality that looks.
        more: further rows: name, then modality, then what is shown.
    """
    rows = [("", *found, "at random")]
    for name, value, chance in (
        ("nearest of the other modality is mutual", "mutual", "mutual_at_random"),
        ("both halves of a tracklet have one nearest there", "halves", "halves_at_random"),
        ("own half before one of the same camera and time", "apart", None),
    ):
        values = [getattr(one, value) for one in found.values()]
        expected = {0.5 if chance is None else getattr(one, chance) for one in found.values()}
        rows.append((name, *map(_share, values), " to ".join(map(_share, sorted(expected)))))
    rows += [(name, *(cells.get(one, "-") for one in found), "") for name, cells in more.items()]
    widths = [max(map(len, column)) for column in zip(*rows)]
    head, *cells = widths
    return "\n".join(
        "  ".join([row[0].ljust(head), *(c.rjust(w) for c, w in zip(row[1:], cells))]).rstrip()
        for row in rows
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
