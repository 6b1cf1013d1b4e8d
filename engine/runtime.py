"""Device, precision and seeds of a process."""

from __future__ import annotations

import datetime
import platform
import random
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from .. import __version__
from ..distributed import ranks
from ..errors import UserError

# Clustering runs in one process while the others wait; torchrun ends them if that one fails.
WAIT = datetime.timedelta(hours=12)


def cpu_has_bf16_units() -> bool:
    """Whether bf16 is faster than float32 on this CPU; elsewhere it is emulated and slow."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


class Runtime:
    """Where and how precisely tensors are computed.

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        precision: ``auto`` (bf16 where the hardware has units for it, else fp32), ``fp32``,
            ``bf16`` or ``fp16`` (CUDA only; the CPU takes bf16 or fp32 instead and says so).
        seed: seeds Python, NumPy and torch.

    Raises:
        UserError: CUDA is asked for and there is none.
    """

    def __init__(self, device: str = "auto", precision: str = "auto", seed: int = 0) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda: torch finds no CUDA device. Use --device cpu or auto.")
        on_cpu = device == "cpu" or not torch.cuda.is_available()
        self.notes: list[str] = []
        if precision == "auto":
            supported = cpu_has_bf16_units() if on_cpu else torch.cuda.is_bf16_supported()
            precision = "bf16" if supported else "fp32"
        elif precision == "fp16" and on_cpu:
            precision = "bf16" if cpu_has_bf16_units() else "fp32"
            self.notes.append(f"fp16 needs CUDA; this CPU runs in {precision}.")
        self.precision = precision
        self.accelerator = Accelerator(
            mixed_precision="no" if precision == "fp32" else precision,
            cpu=on_cpu,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=WAIT)],
        )
        self.device = torch.device("cpu") if on_cpu else self.accelerator.device
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - for libraries that draw from the global state
        torch.manual_seed(seed)

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision for a forward pass."""
        return self.accelerator.autocast()

    def scaled(self, optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """The optimiser; in fp16 its steps undo the scale of the loss, and skip overflows."""
        if self.accelerator.scaler is None:
            return optimiser
        return self.accelerator.prepare_optimizer(optimiser)

    def scaler_state(self) -> dict[str, Any]:
        """Scale of the loss in fp16, for a checkpoint; empty in another precision."""
        scaler = self.accelerator.scaler
        return {} if scaler is None else scaler.state_dict()

    def load_scaler(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`scaler_state` gave; nothing where one of the two is empty."""
        if self.accelerator.scaler is not None and state:
            self.accelerator.scaler.load_state_dict(state)

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Moves the parameters by their gradients.

        Under fp16 the loss was scaled before the backward pass, so that small gradients do not
        vanish: here they are scaled back, and a step whose gradients overflowed is left out.
        """
        scaler = self.accelerator.scaler
        if scaler is None:
            optimiser.step()
        else:
            scaler.step(optimiser)
            scaler.update()

    def device_summary(self) -> str:
        """Device in words."""
        if self.device.type == "cuda":
            where = torch.cuda.get_device_name(self.device)
        else:
            where = f"CPU, {torch.get_num_threads()} threads"
        several = "" if ranks.count() == 1 else f", {ranks.count()} processes"
        return f"{where}, {self.precision}{several}"


def versions() -> dict[str, str]:
    """Versions of this package and of the libraries that decide a number."""
    import scipy
    import sklearn
    import torchvision

    return {
        "vireid": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "faiss": _faiss_version(),
        "scikit-learn": sklearn.__version__,
        "scipy": scipy.__version__,
        "numpy": np.__version__,
    }


def _faiss_version() -> str:
    """FAISS serves the CPU; a machine that computes on CUDA may do without it."""
    try:
        import faiss
    except ImportError:
        return "none"
    return str(faiss.__version__)
