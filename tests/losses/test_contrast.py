"""In-batch contrast against its formula by loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import ContrastiveLoss


def by_loops(embeddings, labels, groups, temperature):
    """Equation 2 of Khosla et al., written out."""
    unit = [row / row.norm() for row in embeddings]
    terms = []
    for i, anchor in enumerate(unit):
        others = [j for j in range(len(unit)) if j != i and groups[j] == groups[i]]
        positives = [j for j in others if labels[j] == labels[i] and labels[i] >= 0]
        if not positives:
            continue
        denominator = sum(math.exp(float(anchor @ unit[j]) / temperature) for j in others)
        terms.append(
            -sum(float(anchor @ unit[j]) / temperature - math.log(denominator) for j in positives)
            / len(positives)
        )
    return sum(terms) / len(terms) if terms else 0.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 9), temperature=st.floats(0.05, 1.0))
def test_equals_the_formula(seed, size, temperature):
    stream = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, 5, generator=stream, dtype=torch.float64)
    labels = torch.randint(-1, 3, (size,), generator=stream)
    groups = torch.randint(0, 2, (size,), generator=stream)
    loss = ContrastiveLoss(temperature)(embeddings, labels, groups)
    expected = by_loops(embeddings, labels.tolist(), groups.tolist(), temperature)
    assert float(loss) == pytest.approx(expected, abs=1e-9)


def test_gradient():
    stream = torch.Generator().manual_seed(0)
    embeddings = torch.randn(7, 4, generator=stream, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1, 2, -1, -1])
    assert torch.autograd.gradcheck(lambda x: ContrastiveLoss(0.2)(x, labels), embeddings)


def test_without_a_positive_it_is_zero_with_zero_gradient():
    embeddings = torch.randn(4, 3, requires_grad=True)
    loss = ContrastiveLoss()(embeddings, torch.tensor([0, 1, 2, -1]), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert loss == 0
    assert torch.equal(embeddings.grad, torch.zeros(4, 3))


def test_other_groups_do_not_matter():
    embeddings = torch.randn(6, 3)
    labels, groups = torch.tensor([0, 0, 1, 1, 0, 1]), torch.tensor([0, 0, 0, 0, 1, 1])
    moved = embeddings.clone()
    moved[4:] = torch.randn(2, 3)
    first = ContrastiveLoss()(embeddings[:4], labels[:4])
    assert torch.allclose(first, ContrastiveLoss()(moved, labels, groups), atol=1e-6)


def test_half_precision_stays_finite():
    embeddings = torch.randn(6, 8).half() * 100
    assert torch.isfinite(ContrastiveLoss(0.01)(embeddings, torch.arange(6) % 2))


def test_temperature_is_positive():
    with pytest.raises(ValueError, match="temperature"):
        ContrastiveLoss(0)


def test_excluded_pairs_are_neither_pulled_nor_pushed():
    embeddings = torch.randn(6, 5, generator=torch.Generator().manual_seed(3))
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    excluded = torch.zeros(6, 6, dtype=torch.bool)
    excluded[:2, 4:] = excluded[4:, :2] = True
    found = ContrastiveLoss()(embeddings, labels, excluded=excluded)
    similarity = torch.nn.functional.normalize(embeddings, dim=1)
    similarity = similarity @ similarity.T / 0.1
    losses = []
    for anchor in range(6):
        compared = [j for j in range(6) if j != anchor and not excluded[anchor, j]]
        partner = anchor ^ 1
        row = similarity[anchor]
        losses.append(torch.logsumexp(row[compared], 0) - row[partner])
    torch.testing.assert_close(found, torch.stack(losses).mean())
