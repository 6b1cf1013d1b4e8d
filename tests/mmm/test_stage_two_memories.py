"""Which sample reads and writes which memory, and which pairs are left alone."""

import numpy as np
import torch
import torch.nn.functional as F
from vireid.memory import ClusterMemory, cluster_means, joint_prototypes
from vireid.memory.writes import PendingWrites
from vireid.mmm.match_clusters import ambiguous_pairs
from vireid.mmm.memories import (
    ThreeMemories,
    UnifiedMemories,
    three_prototypes,
    unified_prototypes,
)
from vireid.mmm.settings import StageTwoSettings

CPU = torch.device("cpu")
MODALITIES = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
WEIGHTS = {"visible memory": 1.0, "infrared memory": 1.0, "union memory": 1.0}
# Class 0 is in both modalities, 1 and 2 are visible only, 3 infrared only.
UNIFIED = torch.tensor([0, 0, 1, 1, 2, 2, 0, 0, 3, 3, -1, 3])
NOBODY = torch.full((12,), -1)


def config(tmp_path, **given):
    return StageTwoSettings(dataset="folder", data_dir=tmp_path, output=tmp_path, **given)


def embeddings(seed=0):
    return F.normalize(torch.randn(12, 7, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_only_unmatched_classes_of_different_modalities_are_ambiguous():
    found = ambiguous_pairs(UNIFIED, torch.from_numpy(MODALITIES), 4)
    wanted = torch.zeros(4, 4, dtype=torch.bool)
    for visible in (1, 2):
        wanted[visible, 3] = wanted[3, visible] = True
    assert torch.equal(found, wanted)


def test_ambiguous_prototypes_neither_pull_nor_push(tmp_path):
    features, batch = embeddings(), embeddings(1)
    means = cluster_means(features, UNIFIED)
    ambiguous = ambiguous_pairs(UNIFIED, torch.from_numpy(MODALITIES), 4)
    index = torch.tensor([2, 3, 8])  # visible only twice, infrared only once
    modalities = torch.from_numpy(MODALITIES)[index]

    def loss(spared, moved):
        changed = means.clone()
        changed[3] = moved
        settings = config(tmp_path, cross_memory_weight=0.0)
        memories = UnifiedMemories(
            unified_prototypes(features, UNIFIED, NOBODY, MODALITIES, changed, settings),
            UNIFIED,
            NOBODY,
            MODALITIES,
            ambiguous if spared else None,
            config(tmp_path),
            CPU,
        )
        taken = (batch[:2], index[:2], modalities[:2], {"memory": 1.0}, PendingWrites())
        return memories.losses(*taken)["memory"]

    assert loss(True, means[3]) == loss(True, -means[3])
    assert loss(False, means[3]) != loss(False, -means[3])
    assert loss(True, means[3]) < loss(False, means[3])


def test_unified_memories_are_read_and_then_written(tmp_path):
    features, batch = embeddings(), embeddings(2)
    settings = config(tmp_path)
    means = cluster_means(features, UNIFIED)
    first = unified_prototypes(features, UNIFIED, NOBODY, MODALITIES, means, settings)
    memories = UnifiedMemories(first, UNIFIED, NOBODY, MODALITIES, None, settings, CPU)
    index = torch.tensor([0, 3, 6, 9])
    writes = PendingWrites()
    modalities = torch.from_numpy(MODALITIES)[index]
    weights = {"memory": 1.0, "own memory": 0.3, "cross memory": 0.5}
    losses = memories.losses(batch[:4], index, modalities, weights, writes)
    assert list(losses) == ["memory", "own memory", "cross memory"]
    # Only track 0 and 6 have a partner in the other modality: classes 0, and 0 of infrared (0, 3).
    infrared = cluster_means(features[6:], torch.tensor([0, 0, 1, 1, -1, 1]))
    visible = cluster_means(features[:6], UNIFIED[:6])
    one = ClusterMemory(infrared)(batch[:1], torch.tensor([0]))
    other = ClusterMemory(visible)(batch[2:3], torch.tensor([0]))
    torch.testing.assert_close(losses["cross memory"], 0.5 * (one + other) / 2)
    torch.testing.assert_close(memories.unified.prototypes, means)
    writes.write()
    changed = (memories.unified.prototypes != means).any(1)
    assert changed.tolist() == [True, True, False, True]


def test_joint_clusters_have_a_memory_beside_the_unified_one(tmp_path):
    features, batch = embeddings(), embeddings(2)
    settings = config(tmp_path, cross_memory_weight=0.0)
    union = torch.tensor([0, 0, -1, -1, 1, 1, 0, 0, 1, 1, -1, -1])
    means = cluster_means(features, UNIFIED)
    first = unified_prototypes(features, UNIFIED, union, MODALITIES, means, settings)
    memories = UnifiedMemories(first, UNIFIED, union, MODALITIES, None, settings, CPU)
    index = torch.tensor([0, 2, 7, 8])
    modalities = torch.from_numpy(MODALITIES)[index]
    writes = PendingWrites()
    weights = {"memory": 1.0, "union memory": 0.3}
    losses = memories.losses(batch[:4], index, modalities, weights, writes)
    both = ClusterMemory(joint_prototypes(features, union, torch.from_numpy(MODALITIES)))
    wanted = both(batch[[0, 2, 3]], union[[0, 7, 8]])
    torch.testing.assert_close(losses["union memory"], 0.3 * wanted)
    writes.write()
    both.update(batch[[0, 2, 3]], union[[0, 7, 8]])
    torch.testing.assert_close(memories.prototypes()["union"], both.prototypes)


def test_the_papers_memories_follow_the_moved_labels(tmp_path):
    features, batch = embeddings(), embeddings(3)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, -1, 1])
    moved = labels.clone()
    moved[:6] = torch.tensor([1, 1, -1, -1, 0, 0])  # assignment [1, none, 0]
    union = torch.tensor([0, 0, -1, -1, 1, 1, 0, 0, 1, 1, -1, -1])
    first = three_prototypes(features, labels, union, MODALITIES)
    memories = ThreeMemories(first, labels, moved, union, MODALITIES, config(tmp_path), CPU)
    index = torch.tensor([0, 2, 7, 8])
    writes = PendingWrites()
    modalities = torch.from_numpy(MODALITIES)[index]
    losses = memories.losses(batch[:4], index, modalities, WEIGHTS, writes)
    visible = ClusterMemory(cluster_means(features[:6], labels[:6]))
    infrared = ClusterMemory(cluster_means(features[6:], labels[6:]))
    both = ClusterMemory(joint_prototypes(features, union, torch.from_numpy(MODALITIES)))
    torch.testing.assert_close(losses["visible memory"], visible(batch[:2], torch.tensor([0, 1])))
    torch.testing.assert_close(
        losses["infrared memory"], infrared(batch[[0, 2, 3]], torch.tensor([1, 0, 1]))
    )
    torch.testing.assert_close(losses["union memory"], both(batch[[0, 2, 3]], union[[0, 7, 8]]))
    writes.write()
    infrared.update(batch[2:4], torch.tensor([0, 1]))  # visible samples write nothing there
    torch.testing.assert_close(memories.infrared.prototypes, infrared.prototypes)


def test_without_joint_clusters_two_memories_are_left(tmp_path):
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, -1, 1])
    moved = labels.where(torch.from_numpy(MODALITIES) == 1, -1)
    first = three_prototypes(embeddings(), labels, NOBODY, MODALITIES)
    memories = ThreeMemories(first, labels, moved, NOBODY, MODALITIES, config(tmp_path), CPU)
    modalities = torch.from_numpy(MODALITIES)
    losses = memories.losses(embeddings(4), torch.arange(12), modalities, WEIGHTS, PendingWrites())
    assert set(losses) == {"visible memory", "infrared memory"}
