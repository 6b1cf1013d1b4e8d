"""Pairs that must, or must not, end in one cluster: their closure, and clusters that keep to them.

Must-links and cannot-links are those of Wagstaff et al., "Constrained K-means Clustering with
Background Knowledge" (ICML 2001); how a finished clustering is mended with them is ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .. import transfers

Integers = NDArray[np.int64]
FREE = -1  # an item that nobody judged


class Contradiction(ValueError):
    """A pair that must not be together, and is by other pairs that must.

    Attributes:
        chain: items from one of the pair to the other; each must be with the next.
    """

    def __init__(self, chain: list[int]) -> None:
        super().__init__(f"items {chain[0]} and {chain[-1]} are kept apart, and linked by {chain}")
        self.chain = chain


@dataclass(frozen=True)
class PairConstraints:
    """Must-links and cannot-links with all that follows from them.

    Attributes:
        components: [N] int64, 0 … C − 1 by their first item: items of one number must be together;
            -1 = an item of which nothing is known.
        apart: [M, 2] int64 components that must not be together, the smaller first, in order.
    """

    components: Integers
    apart: Integers

    def __bool__(self) -> bool:
        return bool((self.components >= 0).any())


def close_constraints(count: int, together: ArrayLike, apart: ArrayLike) -> PairConstraints:
    """The transitive closure of must-links, and cannot-links between what is linked.

    Args:
        count: items N.
        together: [S, 2] integers, pairs of items that must be in one cluster.
        apart: [D, 2] integers, pairs that must not.

    Raises:
        Contradiction: with the shortest chain of must-links between two that must not be together.
        ValueError: an item outside 0 … N − 1.
    """
    must, cannot = (np.asarray(pairs, np.int64).reshape(-1, 2) for pairs in (together, apart))
    both = np.concatenate([must, cannot])
    if both.size and (both.min() < 0 or both.max() >= count):
        raise ValueError(f"expected items 0 to {count - 1}, found {both.min()} to {both.max()}")
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    links = sparse.coo_array((np.ones(len(must)), (must[:, 0], must[:, 1])), shape=(count, count))
    roots = connected_components(links, directed=False)[1]
    if (roots[cannot[:, 0]] == roots[cannot[:, 1]]).any():
        raise Contradiction(
            _shortest_chain(must, cannot[roots[cannot[:, 0]] == roots[cannot[:, 1]]])
        )
    components = np.full(count, FREE, np.int64)
    known = np.unique(both)
    # Numbered by the first item, so that the order of the pairs decides nothing.
    _, first, inverse = np.unique(roots[known], return_index=True, return_inverse=True)
    components[known] = np.argsort(np.argsort(first))[inverse]
    pairs = np.sort(components[cannot], axis=1)
    return PairConstraints(components, np.unique(pairs, axis=0).reshape(-1, 2))


def constrain(
    labels: ArrayLike,
    constraints: PairConstraints,
    features: Tensor,
    modalities: ArrayLike | None = None,
) -> Integers:
    """Clusters that keep to the constraints, and otherwise stay as they were found.

    - Two linked items of one modality make one cluster of theirs, with all that is in them.
    - A cluster that links lead to different clusters of the *other* modality is split between them.
      Density found those two apart, and to split one person costs less than to mix two, the more
      so the larger the clusters are.
    - A cluster with items that must be apart is split. What is split is nobody's guess alone: parts
      that may be together stay so, the most similar ones first. The other items go, one after
      another, with the most similar item that has gone already, so a side grows along dense ground
      as DBSCAN's clusters do, and an outlier leaves nearly alone.
    - An item that was noise joins what it is linked with. One that is linked with nothing stays
      noise, which is in no cluster and so apart from all: a cluster of it alone would be matched,
      and take the partner of another.

    Args:
        labels: [N] integers, -1 = noise. Clusters of each modality have numbers of their own,
            unless both were clustered together.
        constraints: of the N items.
        features: [N, D], similar by their product; compared within clusters alone.
        modalities: [N] integers; None where all were clustered together.

    Returns:
        [N] int64; without constraints the labels as they are, else 0 … C − 1 without gaps,
        -1 = noise that is linked with nothing. Linked clusters of two modalities have one number.
    """
    found = np.array(labels, np.int64)
    if not constraints:
        return found
    components = constraints.components
    kinds = np.zeros(len(found), np.int64) if modalities is None else np.asarray(modalities)
    beyond = int(found.max(initial=-1)) + 1
    touched = np.unique(found[(components >= 0) & (found >= 0)])
    members = [np.flatnonzero(found == label) for label in touched]
    sides = _sides(members, kinds, constraints, features)
    linked = np.bincount(components[components >= 0])[components] > 1
    kept = (components >= 0) & (linked | (found >= 0))
    result = np.where(kept, beyond + sides[components], found)
    for rows in members:
        seeds = np.where(components[rows] >= 0, result[rows], FREE)
        result[rows] = _grown(features, rows, seeds)
    return numbered(result, found)[0]


def numbered(sides: ArrayLike, labels: ArrayLike) -> tuple[Integers, Integers]:
    """Numbers sides in the order of the clusters that they came from, so that most keep theirs.

    Args:
        sides: [N] integers of any numbers, -1 = none.
        labels: [N] integers, clusters before, -1 = noise; sides of noise alone come last.

    Returns:
        [N] int64, 0 … C − 1 without gaps, -1 = none; and [C] the side of each number.
    """
    given, before = np.asarray(sides), np.asarray(labels)
    kept = given >= 0
    names, first, inverse = np.unique(given[kept], return_index=True, return_inverse=True)
    known = np.where(before >= 0, before, np.iinfo(np.int64).max)[kept]
    lowest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(lowest, inverse, known)
    order = np.lexsort((first, lowest))
    result = np.full(len(given), FREE, np.int64)
    result[kept] = np.argsort(order)[inverse]
    return result, names[order]


def _sides(
    members: Sequence[Integers], kinds: Integers, constraints: PairConstraints, features: Tensor
) -> Integers:
    """Side [C] of each component; those that share a cluster are on one side where they may be.

    Args:
        members: items of each cluster that holds a judged one.
        kinds: [N] modality of each item.
        constraints, features: as for :func:`constrain`.
    """
    components = constraints.components
    count = int(components.max()) + 1
    above = list(range(count))
    foes: list[set[int]] = [set() for _ in range(count)]
    for one, other in constraints.apart.tolist():
        foes[one].add(other)
        foes[other].add(one)
    # Clusters of each modality that a side reaches.
    reached: list[dict[int, set[int]]] = [{kind: set() for kind in set(kinds)} for _ in above]
    for number, rows in enumerate(members):
        for one in set(components[rows].tolist()) - {FREE}:
            reached[one][kinds[rows[0]]].add(number)

    def top(one: int) -> int:
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    links = [link for rows in members for link in _links(rows, constraints, features)]
    for _, first, second in sorted(links):
        one, other = sorted((top(first), top(second)))
        pairs = [(reached[one][kind], reached[other][kind]) for kind in reached[one]]
        # No two clusters of a modality become one but by an item of theirs on either side.
        if one == other or other in foes[one] or not all(a <= b or b <= a for a, b in pairs):
            continue
        above[other] = one
        reached[one] = {kind: reached[one][kind] | reached[other][kind] for kind in reached[one]}
        for foe in foes[other]:
            foes[foe].discard(other)
            foes[foe].add(one)
        foes[one] |= foes[other]
    return np.array([top(one) for one in range(count)], np.int64)


def _links(
    rows: Integers, constraints: PairConstraints, features: Tensor
) -> list[tuple[float, int, int]]:
    """Pairs of components that share the cluster, each with its distance."""
    components = constraints.components[rows]
    kinds, column = np.unique(components[components >= 0], return_inverse=True)
    if len(kinds) < 2:
        return []
    values = _values(features, rows[components >= 0])
    means = np.zeros((len(kinds), values.shape[1]))
    np.add.at(means, column, values)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    similar = means @ means.T
    return [
        (-float(similar[i, j]), int(kinds[i]), int(kinds[j]))
        for i in range(len(kinds))
        for j in range(i + 1, len(kinds))
    ]


def _grown(features: Tensor, rows: Integers, seeds: Integers) -> Integers:
    """Sides [n] of a cluster's items: each goes with the most similar that has gone before."""
    sides = seeds.copy()
    if len(np.unique(seeds[seeds >= 0])) == 1:
        sides[:] = seeds.max()
        return sides
    values = _values(features, rows)
    gone = np.flatnonzero(seeds >= 0)
    similar = values @ values[gone].T
    nearest, best = gone[similar.argmax(1)], similar.max(1)
    best[gone] = -np.inf
    for _ in range(len(rows) - len(gone)):
        item = int(best.argmax())
        sides[item] = sides[nearest[item]]
        closer = values @ values[item]
        # What has gone stays gone.
        better = (closer > best) & (sides < 0)
        nearest[better], best[better] = item, closer[better]
        best[item] = -np.inf
    return sides


def _values(features: Tensor, rows: Integers) -> NDArray[np.float64]:
    return transfers.to_host(transfers.rows_at(features, rows)).astype(np.float64)


def _shortest_chain(must: Integers, cannot: Integers) -> list[int]:
    """The shortest way over must-links between the two items of a pair, over all pairs."""
    next_to: dict[int, list[int]] = {}
    for one, other in must.tolist():
        next_to.setdefault(one, []).append(other)
        next_to.setdefault(other, []).append(one)
    chains = [
        _chain(next_to, *sorted(pair))
        for pair in np.unique(np.sort(cannot, axis=1), axis=0).tolist()
    ]
    return min(chains, key=lambda chain: (len(chain), chain))


def _chain(next_to: dict[int, list[int]], first: int, last: int) -> list[int]:
    before = {first: first}
    waiting = deque([first])
    while last not in before:
        item = waiting.popleft()
        for other in sorted(next_to.get(item, ())):
            if other not in before:
                before[other] = item
                waiting.append(other)
    chain = [last]
    while chain[-1] != first:
        chain.append(before[chain[-1]])
    return chain[::-1]
