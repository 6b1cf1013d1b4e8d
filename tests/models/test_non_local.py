"""Non-local blocks against published values and a materialised attention."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from vireid.models.non_local import DotProductNonLocalBlock, NonLocalBlock

CASES = ("HW_c3", "HW_c8", "THW_c16")
SUBSAMPLED = partial(NonLocalBlock, subsample=True)
KINDS = [NonLocalBlock, SUBSAMPLED, DotProductNonLocalBlock]


class LargestTensor(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for output in result if isinstance(result, tuple | list) else (result,):
            if isinstance(output, torch.Tensor):
                self.elements = max(self.elements, output.numel())
        return result


def perturbed(block):
    """A block whose final norm is no longer zero."""
    torch.nn.init.normal_(block.norm.weight)
    torch.nn.init.normal_(block.norm.bias)
    return block


def plain(block, frames, num_frames):
    """The same block with the matrix of all positions by all positions."""
    maps = [conv(frames) for conv in (block.theta, block.phi, block.g)]
    if block.subsample:
        maps[1:] = [quarter(each) for each in maps[1:]]
    rows = [
        each.unflatten(0, (-1, num_frames)).permute(0, 1, 3, 4, 2).flatten(1, 3) for each in maps
    ]
    scores = rows[0] @ rows[1].transpose(1, 2)
    if isinstance(block, DotProductNonLocalBlock):
        weights = scores / scores.shape[-1]
    else:
        weights = scores.softmax(dim=-1)
    mixed = (weights @ rows[2]).unflatten(1, (num_frames, *frames.shape[2:]))
    return block.norm(block.project(mixed.permute(0, 1, 4, 2, 3).flatten(0, 1))) + frames


def quarter(maps):
    """The largest value of each 2 × 2 positions, fewer at an odd end."""
    height, width = maps.shape[2:]
    lines = [
        torch.stack([maps[..., y : y + 2, x : x + 2].amax((2, 3)) for x in range(0, width, 2)], -1)
        for y in range(0, height, 2)
    ]
    return torch.stack(lines, -2)


def to_frames(tensor):
    """[B, C, T, H, W] to [B * T, C, H, W]; images stay."""
    return tensor if tensor.ndim == 4 else tensor.transpose(1, 2).flatten(0, 1)


def own_state(data, prefix):
    names = {"W.0": "project", "W.1": "norm"}
    state = {}
    for key, tensor in data.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            for published, ours in names.items():
                name = name.replace(published, ours)
            state[name] = tensor.squeeze(-1) if tensor.ndim == 5 else tensor
    return state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("case", CASES)
def test_published_values(vectors, case, mode, dtype):
    data = {
        name: torch.from_numpy(array)
        for name, array in vectors(f"block_nonlocal_{case}_{mode}.npz").items()
    }
    frames = to_frames(data["input"]).to(dtype).requires_grad_()
    block = NonLocalBlock(frames.shape[1], int(data["inter_ratio"])).to(dtype)
    block.load_state_dict(own_state(data, "param."))
    block.train(mode == "train")
    num_frames = data["input"].shape[2] if data["is_3d"] else 1
    output = block(frames, num_frames)
    output.backward(to_frames(data["cotangent"]).to(dtype))
    if dtype == torch.float64:
        torch.testing.assert_close(output, to_frames(data["output_f64"]), atol=1e-10, rtol=0)
    else:
        torch.testing.assert_close(output, to_frames(data["output"]), atol=1e-5, rtol=0)
    gradient = to_frames(data["grad_input"])
    torch.testing.assert_close(frames.grad.double(), gradient, atol=5e-5, rtol=1e-4)
    for name, expected in own_state(data, "after.").items():
        found = block.state_dict()[name].to(expected.dtype)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 4),
    channels=st.integers(1, 9),
    seed=st.integers(0, 10**6),
)
def test_equals_the_materialised_attention(kind, sizes, channels, seed):
    batch, num_frames, height, width = sizes
    rng = torch.Generator().manual_seed(seed)
    shape = (batch * num_frames, channels, height, width)
    frames = torch.randn(shape, generator=rng, dtype=torch.float64)
    block = perturbed(kind(channels)).double().eval()
    fast, slow = (frames.clone().requires_grad_() for _ in range(2))
    found, expected = block(fast, num_frames), plain(block, slow, num_frames)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(fast.grad, slow.grad)


def test_several_inner_channels_of_the_dot_product():
    block = perturbed(DotProductNonLocalBlock(8, inner=4)).double()
    frames = torch.randn(4, 8, 3, 2, dtype=torch.float64)
    assert block.g.out_channels == 4
    torch.testing.assert_close(block(frames, 2), plain(block, frames, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind):
    block = perturbed(kind(4)).double().eval()
    frames = torch.randn(2, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: block(x, 2), frames)


@pytest.mark.parametrize("kind", KINDS)
def test_new_block_changes_nothing(kind):
    frames = torch.randn(4, 8, 3, 2)
    assert torch.equal(kind(8)(frames, 2), frames)


@pytest.mark.parametrize("kind", KINDS)
def test_positions_by_positions_are_never_stored(kind):
    block = perturbed(kind(8))
    frames = torch.randn(4, 8, 24, 12, requires_grad=True)
    positions = 4 * 24 * 12
    with LargestTensor() as largest:
        block(frames, 4).sum().backward()
    assert largest.elements < positions**2 / 50
    with LargestTensor() as largest:
        plain(block, frames, 4)
    assert largest.elements == positions**2 / (4 if block.subsample else 1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", KINDS)
def test_memory_layout_is_kept(kind, layout):
    block = perturbed(kind(8))
    frames = torch.randn(4, 8, 3, 2)
    found = block(frames.to(memory_format=layout), 2)
    assert found.is_contiguous(memory_format=layout)
    torch.testing.assert_close(found, block(frames, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_stays_close_and_finite(kind):
    block = perturbed(kind(8)).eval()
    frames = torch.randn(4, 8, 3, 2, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = block(frames, 2)
    found.sum().backward()
    torch.testing.assert_close(found.float(), block(frames, 2), atol=0.1, rtol=0.05)
    assert torch.isfinite(frames.grad).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("num_frames", [1, 2])
@pytest.mark.parametrize("kind", [NonLocalBlock, SUBSAMPLED])
def test_the_fused_attention_gets_rows_in_one_piece(monkeypatch, kind, layout, num_frames):
    block, seen = perturbed(kind(8)), []
    monkeypatch.setattr(block, "attend", lambda *rows: seen.extend(rows) or rows[0])
    block(torch.randn(4, 8, 3, 2).to(memory_format=layout), num_frames)
    assert [rows.stride(-1) for rows in seen] == [1, 1, 1]
