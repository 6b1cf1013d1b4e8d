"""Features of clips by onnxruntime on the CPU, beside PyTorch."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from vireid.engine.encoder import Encoder
from vireid.engine.onnx_file import OnnxNetwork, export_onnx
from vireid.engine.runtime import Runtime
from vireid.models import AGW, M3ReID
from vireid.models.network import Network

from .decode import Call, in_turns
from .table import Table, parser

CPU = torch.device("cpu")
HEIGHT, WIDTH = 288, 144


def measured(table: Table, model: Network, frames: int, batch: int, rounds: int) -> None:
    """A batch of clips of one network, by both."""
    name = type(model).__name__
    facts: dict[str, Any] = {"img_h": HEIGHT, "img_w": WIDTH, "test_frames": frames, "flip": False}
    facts |= {"backbone": "resnet50", "test_resize": "bilinear"}
    model = model.eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        said = export_onnx(file, model, facts)
        size = file.stat().st_size / 2**20
        written = OnnxNetwork(file)
    generator = torch.Generator().manual_seed(0)
    shape = (batch, frames, 3, HEIGHT, WIDTH)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    modalities = torch.arange(batch) % 2
    encoder = Encoder(model.to(memory_format=torch.channels_last), Runtime("cpu", "fp32"))

    def run(call: Encoder | OnnxNetwork) -> Tensor:
        return (
            call(clips, modalities) if isinstance(call, Encoder) else call.embed(clips, modalities)
        )

    calls: dict[str, Call] = {
        "PyTorch": partial(run, encoder),
        "onnxruntime": partial(run, written),
    }
    for call in calls.values():
        call()  # allocates and plans
    found = in_turns(calls, rounds)
    table.section(f"{name}, resnet50, {batch} clips of {frames} frames, {HEIGHT}x{WIDTH}")
    table.row("PyTorch, channels_last", found["PyTorch"])
    table.row("onnxruntime", found["onnxruntime"], found["PyTorch"])
    table.remark(
        f"The file has {size:.0f} MiB; features of batches of 1, 3 and 8 differ by at most "
        f"{said['difference']:.1e} from PyTorch's in length."
    )


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    given = flags.parse_args()
    import onnxruntime

    table = Table("onnx_speed", CPU)
    table.remark(
        f"onnxruntime {onnxruntime.__version__}. uint8 pixels in, unit features out, untrained "
        f"weights. Measured in turns, {given.rounds} rounds, shortest time of each."
    )
    torch.manual_seed(0)
    batch = 1 if given.quick else 4
    measured(table, M3ReID(0), 6, batch, given.rounds)
    measured(table, AGW(0), 1, 4 * batch, given.rounds)
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
