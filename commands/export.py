"""``vireid export``: a network as the released code stores it, a published one as ours, or ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError
from ..options import Options, option

SAFETENSORS, ONNX = ".safetensors", ".onnx"


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Options):
    """Which network, in which layout."""

    input: Path = option("finished run folder, its .safetensors file, or a published checkpoint")
    output: Path = option("file to write; .safetensors or .onnx for the format of that name")
    format: Literal["published", "safetensors", "onnx"] = option(
        "published: the state_dict of the released code, plain tensors for torch.load; "
        "safetensors: ours, for --checkpoint of `evaluate` and --weights of training; onnx: pixels "
        "in, features out, for onnxruntime",
        "published",
    )
    frames: Literal["trained", "dynamic"] = option(
        "frames of a clip that an ONNX file takes: as in the network's tests, or any number",
        "trained",
    )
    overwrite: bool = option("replace --output if it is there", False)


def run_export(settings: ExportSettings) -> Path:
    """Reads a network of either layout and writes it in the one asked for.

    Returns:
        The file written.

    Raises:
        UserError: no network there, it does not fit a layout, or the file may not be written.
    """
    if settings.output.exists() and not settings.overwrite:
        raise UserError(f"{settings.output} exists; choose another --output, or add --overwrite")
    ending = {"safetensors": SAFETENSORS, "onnx": ONNX}.get(settings.format)
    if ending and settings.output.suffix != ending:
        raise UserError(
            f"--output of --format {settings.format} ends in {ending}; got {settings.output}"
        )
    if settings.format == "published" and settings.output.suffix in (SAFETENSORS, ONNX):
        raise UserError(
            f"--format published writes what torch.load reads; --output {settings.output} would "
            f"say something else. Choose .pth or .t, or --format {settings.output.suffix[1:]}"
        )
    from ..engine.checkpoint import save_model
    from ..engine.published_checkpoint import PUBLISHED, read_network, write_published

    model, meta = read_network(settings.input)
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    if settings.format == "published":
        write_published(settings.output, model)
        shown = f"the published {PUBLISHED[type(model)].code} layout"
    elif settings.format == "onnx":
        shown = _export_onnx(settings, model, meta)
    else:
        save_model(settings.output, model, meta)
        shown = "vireid's layout"
    heads = f"{model.num_identities} identities" if model.num_identities else "no classifier"
    print(f"{settings.output}: {type(model).__name__} ({meta['backbone']}), {heads}, {shown}")
    return settings.output


def _export_onnx(settings: ExportSettings, model: Any, meta: dict[str, Any]) -> str:
    """Writes the file with the run's calibration; what there is to say about it."""
    from ..engine.calibration_file import WHOLE, read_calibration
    from ..engine.fingerprint import model_fingerprint
    from ..engine.onnx_file import CHECKED_BATCHES, TOLERANCE, export_onnx

    folder = settings.input if settings.input.is_dir() else settings.input.parent
    calibration = read_calibration(folder)
    said = "no calibration.json beside the network"
    if calibration is not None:
        said = "thresholds of its calibration"
        if calibration["fingerprint"] != model_fingerprint(model, meta):
            calibration, said = None, "calibration.json is of another network"
        elif calibration.get("projection", WHOLE) != WHOLE:
            calibration, said = None, "calibration.json is for the vectors of an index"
    dynamic = settings.frames == "dynamic"
    facts = export_onnx(
        settings.output, model, meta, dynamic_frames=dynamic, calibration=calibration
    )
    batches = ", ".join(map(str, CHECKED_BATCHES))
    return (
        f"ONNX with {said}; features of batches of {batches} at most {facts['difference']:.1g} "
        f"from PyTorch's ({TOLERANCE:g} allowed)"
    )
