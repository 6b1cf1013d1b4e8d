"""Three-view pooling against published values and its plain form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.models.multi_view import MultiViewPooling

CASES = ("avg", "gem", "gem_batch1", "gem_heads3")


def masks_by_plane(pool, clips):
    """The masks as defined: the clip is cut along each plane and convolved there."""
    cuts = {
        "hw": clips.flatten(0, 1),
        "tw": clips.permute(0, 3, 2, 1, 4).flatten(0, 1),
        "th": clips.permute(0, 4, 2, 1, 3).flatten(0, 1),
    }
    return [getattr(pool, view)(cut).sigmoid().flatten(2) for view, cut in cuts.items()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_published_values(vectors, case, dtype):
    data = {
        name: torch.from_numpy(array) for name, array in vectors(f"block_mvl_{case}.npz").items()
    }
    clips = data["input"].to(dtype).requires_grad_()
    power = 3.0 if data["is_gem"] else 1.0
    pool = MultiViewPooling(clips.shape[2], int(data["num_heads"]), power).to(dtype)
    prefix = "param.view_attention_"
    state = {k.removeprefix(prefix): v for k, v in data.items() if k.startswith(prefix)}
    pool.load_state_dict(state)
    pooled, masks = pool(clips.flatten(0, 1), clips.shape[1])
    pooled.backward(data["cotangent"].to(dtype))
    if dtype == torch.float64:
        torch.testing.assert_close(pooled, data["output_f64"], atol=1e-10, rtol=0)
    else:
        torch.testing.assert_close(pooled, data["output"], atol=2e-6, rtol=0)
    for name, mask in masks._asdict().items():
        torch.testing.assert_close(mask.float(), data[f"mask_{name}"], atol=1e-6, rtol=0)
    torch.testing.assert_close(clips.grad.double(), data["grad_input"], atol=5e-6, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 5),
    heads=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_masks_are_those_of_the_three_planes(sizes, heads, seed):
    rng = torch.Generator().manual_seed(seed)
    clips = torch.rand(sizes, generator=rng, dtype=torch.float64)
    pool = MultiViewPooling(sizes[2], heads).double()
    pooled, masks = pool(clips.flatten(0, 1), sizes[1])
    for found, expected in zip(masks, masks_by_plane(pool, clips)):
        torch.testing.assert_close(found, expected)
    assert pooled.shape == (sizes[0] * sizes[1], pool.out_multiple * sizes[2])


def test_memory_layout_does_not_matter():
    pool = MultiViewPooling(5)
    frames = torch.rand(6, 5, 4, 3)
    expected, _ = pool(frames, 3)
    found, _ = pool(frames.to(memory_format=torch.channels_last), 3)
    torch.testing.assert_close(found, expected)
