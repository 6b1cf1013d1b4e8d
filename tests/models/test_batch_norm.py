"""Batch norm by groups equals batch norm of each group by itself."""

import copy

import pytest
import torch
from torch import nn
from vireid.models import AGW, M3ReID
from vireid.models.batch_norm import BatchGroups, group_batch_norm


def grouped(layer):
    groups = BatchGroups()
    holder = nn.ModuleList([copy.deepcopy(layer)])
    group_batch_norm(holder, groups)
    return holder[0], groups


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(3), nn.BatchNorm2d(3)])
def test_one_group_is_plain_batch_norm(layer):
    layer = layer.double()
    shape = (6, 3) if isinstance(layer, nn.BatchNorm1d) else (6, 3, 2, 5)
    rows = torch.randn(shape, dtype=torch.double) * 3 + 10
    ours, groups = grouped(layer)
    with groups.batch(torch.zeros(6, dtype=torch.int64), 1):
        result = ours(rows)
    torch.testing.assert_close(result, layer(rows))
    for name, buffer in layer.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], buffer)
    torch.testing.assert_close(ours.eval()(rows), layer.eval()(rows))


def test_each_group_is_normalised_by_itself_and_statistics_take_the_mean():
    layer = nn.BatchNorm2d(2).double()
    rows = torch.randn(6, 2, 3, 3, dtype=torch.double)
    members = torch.tensor([0, 1, 1, 0, 1, 0])
    ours, groups = grouped(layer)
    with groups.batch(members, 2):
        result = ours(rows)
    apart = [copy.deepcopy(layer) for _ in range(2)]
    for group in range(2):
        mine = members == group
        torch.testing.assert_close(result[mine], apart[group](rows[mine]))
    for name in ("running_mean", "running_var"):
        wanted = (getattr(apart[0], name) + getattr(apart[1], name)) / 2
        torch.testing.assert_close(getattr(ours, name), wanted)
    assert ours.num_batches_tracked == 1


@pytest.mark.parametrize("in_parts", [False, True])
def test_groups_without_rows_move_no_statistics(in_parts):
    """A stem of AGW sees one modality, of which not every group, or part, has clips."""
    layer = nn.BatchNorm2d(2).double()
    rows = torch.randn(3, 2, 3, 3, dtype=torch.double) + 5
    members = torch.tensor([0, 2, 2])
    ours, groups = grouped(layer)
    if in_parts:
        for part, mine in enumerate((rows[:0], rows[:1], rows[1:])):
            codes = torch.tensor([0, 0, 0, 0] + [1] * len(mine))
            same = torch.zeros(len(codes), dtype=torch.int64)
            with groups.batch(same, 1, codes, part=part, parts=3):
                assert ours(mine).shape == mine.shape
    else:
        with groups.batch(members, 4):
            ours(rows)
    apart = [copy.deepcopy(layer), copy.deepcopy(layer)]
    apart[0](rows[:1])
    apart[1](rows[1:])
    for name in ("running_mean", "running_var"):
        wanted = (getattr(apart[0], name) + getattr(apart[1], name)) / 2
        torch.testing.assert_close(getattr(ours, name), wanted)
    assert ours.num_batches_tracked == 1


def test_a_batch_of_which_a_layer_sees_nothing_leaves_its_statistics():
    ours, groups = grouped(nn.BatchNorm2d(2).double())
    before = ours.running_mean.clone()
    with groups.batch(torch.tensor([0, 1]), 2, torch.zeros(2, dtype=torch.int64)):
        ours(torch.zeros(0, 2, 3, 3, dtype=torch.double)).sum().backward()
    assert torch.equal(ours.running_mean, before)
    assert torch.equal(ours.weight.grad, torch.zeros_like(before))


def test_gradients():
    ours, groups = grouped(nn.BatchNorm1d(3).double())
    members = torch.tensor([0, 1, 1, 0, 2, 2])
    rows = torch.randn(6, 3, 2, dtype=torch.double, requires_grad=True)

    def forward(values, weight, bias):
        with groups.batch(members, 3):
            return torch.func.functional_call(ours, {"weight": weight, "bias": bias}, (values,))

    weight, bias = (torch.randn(3, dtype=torch.double, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(forward, (rows, weight, bias))


def test_a_second_run_leaves_the_running_statistics():
    ours, groups = grouped(nn.BatchNorm1d(3))
    with groups.again(), groups.batch(torch.zeros(4, dtype=torch.int64), 1):
        ours(torch.randn(4, 3))
    assert torch.equal(ours.running_mean, torch.zeros(3))
    assert ours.num_batches_tracked == 0


def test_rows_are_clips_frames_of_clips_or_clips_of_a_modality():
    groups = BatchGroups()
    with groups.batch(torch.tensor([0, 1, 0]), 2, torch.tensor([0, 1, 1])):
        assert groups.of_rows(3).tolist() == [0, 1, 0]
        assert groups.of_rows(6).tolist() == [0, 0, 1, 1, 0, 0]
        assert groups.of_rows(1).tolist() == [0]
        assert groups.of_rows(2).tolist() == [1, 0]
        with pytest.raises(ValueError, match="4 rows"):
            groups.of_rows(4)
    assert groups.groups is None


@pytest.mark.parametrize("build", [M3ReID, AGW])
def test_a_network_keeps_the_names_and_values_of_its_state(build):
    model = build(3, backbone="thin-4")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    group_batch_norm(model, BatchGroups())
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    plain = (nn.BatchNorm1d, nn.BatchNorm2d)
    assert not any(type(module) in plain for module in model.modules())
