"""Random streams, and the stop on a loss that is not finite."""

import json
import math

import pytest
import torch
from vireid.engine.run_folder import RunFolder
from vireid.engine.runtime import Runtime
from vireid.engine.schedule import LearningRate
from vireid.engine.step_guard import IN_A_ROW, StepGuard
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
                Position("intra_modality", 0, 1, 0, 0),
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


def half_run(tmp_path, spoilt):
    """Trains a batch-norm network on ten batches in the way of fp16; some give no finite loss.

    Returns:
        The network, the batches that were written to a memory, and the log; or what was raised.
    """
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
    runtime = Runtime("cpu", "fp32")
    runtime.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    noted, written = [], []

    def losses(clips, index, step):
        noted.append(step)
        rows = clips.flatten(1)[:, :2].float() * (float("inf") if step in spoilt else 1.0)
        return {
            "good": model(torch.ones_like(rows)).mean(),
            "bad term": model(rows).square().mean(),
        }

    run = RunFolder(tmp_path / "run", "{}\n", resume=False)
    clips = torch.randint(0, 256, (4, 1, 3, 4, 4), dtype=torch.uint8)
    try:
        train_epoch(
            runtime,
            run,
            Position("intra_modality", 0, 1, 0, 0),
            torch.optim.SGD(model.parameters(), lr=1e-6),
            LearningRate("step", 1e-6, 10),
            [(clips, torch.arange(4))] * 10,
            10,
            losses,
            lambda: (written.extend(noted), noted.clear()),
            guard=StepGuard(model, noted.clear),
        )
    finally:
        run.close()
    return model, written, run.path


def test_steps_of_fp16_that_are_not_finite_are_left_out_whole(tmp_path):
    model, written, folder = half_run(tmp_path, {2, 3, 6})
    assert written == [0, 1, 4, 5, 7, 8, 9]
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert model[0].num_batches_tracked == 2 * len(written)
    log = (folder / "log.txt").read_text()
    assert log.count("left out, the loss bad term is not finite") == 3
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (train,) = [record for record in metrics if record["kind"] == "train"]
    assert train["step"] == 10 and math.isfinite(train["loss"])


def test_too_many_such_steps_in_a_row_stop_the_run(tmp_path):
    with pytest.raises(NonFiniteLoss, match="bad term"):
        half_run(tmp_path, set(range(1, 2 + IN_A_ROW)))
    assert (tmp_path / "run" / "non_finite_batch.pt").is_file()
