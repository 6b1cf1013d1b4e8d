"""Features of many tracks."""

import pytest
import torch
from vireid.errors import UserError
from vireid.evaluation.features import collect_features


def test_features_come_in_the_order_of_the_tracks():
    batches = [(torch.zeros(2, 1, 3, 2, 2), torch.tensor([2, 0])), (None, torch.tensor([1]))]
    features = collect_features(lambda clips, index: index[:, None].double(), batches, 3)
    assert features.tolist() == [[0], [1], [2]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_diverged_is_told_to_the_user(value):
    batches = [(None, torch.tensor([0, 1]))]
    with pytest.raises(UserError, match=r"1 of 2 tracks are not finite .*lower --lr"):
        collect_features(lambda clips, index: torch.tensor([[1.0], [value]]), batches, 2)
