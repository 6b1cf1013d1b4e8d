"""The modality alignment loss against published values, a loop, and its invariants."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import ModalityAlignmentLoss

CASES = (
    "all_match_one_id",
    "balanced",
    "frame_level",
    "no_valid_query",
    "one_direction_only",
    "one_modality_ids",
)


def alignment_by_loops(embeddings, identities, modalities):
    """The definition, query by query."""
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    by_modality = {}
    for q in range(len(unit)):
        near, far = [], []
        for g in range(len(unit)):
            if modalities[g] != modalities[q]:
                distance = (1 - (unit[q] * unit[g]).sum()) / 2
                (near if identities[g] == identities[q] else far).append(distance)
        if near and far:
            gap = sum(far) / len(far) - sum(near) / len(near)
            by_modality.setdefault(int(modalities[q]), []).append(torch.log1p(torch.exp(-gap)))
    means = [sum(values) / len(values) for values in by_modality.values()]
    return sum(means) / len(means) if means else embeddings.sum() * 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_published_values(vectors, run_loss, case, dtype):
    data = vectors(f"loss_mma_{case}")
    value, (gradient,) = run_loss(
        ModalityAlignmentLoss(), [data["embeddings"]], [data["ids"], data["mods"]], dtype
    )
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert math.isclose(value, data["loss"], rel_tol=tolerance, abs_tol=tolerance)
    expected = torch.from_numpy(data["grad"])
    torch.testing.assert_close(gradient, expected, atol=1e-7, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 14), people=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_equals_the_definition(batch, people, seed):
    rng = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(batch, 5, generator=rng, dtype=torch.float64)
    identities = torch.randint(people, (batch,), generator=rng)
    modalities = torch.randint(2, (batch,), generator=rng)
    fast, slow = (embeddings.clone().requires_grad_() for _ in range(2))
    value = ModalityAlignmentLoss()(fast, identities, modalities)
    expected = alignment_by_loops(slow, identities, modalities)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(fast.grad, slow.grad)


def test_gradient():
    rng = torch.Generator().manual_seed(0)
    embeddings = torch.randn(8, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    identities = torch.tensor([0, 0, 1, 1, 0, 1, 2, 2])
    modalities = torch.tensor([0, 1, 0, 1, 1, 0, 1, 1])
    assert torch.autograd.gradcheck(
        lambda x: ModalityAlignmentLoss()(x, identities, modalities), embeddings
    )


def test_codes_of_modalities_and_order_of_rows_do_not_matter():
    rng = torch.Generator().manual_seed(1)
    embeddings = torch.randn(12, 6, generator=rng, dtype=torch.float64)
    identities = torch.randint(3, (12,), generator=rng)
    modalities = torch.arange(12) % 2
    loss = ModalityAlignmentLoss()
    expected = loss(embeddings, identities, modalities)
    torch.testing.assert_close(loss(embeddings, identities, 7 - 5 * modalities), expected)
    order = torch.randperm(12, generator=rng)
    shuffled = loss(embeddings[order], identities[order], modalities[order])
    torch.testing.assert_close(shuffled, expected)
    torch.testing.assert_close(loss(embeddings * 9, identities, modalities), expected)


def test_batch_of_one_modality_gives_zero_with_zero_gradient():
    embeddings = torch.randn(4, 3, requires_grad=True)
    value = ModalityAlignmentLoss()(embeddings, torch.tensor([0, 0, 1, 1]), torch.ones(4).long())
    value.backward()
    assert value.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros(4, 3))


def test_three_modalities_are_refused():
    with pytest.raises(ValueError, match=r"two modalities; got the codes \[0, 1, 2\]"):
        ModalityAlignmentLoss()(torch.ones(3, 2), torch.zeros(3).long(), torch.arange(3))
