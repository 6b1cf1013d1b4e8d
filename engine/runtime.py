"""Device, precision and seeds of a process."""

from __future__ import annotations

import contextlib
import platform
import random
from collections.abc import Iterator

import numpy as np
import torch
from accelerate import Accelerator

from .errors import UserError


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
            mixed_precision="no" if precision == "fp32" else precision, cpu=on_cpu
        )
        self.device = self.accelerator.device
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - for libraries that draw from the global state
        torch.manual_seed(seed)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return bool(self.accelerator.is_main_process)

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Mixed precision for a forward pass."""
        with self.accelerator.autocast():
            yield

    def describe(self) -> str:
        """Device in words."""
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {self.precision}"
        return f"CPU, {torch.get_num_threads()} threads, {self.precision}"


def versions() -> dict[str, str]:
    """Versions of the libraries that decide a number."""
    import faiss
    import scipy
    import sklearn
    import torchvision

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "faiss": faiss.__version__,
        "scikit-learn": sklearn.__version__,
        "scipy": scipy.__version__,
        "numpy": np.__version__,
    }


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator whose stream depends on ``key`` alone, so that a resumed run repeats it."""
    # The length belongs to the key, because SeedSequence pads with zeros.
    state = np.random.SeedSequence((len(key), *key)).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))
