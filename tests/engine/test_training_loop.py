"""Random streams, and the stop on a loss that is not finite."""

import pytest
import torch
from vireid.engine.run_folder import RunFolder
from vireid.engine.runtime import Runtime
from vireid.engine.schedule import LearningRate
from vireid.engine.training import NonFiniteLoss, Position, train_epoch
from vireid.random_streams import generator


def test_streams_depend_on_the_whole_key():
    draws = {
        key: torch.rand(1, generator=generator(*key)).item()
        for key in ((0, 1), (1, 0), (0, 1, 0), (0, 2))
    }
    assert len(set(draws.values())) == len(draws)
    assert draws[0, 1] == torch.rand(1, generator=generator(0, 1)).item()


def test_a_loss_that_is_not_finite_is_named_and_its_batch_saved(tmp_path):
    run = RunFolder(tmp_path / "run", "{}\n", resume=False)
    weight = torch.nn.Parameter(torch.ones(1))
    batch = (torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8), torch.tensor([5, 6]))
    try:
        with pytest.raises(NonFiniteLoss, match="bad term"):
            train_epoch(
                Runtime("cpu", "fp32"),
                run,
                Position("intra_modality", 0, 1, 0),
                torch.optim.SGD([weight], lr=0.1),
                LearningRate("step", 0.1, 1),
                [batch],
                1,
                lambda clips, index, step: {
                    "good": weight.sum(),
                    "bad term": weight.sum() * float("nan"),
                },
            )
    finally:
        run.close()
    saved = torch.load(run.path / "non_finite_batch.pt", weights_only=True)
    assert saved["terms"] == ["bad term"]
    assert torch.equal(saved["index"], batch[1])
    assert torch.equal(weight.detach(), torch.ones(1))
