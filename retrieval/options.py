"""Options of making vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..engine.options import FeatureOptions
from ..options import option


@dataclass(frozen=True, kw_only=True)
class EmbedderOptions(FeatureOptions):
    """Where and how a finished network makes features."""

    heading: ClassVar[str] = "Machine"

    engine: Literal["torch", "onnx"] | None = option(
        "what computes: PyTorch, or onnxruntime (CPU, fp32) with the file that `vireid export "
        "--format onnx` wrote beside the network, model.onnx; unset: onnx where the run is an "
        ".onnx file",
        None,
    )
