"""Training steps of M3-ReID: clips a second and peak memory beside a plain form of the same."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vireid.datasets.transforms import VideoAugmentation
from vireid.engine.compiling import compile_network
from vireid.engine.runtime import cpu_has_bf16_units
from vireid.losses import ModalityAlignmentLoss, SeparationLoss
from vireid.models import BatchOutput, M3ReID

from . import plain_training
from .measure import Measured, interleaved
from .table import Table, devices, parser

IDENTITIES = 500
RATE = 2e-4
DECAY = 5e-4
NORM = 0.3  # of the non-local blocks, which start at zero and would hide what they compute


@dataclass(frozen=True)
class Batch:
    """What the data loader hands over.

    Attributes:
        clips: [B, T, 3, H, W], uint8, on the host.
        identities: [B] int64.
        modalities: [B] int64.
    """

    clips: Tensor
    identities: Tensor
    modalities: Tensor


def batch_of(clips: int, frames: int, height: int, width: int, seed: int = 0) -> Batch:
    """Random clips of P = B / 8 identities (at least two), both modalities of each."""
    rng = torch.Generator().manual_seed(seed)
    shape = (clips, frames, 3, height, width)
    people = max(2, clips // 8)
    return Batch(
        torch.randint(256, shape, generator=rng, dtype=torch.uint8),
        torch.arange(clips) * people // clips,
        torch.arange(clips) % 2,
    )


def network(backbone: str, seed: int = 0) -> M3ReID:
    """The network in training mode, its non-local blocks at work."""
    torch.manual_seed(seed)
    model = M3ReID(IDENTITIES, backbone=backbone)
    for name, parameter in model.named_parameters():
        if ".non_local" in name and name.endswith("norm.weight"):
            nn.init.constant_(parameter, NORM)
    return model.train()


def total_loss(
    output: BatchOutput,
    identities: Tensor,
    modalities: Tensor,
    alignment: Callable[[Tensor, Tensor, Tensor], Tensor],
    separation: Callable[[Tensor], Tensor],
) -> Tensor:
    """ID and MMA of clips and frames, OFR, and DAC of the three views, with the losses given."""
    assert output.frames is not None
    assert output.logits is not None and output.frame_logits is not None
    frames = output.frames.shape[1]
    of_frames = identities.repeat_interleave(frames), modalities.repeat_interleave(frames)
    terms = [
        F.cross_entropy(output.logits, identities),
        F.cross_entropy(output.frame_logits.flatten(0, 1), of_frames[0]),
        alignment(output.embeddings, identities, modalities),
        alignment(output.frames.flatten(0, 1), *of_frames),
        separation(output.frames),
        *(separation(mask) for mask in output.masks),
    ]
    return torch.stack(terms).sum()


class Step:
    """A training step that can be repeated: forward, losses, backward, Adam.

    Args:
        model: what runs on prepared clips.
        alignment, separation: the losses.
        prepare: uint8 clips and modalities on the host to network input.
        fused: Adam in one kernel, as the training commands run it.
        device: where.
        dtype: of autocast; float32 for none.
    """

    def __init__(
        self,
        model: nn.Module,
        alignment: Callable[[Tensor, Tensor, Tensor], Tensor],
        separation: Callable[[Tensor], Tensor],
        prepare: Callable[[Tensor, Tensor], Tensor],
        *,
        fused: bool,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model.to(device)
        self.alignment, self.separation, self.prepare = alignment, separation, prepare
        self.device, self.dtype = device, dtype
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(
            parameters, RATE, weight_decay=DECAY, fused=True if fused else None
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)

    def __call__(self, batch: Batch) -> float:
        """Takes a step and gives the loss."""
        images = self.prepare(batch.clips, batch.modalities).to(self.device, non_blocking=True)
        labels = batch.identities.to(self.device), batch.modalities.to(self.device)
        with self._autocast():
            output = self.model(images)
            # Cross entropy runs in float32 under autocast, as the other losses see to themselves.
            loss = total_loss(output, *labels, self.alignment, self.separation)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return float(loss.detach())

    def _autocast(self) -> AbstractContextManager[object]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def held(self) -> float:
        """MiB of parameters, buffers and Adam's moments, which are there before a step."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        for state in self.optimiser.state.values():
            tensors += [value for value in state.values() if isinstance(value, Tensor)]
        return sum(t.numel() * t.element_size() for t in tensors) / 2**20


def ours(
    model: M3ReID, device: torch.device, dtype: torch.dtype, *, compiled: bool = False
) -> Step:
    """The step as the training commands take it: channels_last, augmentation on the device."""
    augmentation = VideoAugmentation()
    draws = torch.Generator(device).manual_seed(0)

    def prepare(clips: Tensor, modalities: Tensor) -> Tensor:
        return augmentation(clips.to(device, non_blocking=True), modalities.to(device), draws)

    own = copy.deepcopy(model).to(device).to(memory_format=torch.channels_last)
    if compiled and (remark := compile_network(own, device)):
        raise SystemExit(remark)
    losses = ModalityAlignmentLoss(), SeparationLoss()
    return Step(own, *losses, prepare, fused=True, device=device, dtype=dtype)


def plain(
    model: M3ReID, device: torch.device, dtype: torch.dtype, *, prepared: bool = False
) -> Step:
    """The plain step; ``prepared`` hands it clips that are ready, as loader workers might."""
    draws = torch.Generator().manual_seed(0)
    ready: dict[int, Tensor] = {}

    def prepare(clips: Tensor, modalities: Tensor) -> Tensor:
        if not prepared:
            return plain_training.prepare(clips, modalities, draws)
        if id(clips) not in ready:
            found = plain_training.prepare(clips, modalities, draws)
            ready[id(clips)] = found.pin_memory() if device.type == "cuda" else found
        return ready[id(clips)]

    form = plain_training.PlainM3ReID(copy.deepcopy(model))
    losses = plain_training.alignment, plain_training.separation
    return Step(form, *losses, prepare, fused=False, device=device, dtype=dtype)


def compare(
    table: Table, backbone: str, sizes: Sequence[int], rounds: int, *, compiled: bool
) -> None:
    """Both forms in the same run."""
    device = table.device
    clips, frames, height, width = sizes
    model, batch = network(backbone), batch_of(clips, frames, height, width)
    on_gpu = device.type == "cuda"
    if on_gpu:  # as loaders hand them over
        batch = replace(batch, clips=batch.clips.pin_memory())
    plain_type = torch.float16 if on_gpu else torch.float32
    kinds = {"float16" if on_gpu else "float32": plain_type}
    if on_gpu or cpu_has_bf16_units():
        kinds["bfloat16"] = torch.bfloat16
    named = str(plain_type).removeprefix("torch.")
    # What is compared with gets clips that are ready: released code prepares them in workers.
    ready = f"plain, {named}, clips ready"
    alone = f"plain, {named}, clips prepared in the process"
    steps = {
        ready: plain(model, device, plain_type, prepared=True),
        alone: plain(model, device, plain_type),
    }
    for kind, dtype in kinds.items():
        steps[f"ours, {kind}"] = ours(model, device, dtype)
        if compiled:
            steps[f"ours, {kind}, compiled"] = ours(model, device, dtype, compiled=True)
    table.section(
        f"{backbone}, {clips} clips x {frames} x {height} x {width}, median of {rounds} steps"
    )
    calls = {name: partial(step, batch) for name, step in steps.items()}
    found = interleaved(calls, device, rounds)
    own = [name for name in found if name not in (ready, alone)]
    for name, one in found.items():
        speed = f"{name}: {clips / one.seconds:,.1f} clips/s"
        table.row(speed, one, found[ready] if name in own else None)
    for name in own:
        held = steps[name].held(), steps[ready].held()
        table.remark(f"{name}: {_beside(found[name], found[ready], held)}")
    del steps, calls
    gc.collect()


def _beside(one: Measured[float], there: Measured[float], held: tuple[float, float]) -> str:
    """Our step beside the plain one, in words; ``held`` is what each holds between steps, MiB."""
    text = f"{there.seconds / one.seconds:.2f} times the plain step with its clips ready, its own "
    text += "augmentation included"
    if one.mebibytes is None or there.mebibytes is None:
        return text + "."
    whole = (one.mebibytes + held[0]) / (there.mebibytes + held[1])
    return (
        f"{text}, with {one.mebibytes / there.mebibytes:.2f} of its memory ({whole:.2f} with the "
        f"{held[0]:,.0f} MiB of weights and moments that both hold)."
    )


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--backbone", default="resnet50")
    flags.add_argument(
        "--size", type=int, nargs=4, metavar=("B", "T", "H", "W"), help="clips of a batch"
    )
    flags.add_argument("--rounds", type=int, help="steps that count: 10, on the CPU 5")
    flags.add_argument("--compile", action="store_true", help="also ours with torch.compile")
    given = flags.parse_args()
    for device in devices(given.device):
        rounds = given.rounds or (10 if device.type == "cuda" else 5)
        size = given.size or ([32, 6, 288, 144] if device.type == "cuda" else [4, 6, 144, 72])
        backbone = given.backbone
        if given.quick:
            size, backbone, rounds = [4, 3, 64, 32], "thin", 2
        table = Table("train_step", device)
        compare(table, backbone, size, rounds, compiled=given.compile)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
