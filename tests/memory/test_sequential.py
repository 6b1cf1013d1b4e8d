"""All ways to write a batch into a memory follow the sequential rule."""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from vireid.memory import cuda_writer
from vireid.memory.multi import MultiMemory
from vireid.memory.sequential import write_in_rounds, write_samples


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


@pytest.mark.parametrize("write", [write_samples, write_in_rounds])
@settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize("momentum", [0.1, 0.9])
def test_a_large_batch_in_float32_stays_within_a_millionth(momentum):
    rows, samples, targets = case(256, 20, 512, 0, torch.float32)
    wanted = one_by_one(rows.double(), samples.double(), targets, momentum)
    write_samples(rows, samples, targets, momentum)
    torch.testing.assert_close(rows.double(), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("write", [write_samples, write_in_rounds])
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


INTERPRETED = """
import torch
from vireid.memory.triton_writer import write
state = torch.load("case.pt", weights_only=True)
for momentum in (0.0, 0.1, 0.9):
    rows = state["rows"].clone()
    write(rows, state["samples"], state["targets"], momentum)
    torch.testing.assert_close(rows, state[str(momentum)], atol=1e-12, rtol=0)
print("same")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs Triton")
def test_the_cuda_kernel_follows_the_rule_in_tritons_interpreter(tmp_path):
    rows, samples, targets = case(20, 4, 7, 2)
    wanted = {str(m): one_by_one(rows, samples, targets, m) for m in (0.0, 0.1, 0.9)}
    torch.save(
        {"rows": rows, "samples": samples, "targets": targets} | wanted, tmp_path / "case.pt"
    )
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED],
        cwd=tmp_path,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "same", done.stderr


def test_without_a_kernel_one_line_says_so(caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "vireid.memory.triton_writer", None)
    assert cuda_writer.cuda_writer.__wrapped__() is None
    assert len(caplog.records) == 1
    assert "updates run in rounds" in caplog.text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("write", [write_samples, write_in_rounds])
def test_cuda_writes_the_same_and_never_waits(write):
    rows, samples, targets = case(256, 20, 2048, 3, torch.float32)
    wanted = one_by_one(rows, samples, targets, 0.1)
    cuda_writer.cuda_writer()
    there = [tensor.cuda() for tensor in (rows, samples, targets)]
    write(*(tensor.clone() for tensor in there), 0.1)  # compiles
    torch.cuda.set_sync_debug_mode("error")
    try:
        write(*there, 0.1)
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
