"""The training step: equal to the plain form that the benchmark compares with, also on a GPU."""

import copy
import importlib
import math
import sys
from pathlib import Path

import pytest
import torch
from vireid.losses import ModalityAlignmentLoss, SeparationLoss
from vireid.models import M3ReID
from vireid.models.non_local import DotProductNonLocalBlock, NonLocalBlock

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    """`benchmarks`, which is run from the repository root and is no part of the package."""
    sys.path.insert(0, str(ROOT))
    try:
        yield (
            importlib.import_module("benchmarks.train_step"),
            importlib.import_module("benchmarks.plain_training"),
        )
    finally:
        sys.path.remove(str(ROOT))


def pair(plain_training, backbone="thin-8"):
    """One network and its plain form, on weights of their own."""
    torch.manual_seed(0)
    ours = M3ReID(6, backbone=backbone).train()
    for name, parameter in ours.named_parameters():
        if ".non_local" in name and name.endswith("norm.weight"):
            torch.nn.init.normal_(parameter)
    return ours, plain_training.PlainM3ReID(copy.deepcopy(ours))


@pytest.mark.parametrize("identities", [(0, 0, 1, 1), (0, 1, 1, 1), (2, 2, 2, 2)])
def test_ours_equals_the_plain_form(benchmark, identities):
    train_step, plain_training = benchmark
    ours, plain = pair(plain_training)
    ours = ours.double().to(memory_format=torch.channels_last)
    plain = plain.double()
    labels = torch.tensor(identities), torch.tensor([0, 1, 0, 1])
    clips = torch.randn(4, 3, 3, 32, 16, dtype=torch.float64)
    losses = {
        ours: (ModalityAlignmentLoss(), SeparationLoss()),
        plain: (plain_training.alignment, plain_training.separation),
    }
    found = {}
    for model, (alignment, separation) in losses.items():
        output = model(clips)
        loss = train_step.total_loss(output, *labels, alignment, separation)
        loss.backward()
        found[model] = output, loss
    for one, other in zip(found[ours][0][:4], found[plain][0][:4]):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)
    for one, other in zip(found[ours][0].masks, found[plain][0].masks):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found[ours][1], found[plain][1], atol=1e-9, rtol=1e-9)
    gradients = {n: p.grad for n, p in plain.network.named_parameters()}
    for name, parameter in ours.named_parameters():
        if parameter.grad is None:
            assert gradients[name] is None
        else:
            torch.testing.assert_close(
                parameter.grad, gradients[name], atol=1e-9, rtol=1e-7, msg=name
            )


def test_a_step_of_the_benchmark_trains(benchmark):
    train_step, _ = benchmark
    cpu = torch.device("cpu")
    model = train_step.network("thin-8")
    batch = train_step.batch_of(4, 2, 32, 16)
    for make in (train_step.ours, train_step.plain):
        step = make(model, cpu, torch.float32)
        before = copy.deepcopy(step.model.state_dict())
        assert math.isfinite(step(batch))
        after = step.model.state_dict()
        trained = [
            name for name, parameter in step.model.named_parameters() if parameter.grad is not None
        ]
        assert trained
        assert all(not torch.equal(before[name], after[name]) for name in trained)


def test_channels_last_runs_through_the_whole_network():
    model = M3ReID(3, backbone="thin-8").to(memory_format=torch.channels_last)
    strides = {}
    for name, part in model.trunk.named_modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.BatchNorm2d | NonLocalBlock):
            part.register_forward_hook(
                lambda _part, inputs, output, name=name: strides.__setitem__(
                    name,
                    all(
                        t.is_contiguous(memory_format=torch.channels_last)
                        for t in (inputs[0], output)
                    ),
                )
            )
    # As the augmentation leaves clips: memory in the order frames, rows, columns, channels.
    clips = torch.randn(2, 3, 32, 16, 3).permute(0, 1, 4, 2, 3)
    model(clips)
    assert strides
    assert [name for name, kept in strides.items() if not kept] == []


def relative(found, exact):
    return float((found.double() - exact).norm() / exact.norm())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnCuda:
    """What differs on CUDA: kernels under autocast, against float64 on the CPU."""

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("kind", [NonLocalBlock, DotProductNonLocalBlock])
    def test_attention_under_autocast(self, kind, dtype):
        block = kind(64).eval()
        torch.nn.init.normal_(block.norm.weight)
        frames = torch.randn(6, 64, 18, 9)
        exact_block, exact_frames = copy.deepcopy(block).double(), frames.double().requires_grad_()
        exact = exact_block(exact_frames, 6)
        exact.square().sum().backward()
        given = frames.cuda().to(memory_format=torch.channels_last).requires_grad_()
        block = block.cuda().to(memory_format=torch.channels_last)
        with torch.autocast("cuda", dtype):
            found = block(given, 6)
        found.float().square().sum().backward()
        allowed = 0.01 if dtype == torch.float16 else 0.05
        assert relative(found.cpu(), exact.detach()) < allowed
        assert relative(given.grad.cpu(), exact_frames.grad) < 2 * allowed
        assert found.is_contiguous(memory_format=torch.channels_last)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_clip_embedding(self, dtype):
        torch.manual_seed(0)
        model = M3ReID(0, backbone="resnet18").eval()
        clips = torch.randn(2, 3, 3, 96, 48)
        with torch.no_grad():
            exact = copy.deepcopy(model).double()(clips.double())
            model = model.cuda().to(memory_format=torch.channels_last)
            with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
                found = model(clips.cuda())
        assert found.dtype == torch.float32
        assert relative(found.cpu(), exact) < (2e-3 if dtype == torch.float32 else 0.05)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_losses_of_half_precision_are_computed_in_float32(self, dtype):
        rows = torch.randn(24, 512).to(dtype)
        identities, modalities = torch.arange(24) // 6, torch.arange(24) % 2
        loss = ModalityAlignmentLoss()
        exact = loss(rows.double(), identities, modalities)
        with torch.autocast("cuda", dtype):
            found = loss(rows.cuda(), identities.cuda(), modalities.cuda())
            apart = SeparationLoss()(rows.cuda().view(4, 6, 512))
        assert found.dtype == apart.dtype == torch.float32
        torch.testing.assert_close(found.cpu().double(), exact, atol=1e-5, rtol=1e-5)
        wanted = SeparationLoss()(rows.double().view(4, 6, 512))
        torch.testing.assert_close(apart.cpu().double(), wanted, atol=1e-5, rtol=1e-4)

    def test_a_step_equals_that_of_the_cpu(self, benchmark):
        train_step, _ = benchmark
        model, batch = train_step.network("thin-8"), train_step.batch_of(4, 2, 32, 16)
        inputs = torch.randn(4, 2, 3, 32, 16)
        losses = []
        for device in (torch.device("cpu"), torch.device("cuda")):
            step = train_step.ours(model, device, torch.float32)
            step.prepare = lambda clips, modalities: inputs
            losses.append([step(batch) for _ in range(3)])
        torch.testing.assert_close(*map(torch.tensor, losses), atol=5e-3, rtol=5e-3)

    def test_memory_and_time_need_no_matrix_of_all_positions(self):
        block = NonLocalBlock(512).cuda().half()
        frames = torch.randn(48, 512, 36, 18, device="cuda", dtype=torch.float16)
        frames = frames.to(memory_format=torch.channels_last)
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        with torch.no_grad():
            block(frames, 6)
        extra = torch.cuda.max_memory_allocated() - held
        # 8 clips of 3,888 positions: the matrix would take 242 MB in half precision alone.
        assert extra < 8 * (6 * 36 * 18) ** 2 * 2
