"""``vireid export``: a network as the released code stores it, or a published one as ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from ..options import Options, option

SAFETENSORS = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Options):
    """Which network, in which layout."""

    input: Path = option("finished run folder, its .safetensors file, or a published checkpoint")
    output: Path = option("file to write; .safetensors for the format of that name")
    format: Literal["published", "safetensors"] = option(
        "published: the state_dict of the released code, plain tensors for torch.load; "
        "safetensors: ours, for --checkpoint of `evaluate` and --weights of training",
        "published",
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
    if settings.format == "safetensors" and settings.output.suffix != SAFETENSORS:
        raise UserError(
            f"--output of --format safetensors ends in {SAFETENSORS}; got {settings.output}"
        )
    if settings.format == "published" and settings.output.suffix == SAFETENSORS:
        raise UserError(
            f"--format published writes what torch.load reads; --output {settings.output} would "
            "say something else. Choose .pth or .t, or --format safetensors"
        )
    from ..engine.checkpoint import save_model
    from ..engine.published_checkpoint import PUBLISHED, read_network, write_published

    model, meta = read_network(settings.input)
    settings.output.parent.mkdir(parents=True, exist_ok=True)
    if settings.format == "published":
        write_published(settings.output, model)
        shown = f"the published {PUBLISHED[type(model)].code} layout"
    else:
        save_model(settings.output, model, meta)
        shown = "vireid's layout"
    heads = f"{model.num_identities} identities" if model.num_identities else "no classifier"
    print(f"{settings.output}: {type(model).__name__} ({meta['backbone']}), {heads}, {shown}")
    return settings.output
