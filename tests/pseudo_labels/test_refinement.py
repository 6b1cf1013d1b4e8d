"""Labels that are refined over the epochs, and the memory of that in a checkpoint."""

import io

import numpy as np
import pytest
import torch
from vireid.clustering.label_propagation import heaviest, memberships, propagate
from vireid.clustering.options import ClusteringOptions
from vireid.clustering.reliability import reliable_labels, without_gaps
from vireid.pseudo_labels.refinement import Clustering, LabelRefinement

OPTIONS = ClusteringOptions(eps_gap=0.02, label_propagation=0.6)


def clusterings(epochs, seed, count=40):
    """Clusters that drift, at three radii."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(-1, 6, count)
    for _ in range(epochs):
        moved = [np.where(draw.random(count) < p, -1, labels) for p in (0.0, 0.2)]
        loose = np.where(labels == 5, 4, labels)
        yield Clustering(*map(without_gaps, (*moved, loose)))
        labels = np.where(draw.random(count) < 0.15, draw.integers(-1, 6, count), labels)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_each_set_of_tracks_is_refined_by_its_own_past():
    refinement = LabelRefinement(OPTIONS)
    pasts = {"visible": clusterings(4, 0), "infrared": clusterings(4, 1)}
    memory = {}
    for _ in range(4):
        for name, past in pasts.items():
            found = next(past)
            labels, threshold = reliable_labels(*found, threshold=memory.get(name, (None,))[0])
            shares = memberships(labels)
            if name in memory:
                shares = propagate(memory[name][2], memory[name][1], labels, 0.6)
            memory[name] = (threshold, labels, shares)
            np.testing.assert_array_equal(
                refinement(name, found), without_gaps(heaviest(shares, labels))
            )
    assert memory["visible"][0] != memory["infrared"][0]


def test_a_run_that_goes_on_refines_as_one_that_was_never_left():
    whole, left = LabelRefinement(OPTIONS), LabelRefinement(OPTIONS)
    for epoch, found in enumerate(clusterings(6, 2)):
        if epoch == 3:
            state = through_a_file(left.state())
            left = LabelRefinement(OPTIONS)
            left.load_state(state)
        np.testing.assert_array_equal(whole("joint", found), left("joint", found))


def test_without_the_options_labels_stay_and_nothing_is_kept():
    refinement = LabelRefinement(ClusteringOptions())
    for found in clusterings(3, 3):
        assert refinement("visible", Clustering(found.labels)) is found.labels
    assert refinement.state() == {}


def test_where_too_little_would_be_left_the_labels_stay_and_it_is_said():
    said = []
    labels = without_gaps(np.repeat([0, 1], 5))
    merged = np.zeros(10, np.int64)
    refinement = LabelRefinement(ClusteringOptions(eps_gap=0.1), said.append)
    refinement("visible", Clustering(labels, labels, labels))
    found = refinement("visible", Clustering(labels, labels, merged))
    np.testing.assert_array_equal(found, labels)
    assert said == [
        "visible: no cluster holds at --eps-gap; this epoch goes on with the labels before it."
    ]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("labels", torch.zeros(40)),
        ("labels", torch.full((40,), 77)),
        ("pointer", torch.zeros(3, dtype=torch.int64)),
        ("column", torch.full((1,), 99)),
        ("share", torch.full((40,), torch.nan, dtype=torch.float64)),
    ],
)
def test_a_damaged_memory_is_refused(part, value):
    refinement = LabelRefinement(OPTIONS)
    refinement("joint", next(clusterings(1, 4)))
    state = refinement.state()
    state["joint"] = {**state["joint"], part: value}
    with pytest.raises(ValueError, match="its smoothed labels of joint"):
        LabelRefinement(OPTIONS).load_state(state)
    del state["joint"]["column"]
    with pytest.raises(ValueError, match="incomplete"):
        LabelRefinement(OPTIONS).load_state(state)
