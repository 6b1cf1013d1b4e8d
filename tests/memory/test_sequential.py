"""Writing a batch into a memory follows the sequential rule, with and without looking at it."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional
from vireid.memory import sequential
from vireid.memory.multi import MultiMemory
from vireid.memory.sequential import most_of_one, write_samples


def case(batch, clusters, width, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    rows = functional.normalize(torch.randn(clusters, width, generator=generator, dtype=dtype))
    samples = functional.normalize(torch.randn(batch, width, generator=generator, dtype=dtype))
    return rows, samples, torch.randint(-1, clusters, (batch,), generator=generator)


def one_by_one(rows, samples, targets, momentum):
    rows = rows.clone()
    for sample, target in zip(samples, targets.tolist(), strict=True):
        if target >= 0:
            moved = momentum * rows[target] + (1 - momentum) * sample
            rows[target] = moved / moved.norm().clamp_min(1e-12)
    return rows


@pytest.fixture(params=["cpu", "any device"])
def write(request, monkeypatch):
    """The update as the CPU does it, and as a GPU does it, which is never waited for."""
    if request.param == "any device":
        monkeypatch.setattr(sequential, "_write_in_turn", sequential._write_without_waiting)
    return write_samples


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batch=st.integers(1, 30),
    clusters=st.integers(1, 8),
    momentum=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_any_way_equals_the_sequential_rule(write, batch, clusters, momentum, seed):
    rows, samples, targets = case(batch, clusters, 5, seed)
    wanted = one_by_one(rows, samples, targets, momentum)
    write(rows, samples, targets, momentum)
    torch.testing.assert_close(rows, wanted, atol=1e-12, rtol=0)


@settings(max_examples=40, deadline=None)
@given(batch=st.integers(1, 30), clusters=st.integers(1, 8), seed=st.integers(0, 10_000))
def test_as_many_rounds_are_enough_as_the_commonest_label_has_samples(batch, clusters, seed):
    rows, samples, targets = case(batch, clusters, 5, seed)
    wanted = one_by_one(rows, samples, targets, 0.3)
    writes = targets != -1
    slot = targets.clamp_min(0)
    mine = (slot[:, None] == slot) & writes
    most = most_of_one(targets)
    sequential._write_without_waiting(rows, samples, slot, mine, 0.3, most)
    torch.testing.assert_close(rows, wanted, atol=1e-12, rtol=0)
    assert most == max([0, *(targets.tolist().count(label) for label in range(clusters))])


@pytest.mark.parametrize("momentum", [0.1, 0.9])
def test_a_large_batch_in_float32_stays_within_a_millionth(momentum):
    rows, samples, targets = case(256, 20, 512, 0, torch.float32)
    wanted = one_by_one(rows.double(), samples.double(), targets, momentum)
    write_samples(rows, samples, targets, momentum)
    torch.testing.assert_close(rows.double(), wanted, atol=1e-6, rtol=0)


def test_a_row_that_cancels_out_stays_finite(write):
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    write(rows, torch.tensor([[-1.0, 0.0]]), torch.tensor([0]), 0.5)
    assert rows.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_rows_of_another_precision_are_written_in_place():
    rows, samples, targets = case(12, 3, 6, 1)
    wanted = one_by_one(rows, samples, targets, 0.3)
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
        narrow = rows.to(dtype)
        write_samples(narrow, samples, targets, 0.3)
        torch.testing.assert_close(narrow.double(), wanted, atol=tolerance, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_writes_the_same_and_never_waits():
    rows, samples, targets = case(256, 20, 2048, 3, torch.float32)
    wanted = one_by_one(rows, samples, targets, 0.1)
    there = [tensor.cuda() for tensor in (rows, samples, targets)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        write_samples(*there, 0.1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(there[0].cpu(), wanted, atol=1e-6, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_memory_on_cuda_never_waits():
    _, samples, targets = case(64, 9, 32, 4, torch.float32)
    memory = MultiMemory(functional.normalize(torch.randn(9, 4, 32), dim=2)).cuda()
    samples, targets = samples.cuda(), targets.cuda()
    memory.update(samples, targets)
    torch.cuda.set_sync_debug_mode("error")
    try:
        memory.update(samples, targets)
    finally:
        torch.cuda.set_sync_debug_mode("default")
