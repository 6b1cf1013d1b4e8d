"""A network as an ONNX file: pixels in, unit features out, and all that is needed to use it."""

from __future__ import annotations

import itertools
import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import transfers
from ..datasets.track import Modality
from ..datasets.transforms import normalise
from ..errors import UserError, first_line, optional_library
from ..files import write_whole
from ..models.network import Network
from ..models.normalize import l2_normalize
from ..reading import parse_json
from .encoder import Encoder
from .fingerprint import DECIDING, model_fingerprint
from .model_facts import check_onnx_facts
from .runtime import Runtime

OPSET = 18
CHECKED_BATCHES = (1, 3, 8)
# Length of the difference of two unit features: no score moves by more.
TOLERANCE = 1e-4
KEY = "vireid"  # of the metadata


class _Graph(nn.Module):
    """The network with everything before and after it."""

    def __init__(self, model: Network, flip: bool) -> None:
        super().__init__()
        self.model, self.flip = model.for_graph(), flip
        self.streams = model.two_streams

    def forward(self, clips: Tensor, modalities: Tensor | None = None) -> Tensor:
        """uint8 clips [B, T, 3, H, W] to unit features [B, D]."""
        images = normalise(clips)
        if modalities is None:
            modalities = torch.zeros(clips.shape[0], dtype=torch.int64)  # len() would be a number
        if self.flip:  # one pass of twice the clips
            images = torch.cat([images, images.flip(-1)])
            modalities = torch.cat([modalities, modalities])
        features = l2_normalize(self.model.compute(images, modalities).embeddings)
        if self.flip:
            plain, mirrored = features.unflatten(0, (2, -1)).unbind(0)
            features = l2_normalize((plain + mirrored) / 2)
        return features


def export_onnx(
    path: Path,
    model: Network,
    facts: Mapping[str, Any],
    *,
    dynamic_frames: bool = False,
    calibration: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes a network as ONNX, after its features were compared with PyTorch's.

    Its inputs are ``clips``, uint8 [B, T, 3, H, W], and, of a network with a stream for each
    modality, ``modalities``, int64 [B]; its output is ``features``, float32 [B, D], of length 1.
    Normalisation and the mirrored clip are part of it; B is free.

    Args:
        path: file to write.
        model: the network, on the CPU.
        facts: as ``load_model`` gives them.
        dynamic_frames: whether T is free, too; else it is ``test_frames``.
        calibration: what ``calibration.json`` holds; its thresholds are stored with the network.

    Returns:
        What the file says of itself.

    Raises:
        UserError: a library is missing, the network cannot be written, or the file gives other
            features. Nothing is left behind.
    """
    onnx = _library("onnx")
    _library("onnxscript")
    model = model.float().eval()
    frames = facts["test_frames"]
    if model.two_streams and dynamic_frames:
        raise UserError(f"--frames dynamic: {type(model).__name__} takes images, clips of 1 frame")
    described: dict[str, Any] = {name: facts.get(name) for name in DECIDING}
    described |= {"network": type(model).__name__, "backbone": facts.get("backbone")}
    described |= {"fingerprint": model_fingerprint(model, facts), "two_streams": model.two_streams}
    described |= {"frames": None if dynamic_frames else frames}
    if calibration is not None:
        described["calibration"] = _thresholds(calibration)

    def write(beside: Path) -> None:
        _trace(beside, model, facts, dynamic_frames)
        written = OnnxNetwork(beside, {})
        described["difference"] = furthest_apart(written, model, facts, any_frames=dynamic_frames)
        if not described["difference"] <= TOLERANCE:
            raise UserError(
                f"{path} was not written: its features are up to {described['difference']:.2g} "
                f"from PyTorch's, more than {TOLERANCE:g}. Use the network without --format onnx, "
                "or with another version of onnx and torch."
            )
        proto = onnx.load(str(beside))
        onnx.helper.set_model_props(proto, {KEY: json.dumps(described)})
        onnx.save(proto, str(beside))

    write_whole(path, write)
    return described


def _trace(path: Path, model: Network, facts: Mapping[str, Any], dynamic_frames: bool) -> None:
    # A size of 1 would be taken for a constant.
    frames = max(2, facts["test_frames"]) if dynamic_frames else facts["test_frames"]
    clips, modalities = _sample(model, facts, 2, frames)
    given = (clips, modalities) if model.two_streams else (clips,)
    batch = torch.export.Dim("batch", min=1, max=65536)
    shapes: dict[str, Any] = {"clips": {0: batch}}
    if dynamic_frames:
        shapes["clips"][1] = torch.export.Dim("frames", min=1, max=4096)
    if model.two_streams:
        shapes["modalities"] = {0: batch}
    try:
        with _quiet():
            torch.onnx.export(
                _Graph(model, bool(facts["flip"])).eval(),
                given,
                str(path),
                input_names=["clips", "modalities"][: len(given)],
                output_names=["features"],
                dynamic_shapes=shapes,
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except OSError:
        raise
    except Exception as error:  # the exporter has many kinds of its own
        raise UserError(
            f"{type(model).__name__} ({facts.get('backbone')}) cannot be written as ONNX by torch "
            f"{torch.__version__}: {first_line(error)}"
        ) from error


def _sample(
    model: Network, facts: Mapping[str, Any], batch: int, frames: int
) -> tuple[Tensor, Tensor]:
    """Clips of noise, each of another brightness, and modalities in turns."""
    draw = torch.Generator().manual_seed(batch)
    shape = (batch, 1 if model.two_streams else frames, 3, facts["img_h"], facts["img_w"])
    bright = torch.linspace(64, 256, batch).view(-1, 1, 1, 1, 1)
    clips = (torch.rand(shape, generator=draw) * bright).to(torch.uint8)
    return clips, torch.arange(batch) % 2


def furthest_apart(
    written: OnnxNetwork, model: Network, facts: Mapping[str, Any], *, any_frames: bool = False
) -> float:
    """Largest length of a difference between features of the file and of PyTorch.

    Args:
        written: the file.
        model: what it was made of.
        facts: the same.
        any_frames: whether clips of other lengths are tried, too.

    Returns:
        Over batches of 1, 3 and 8 clips, modalities mixed; infinite if a feature is.
    """
    encoder = Encoder(model, Runtime("cpu", "fp32"), flip=bool(facts["flip"]))
    lengths = {facts["test_frames"]} | ({1, 2 * facts["test_frames"]} if any_frames else set())
    apart = 0.0
    for batch, frames in itertools.product(CHECKED_BATCHES, sorted(lengths)):
        clips, modalities = _sample(model, facts, batch, frames)
        expected = encoder(clips, modalities)
        found = written.embed(clips, modalities)
        difference = float((found - expected).norm(dim=1).max())
        apart = max(apart, difference if math.isfinite(difference) else math.inf)
    return apart


def _thresholds(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """A calibration without its curves."""
    kept = {name: value for name, value in calibration.items() if name != "data_dir"}
    kept["directions"] = [
        {name: value for name, value in one.items() if name != "curve"}
        for one in calibration["directions"]
    ]
    return kept


class OnnxNetwork:
    """A network read from an ONNX file, run by onnxruntime on the CPU.

    Args:
        path: file that :func:`export_onnx` wrote.
        facts: what it says of itself; None reads it.

    Attributes:
        facts: sizes, flip, ``fingerprint``, ``frames`` (None: any), ``calibration`` where known.

    Raises:
        UserError: onnxruntime is missing, or the file is damaged or foreign.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        runtime = _library("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self.path = path
        if not path.is_file():
            raise UserError(f"no ONNX file at {path}; `vireid export RUN --format onnx` writes one")
        try:
            self._session = runtime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except OSError:
            raise
        except Exception as error:  # onnxruntime's own kinds share no base
            raise UserError(f"{path} is no readable ONNX file ({first_line(error)})") from error
        self._inputs = [given.name for given in self._session.get_inputs()]
        self.facts = dict(facts) if facts is not None else self._read_facts(path)

    def _read_facts(self, path: Path) -> dict[str, Any]:
        stored = self._session.get_modelmeta().custom_metadata_map.get(KEY, "")
        try:
            return check_onnx_facts(parse_json(stored))
        except ValueError as error:
            raise UserError(
                f"{path} was not written by vireid: it does not say rightly how its frames are "
                f"made ({error}). `vireid export RUN --format onnx` writes one that does."
            ) from error

    def embed(self, clips: Tensor, modalities: Tensor | Modality | None = None) -> Tensor:
        """Features of a batch of clips.

        Args:
            clips: [B, T, 3, H, W] uint8.
            modalities: of all clips, or of each, [B]; a network with one stream for both needs
                none.

        Returns:
            [B, D] float32 on the CPU, unit rows.

        Raises:
            ValueError: a two-stream network, and no modalities are given.
            UserError: the file takes clips of another shape.
        """
        given = {"clips": np.ascontiguousarray(transfers.to_host(clips))}
        if "modalities" in self._inputs:
            if modalities is None:
                raise ValueError("the network has a stream for each modality; say which")
            each = torch.as_tensor(modalities, dtype=torch.int64).expand(len(clips))
            given["modalities"] = np.ascontiguousarray(transfers.to_host(each))
        try:
            features = self._session.run(["features"], given)[0]
        except Exception as error:  # onnxruntime's own kinds share no base
            raise UserError(
                f"{self.path} cannot take clips {list(clips.shape)} ({first_line(error)})"
            ) from error
        return torch.from_numpy(features)


def _library(name: str) -> Any:
    return optional_library(
        name,
        f"ONNX files need {name}",
        extra="footage",
        packages="onnx onnxscript onnxruntime",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's notes on its own code from the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
