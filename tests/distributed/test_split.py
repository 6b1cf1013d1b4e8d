"""A batch in groups, in parts and over processes: the same losses, gradients and statistics."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from split_cases import CASES, run
from vireid.distributed.split_batch import deal, split_batches, whole_batches
from vireid.errors import UserError
from vireid.models import M3ReID


@settings(max_examples=30, deadline=None)
@given(
    codes=st.lists(st.integers(0, 1), min_size=1, max_size=40),
    parts=st.integers(1, 3),
    processes=st.integers(1, 4),
    bn_batch=st.one_of(st.none(), st.integers(1, 12)),
    told=st.booleans(),
)
def test_a_deal_gives_each_clip_once_and_evenly(codes, parts, processes, bn_batch, told):
    modalities = torch.tensor(codes) if told else None
    counts = (
        [c for c in torch.bincount(torch.tensor(codes)).tolist() if c] if told else [len(codes)]
    )
    options = {"parts": parts, "bn_batch": bn_batch}
    if max(counts) < parts * processes:  # modality by modality, from the first share on
        with pytest.raises(UserError, match="one would be empty"):
            deal(len(codes), modalities, processes=processes, **options)
        return
    dealt = deal(len(codes), modalities, processes=processes, **options)
    alone = deal(len(codes), modalities, processes=1, **options)
    places = torch.cat([part for process in dealt.parts for part in process])
    assert sorted(places.tolist()) == list(range(len(codes)))
    for part in range(parts):
        mine = torch.cat([process[part] for process in dealt.parts]).sort().values
        assert torch.equal(mine, alone.parts[0][part])
    assert torch.equal(dealt.groups, alone.groups)
    assert dealt.count == alone.count
    assert all(len(p) for process in dealt.parts for p in process)
    if told:
        for code in set(codes):
            shares = [
                int((modalities[part] == code).sum()) for process in dealt.parts for part in process
            ]
            assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("network", ["m3reid", "agw", "agw, one infrared"])
def test_a_batch_in_parts_equals_a_batch_in_groups(network):
    groups, parts = run(network, 4, 1), run(network, None, 2)
    assert groups.keys() == parts.keys()
    for name in groups:
        torch.testing.assert_close(parts[name], groups[name], rtol=1e-9, atol=1e-11)


def test_smaller_groups_change_the_embeddings():
    assert not torch.allclose(
        run("m3reid", 2, 1)["embeddings"], run("m3reid", None, 1)["embeddings"]
    )


def test_two_processes_give_the_gradients_of_one(torchrun, tmp_path):
    script = Path(__file__).parents[1] / "split_cases.py"
    done = torchrun(str(script), str(tmp_path / "found.pt"))
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for case in CASES:
        alone = run(*case)
        both = found[str(case)]
        assert alone.keys() == both.keys()
        for name in alone:
            torch.testing.assert_close(both[name], alone[name], rtol=1e-9, atol=1e-11)


def test_nothing_changes_in_one_process_with_whole_batches():
    model = M3ReID(0, backbone="thin-4")
    split_batches(model)
    assert model.splitter is None
    split_batches(model, bn_batch=2)
    assert model.splitter is not None
    whole_batches(model)
    assert model.splitter is None
