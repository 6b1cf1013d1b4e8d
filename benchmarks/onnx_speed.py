"""Features of clips by onnxruntime on the CPU, beside PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from vireid.datasets.track import Track
from vireid.engine.checkpoint import save_model
from vireid.engine.encoder import Encoder
from vireid.engine.onnx_file import OnnxNetwork, export_onnx
from vireid.engine.runtime import Runtime
from vireid.models import AGW, M3ReID
from vireid.models.network import Network
from vireid.retrieval.embedding import Embedder, open_embedder
from vireid.retrieval.options import EmbedderOptions

from .decode import FRAMES, Call, in_turns, write_pictures
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


def described(table: Table, tracklets: int, batch: int, rounds: int) -> None:
    """Tracklets from their pictures to vectors, as `vireid index` makes them."""
    facts: dict[str, Any] = {"network": "M3ReID", "backbone": "resnet50", "num_identities": 0}
    facts |= {"num_frames": FRAMES, "test_frames": FRAMES, "img_h": HEIGHT, "img_w": WIDTH}
    facts |= {"test_resize": "bilinear", "flip": False, "stage": "mmm", "step": 0}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        tracks = write_pictures(run, tracklets)
        model = M3ReID(0).eval()
        save_model(run / "model.safetensors", model, facts)
        export_onnx(run / "model.onnx", model, facts)
        engines: tuple[Literal["torch", "onnx"], ...] = ("torch", "onnx")
        calls: dict[str, partial[Tensor]] = {}
        for engine in engines:
            options = EmbedderOptions(engine=engine, batch_size=batch, device="cpu")
            calls[engine] = partial(_all_features, open_embedder(run, options), tracks)
        rows: dict[str, Tensor] = {engine: call() for engine, call in calls.items()}
        found = in_turns(calls, rounds)
    apart = float((rows["torch"] - rows["onnx"]).norm(dim=1).max())
    table.section(
        f"vireid index: {tracklets} tracklets of {FRAMES} JPEG pictures, M3ReID, resnet50"
    )
    table.row("--engine torch", found["torch"])
    table.row("--engine onnx", found["onnx"], found["torch"])
    table.remark(
        f"Decoding and resizing included, {batch} clips a batch; vectors differ by at most "
        f"{apart:.1e} in length."
    )


def _all_features(embedder: Embedder, tracks: Sequence[Track]) -> Tensor:
    return torch.cat([rows for _, rows in embedder.features(tracks)])


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
    measured(table, M3ReID(0), FRAMES, batch, given.rounds)
    measured(table, AGW(0), 1, 4 * batch, given.rounds)
    described(table, 2 * batch, batch, given.rounds)
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
