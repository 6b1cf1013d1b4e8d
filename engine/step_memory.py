"""Memory that a step takes, found without taking it: a network run on tensors without data.

Any registered network is measured, as it stands: its forward and backward pass run on fake tensors,
which have shape, type and device and no memory, and every storage is counted from its making to its
end. So activations, temporaries, gradients and the second pass of ``--accumulate`` are all in it.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves

from ..datasets.track import Modality
from ..distributed import processes
from ..distributed.split_batch import split_batches
from ..models.network import Network
from ..random_streams import untouched
from .live_bytes import LiveBytes
from .planned_stages import stand_in_losses, stand_in_memory
from .runtime import Runtime

FEW = 2  # clips of each modality in a step that is measured for real
# What a backward pass takes beside what was kept for it, where only that could be measured.
BEYOND_KEPT = 1.25


@dataclass(frozen=True)
class StepShape:
    """What the network gets in a training step of one process.

    Attributes:
        visible, infrared: clips, second views included.
        frames: of a clip.
        height, width: of a frame, pixels.
        prototypes: rows of the memories that the embeddings are compared with; 0 = none.
        accumulate: parts of the batch.
        bn_batch: clips that share batch-norm statistics; None = all that run together.
    """

    visible: int
    infrared: int
    frames: int
    height: int
    width: int
    prototypes: int = 0
    accumulate: int = 1
    bn_batch: int | None = None

    @property
    def clips(self) -> int:
        """Clips of both modalities."""
        return self.visible + self.infrared

    @property
    def images(self) -> int:
        """Bytes of the augmented frames, float32."""
        return 4 * 3 * self.clips * self.frames * self.height * self.width

    def clip_tensor(self) -> Tensor:
        """Augmented clips, all zero."""
        return torch.zeros(self.clips, self.frames, 3, self.height, self.width)

    def modalities(self) -> Tensor:
        """Of each clip, visible ones first."""
        codes = torch.tensor([Modality.VISIBLE, Modality.INFRARED])
        return codes.repeat_interleave(torch.tensor([self.visible, self.infrared]))


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one step.

    Attributes:
        activations: most at one time beside the weights: images, what is kept for the backward
            pass, temporaries, gradients. Optimiser state is not in it.
        gradients: bytes of the gradients, which stay until the next backward pass.
        width: values D of an embedding.
        tensors: the activations without the holes of a CPU's heap: what tensors alone take.
        scaled_from: clips that were run for real, where the network does not run on fake tensors;
            0 where it does.
    """

    activations: int
    gradients: int
    width: int
    tensors: int
    scaled_from: int = 0


@contextlib.contextmanager
def _by_itself() -> Iterator[None]:
    """Nothing outside changes: no random state, and no other process is waited for."""
    with untouched(), processes.apart():
        yield


def fake_copy(model: Network) -> Network:
    """A copy of the network whose parameters and buffers have no memory."""
    with FakeCopyMode(FakeTensorMode(allow_non_fake_inputs=True)):
        return copy.deepcopy(model)


def other_network(build: Callable[[], Network], runtime: Runtime) -> Network:
    """A network that the run does not train, to be measured.

    Args:
        build: makes it, with random weights.
        runtime: its device.
    """
    with _by_itself():
        return build().to(runtime.device).to(memory_format=torch.channels_last)


def training_step_memory(model: Network, shape: StepShape, runtime: Runtime) -> StepMemory:
    """Bytes that the largest step takes at one time, beside weights and optimiser.

    Args:
        model: neither it nor any random state is changed.
        shape: the step.
        runtime: device and precision.

    Returns:
        Counted on fake tensors; where the network cannot run on these (a kernel written by hand, a
        shape that depends on values), scaled from a few clips run for real.
    """
    with _by_itself():
        try:
            return _on_fake_tensors(model, shape, runtime)
        except Exception:
            # Whatever a network's own kernels make of tensors without data.
            return _scaled(model, shape, runtime)


def _on_fake_tensors(model: Network, shape: StepShape, runtime: Runtime) -> StepMemory:
    # Only one part's activations are there at a time; the others leave images and outputs behind.
    part = dataclasses.replace(
        shape,
        visible=math.ceil(shape.visible / shape.accumulate),
        infrared=math.ceil(shape.infrared / shape.accumulate),
    )
    fake = fake_copy(model).train()
    groups = part.clips if shape.accumulate > 1 else None
    split_batches(fake, bn_batch=shape.bn_batch or groups)
    live = LiveBytes()
    trained = [p for p in fake.parameters() if p.requires_grad]
    width = left_behind = 0

    def forward() -> Tensor:
        nonlocal width, left_behind
        images = _fake_zeros(fake, live, part.clip_tensor, runtime.device)
        with runtime.autocast():
            output = fake.forward_features(images, part.modalities())
        width = output.embeddings.shape[1]
        sizes = {id(v): v.nbytes for v in tree_leaves(tuple(output)) if isinstance(v, Tensor)}
        left_behind = part.images + 2 * sum(sizes.values())  # outputs, and their gradients
        memory = None
        if shape.prototypes:
            rows = _fake_zeros(
                fake, live, lambda: torch.zeros(shape.prototypes, width), runtime.device
            )
            memory = stand_in_memory(rows)
        losses = stand_in_losses(output, memory)
        return torch.stack([value.float() for value in losses.values()]).sum()

    with live:
        for parameter in trained:
            # Those of the step before, which go after the forward pass.
            parameter.grad = torch.empty_like(parameter)
        gradients = live.now
        total = forward()
        for parameter in trained:
            parameter.grad = None
        total.backward()
    taken = live.taken(runtime.device, in_parts=shape.accumulate > 1)
    rest = (shape.clips - part.clips) * left_behind // part.clips
    return StepMemory(taken + rest, gradients, width, live.peak + rest)


def embedding_memory(
    model: Network, clips: int, frames: int, height: int, width: int, runtime: Runtime
) -> int:
    """Bytes that a batch of feature extraction takes at one time, beside the weights.

    Args:
        model: neither it nor any random state is changed.
        clips, frames, height, width: of the batch.
        runtime: device and precision.

    Returns:
        0 where the network does not run on fake tensors: a training step takes more by far.
    """
    shape = StepShape(math.ceil(clips / 2), clips // 2, frames, height, width)
    live = LiveBytes()
    with _by_itself():
        try:
            fake = fake_copy(model).eval()
            with live, torch.no_grad():
                images = _fake_zeros(fake, live, shape.clip_tensor, runtime.device)
                with runtime.test_autocast():
                    fake.embed(images, shape.modalities())
        except Exception:  # as above
            return 0
    return live.taken(runtime.device)


def _fake_zeros(
    model: Network, live: LiveBytes, make: Callable[[], Tensor], device: torch.device
) -> Tensor:
    modes = (p.fake_mode for p in model.parameters() if isinstance(p, FakeTensor))
    with next(modes):
        made = make().to(device)
    live.count(made)
    return made


def _scaled(model: Network, shape: StepShape, runtime: Runtime) -> StepMemory:
    few = dataclasses.replace(
        shape, visible=min(FEW, shape.visible), infrared=min(FEW, shape.infrared)
    )
    bytes_kept, width = kept_bytes(model, few, runtime)
    part = math.ceil(shape.clips / shape.accumulate)
    activations = int(BEYOND_KEPT * bytes_kept * part / few.clips)
    if shape.accumulate > 1:
        activations += 2 * shape.images
    gradients = sum(4 * p.numel() for p in model.parameters() if p.requires_grad)
    memories = 8 * shape.prototypes * width
    taken = activations + gradients + memories
    return StepMemory(taken, gradients, width, taken, few.clips)


def kept_bytes(model: Network, shape: StepShape, runtime: Runtime) -> tuple[int, int]:
    """Bytes that autograd keeps of a real forward pass in training mode, and the embeddings' width.

    Storages are counted once, those of parameters not at all. The batch runs in one part; batch
    norm's running statistics are put back.

    Args:
        model: the network, not split.
        shape: the batch.
        runtime: device and precision.
    """
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    was_training = model.training
    model.train()
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            images = shape.clip_tensor().to(runtime.device)
            with runtime.autocast():
                output = model.forward_features(images, shape.modalities())
            losses = stand_in_losses(output, None)
            width = output.embeddings.shape[1]
            del output
        # The losses hold the graph, so that no storage is freed and counted again.
        del losses
    finally:
        model.train(was_training)
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
    return sum(found.values()), width
