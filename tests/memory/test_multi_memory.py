"""The multi-memory scores a cluster by all its prototypes and moves the nearest."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from vireid.memory.cluster import ClusterMemory
from vireid.memory.multi import MultiMemory


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(*shape, generator=generator).double(), dim=-1)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
def test_loss_equals_loops_over_samples_and_clusters(batch, clusters, count, seed):
    prototypes, features = unit(clusters, count, 6, seed=seed), unit(batch, 6, seed=seed + 1)
    labels = torch.randint(0, clusters, (batch,), generator=torch.Generator().manual_seed(seed))
    total = 0.0
    for feature, label in zip(features, labels, strict=True):
        scores = [(rows @ feature / 0.1).exp().sum() for rows in prototypes]
        total -= (scores[label] / sum(scores)).log()
    loss = MultiMemory(prototypes, temperature=0.1)(3 * features, labels)
    torch.testing.assert_close(loss, total / batch)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 20), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_update_equals_a_loop_over_samples(batch, clusters, count, seed):
    prototypes, features = unit(clusters, count, 4, seed=seed), unit(batch, 4, seed=seed + 1)
    labels = torch.randint(-1, clusters, (batch,), generator=torch.Generator().manual_seed(seed))
    wanted = prototypes.clone()
    for feature, label in zip(features, labels.tolist(), strict=True):
        if label >= 0:
            nearest = (prototypes[label] @ feature).argmax()
            row = 0.3 * wanted[label, nearest] + 0.7 * feature
            wanted[label, nearest] = row / row.norm()
    memory = MultiMemory(prototypes, momentum=0.3)
    memory.update(2 * features, labels)
    torch.testing.assert_close(memory.prototypes, wanted, atol=1e-12, rtol=0)


def test_one_prototype_is_a_cluster_memory():
    prototypes, features = unit(5, 7), unit(9, 7, seed=1)
    labels = torch.tensor([0, 1, 4, 4, -1, 2, 1, 1, 0])
    single, multi = ClusterMemory(prototypes), MultiMemory(prototypes[:, None])
    torch.testing.assert_close(multi(features, labels), single(features, labels))
    single.update(features, labels)
    multi.update(features, labels)
    torch.testing.assert_close(multi.prototypes[:, 0], single.prototypes)


def test_gradient_of_the_loss():
    memory = MultiMemory(unit(3, 2, 5), temperature=0.2)
    labels = torch.tensor([2, -1, 0, 1])
    features = unit(4, 5, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: memory(x, labels), features)


def test_order_of_the_prototypes_does_not_matter():
    prototypes, features, labels = unit(3, 4, 5), unit(6, 5, seed=1), torch.arange(6) % 3
    torch.testing.assert_close(
        MultiMemory(prototypes)(features, labels),
        MultiMemory(prototypes.flip(1))(features, labels),
    )


def test_reading_changes_nothing_and_noise_costs_nothing():
    prototypes = unit(2, 3, 4)
    memory = MultiMemory(prototypes)
    features = unit(3, 4, seed=1).requires_grad_()
    loss = memory(features, torch.full((3,), -1))
    loss.backward()
    assert loss.item() == 0 and (features.grad == 0).all()
    memory(features, torch.zeros(3, dtype=torch.int64))
    memory.update(features, torch.full((3,), -1))
    assert torch.equal(memory.prototypes, prototypes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prototypes": torch.eye(3)}, "prototypes"),
        ({"temperature": -1.0}, "temperature"),
        ({"momentum": -0.1}, "momentum"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiMemory(**{"prototypes": torch.ones(2, 2, 2), **arguments})


def test_a_batch_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="found 0 … 2"):
        MultiMemory(torch.ones(2, 2, 3))(torch.ones(2, 3), torch.tensor([0, 2]))
