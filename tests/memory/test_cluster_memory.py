"""The cluster memory reads and writes as published, and reading changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from vireid.memory.cluster import ClusterMemory

VECTORS = sorted((Path(__file__).parents[1] / "conformance").glob("cluster_memory_*.npz"))


def memory_of(case):
    return ClusterMemory(
        torch.from_numpy(case["features_before"]),
        float(case["temp"]),
        float(case["momentum"]),
        "hard" if case["use_hard"] else "all",
    )


def update_by_a_loop(prototypes, features, labels, momentum, mode):
    """The published rule, one sample after the other."""
    rows = prototypes.clone()
    unit = functional.normalize(features, dim=1)
    samples = range(len(labels))
    if mode == "hard":
        samples = []
        for cluster in labels.unique().tolist():
            members = [i for i in range(len(labels)) if labels[i] == cluster]
            samples.append(min(members, key=lambda i: float(unit[i] @ prototypes[cluster])))
    for i in samples:
        cluster = int(labels[i])
        if cluster >= 0:
            row = momentum * rows[cluster] + (1 - momentum) * unit[i]
            rows[cluster] = row / row.norm().clamp_min(1e-12)
    return rows


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_loss_gradient_and_prototypes(path):
    case = np.load(path)
    memory = memory_of(case)
    features = torch.from_numpy(case["inputs"]).requires_grad_()
    labels = torch.from_numpy(case["targets"])
    loss = memory(features, labels)
    loss.backward()
    np.testing.assert_array_equal(memory.prototypes, case["features_before"])
    memory.update(features, labels)
    assert loss.item() == pytest.approx(case["loss"].item(), abs=1e-5, rel=1e-5)
    np.testing.assert_allclose(features.grad, case["grad_inputs"], atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(memory.prototypes, case["features_after"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_loss_and_gradient_in_float64(path):
    case = np.load(path)
    features = torch.from_numpy(case["inputs"]).double().requires_grad_()
    loss = memory_of(case)(features, torch.from_numpy(case["targets"]))
    loss.backward()
    assert loss.item() == pytest.approx(case["loss_f64"].item(), abs=1e-9)
    np.testing.assert_allclose(features.grad, case["grad_inputs_f64"], atol=1e-9, rtol=0)


def test_all_vectors_are_here():
    assert len(VECTORS) == 5


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(0, 30),
    clusters=st.integers(1, 8),
    momentum=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    mode=st.sampled_from(["all", "hard"]),
    seed=st.integers(0, 10_000),
)
def test_update_equals_the_sequential_rule(batch, clusters, momentum, mode, seed):
    generator = torch.Generator().manual_seed(seed)
    prototypes = torch.randn(clusters, 5, generator=generator, dtype=torch.float64)
    prototypes = functional.normalize(prototypes, dim=1)
    features = torch.randn(batch, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(-1, clusters, (batch,), generator=generator)
    memory = ClusterMemory(prototypes, momentum=momentum, mode=mode)
    memory.update(features, labels)
    wanted = update_by_a_loop(prototypes, features, labels, momentum, mode)
    torch.testing.assert_close(memory.prototypes, wanted, atol=1e-12, rtol=0)
    absent = ~torch.isin(torch.arange(clusters), labels)
    assert torch.equal(memory.prototypes[absent], prototypes[absent])


def test_hard_takes_the_first_of_equally_similar_samples():
    features = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    memory = ClusterMemory(torch.tensor([[1.0, 0.0, 0.0]]), momentum=0.0, mode="hard")
    memory.update(features, torch.zeros(3, dtype=torch.int64))
    assert memory.prototypes.tolist() == [[0.0, 0.0, 1.0]]


def test_gradient_of_the_loss():
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    memory = ClusterMemory(functional.normalize(prototypes, dim=1), temperature=0.2)
    features = torch.randn(5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 3, -1, 2, 3])
    assert torch.autograd.gradcheck(lambda x: memory(x, labels), features)


def test_noise_is_left_out_of_the_loss():
    generator = torch.Generator().manual_seed(1)
    memory = ClusterMemory(functional.normalize(torch.randn(3, 4, generator=generator), dim=1))
    features = torch.randn(6, 4, generator=generator)
    labels = torch.tensor([0, -1, 2, 1, -1, 1])
    kept = labels >= 0
    torch.testing.assert_close(memory(features, labels), memory(features[kept], labels[kept]))


def test_a_batch_of_noise_costs_nothing():
    memory = ClusterMemory(torch.eye(3))
    features = torch.randn(2, 3, requires_grad=True)
    labels = torch.tensor([-1, -1])
    loss = memory(features, labels)
    loss.backward()
    assert loss.item() == 0 and (features.grad == 0).all()
    memory.update(features, labels)
    assert torch.equal(memory.prototypes, torch.eye(3))


def test_names_of_the_clusters_do_not_matter():
    generator = torch.Generator().manual_seed(2)
    prototypes = functional.normalize(torch.randn(6, 4, generator=generator), dim=1)
    features = torch.randn(9, 4, generator=generator)
    labels = torch.randint(0, 6, (9,), generator=generator)
    order = torch.randperm(6, generator=generator)
    plain, renamed = ClusterMemory(prototypes), ClusterMemory(prototypes[order])
    names = order.argsort()[labels]
    torch.testing.assert_close(plain(features, labels), renamed(features, names))
    plain.update(features, labels)
    renamed.update(features, names)
    torch.testing.assert_close(renamed.prototypes, plain.prototypes[order])


def test_two_losses_may_read_before_one_backward():
    memory = ClusterMemory(torch.eye(3))
    features = torch.randn(4, 3, generator=torch.Generator().manual_seed(3), requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0])
    (memory(features, labels) + memory(features.flip(0), labels)).backward()
    memory.update(features, labels)
    assert not torch.equal(memory.prototypes, torch.eye(3))
    assert not memory.prototypes.requires_grad


def test_half_precision_is_computed_in_float32():
    generator = torch.Generator().manual_seed(4)
    memory = ClusterMemory(functional.normalize(torch.randn(5, 8, generator=generator), dim=1))
    features = torch.randn(6, 8, generator=generator).bfloat16()
    labels = torch.arange(6) % 5
    wanted = memory(features.float(), labels)
    assert memory(features, labels).dtype == torch.float32
    assert torch.equal(memory(features, labels), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(memory(features.float(), labels), wanted)
    assert ClusterMemory(torch.eye(3).half()).prototypes.dtype == torch.float32


def test_the_memory_is_saved_and_copied():
    given = torch.eye(3)
    memory = ClusterMemory(given)
    memory.update(torch.ones(1, 3), torch.tensor([1]))
    assert torch.equal(given, torch.eye(3))
    again = ClusterMemory(torch.zeros(3, 3))
    again.load_state_dict(memory.state_dict())
    assert torch.equal(again.prototypes, memory.prototypes)


@pytest.mark.parametrize(
    ("features", "labels", "error", "message"),
    [
        (torch.ones(2, 4), torch.zeros(2).long(), ValueError, r"\[B, 3\]"),
        (torch.ones(2, 3), torch.zeros(3).long(), ValueError, "labels"),
        (torch.ones(2, 3), torch.zeros(2), TypeError, "int64"),
        (torch.ones(2, 3), torch.tensor([0, 3]), ValueError, "found 0 … 3"),
        (torch.ones(2, 3), torch.tensor([0, -2]), ValueError, "found -2 … 0"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(features, labels, error, message):
    memory = ClusterMemory(torch.eye(3))
    with pytest.raises(error, match=message):
        memory(features, labels)
    with pytest.raises(error, match=message):
        memory.update(features, labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prototypes": torch.ones(3)}, "prototypes"),
        ({"prototypes": torch.ones(0, 3)}, "prototypes"),
        ({"temperature": 0.0}, "temperature"),
        ({"momentum": 1.1}, "momentum"),
        ({"mode": "soft"}, "mode"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClusterMemory(**{"prototypes": torch.eye(3), **arguments})
