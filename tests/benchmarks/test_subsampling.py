"""The benchmark of subsampled attention compares two forms of one network."""

import torch
from vireid.models.non_local import NonLocalBlock

from benchmarks import subsampling
from benchmarks.table import Table
from benchmarks.train_step import network


def test_the_other_form_has_the_same_weights_and_sees_all():
    model = network("thin-8").eval()
    other = subsampling.seeing_all(model)
    assert all(
        torch.equal(mine, its)
        for mine, its in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )
    blocks = [part for part in other.modules() if isinstance(part, NonLocalBlock)]
    assert blocks and not any(block.subsample for block in blocks)
    clips = torch.rand(2, 2, 3, 32, 16)
    assert not torch.allclose(model.embed(clips), other.embed(clips))


def test_both_passes_are_tabulated(capsys):
    table = Table("subsampling", torch.device("cpu"))
    subsampling.compare(table, "thin-8", (4, 32, 16), 1)
    said = capsys.readouterr().out
    assert said.count("a quarter of them") == said.count("all positions") == 2
    assert said.count("times as fast") == 2
