"""Soft cluster-level alignment against a plain loop over identities."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import MMDLoss
from vireid.mmm.alignment import soft_cluster_alignment


def plain(embeddings, labels, modalities, views=None):
    unit = F.normalize(embeddings, dim=1)
    mmd, values = MMDLoss(), []
    for label in sorted({int(i) for i in labels if i >= 0}):
        infrared = [r for r, i, m in zip(unit, labels, modalities) if i == label and m == 1]
        kinds = [None] if views is None else sorted({int(v) for v in views})
        for kind in kinds:
            visible = [
                row
                for n, row in enumerate(unit)
                if labels[n] == label and modalities[n] == 0 and (kind is None or views[n] == kind)
            ]
            if visible and infrared:
                values.append(mmd(torch.stack(visible), torch.stack(infrared)))
    return torch.stack(values).mean() if values else torch.tensor(0.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.booleans())
def test_it_is_the_mean_discrepancy_of_the_identities(seed, with_views):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(14, 6, generator=generator)
    labels = torch.randint(-1, 3, (14,), generator=generator)
    modalities = torch.randint(2, (14,), generator=generator)
    views = torch.randint(2, (14,), generator=generator) if with_views else None
    found = soft_cluster_alignment(rows, labels, modalities, views)
    torch.testing.assert_close(found, plain(rows, labels, modalities, views), atol=1e-6, rtol=1e-5)


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
