"""The projection keeps inner products best, against a plain singular value decomposition."""

import numpy as np
import pytest
import torch
from vireid.errors import UserError
from vireid.retrieval import projection as module
from vireid.retrieval.projection import Projection, fit_projection, read_projection


def features(count, width, seed=0):
    """Unit rows that vary more in some directions than in others, and not around 0."""
    drawn = torch.from_numpy(np.random.default_rng(seed).normal(size=(count, width)))
    rows = drawn * torch.linspace(3, 0.1, width).double() + 0.5
    return torch.nn.functional.normalize(rows).float()


@pytest.mark.parametrize(("count", "width"), [(200, 30), (25, 60), (40, 40)])
def test_the_directions_are_those_of_plain_decomposition(count, width):
    rows, dim = features(count, width), 7
    fitted = fit_projection(rows, dim)
    plain = torch.linalg.svd(rows.double(), full_matrices=False)
    ours = fitted.directions.double()
    torch.testing.assert_close(ours.T @ ours, torch.eye(dim).double(), atol=1e-5, rtol=0)
    # The same space, whatever the signs.
    torch.testing.assert_close(ours @ ours.T, plain.Vh[:dim].T @ plain.Vh[:dim], atol=1e-4, rtol=0)
    assert fitted.kept == pytest.approx(float((plain.S[:dim] ** 2).sum() / (plain.S**2).sum()))


def test_inner_products_are_nearer_than_with_other_directions():
    rows = features(150, 40)
    whole = rows @ rows.T

    def error(directions):
        small = rows @ directions
        return float((small @ small.T - whole).norm())

    best = error(fit_projection(rows, 8).directions)
    centred = torch.linalg.svd(rows - rows.mean(0), full_matrices=False).Vh[:8].T
    drawn = torch.linalg.qr(torch.randn(40, 8)).Q
    assert best < error(centred) and best < error(drawn)


def test_vectors_are_unit_rows_in_half_precision():
    rows = features(50, 30)
    for fitted in (fit_projection(rows, 6), fit_projection(rows, 0)):
        vectors = fitted.apply(3 * rows)
        assert vectors.dtype == np.float16
        np.testing.assert_allclose(np.linalg.norm(vectors.astype(float), axis=1), 1, atol=2e-3)


def test_no_more_numbers_than_there_are():
    rows = features(20, 30)
    assert fit_projection(rows, 30).directions is None
    assert fit_projection(rows, 0).directions is None
    assert fit_projection(rows, 25).directions.shape == (30, 20)
    with pytest.raises(ValueError, match="there are none"):
        fit_projection(rows[:0], 3)


def test_of_many_rows_an_even_choice_counts(monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    rows = features(91, 6)
    torch.testing.assert_close(
        fit_projection(rows, 2).directions, fit_projection(rows[::10], 2).directions
    )


def test_it_is_read_as_written_and_nothing_else_is(tmp_path):
    fitted = fit_projection(features(50, 30), 6)
    fitted.write(tmp_path)
    again = read_projection(tmp_path, 30, 6, fitted.fingerprint())
    assert torch.equal(again.directions, fitted.directions)
    with pytest.raises(UserError, match="not the one"):
        read_projection(tmp_path, 30, 7, fitted.fingerprint())
    file = tmp_path / module.FILE
    for content in (b"", b"noise", file.read_bytes()[:-5]):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"projection\.safetensors"):
            read_projection(tmp_path, 30, 6, fitted.fingerprint())
    fit_projection(features(50, 30, seed=1), 6).write(tmp_path)
    with pytest.raises(UserError, match="not the one"):
        read_projection(tmp_path, 30, 6, fitted.fingerprint())
    file.unlink()
    with pytest.raises(UserError, match="missing"):
        read_projection(tmp_path, 30, 6, fitted.fingerprint())
    assert read_projection(tmp_path, 30, 30, "none") == Projection(None)
