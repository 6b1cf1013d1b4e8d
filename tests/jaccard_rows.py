"""Rows to cluster, and what a distance graph says of them; several test files share these."""

import numpy as np


def dense(graph):
    """What the graph says of every pair; what is not stored is 1."""
    full = np.ones(graph.shape, np.float32)
    entries = graph.tocoo()
    full[entries.row, entries.col] = entries.data
    return full


def unit_rows(count, width, seed, spread=0.7, groups=5):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((groups, width))
    rows = centres[rng.integers(0, groups, count)] + spread * rng.standard_normal((count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def mirror_means(count, width, seed):
    """Means of two unit rows each, as of a clip and its mirror image, of lengths 0.8 to 1."""
    rows = unit_rows(count, width, seed)
    rng = np.random.default_rng(seed + 1)
    aside = rng.standard_normal((count, width))
    aside -= (aside * rows).sum(1, keepdims=True) * rows
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    half_angle = rng.uniform(0, np.arccos(0.8), (count, 1))
    turned = np.cos(2 * half_angle) * rows + np.sin(2 * half_angle) * aside
    return ((rows + turned) / 2).astype(np.float32)
