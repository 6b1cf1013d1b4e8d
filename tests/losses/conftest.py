"""What the tests of the losses share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

CONFORMANCE = Path(__file__).parents[1] / "conformance"


@pytest.fixture
def vectors() -> Callable[[str], dict[str, np.ndarray]]:
    """Reads a conformance file by its name without the suffix."""

    def read(name: str) -> dict[str, np.ndarray]:
        with np.load(CONFORMANCE / f"{name}.npz", allow_pickle=False) as file:
            return dict(file)

    return read


@pytest.fixture
def run_loss() -> Callable[..., tuple[float, list[Tensor]]]:
    """Runs a loss on arrays and gives its value and the gradients of the features."""

    def run(
        loss: Callable[..., Tensor],
        features: list[np.ndarray],
        labels: list[np.ndarray],
        dtype: torch.dtype,
    ) -> tuple[float, list[Tensor]]:
        inputs = [torch.from_numpy(array).to(dtype).requires_grad_() for array in features]
        value = loss(*inputs, *(torch.from_numpy(array) for array in labels))
        value.backward()
        return value.item(), [tensor.grad.double() for tensor in inputs]

    return run
