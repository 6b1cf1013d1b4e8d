"""The probability of a clean label equals the published mixture; unvisited samples stay out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from vireid.mmm.confidence import clean_probability, fit_losses, normalise_losses

VECTORS = sorted((Path(__file__).parents[1] / "conformance").glob("gmm_*.npz"))


def published_losses(case, name):
    """What the published code fits: -1 where the loader never came by."""
    visited = case["visited_ir" if name == "loss_ir" else "visited_vis"]
    return np.where(visited == 1, case[name], np.float32(-1))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("side", ["vis", "ir"])
def test_published_probabilities(path, side):
    case = np.load(path)
    names = ["loss_ir"] if side == "ir" else ["loss_vis_aug1", "loss_vis_aug2"]
    views = [normalise_losses(published_losses(case, name)) for name in names]
    normalised = torch.cat(views)
    np.testing.assert_allclose(normalised, case[f"normalized_{side}"], atol=1e-7, rtol=0)
    np.testing.assert_allclose(
        clean_probability(normalised), case[f"prob_{side}"], atol=1e-4, rtol=0
    )
    mixture = fit_losses(normalised.numpy())
    np.testing.assert_allclose(mixture.means, case[f"means_{side}"], atol=1e-5)
    np.testing.assert_allclose(mixture.variances, case[f"covariances_{side}"], atol=1e-5)
    np.testing.assert_allclose(mixture.weights, case[f"weights_{side}"], atol=1e-5)
    assert mixture.iterations == case[f"n_iter_{side}"]


def test_all_vectors_are_here():
    assert len(VECTORS) == 3


def losses(count=60, seed=0):
    rng = np.random.default_rng(seed)
    clean = rng.random(count) < 0.7
    return torch.from_numpy(np.where(clean, 0.3, 2.0) + 0.2 * rng.random(count)), clean


def test_low_losses_are_clean():
    values, clean = losses()
    probability = clean_probability(values)
    assert (probability[clean] > 0.99).all() and (probability[~clean] < 0.01).all()


def test_samples_never_visited_are_not_clean_and_change_nothing():
    case = np.load(VECTORS[-1])
    values = torch.from_numpy(case["loss_ir"])
    visited = torch.from_numpy(case["visited_ir"]) == 1
    assert not visited.all()
    probability = clean_probability(torch.where(visited, values, torch.nan))
    assert (probability[~visited] == 0).all()
    assert torch.equal(probability[visited], clean_probability(values[visited]))
    assert torch.equal(normalise_losses(torch.where(visited, values, torch.nan)).isnan(), ~visited)


def test_scale_and_offset_do_not_matter():
    values, _ = losses()
    torch.testing.assert_close(clean_probability(5 * values - 2), clean_probability(values))


@pytest.mark.parametrize("count", [1, 2, 9])
def test_equal_losses_are_all_clean(count):
    assert (clean_probability(torch.full((count,), 0.7)) == 1).all()
    mixed = torch.cat([torch.full((count,), 0.7), torch.tensor([torch.nan])])
    assert clean_probability(mixed).tolist() == [1.0] * count + [0.0]


def test_rounding_does_not_tell_clean_from_wrong():
    values = torch.full((8,), 0.7)
    values[3] = torch.nextafter(values[3], torch.tensor(1.0))
    assert (clean_probability(values) == 1).all()


def test_nothing_visited_and_nothing_at_all():
    assert clean_probability(torch.full((3,), torch.nan)).tolist() == [0, 0, 0]
    assert clean_probability(torch.empty(0)).shape == (0,)


def test_two_different_losses_are_told_apart():
    assert clean_probability(torch.tensor([0.1, 3.0])).round().tolist() == [1, 0]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(torch.float16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2],
)
def test_precision_of_the_result(given, wanted):
    assert clean_probability(losses()[0].to(given)).dtype == wanted


def test_bad_losses_are_named():
    with pytest.raises(ValueError, match="sample 1 has an infinite loss"):
        clean_probability(torch.tensor([0.0, torch.inf]))
    with pytest.raises(ValueError, match=r"expected \[N\]"):
        clean_probability(torch.ones(2, 2))
