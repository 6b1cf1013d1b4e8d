"""Features stay on their device from the extraction to the ranking, and how often each step waits.

Beyond fake tensors, which have no values: the compiled loops of the Jaccard graph, DBSCAN, the
assignment, the fit of the confidences and the K-means of a cluster beyond ``LARGEST_GRAM``. They
run on the host, on what :func:`vireid.transfers.to_host` brings them; here it brings what the same
step finds on the CPU.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from vireid import transfers
from vireid.clustering import ClusteringOptions, feature_check, gram_kmeans
from vireid.clustering.camera_mean import centre_by_camera
from vireid.clustering.jaccard import jaccard_distance
from vireid.clustering.neighbours import nearest_neighbours
from vireid.clustering.reciprocal import pair_products
from vireid.clustering.subclusters import subcluster_centres
from vireid.datasets.track import Modality, Track
from vireid.engine import feature_room, peak_memory
from vireid.engine.feature_room import FeatureRoom
from vireid.engine.resources import GIB, Room
from vireid.evaluation.features import collect_features
from vireid.evaluation.metrics import RULES, rank_metrics, score_queries
from vireid.evaluation.protocols import Protocol
from vireid.evaluation.reranking import rerank
from vireid.evaluation.similarity import InnerProducts
from vireid.evaluation.trials import evaluate
from vireid.memory import cluster_means, joint_prototypes
from vireid.mmm.match_clusters import cost_of_clusters, match_clusters
from vireid.mmm.matching import match, matching_cost
from vireid.mmm.memories import three_prototypes, unified_prototypes
from vireid.mmm.options import MatchingOptions
from vireid.mmm.self_mimic import confident_means
from vireid.mmm.track_confidence import track_losses
from vireid.pseudo_labels.labelling import clustering_features, intra_modality_labels
from vireid.pseudo_labels.unlabelled_quality import silhouettes

from .fake_cuda import CUDA, FakeDevice, assert_on_cuda

PEOPLE, EACH, WIDTH = 6, 10, 24
COUNT = PEOPLE * EACH
LABELS = np.repeat(np.arange(PEOPLE), EACH)
NOISY = np.where(np.arange(COUNT) % 10 == 3, -1, LABELS)
MODALITIES = np.arange(COUNT) % 2
CAMERAS = np.arange(COUNT) % 4
QUERIES = 20
K1, K2 = 8, 3
CLUSTERING = ClusteringOptions(k1=K1, k2=K2, eps=0.5, min_samples=3)
WAIT = "to cpu"


def people(seed: int = 0) -> Tensor:
    """Unit rows around one direction a person, [COUNT, WIDTH]; no two similarities are equal."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(PEOPLE, WIDTH, generator=generator)[torch.from_numpy(LABELS)]
    return F.normalize(centres + 0.5 * torch.randn(COUNT, WIDTH, generator=generator), dim=1)


def tracks() -> list[Track]:
    return [
        Track((Path(f"{n}.jpg"),), Modality(int(MODALITIES[n])), int(CAMERAS[n]), int(p), f"{n:03}")
        for n, p in enumerate(LABELS)
    ]


def protocols() -> list[Protocol]:
    """A whole gallery under a rule of each kind, drawn galleries, drawn queries."""
    side = tracks()
    query, gallery = side[:QUERIES] + side[-QUERIES:], side
    picks = [list(range(n, COUNT, 3)) for n in range(3)]
    asked = [list(range(n, 2 * QUERIES, 2)) for n in range(2)]
    return [
        Protocol("a/i2v", query, gallery, "standard"),
        Protocol("b/i2v", query, gallery, "sysu-symmetric", picks, "seeded"),
        Protocol("c/i2v", query, gallery, "llcm", asked, "drawn-query"),
    ]


class Host:
    """Stands in for the copies to the host: 0 and False, or in turn what a step is to be told."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def __call__(self, tensor: Tensor) -> np.ndarray:
        copied = tensor.detach().cpu()  # what the watch counts
        kind = np.dtype(str(tensor.dtype).removeprefix("torch."))
        if not self.answers:
            return np.zeros(tuple(copied.shape), kind)
        answer = np.asarray(self.answers.pop(0))
        assert answer.shape == tuple(copied.shape), "another copy than the one that was expected"
        return answer.astype(kind)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    stand_in = Host()
    monkeypatch.setattr(transfers, "to_host", stand_in)
    return stand_in


def fake(*shape: int) -> Tensor:
    return torch.zeros(*shape, device=CUDA)


def rows(count: int = COUNT) -> Tensor:
    return fake(count, WIDTH)


def extraction() -> Tensor:
    batches = [(fake(20, 3), np.arange(n, COUNT, 3)) for n in range(3)]
    return collect_features(lambda clips, index: fake(len(index), WIDTH).half(), batches, COUNT)


def ids(*sides: np.ndarray) -> list[np.ndarray]:
    return [side[:n] for side in sides for n in (QUERIES, COUNT)]


def matched() -> Tensor:
    return matching_cost(fake(5, 4, WIDTH), fake(7, 4, WIDTH), variant="symmetric")


# A K-means looks twice: something moved, then nothing.
LOOKS = [[True] * PEOPLE, [False] * PEOPLE]
PART = [[True] * 2 + [False] * (PEOPLE - 2), [False] * 2]
SIDE = [False], *LOOKS
# Step: what is done, how often it waits, and what it is told then (where not 0 and False).
STEPS: dict[str, tuple[Callable[[], Any], int, list[Any]]] = {
    "features of all tracks": (extraction, 1, []),
    "feature check": (lambda: feature_check.as_matrix(rows()), 1, []),
    "unit rows": (lambda: feature_check.unit_rows(rows()), 2, []),
    "unit rows, scaled": (lambda: feature_check.unit_rows(rows()), 2, [[False], [True]]),
    "rows no longer than 1": (lambda: feature_check.bounded_rows(rows()), 2, []),
    "longer rows": (lambda: feature_check.bounded_rows(rows()), 2, [[False], [True] * 3]),
    "missing length": (lambda: feature_check.missing_length(rows()), 1, [[True]]),
    "rows by place": (lambda: transfers.rows_at(rows(), NOISY >= 0), 0, []),
    "sums of groups": (lambda: transfers.group_sums(rows(), LABELS, PEOPLE), 0, []),
    "camera means": (lambda: centre_by_camera(rows(), CAMERAS), 0, []),
    "neighbours": (lambda: nearest_neighbours(rows(), 9), 3, []),
    "neighbours of means": (lambda: nearest_neighbours(rows(), 9), 3, [[0], [0] * 3, [1]]),
    "edges that no list holds": (lambda: pair_products(rows(), LABELS, LABELS[::-1]), 0, []),
    "centres of clusters": (lambda: subcluster_centres(rows(), LABELS), 3, [*SIDE]),
    "centres, some done": (lambda: subcluster_centres(rows(), LABELS), 3, [[False], *PART]),
    "means of clusters": (lambda: cluster_means(rows(), NOISY), 0, []),
    "means of joint clusters": (lambda: joint_prototypes(rows(), NOISY, MODALITIES), 0, []),
    "confident means": (
        lambda: confident_means(rows(), NOISY, torch.ones(COUNT), PEOPLE), 0, []
    ),
    "losses of all tracks": (lambda: track_losses(fake(9, 4), torch.arange(9) % 4), 0, []),
    "matching cost": (matched, 2, []),
    "matching": (lambda: match(fake(5, 7)), 2, []),
    "assignment": (lambda: match(fake(5, 7), "one-to-one"), 3, []),
    "partial assignment": (lambda: match(fake(5, 7), "partial"), 3, []),
    "products of features": (lambda: InnerProducts(rows(9), rows()).rows(slice(0, 4)), 1, []),
    **{
        f"places of each query, {rule}": (
            partial(score_queries, partial(fake, 20, 60), *ids(LABELS, CAMERAS), protocol=rule),
            0,
            [],
        )
        for rule in RULES
    },
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_step_stays_on_the_device_and_waits_as_often_as_is_said(name: str, host: Host) -> None:
    step, waits, answers = STEPS[name]
    if isinstance(step, partial):  # fake tensors are made inside
        make, *rest = step.args
        step = partial(lambda f, k: f(make(), *rest, **k), step.func, step.keywords)
    host.answers = list(answers)
    with FakeDevice().watched(*[WAIT] * waits) as watch:
        assert_on_cuda(step())
    assert watch.waits == [WAIT] * waits
    assert host.answers == []


def test_the_memories_of_stage_two_are_filled_on_the_device(host: Host, tmp_path: Path) -> None:
    from vireid.mmm.settings import StageTwoSettings

    settings = StageTwoSettings(
        data_dir=tmp_path, output=tmp_path, dataset="sysu-mm01", memory_prototypes=4
    )
    # The noise leaves each cluster 9 rows, so that all are split together.
    host.answers = [*SIDE]
    with FakeDevice().watched(*[WAIT] * 3) as watch:
        means = cluster_means(rows(), NOISY)
        nobody = np.full_like(NOISY, -1)
        assert_on_cuda(unified_prototypes(rows(), NOISY, nobody, MODALITIES, means, settings))
        assert_on_cuda(three_prototypes(rows(), NOISY, NOISY, MODALITIES))
    assert watch.waits == [WAIT] * 3


def taken_to_the_host(step: Callable[[], Any]) -> tuple[Any, list[np.ndarray]]:
    """What a step finds on the CPU by the path of a device, and what it takes to the host."""
    taken: list[np.ndarray] = []
    real = transfers.to_host

    def note(tensor: Tensor) -> np.ndarray:
        taken.append(real(tensor).copy())
        return taken[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfers, "is_host", lambda tensor: False)
        patch.setattr(transfers, "to_host", note)
        return step(), taken


def test_neighbour_lists_and_edges_are_all_that_a_clustering_takes_from_the_device(
    request: pytest.FixtureRequest,
) -> None:
    wanted, taken = taken_to_the_host(lambda: jaccard_distance(people(), K1, K2))
    lists, edges = [(COUNT, K1)] * 2, taken[-1].shape
    assert [array.shape for array in taken[-3:]] == [*lists, edges]
    assert 0 < edges[0] < wanted.nnz
    assert max(array.size for array in taken[:-3]) <= 3, "the checks ask for a few answers"
    request.getfixturevalue("host").answers = taken
    waits = [WAIT] * len(taken)
    with FakeDevice().watched(*waits) as watch:
        found = jaccard_distance(rows(), K1, K2)
    assert watch.waits == waits
    np.testing.assert_array_equal(found.toarray(), wanted.toarray())
    assert len(taken) == 0 and len(waits) == 9


def test_only_a_small_cost_leaves_the_device_for_the_assignment(
    request: pytest.FixtureRequest,
) -> None:
    sides = [modality == MODALITIES for modality in Modality]
    own = [LABELS[side] for side in sides]
    options = MatchingOptions(memories=4)

    def cost(features: Tensor) -> Tensor:
        return cost_of_clusters(
            [transfers.rows_at(features, side) for side in sides], own, options, 0
        )

    wanted, taken = taken_to_the_host(lambda: cost(people()))
    assert max(array.size for array in taken) == wanted.numel() == PEOPLE**2
    # For each side the check, and a look for every eight steps of its one bucket.
    waits = [WAIT] * len(taken)
    assert len(waits) <= 2 * (1 + 2) + 3
    request.getfixturevalue("host").answers = taken
    with FakeDevice().watched(*waits) as watch:
        assert cost(rows()).device.type == "cpu"
    assert watch.waits == waits


def test_an_evaluation_waits_once_for_each_protocol_and_ranking(host: Host) -> None:
    keys = [track.key for track in tracks()]
    assert keys == sorted(keys)
    # Whole gallery: NaN of the features, and the means. Drawn galleries share their products.
    # Drawn queries: NaN of the features for each of two draws.
    waits = [WAIT] * (2 + 1 + 3)
    with FakeDevice().watched(*waits) as watch:
        evaluate(rows(), tracks(), protocols())
    assert watch.waits == waits


def test_metrics_wait_once(host: Host) -> None:
    with FakeDevice().watched(WAIT) as watch:
        found = rank_metrics(fake(QUERIES, COUNT), *ids(LABELS, CAMERAS))
        assert_on_cuda(found.cmc)
    assert watch.waits == [WAIT]


def test_silhouettes_wait_once(host: Host) -> None:
    with FakeDevice().watched(WAIT) as watch:
        silhouettes(rows(), NOISY)
    assert watch.waits == [WAIT]


# From here on tensors have values: the path of a device, forced upon the CPU.


@pytest.fixture
def as_on_a_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From its call on, tensors of the CPU are treated as those of a device."""
    yield lambda: monkeypatch.setattr(transfers, "is_host", lambda tensor: False)


Switch = Callable[[], None]


@pytest.mark.parametrize("length", [1.0, 0.9], ids=["unit rows", "means"])
def test_the_path_of_a_device_finds_the_same_neighbours(
    as_on_a_device: Switch, length: float
) -> None:
    features = people() * length
    similarity, index = nearest_neighbours(features, K1)
    as_on_a_device()
    there = nearest_neighbours(features, K1)
    torch.testing.assert_close(there[0], similarity, atol=4e-6, rtol=0)
    assert torch.equal(there[1], index)


def test_the_path_of_a_device_finds_the_same_clusters(as_on_a_device: Switch) -> None:
    features = clustering_features(
        people(), CAMERAS, ClusteringOptions(k1=K1, k2=K2, camera_mean=True)
    )
    graph = jaccard_distance(features, K1, K2)
    labels = intra_modality_labels(features, MODALITIES, CLUSTERING)
    as_on_a_device()
    there = clustering_features(
        people(), CAMERAS, ClusteringOptions(k1=K1, k2=K2, camera_mean=True)
    )
    np.testing.assert_allclose(
        jaccard_distance(there, K1, K2).toarray(), graph.toarray(), atol=5e-6
    )
    found = intra_modality_labels(there, MODALITIES, CLUSTERING)
    assert labels.max() > 2
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("k", [1, 3, 4])
def test_the_path_of_a_device_splits_clusters_alike(as_on_a_device: Switch, k: int) -> None:
    # Clusters of 1 to 20 rows, so that buckets are padded and some sets are done before others;
    # duplicates, so that parts stay empty.
    labels = np.repeat(np.arange(8), [1, 2, 3, 5, 8, 9, 12, 20])
    points = people()[: len(labels)].clone()
    points[labels == 5] = points[labels == 5][0]
    centres, sizes = subcluster_centres(points, labels, k)
    as_on_a_device()
    there = subcluster_centres(points, labels, k)
    torch.testing.assert_close(there[0], centres, atol=2e-6, rtol=0)
    assert torch.equal(there[1], sizes)


@pytest.mark.parametrize("some", [True, False], ids=["empty parts", "full parts"])
def test_a_step_of_a_device_fills_empty_parts_and_leaves_full_ones(
    as_on_a_device: Switch, some: bool
) -> None:
    points = people()[None, :9].double()
    mask = torch.ones(1, 9, dtype=torch.bool)
    parts = (torch.arange(9) % (2 if some else 3))[None, :, None].expand(1, 9, gram_kmeans.RESTARTS)
    gram = points @ points.mT
    given = (gram, gram.diagonal(dim1=1, dim2=2), mask, parts, 3)
    here = gram_kmeans._step(*given)
    assert not some or (here[0] == 2).any(1).all()
    as_on_a_device()
    there = gram_kmeans._step(*given)
    assert torch.equal(there[0], here[0]) and torch.equal(there[1], here[1])


def test_steps_after_the_last_move_change_nothing(
    as_on_a_device: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    centres, sizes = subcluster_centres(people(), LABELS, 3)
    as_on_a_device()
    monkeypatch.setattr(gram_kmeans, "STEPS_PER_LOOK", 30)
    there = subcluster_centres(people(), LABELS, 3)
    torch.testing.assert_close(there[0], centres, atol=2e-6, rtol=0)
    assert torch.equal(there[1], sizes)


def test_the_path_of_a_device_fills_memories_and_matches_alike(as_on_a_device: Switch) -> None:
    features, options = people(), MatchingOptions(memories=3)
    weights = torch.rand(COUNT, generator=torch.Generator().manual_seed(1))

    def all_of_it() -> list[Tensor]:
        found = match_clusters(features, LABELS, MODALITIES, options)
        return [
            cluster_means(features, NOISY),
            joint_prototypes(features, NOISY, MODALITIES),
            confident_means(features, torch.from_numpy(NOISY), weights, PEOPLE),
            found.cost,
            torch.from_numpy(found.assignment),
            torch.from_numpy(found.unified),
        ]

    here = all_of_it()
    as_on_a_device()
    for one, other in zip(all_of_it(), here):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=0)


def test_the_path_of_a_device_ranks_alike(as_on_a_device: Switch) -> None:
    features = people()
    here = [result.record() for result in evaluate(features, tracks(), protocols())]
    each = score_queries(features @ features.T, *[LABELS] * 2, *[CAMERAS] * 2)[0]
    as_on_a_device()
    assert [result.record() for result in evaluate(features, tracks(), protocols())] == here
    there = score_queries(features @ features.T, *[LABELS] * 2, *[CAMERAS] * 2)[0]
    torch.testing.assert_close(there.ap, each.ap, atol=0, rtol=0, equal_nan=True)
    assert torch.equal(there.first_rank, each.first_rank)


def test_the_path_of_a_device_ranks_anew_alike(as_on_a_device: Switch) -> None:
    features = people()
    here = rerank(features[:QUERIES], features[QUERIES:], K1, K2)
    chosen = torch.tensor([3, 0, 7])
    whole, some = here.rows(slice(None)), here.rows(chosen)
    torch.testing.assert_close(whole[chosen], some, atol=1e-6, rtol=0)
    as_on_a_device()
    there = rerank(features[:QUERIES], features[QUERIES:], K1, K2)
    torch.testing.assert_close(there.rows(slice(None)), whole, atol=5e-6, rtol=0)
    torch.testing.assert_close(there.rows(chosen), some, atol=5e-6, rtol=0)


def test_the_path_of_a_device_scores_silhouettes_alike(as_on_a_device: Switch) -> None:
    labels = NOISY.copy()
    labels[0] = PEOPLE  # a cluster of one
    here = silhouettes(people(), labels)
    as_on_a_device()
    np.testing.assert_allclose(silhouettes(people(), labels), here, atol=2e-6)
    assert np.isnan(silhouettes(people(), np.zeros(COUNT, int))).all()


# Where features are kept.


@pytest.mark.parametrize(("free", "stays"), [(8 * GIB, True), (2 * GIB, False)])
def test_a_card_without_room_leaves_the_features_to_the_host_and_says_so(
    monkeypatch: pytest.MonkeyPatch, free: int, stays: bool
) -> None:
    monkeypatch.setattr(feature_room, "gpu_memory", lambda device: Room(free, 16 * GIB))
    monkeypatch.setattr(feature_room, "extraction_peak", lambda device: 0)
    said: list[str] = []
    room = FeatureRoom(CUDA, said.append)
    with FakeDevice().watched():
        homes = {room.home(torch.zeros(64, 2048, device=CUDA), 34_167) for _ in range(3)}
    assert homes == {CUDA if stays else torch.device("cpu")}
    assert len(said) == (not stays)
    assert stays or ("267 MiB" in said[0] and "2.0 GiB free of 16.0 GiB" in said[0])


@pytest.mark.parametrize(("sharing", "stays"), [(1, True), (2, False)])
def test_processes_that_share_a_card_share_its_room(
    monkeypatch: pytest.MonkeyPatch, sharing: int, stays: bool
) -> None:
    monkeypatch.setattr(feature_room, "gpu_memory", lambda device: Room(5 * GIB, 16 * GIB))
    monkeypatch.setattr(feature_room, "extraction_peak", lambda device: 0)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(sharing))
    room = FeatureRoom(CUDA, lambda said: None)
    with FakeDevice().watched():
        home = room.home(torch.zeros(64, 2048, device=CUDA), 34_167)
    assert home == (CUDA if stays else torch.device("cpu"))


def test_all_processes_keep_features_on_the_host_if_one_lacks_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feature_room, "gpu_memory", lambda device: Room(9 * GIB, 16 * GIB))
    monkeypatch.setattr(feature_room, "extraction_peak", lambda device: 0)
    other = (7 * GIB, Room(3 * GIB, 8 * GIB))
    monkeypatch.setattr(feature_room.ranks, "of_all", lambda own: [own, other])
    said: list[str] = []
    with FakeDevice().watched():
        home = FeatureRoom(CUDA, said.append).home(torch.zeros(64, 2048, device=CUDA), 34_167)
    assert home == torch.device("cpu")
    assert "take 7.0 GiB, and it has 3.0 GiB free of 8.0 GiB" in said[0]


def test_the_network_needs_room_beside_the_features() -> None:
    features = 267 << 20
    assert feature_room.device_need(features) < 4 * GIB
    assert feature_room.device_need(features, 20 * GIB) == features + 20 * GIB


def test_features_of_a_card_without_room_are_collected_on_the_host() -> None:
    batches = [(None, torch.tensor([1, 0]))]
    with FakeDevice().watched(WAIT) as watch, pytest.raises(RuntimeError, match="numpy"):
        # The copy of the batch comes first; what has no values cannot be looked at.
        collect_features(
            lambda clips, index: fake(2, WIDTH),
            [(None, np.array([1, 0]))],
            2,
            lambda rows: torch.device("cpu"),
        )
    assert watch.waits == [WAIT]
    found = collect_features(
        lambda clips, index: index[:, None].float(), batches, 2, lambda rows: rows.device
    )
    assert found.tolist() == [[0], [1]]


def test_on_the_cpu_nothing_is_measured_and_nothing_is_said() -> None:
    said: list[str] = []
    room = FeatureRoom(torch.device("cpu"), said.append)
    room.before_extraction()
    features = people()
    assert room.home(features, 10**9) == torch.device("cpu")
    assert room.placed(features) is features
    assert said == [] and peak_memory.extraction_peak(torch.device("cpu")) == 0


# On a GPU.

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tensor, list[Track]]:
    """Features of rendered images from an untrained network, on the CPU, and their tracks."""
    from vireid.datasets import load_dataset
    from vireid.datasets.clip_reader import ClipReader
    from vireid.evaluation.features import extract_features
    from vireid.models import AGW
    from vireid.synthetic import render_dataset

    root = tmp_path_factory.mktemp("images")
    render_dataset(root, layout="sysu-mm01", preset="tiny", seed=0, workers=1, progress=False)
    train = load_dataset("sysu-mm01", root).train
    torch.manual_seed(0)
    model = AGW(0, backbone="thin-8").eval()
    reader = ClipReader(train, height=64, width=32, num_frames=1)
    return extract_features(model.embed, reader), train


def test_real_features_are_ranked_and_clustered_alike_on_the_path_of_a_device(
    pictures: tuple[Tensor, list[Track]], as_on_a_device: Switch
) -> None:
    here = labels_and_ranks(*pictures)
    as_on_a_device()
    assert_same(labels_and_ranks(*pictures), here)


@pytest.mark.gpu
@needs_cuda
def test_labels_and_ranks_on_cuda_are_those_of_the_cpu(
    pictures: tuple[Tensor, list[Track]],
) -> None:
    features, found = pictures
    assert_same(labels_and_ranks(features.cuda(), found), labels_and_ranks(features, found))


@pytest.mark.gpu
@needs_cuda
def test_matches_on_cuda_are_those_of_the_cpu() -> None:
    options = MatchingOptions(memories=4)
    here = match_clusters(people(), LABELS, MODALITIES, options)
    there = match_clusters(people().cuda(), LABELS, MODALITIES, options)
    torch.testing.assert_close(there.cost, here.cost, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(there.assignment, here.assignment)
    np.testing.assert_array_equal(there.unified, here.unified)


@pytest.mark.gpu
@needs_cuda
def test_sums_of_groups_are_the_same_each_time() -> None:
    features = torch.randn(20_000, 64).cuda()
    groups = np.arange(20_000) % 7
    once = transfers.group_sums(features, groups, 7)
    assert torch.equal(once, transfers.group_sums(features, groups, 7))
    wanted = transfers.group_sums(features.cpu().double(), groups, 7)
    torch.testing.assert_close(once.cpu().double(), wanted, atol=1e-3, rtol=0)


def labels_and_ranks(features: Tensor, found: list[Track]) -> tuple[np.ndarray, list[Any]]:
    """Clusters of each modality, and the ranking of one half by the other."""
    modalities = np.array([int(track.modality) for track in found])
    cameras = np.array([track.camera for track in found])
    options = ClusteringOptions(k1=6, k2=2, eps=0.7, min_samples=2, camera_mean=True)
    labels = intra_modality_labels(
        clustering_features(features, cameras, options), modalities, options
    )
    halves = [[t for t in found if t.modality == m] for m in (Modality.INFRARED, Modality.VISIBLE)]
    protocol = Protocol("x/i2v", *halves, "sysu")
    return labels, [result.record() for result in evaluate(features, found, [protocol])]


def assert_same(one: tuple[np.ndarray, list[Any]], other: tuple[np.ndarray, list[Any]]) -> None:
    np.testing.assert_array_equal(one[0], other[0])
    assert other[0].max() > 0
    # Two products that differ by their rounding alone may change places.
    assert one[1][0].keys() == other[1][0].keys()
    for name in ("mAP", "mINP", "rank1"):
        assert one[1][0][name] == pytest.approx(other[1][0][name], abs=1e-3)
