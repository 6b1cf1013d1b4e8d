"""Clusters: an anchor and others from other cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .base import Deck, EpochBatchSampler, Indices, Seed, as_array, check_group, group_by


class ClusterBatchSampler(EpochBatchSampler):
    """Batches of P pseudo-identities × K tracks, each group led by its anchor.

    The K−1 others come from cameras other than the anchor's as far as these reach, then from the
    anchor's camera, and repeat only when the cluster has fewer than K tracks. The same rule as
    the multiple-gallery sampler of cluster-contrast methods, without its short groups.
    """

    def __init__(
        self,
        labels: ArrayLike,
        cameras: ArrayLike,
        p: int,
        k: int,
        num_batches: int | None = None,
        *,
        seed: Seed = 0,
    ) -> None:
        """Groups the tracks.

        Args:
            labels: pseudo-label of each track, [N]; negative ones (noise) are never drawn.
            cameras: camera of each track, [N].
            p: clusters in a batch.
            k: tracks of each cluster.
            num_batches: batches in an epoch; None passes once over the clusters, ⌊C/P⌋ batches.
            seed: one or several non-negative integers.

        Raises:
            ValueError: if there are fewer than P clusters or no batches are asked for.
        """
        super().__init__(seed)
        clusters = as_array(labels, "labels")
        self._cameras = as_array(cameras, "cameras", len(clusters))
        self._tracks = group_by(clusters, np.arange(len(clusters)))
        check_group(p, k, self._tracks)
        if num_batches is not None and num_batches < 1:
            raise ValueError(f"an epoch has at least one batch; got num_batches={num_batches}")
        self.p, self.k = p, k
        self.num_batches = num_batches or len(self._tracks) // p

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        names = Deck(np.array(list(self._tracks), dtype=np.int64), generator)
        anchors = {i: Deck(rows, generator) for i, rows in self._tracks.items()}
        return [
            [
                row
                for i in names.deal(self.p)
                for row in self._group(self._tracks[i], anchors[i].deal(1)[0], generator)
            ]
            for _ in range(self.num_batches)
        ]

    def _group(self, rows: Indices, anchor: int, generator: np.random.Generator) -> list[int]:
        others = generator.permutation(rows[rows != anchor])
        if not others.size:
            return [anchor] * self.k
        same_camera = self._cameras[others] == self._cameras[anchor]
        ordered = others[np.argsort(same_camera, kind="stable")]  # other cameras come first
        return [anchor, *(int(row) for row in np.resize(ordered, self.k - 1))]
