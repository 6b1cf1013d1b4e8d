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
from torch import Tensor

from .. import __version__
from ..distributed import processes, ranks
from ..errors import UserError
from .freed_memory import keep_freed_memory

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Clustering runs in one process while the others wait; torchrun ends them if that one fails.
WAIT = datetime.timedelta(hours=12)


def cpu_has_bf16_units() -> bool:
    """Whether bf16 is faster than float32 on this CPU; elsewhere it is emulated and slow."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


def cuda_has_bf16_units() -> bool:
    """Whether bf16 is faster than float32 on the CUDA device; elsewhere it is emulated and slow."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def resolved_precision(asked: str, *, on_cpu: bool) -> str:
    """What is computed where a number format is asked for: ``fp32``, ``bf16`` or ``fp16``.

    Args:
        asked: one of these, or ``auto``.
        on_cpu: whether the CPU computes; it has no fp16 and takes what ``auto`` takes instead.
    """
    if asked != "auto" and not (asked == "fp16" and on_cpu):
        return asked
    return "bf16" if (cpu_has_bf16_units() if on_cpu else cuda_has_bf16_units()) else "fp32"


class Runtime:
    """Where and how precisely tensors are computed.

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        precision: of training. ``auto`` (bf16 where the hardware has units for it, else fp32),
            ``fp32``, ``bf16`` or ``fp16`` (CUDA only; the CPU takes bf16 or fp32 instead and says
            so).
        seed: seeds Python, NumPy and torch.
        test_precision: of features for tests and clustering, the same values.

    Attributes:
        scaler: of the loss in fp16, so that small gradients do not vanish; None otherwise.

    Raises:
        UserError: CUDA is asked for and there is none.
    """

    def __init__(
        self,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        test_precision: str = "fp32",
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda: torch finds no CUDA device. Use --device cpu or auto.")
        on_cpu = device == "cpu" or not torch.cuda.is_available()
        self.notes: list[str] = []
        self.precision = self._resolved(precision, on_cpu)
        self.test_precision = self._resolved(test_precision, on_cpu)
        # Mixed precision is torch's own here: accelerate would wrap optimisers for its scaler.
        accelerator = Accelerator(
            mixed_precision="no",
            cpu=on_cpu,
            kwargs_handlers=[
                # NCCL refuses processes that share a card.
                InitProcessGroupKwargs(backend="gloo", timeout=WAIT)
                if processes.count_on_card() > 1
                else InitProcessGroupKwargs(timeout=WAIT)
            ],
        )
        self.device = torch.device("cpu") if on_cpu else accelerator.device
        if on_cpu:
            keep_freed_memory()
        else:
            # Batches of a stage have one shape: the first one measures which kernel is fastest.
            torch.backends.cudnn.benchmark = True
        half = self.precision == "fp16"
        self.scaler = torch.amp.GradScaler(self.device.type) if half else None
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - for libraries that draw from the global state
        torch.manual_seed(seed)

    def _resolved(self, precision: str, on_cpu: bool) -> str:
        """What is computed where ``precision`` is asked for."""
        resolved = resolved_precision(precision, on_cpu=on_cpu)
        note = f"fp16 needs CUDA; this CPU runs in {resolved}."
        if precision == "fp16" and on_cpu and note not in self.notes:
            self.notes.append(note)
        return resolved

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision for a forward pass of training."""
        return self._autocast(self.precision)

    def test_autocast(self) -> AbstractContextManager[None]:
        """Mixed precision for features of tests and of clustering."""
        return self._autocast(self.test_precision)

    def _autocast(self, precision: str) -> AbstractContextManager[None]:
        kind = HALF.get(precision)
        return torch.autocast(self.device.type, kind, enabled=kind is not None)

    def scaler_state(self) -> dict[str, Any]:
        """Scale of the loss in fp16, for a checkpoint; empty in another precision."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_scaler(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`scaler_state` gave; nothing where one of the two is empty."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of a loss; under fp16 those of the scaled loss."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Moves the parameters by their gradients.

        Under fp16 they are scaled back, and a step whose gradients overflowed is left out.
        """
        if self.scaler is None:
            optimiser.step()
        else:
            self.scaler.step(optimiser)
            self.scaler.update()

    def device_summary(self) -> str:
        """Device in words."""
        if self.device.type == "cuda":
            where = torch.cuda.get_device_name(self.device)
        else:
            where = f"CPU, {torch.get_num_threads()} threads"
        several = "" if ranks.count() == 1 else f", {ranks.count()} processes"
        tests = "" if self.test_precision == self.precision else f" (tests {self.test_precision})"
        return f"{where}, {self.precision}{tests}{several}"


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
