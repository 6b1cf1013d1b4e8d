"""Tokens as maps, and back."""

import pytest
import torch
from torch import nn
from vireid.models.token_maps import OnTokens, TokenStem, WithoutPrefix, to_map, to_tokens


@pytest.mark.parametrize("prefix, rows", [(0, 0), (1, 1), (4, 1), (5, 2)])
def test_a_map_of_tokens_holds_them_all(prefix, rows):
    tokens = torch.randn(2, prefix + 3 * 4, 5)
    features = to_map(tokens, prefix, width=4)
    assert features.shape == (2, 5, rows + 3, 4)
    assert torch.equal(to_tokens(features, prefix), tokens)
    patches = WithoutPrefix(prefix)(features)
    assert torch.equal(patches[:, :, 1, 2], tokens[:, prefix + 6])
    assert patches.shape == (2, 5, 3, 4)


def test_a_module_sees_tokens_and_nothing_that_fills_rows():
    class Sums(nn.Module):
        def forward(self, tokens):
            self.seen = tokens.shape
            return tokens.cumsum(1)

    module, tokens = Sums(), torch.randn(2, 1 + 6, 5)
    found = OnTokens(module, 1)(to_map(tokens, 1, width=3))
    assert module.seen == (2, 7, 5)
    torch.testing.assert_close(to_tokens(found, 1), tokens.cumsum(1))


def test_the_nearest_size_is_named():
    stem = TokenStem(nn.Identity(), (16, 8), 0, "it")
    stem.check_size(32, 8)
    with pytest.raises(ValueError, match=r"do not tile 100 x 3; the nearest .* is 96 x 8"):
        stem.check_size(100, 3)
