"""A clustering that teaches nothing stops the run with advice, or goes on relaxed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from vireid.clustering.dbscan import dbscan
from vireid.clustering.grouped_jaccard import camera_aware_jaccard, modality_balanced_jaccard
from vireid.clustering.jaccard import jaccard_distance
from vireid.clustering.options import ClusteringOptions
from vireid.clustering.pseudo_labels import DegenerateClustering
from vireid.datasets.track import Modality
from vireid.pseudo_labels.labelling import in_both_modalities, intra_modality_labels, joint_labels


def people(count=8, each=9, spread=0.3, strangers=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    identity = torch.arange(count).repeat_interleave(each)
    rows = torch.randn(count, 24, generator=generator)[identity]
    rows = rows + spread * torch.randn(len(identity), 24, generator=generator)
    rows = torch.cat([rows, 3 * torch.randn(strangers, 24, generator=generator)])
    return torch.nn.functional.normalize(rows, dim=1)


def session_of(visible, infrared):
    said: list[str] = []
    session = SimpleNamespace(
        modalities=np.repeat([0, 1], [len(visible), len(infrared)]),
        cameras=np.zeros(len(visible) + len(infrared), np.int64),
        say=said.append,
        said=said,
    )
    return torch.cat([visible, infrared]), session


def config(**given):
    return ClusteringOptions(**{"k1": 12, "k2": 3, **given})


CASES = {
    "no cluster": (people(seed=1), {"eps": 0.001}, "infrared: no cluster was found"),
    "one cluster": (
        people(spread=0.8, seed=2),
        {"eps": 0.995, "min_samples": 2},
        "one cluster",
    ),
    "mostly noise": (people(count=2, strangers=120, seed=3), {"eps": 0.3}, "are noise"),
}


@pytest.mark.parametrize(("infrared", "settings", "reason"), CASES.values(), ids=CASES)
def test_it_stops_with_quantiles_and_a_suggestion(infrared, settings, reason):
    features, session = session_of(infrared, infrared)
    with pytest.raises(DegenerateClustering, match=reason.removeprefix("infrared: ")) as caught:
        intra_modality_labels(features, session.modalities, config(**settings), say=session.say)
    message = str(caught.value)
    assert message.startswith("visible: ")
    assert all(f"{share}%: 0." in message for share in (5, 25, 50, 75, 95))
    assert "try ε = 0." in message


@pytest.mark.parametrize(("infrared", "settings", "reason"), CASES.values(), ids=CASES)
def test_it_goes_on_with_a_relaxed_eps(infrared, settings, reason):
    features, session = session_of(infrared, infrared)
    labels = intra_modality_labels(
        features, session.modalities, config(**settings, on_collapse="relax"), say=session.say
    )
    for modality in Modality:
        found = labels[session.modalities == modality]
        assert found.max() >= 1
        assert (found == -1).mean() <= 0.5
    assert len(session.said) == 2
    assert reason.removeprefix("infrared: ") in session.said[1]
    assert "Going on with eps" in session.said[1]


@pytest.mark.parametrize("on_collapse", ["stop", "relax"])
def test_an_empty_modality_stops_in_any_case(on_collapse):
    features, session = session_of(people(), torch.empty(0, 24))
    with pytest.raises(DegenerateClustering, match="infrared: there is no sample to cluster"):
        intra_modality_labels(
            features, session.modalities, config(eps=0.5, on_collapse=on_collapse), say=session.say
        )


def test_sound_clusters_are_counted_within_their_modality():
    features, session = session_of(people(seed=4), people(count=5, seed=5))
    labels = intra_modality_labels(features, session.modalities, config(eps=0.5), say=session.say)
    assert labels[:72].max() == 7
    assert labels[72:].max() == 4
    assert session.said == []


def test_means_are_clustered_as_they_are():
    first, second = people(spread=1.1, seed=8), people(spread=1.1, seed=8).flip(1)
    features, session = session_of(first, (2 * first + second) / 3)
    unit = torch.nn.functional.normalize(features, dim=1)
    options = config(eps=0.5, joint_k1=12, joint_k2=3)
    within = intra_modality_labels(features, session.modalities, options, say=session.say)
    joint = joint_labels(features, session.modalities, options, say=session.say)
    graph = jaccard_distance(features[72:], 12, 3)
    np.testing.assert_array_equal(within[72:], dbscan(graph, 0.5, 4))
    graph = jaccard_distance(features, 12, 3, modality=session.modalities)
    np.testing.assert_array_equal(joint, dbscan(graph, 0.5, 4))
    scaled = intra_modality_labels(unit, session.modalities, options, say=session.say)
    np.testing.assert_array_equal(within[:72], scaled[:72])
    assert (within[72:] != scaled[72:]).any()
    assert (joint != joint_labels(unit, session.modalities, options, say=session.say)).any()


def test_without_a_joint_cluster_of_both_modalities_it_is_said():
    features, session = session_of(people(seed=4), people(seed=5))
    labels = joint_labels(
        features,
        session.modalities,
        config(joint_k1=12, joint_k2=3, joint_eps=0.5),
        say=session.say,
    )
    assert labels.max() >= 1
    assert not in_both_modalities(labels, session.modalities).any()
    assert "none of the clusters holds both modalities" in session.said[0]
    assert "50%: 0." in session.said[0]


def test_joint_clusters_hold_one_modality_or_both():
    shared = people(count=4, each=20, seed=6)
    visible, infrared = shared[::2], torch.cat([shared[1::2], people(count=3, seed=7)])
    features, session = session_of(visible, infrared)
    labels = joint_labels(
        features,
        session.modalities,
        config(joint_k1=12, joint_k2=3, joint_eps=0.7),
        say=session.say,
    )
    identity = np.repeat(np.arange(4), 10)
    np.testing.assert_array_equal(labels[:40], identity)
    np.testing.assert_array_equal(labels[40:80], identity)
    assert set(labels[80:]) >= {4, 5, 6}
    shared = in_both_modalities(labels, session.modalities)
    np.testing.assert_array_equal(shared, np.arange(len(labels)) < 80)
    assert session.said == []


def test_camera_neighbours_cluster_by_the_camera_aware_distance():
    features, session = session_of(people(spread=1.3, seed=4), people(count=6, spread=1.3, seed=5))
    cameras = np.arange(len(features)) % 3
    given = {"eps": 0.5, "on_collapse": "relax"}
    options = config(camera_neighbours=True, own_camera_k1=3, other_cameras_k1=5, **given)
    labels = intra_modality_labels(
        features, session.modalities, options, cameras=cameras, say=session.say
    )
    for code in Modality:
        own = session.modalities == code
        graph = camera_aware_jaccard(features[own], cameras[own], k1=(3, 5), k2=(2, 4))
        np.testing.assert_array_equal(labels[own], dbscan(graph, 0.5, 4))
    plain = intra_modality_labels(features, session.modalities, config(**given), say=session.say)
    assert (labels != plain).any()
    with pytest.raises(ValueError, match="wanted is the camera of each track"):
        intra_modality_labels(features, session.modalities, options, say=session.say)


def test_modality_neighbours_cluster_by_the_balanced_distance():
    features, session = session_of(people(spread=0.8, seed=4), people(spread=0.8, seed=4))
    given = {"joint_k1": 14, "joint_k2": 5, "joint_eps": 0.55}
    labels = joint_labels(
        features, session.modalities, config(modality_neighbours=True, **given), say=session.say
    )
    graph = modality_balanced_jaccard(features, session.modalities, 14, 5)
    np.testing.assert_array_equal(labels, dbscan(graph, 0.55, 4))


def test_the_refinement_gets_the_clusters_of_three_radii_of_one_graph():
    features, session = session_of(people(spread=0.9, seed=4), people(count=6, spread=0.9, seed=5))
    options = config(eps=0.6, eps_gap=0.1, joint_k1=12, joint_k2=3)
    seen = {}

    def refinement(name, found):
        seen[name] = found
        return found.tight

    labels = intra_modality_labels(
        features, session.modalities, options, refinement=refinement, say=session.say
    )
    joint = joint_labels(
        features, session.modalities, options, refinement=refinement, say=session.say
    )
    graphs = {
        "visible": jaccard_distance(features[:72], 12, 3),
        "infrared": jaccard_distance(features[72:], 12, 3),
        "joint": jaccard_distance(features, 12, 3, modality=session.modalities),
    }
    assert seen.keys() == graphs.keys()
    for name, graph in graphs.items():
        for found, eps in zip(seen[name], (0.6, 0.5, 0.7), strict=True):
            np.testing.assert_array_equal(found, dbscan(graph, eps, 4))
    np.testing.assert_array_equal(labels[:72], seen["visible"].tight)
    np.testing.assert_array_equal(joint, seen["joint"].tight)
