"""Joint clusters that teach beside the matched ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from vireid.mmm.settings import StageTwoSettings
from vireid.mmm.variants import VARIANTS

from .. import fake_session
from ..fake_session import FRAMES, HEIGHT, PEOPLE, WIDTH

CPU = torch.device("cpu")
COMMON = {
    **{"dataset": "folder", "backbone": "thin-8", "weights": "none", "p_num": 3, "k_num": 4},
    **{"steps": 1, "img_h": HEIGHT, "img_w": WIDTH, "num_frames": FRAMES, "k1": 6, "k2": 3},
    **{"min_samples": 2, "joint_k1": 8, "joint_k2": 4, "mimic_weight": 0.0, "alignment_weight": 0},
    **{"contrast_weight": 1.0, "cross_memory_weight": 0.0},
}


def begun(tmp_path, known=(), **given):
    """Stage two at the start of its first epoch; of the known people all tracks are labelled."""
    settings = StageTwoSettings(data_dir=tmp_path, output=tmp_path, **COMMON, **given)
    session = fake_session.session(settings, labelled=True, device=CPU)
    session.tracks = [
        replace(track, identity=int(track.identity) if int(track.identity) in known else None)
        for track in session.tracks
    ]
    torch.manual_seed(0)
    model = fake_session.network("m3reid").train()
    stage = VARIANTS[settings.variant](session, settings, model, fake_session.artefact(tmp_path))
    stage.begin_epoch(0, 0)
    return stage


def losses_of(stage):
    """Of the first batch, after memories as wide as the network's features."""
    width = stage.model.neck.num_features
    draw = torch.Generator().manual_seed(1)
    rows = {
        name: torch.nn.functional.normalize(
            torch.randn(*old.shape[:-1], width, generator=draw), dim=-1
        )
        for name, old in stage.memories.prototypes().items()
    }
    stage.memories = stage._memories_of(rows)
    stage.targets = torch.zeros(len(stage.targets), width)
    clips, index = next(iter(stage.batches(0)))
    torch.manual_seed(2)
    return stage.losses(clips, index, 0)


def test_without_a_weight_there_are_none(tmp_path):
    stage = begun(tmp_path)
    assert (stage.union == -1).all()
    assert "union" not in stage.memories.prototypes()
    assert set(losses_of(stage)) == {"memory", "contrast"}
    assert "union" not in stage.state()


def test_they_are_the_joint_clusters_and_their_terms_have_the_weight(tmp_path):
    stage = begun(tmp_path, union_weight=0.5)
    people = fake_session.people()
    assert len(set(zip(stage.union, people))) == PEOPLE and stage.union.min() == 0
    once = losses_of(stage)
    twice = losses_of(begun(tmp_path, union_weight=1.0))
    assert set(once) == {"memory", "contrast", "union memory", "union contrast"}
    for term in ("union memory", "union contrast"):
        assert once[term] > 0
        torch.testing.assert_close(twice[term], 2 * once[term])
    # Matching found the same people, so the same pairs attract.
    torch.testing.assert_close(twice["union contrast"], twice["contrast"])


def test_people_whose_labels_are_given_are_in_none(tmp_path):
    stage = begun(tmp_path, known=(1, 3), semi_supervised="0.5", union_weight=1.0)
    people = fake_session.people()
    given = np.isin(people, (1, 3))
    assert (stage.union[given] == -1).all()
    assert set(zip(stage.union[~given], people[~given])) in (
        {(0, 0), (1, 2)},
        {(1, 0), (0, 2)},
    )


def test_a_track_in_none_repels_nobody(tmp_path):
    """Stage 1b, which they stand for, does not draw such a track."""
    stage = begun(tmp_path, union_weight=1.0)
    index = next(iter(stage.batches(0)))[1]
    lost = stage.union == stage.union[index[0]]  # one of the people in the batch
    stage.union[lost] = -1
    forward, gradients = stage.model.forward_features, []

    def watched(*given):
        output = forward(*given)
        output.embeddings.register_hook(lambda g: gradients.append(g.abs().sum(1)))
        return output

    stage.model.forward_features = watched
    losses_of(stage)["union contrast"].backward()
    known = torch.from_numpy(~lost)[index]
    assert 0 < known.sum() < len(known)
    assert (gradients[0][known] > 0).all()
    assert (gradients[0][~known] == 0).all()


@pytest.mark.parametrize("variant", ["vireid", "paper"])
def test_the_paper_keeps_joint_clusters_of_given_people(tmp_path, variant):
    stage = begun(tmp_path, known=(1, 3), semi_supervised="0.5", union_weight=1.0, variant=variant)
    given = np.isin(fake_session.people(), (1, 3))
    assert (stage.union[given] >= 0).all() == (variant == "paper")


def test_where_all_labels_are_given_they_teach_nothing(tmp_path):
    stage = begun(tmp_path, known=range(PEOPLE), semi_supervised="1", union_weight=1.0)
    losses = losses_of(stage)
    assert "union memory" not in losses
    assert losses["union contrast"] == 0


@pytest.mark.parametrize("given", [{"union_weight": 1.0}, {"variant": "paper"}])
@pytest.mark.parametrize("found", ["some", "none"])
def test_a_run_goes_on_with_them_also_where_there_are_none(tmp_path, given, found):
    one = begun(tmp_path, **given)
    if found == "none":
        one.union = np.full_like(one.union, -1)
    state = one.state()
    two = begun(tmp_path, **given)
    two.union = np.zeros_like(two.union)
    two.load_state(state)
    assert np.array_equal(two.union, one.union)
    with pytest.raises(ValueError, match="its union are no labels"):
        two.load_state({**state, "union": torch.full((3,), -1)})
