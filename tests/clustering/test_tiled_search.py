"""The search on the CPU loses no neighbour to its coarse products, whatever the rows are."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from vireid.clustering import coarse_products, tiled_search
from vireid.clustering.candidates import LANE, decision_error, nearness
from vireid.clustering.coarse_products import CoarseProducts, largest_digit
from vireid.clustering.tiled_search import tiled_neighbours


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def in_groups(rng, width, spread):
    centre = np.repeat(rng.standard_normal((9, width)), 10, 0)
    return unit(centre + spread * rng.standard_normal((90, width)))


def spiked(rng, width):
    """Rows with one entry that takes nearly all of the digits' range."""
    rows = 0.01 * in_groups(rng, width, 1)
    rows[np.arange(90), rng.integers(0, min(3, width), 90)] = 0.9
    return rows


def of_all_sizes(rng, width):
    sizes = 10.0 ** rng.choice([0, -1, -6, -20, -37, -42], 90)
    return (in_groups(rng, width, 0.5) * sizes[:, None]).astype(np.float32)


ROWS = {
    "in groups": lambda rng, width: in_groups(rng, width, 0.7),
    "near ties": lambda rng, width: in_groups(rng, width, 3e-7),
    "unlike all": lambda rng, width: unit(rng.standard_normal((90, width))),
    "equal": lambda rng, width: in_groups(rng, width, 0)[rng.integers(0, 90, 90)],
    "all equal": lambda rng, width: np.repeat(in_groups(rng, width, 0)[:1], 90, 0),
    "nearly all equal": lambda rng, width: unit(1 + 1e-5 * rng.standard_normal((90, width))),
    "spiked": spiked,
    "of all sizes": of_all_sizes,
    "tiny": lambda rng, width: in_groups(rng, width, 0.7) * np.float32(1e-25),
    "some zero": lambda rng, width: in_groups(rng, width, 0.7) * (rng.random((90, 1)) < 0.7),
    "zero": lambda rng, width: np.zeros((90, width), np.float32),
}


def all_nearness(rows):
    """What decides, of all pairs, one by one."""
    lane = np.empty(LANE, np.float32)
    apart = np.where(rows.any(1), np.float32(0), np.float32(0.5))
    return np.array(
        [[nearness(a, b, lane) - (p + q) for b, q in zip(rows, apart, strict=True)]
         for a, p in zip(rows, apart, strict=True)],
        np.float32,
    )  # fmt: skip


def sorted_neighbours(rows, k):
    """Every pair decided, and a full sort."""
    near = all_nearness(rows)
    np.fill_diagonal(near, -np.inf)
    index = np.lexsort((np.broadcast_to(np.arange(len(rows)), near.shape), -near))[:, : k - 1]
    return 1 + np.take_along_axis(near, index, 1), index


@pytest.fixture(params=["float32", "one digit", "two digits"])
def products(request, monkeypatch):
    """Each kind of coarse product, in tiles so small that a test has many of them.

    The integer product is stood in for, since it is exact on some processors only.
    """
    monkeypatch.setattr(tiled_search, "LEFT", 24)
    monkeypatch.setattr(tiled_search, "RIGHT", 70)
    monkeypatch.setattr(tiled_search, "ROOM", 2)
    monkeypatch.setattr(tiled_search, "_too_coarse", lambda *_: request.param == "two digits")
    monkeypatch.setattr(torch, "_int_mm", exact_product)

    def use(digit):
        monkeypatch.setattr(
            coarse_products, "largest_digit", lambda: 0 if request.param == "float32" else digit
        )

    return use


def exact_product(left, right, out=None):
    product = (left.double() @ right.double()).int()
    return product if out is None else out.copy_(product)


@pytest.mark.parametrize("digit", [127, 63])
@pytest.mark.parametrize("kind", ROWS)
def test_lists_are_those_of_a_full_sort(products, kind, digit):
    products(digit)
    for width, k in ((70, 6), (600, 12), (5, 90), (1, 3)):
        rows = ROWS[kind](np.random.default_rng(width), width).astype(np.float32)
        similarity, index = tiled_neighbours(torch.from_numpy(rows), k)
        wanted_similarity, wanted_index = sorted_neighbours(rows, k)
        np.testing.assert_array_equal(index, wanted_index)
        np.testing.assert_array_equal(similarity, wanted_similarity)


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("digits", [0, 1, 2])
def test_bounds_hold(monkeypatch, kind, digits):
    monkeypatch.setattr(torch, "_int_mm", exact_product)
    for width in (70, 600):
        rows = ROWS[kind](np.random.default_rng(width), width).astype(np.float32)
        apart = np.where(rows.any(1), np.float32(0), np.float32(0.5))
        coarse = CoarseProducts(torch.from_numpy(rows), apart, digits, 127)
        operand = coarse.operand(0, 90)
        tile = coarse.multiply(operand, operand, torch.empty(2 * 90 * 90, dtype=torch.int32))
        found = tile.numpy() * np.outer(coarse.scale, coarse.scale)
        found = found + coarse.offset + coarse.offset[:, None]
        bound = coarse.bound.astype(np.float64) + coarse.bound[:, None]
        assert (np.abs(found.astype(np.float64) - all_nearness(rows)) <= bound).all()


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("width", [1, 70, 600, 2048])
def test_what_decides_is_the_distance(kind, width):
    rows = ROWS[kind](np.random.default_rng(width), width).astype(np.float32)[::7]
    lane = np.empty(LANE, np.float32)
    found = np.array([[nearness(a, b, lane) for b in rows] for a in rows])
    true = -((rows[:, None].astype(np.float64) - rows[None]) ** 2).sum(2) / 2
    error = decision_error(width) * np.abs(true) + 1e-37
    assert (np.abs(found - true) <= error).all()
    np.testing.assert_array_equal(found, found.T)


def test_a_product_that_saturates_gets_smaller_digits(monkeypatch):
    """Two neighbouring products, one factor shifted to be positive, are added in 16 bits."""

    def saturating(left, right):
        terms = (left.long() + 128)[:, :, None] * right.long()[None]
        pairs = terms.unflatten(1, (-1, 2)).sum(2).clamp(-(2**15), 2**15 - 1)
        return (pairs.sum(1) - 128 * right.long().sum(0)).int()

    monkeypatch.setattr(coarse_products, "TRIAL", 64)
    monkeypatch.setattr(coarse_products, "_seconds", lambda call: call() is None)
    monkeypatch.setattr(torch, "_int_mm", saturating, raising=False)
    assert fresh_digit() == 0, "not faster than float32"
    times = iter([2.0, 1.0])
    monkeypatch.setattr(coarse_products, "_seconds", lambda _: next(times))
    assert fresh_digit() == 63
    times = iter([2.0, 1.0])
    monkeypatch.setattr(torch, "_int_mm", exact_product)
    assert fresh_digit() == 127
    monkeypatch.delattr(torch, "_int_mm")
    times = iter([2.0])
    assert fresh_digit() == 0


def fresh_digit():
    return largest_digit.__wrapped__()


SCRIPT = """
import hashlib, numpy as np, torch
from vireid.clustering.tiled_search import tiled_neighbours
rng = np.random.default_rng(0)
rows = np.repeat(rng.standard_normal((30, 600)), 20, 0) + rng.standard_normal((600, 600))
rows = (rows / np.sqrt((rows**2).sum(1, keepdims=True))).astype(np.float32)
rows[7], rows[9] = rows[500], 0
found = tiled_neighbours(torch.from_numpy(rows), 12)
print(*(hashlib.sha256(part.numpy().tobytes()).hexdigest() for part in found))
"""


def test_the_processor_does_not_show_in_the_result():
    """Not the instructions that torch, oneDNN and the compiled loops may use, nor the threads."""
    kinds = [
        {"OMP_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "3", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
        {"OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
        {
            "OMP_NUM_THREADS": "1",
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "NUMBA_CPU_NAME": "generic",
        },
    ]
    said = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, **kind},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        ).stdout
        for kind in kinds
    ]
    assert len(said[0].split()) == 2
    assert said == said[:1] * len(kinds)
