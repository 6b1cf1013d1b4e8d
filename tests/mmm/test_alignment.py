"""Soft cluster-level alignment against a plain loop over identities."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import MMDLoss
from vireid.mmm.alignment import soft_cluster_alignment, view_alignment


def plain(rows, labels, modalities, exchanged=None):
    """Terms of each identity that is in both modalities, one for each kind of visible row."""
    mmd, values = MMDLoss(), []
    for label in sorted({int(i) for i in labels if i >= 0}):
        infrared = [r for r, i, m in zip(rows, labels, modalities) if i == label and m == 1]
        for kind in [None] if exchanged is None else [False, True]:
            visible = [
                row
                for n, row in enumerate(rows)
                if labels[n] == label
                and modalities[n] == 0
                and (kind is None or bool(exchanged[n]) == kind)
            ]
            if visible and infrared:
                values.append(mmd(torch.stack(visible), torch.stack(infrared)))
    return values


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    rows = 3 * torch.rand(14, 6, generator=generator)
    labels = torch.randint(-1, 3, (14,), generator=generator)
    modalities = torch.randint(2, (14,), generator=generator)
    exchanged = torch.randint(2, (14,), generator=generator).bool() & (modalities == 0)
    return rows, labels, modalities, exchanged


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_it_is_the_mean_discrepancy_of_the_identities(seed):
    rows, labels, modalities, _ = drawn(seed)
    found = soft_cluster_alignment(rows, labels, modalities)
    terms = plain(F.normalize(rows, dim=1), labels, modalities)
    wanted = torch.stack(terms).mean() if terms else torch.tensor(0.0)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_with_views_it_is_the_sum_of_a_class_on_features_as_they_are(seed):
    rows, labels, modalities, exchanged = drawn(seed)
    found = view_alignment(rows, labels, modalities, exchanged)
    terms = plain(rows, labels, modalities, exchanged)
    classes = len({int(i) for i in labels if i >= 0})
    wanted = torch.stack(terms).sum() / classes if terms else torch.tensor(0.0)
    for side in found:
        torch.testing.assert_close(side, wanted, atol=1e-6, rtol=1e-5)


def test_with_views_each_half_moves_its_own_side():
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels, modalities = torch.zeros(6, dtype=torch.long), torch.tensor([0, 0, 0, 0, 1, 1])
    exchanged = torch.tensor([False, False, True, True, False, False])
    for term, moved in zip(
        view_alignment(rows, labels, modalities, exchanged), (modalities == 0, modalities == 1)
    ):
        gradient = torch.autograd.grad(term, rows)[0]
        assert (gradient[moved] != 0).any()
        assert (gradient[~moved] == 0).all()


def test_both_sides_are_moved_and_each_sees_the_other_as_fixed():
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels, modalities = torch.zeros(6, dtype=torch.long), torch.tensor([0, 0, 0, 1, 1, 1])
    soft_cluster_alignment(rows, labels, modalities).backward()
    halves = rows.grad.clone()
    rows.grad = None
    unit = F.normalize(rows, dim=1)
    (MMDLoss()(unit[:3], unit[3:].detach()) / 2).backward()
    torch.testing.assert_close(rows.grad[:3], halves[:3])
    assert (rows.grad[3:] == 0).all()
    assert (halves[3:] != 0).any()


def test_without_an_identity_of_both_modalities_it_is_zero_with_a_zero_gradient():
    rows = torch.randn(4, 3).requires_grad_()
    loss = soft_cluster_alignment(rows, torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss == 0
    assert (rows.grad == 0).all()
