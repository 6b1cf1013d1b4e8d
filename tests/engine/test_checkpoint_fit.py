"""What of a checkpoint an optimiser can go on with."""

import pytest
import torch
from torch import nn
from vireid.engine.checkpoint_fit import COUNTS, check_optimiser, check_position


def _stepped(kind, **settings):
    model = nn.Linear(2, 1)
    optimiser = kind(model.parameters(), lr=0.1, **settings)
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return optimiser


def test_a_moment_that_is_missing_is_refused():
    optimiser = _stepped(torch.optim.AdamW)
    saved = optimiser.state_dict()
    check_optimiser(saved, optimiser)
    saved["state"][0]["exp_avg_sq"] = None
    with pytest.raises(ValueError, match="exp_avg_sq is None"):
        check_optimiser(saved, optimiser)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_keeps_no_momentum_where_there_is_none(momentum):
    optimiser = _stepped(torch.optim.SGD, momentum=momentum)
    check_optimiser(optimiser.state_dict(), optimiser)


@pytest.mark.parametrize("clips", [10**400, True, float("inf"), -1])
def test_a_count_that_no_run_wrote_is_refused(clips):
    counts = dict.fromkeys(COUNTS, 0)
    saved = {**counts, "stage_state": {}, "within": {"clips": 3}}
    check_position(saved, [2])
    saved["within"]["clips"] = clips
    with pytest.raises(ValueError, match="clips within should be a number from 0"):
        check_position(saved, [2])
