"""Batch samplers: what holds for every batch and every epoch."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.datasets.samplers import (
    ClusterBatchSampler,
    HalfIdentityBatchSampler,
    HalfRandomBatchSampler,
    IdentityBatchSampler,
    InterleavedBatchSampler,
    ModalityRatioBatchSampler,
    TrackContrastSampler,
)
from vireid.datasets.samplers.base import Deck
from vireid.datasets.track import Modality

VISIBLE, INFRARED = int(Modality.VISIBLE), int(Modality.INFRARED)
VECTORS = json.loads(
    (Path(__file__).parents[1] / "conformance" / "samplers_m3reid.json").read_text()
)
CASES = sorted(VECTORS)
PAIRED = [ModalityRatioBatchSampler, HalfIdentityBatchSampler, InterleavedBatchSampler]


def index(case):
    """Identities and modalities of a published index, in the codes used here."""
    vectors = VECTORS[case]
    identities = np.array(vectors["pids"])
    modalities = np.where(np.array(vectors["mids"]) == 1, INFRARED, VISIBLE)
    return identities, modalities


def epochs(sampler, number=12):
    for epoch in range(number):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        yield np.array(batches)


def groups(batch, k):
    return batch.reshape(-1, k)


def uses(tracks):
    """How often a track of a group occurs at most, if the group is drawn as evenly as it can."""
    return Counter(tracks.tolist())


def assert_distinct(drawn, available):
    """A draw repeats tracks only as far as there are too few of them."""
    most = -(-len(drawn) // available)
    assert max(uses(drawn).values()) <= most


def assert_people(blocks, number):
    """Every group of a batch is of one identity, and as many different ones there are."""
    assert (blocks == blocks[:, :1]).all()
    assert len(set(blocks[:, 0])) == number


@pytest.mark.parametrize("case", CASES)
def test_identity_batches(case):
    identities, _ = index(case)
    p, k = 3, 4
    published = VECTORS[case]["samplers"]["norm_triplet"]
    sizes = Counter(identities.tolist())
    for batches in epochs(IdentityBatchSampler(identities, p, k, seed=1)):
        low, high = published["full_batches_per_epoch"]
        if low == high:
            assert len(batches) == low
        for batch in batches:
            assert_people(identities[groups(batch, k)], p)
            for block in groups(batch, k):
                assert_distinct(block, sizes[identities[block[0]]])
        # What is large enough for its groups is used at most once.
        for track, count in Counter(batches.ravel().tolist()).items():
            assert count == 1 or sizes[identities[track]] < k


@pytest.mark.parametrize("ratio", [0.5, 0.25])
@pytest.mark.parametrize("case", [c for c in CASES if c != "one_modality_ids"])
def test_ratio_batches(case, ratio):
    identities, modalities = index(case)
    p, k = 3, 4
    published = VECTORS[case]["samplers"].get(f"cross_modality_triplet_ratio_{ratio}", {})
    sides = Counter(zip(identities.tolist(), modalities.tolist()))
    for batches in epochs(ModalityRatioBatchSampler(identities, modalities, p, k, ratio, seed=2)):
        low, high = published.get("full_batches_per_epoch", (0, len(batches) + 1))
        if low == high:
            assert len(batches) == low
        for batch in batches:
            assert_people(identities[groups(batch, k)], p)
            for block in groups(batch, k):
                infrared = block[modalities[block] == INFRARED]
                visible = block[modalities[block] == VISIBLE]
                assert len(infrared) == int(k * ratio)
                name = identities[block[0]]
                assert_distinct(infrared, sides[name, INFRARED])
                assert_distinct(visible, sides[name, VISIBLE])


def test_ratio_order_is_shuffled():
    identities, modalities = index("both_modalities")
    sampler = ModalityRatioBatchSampler(identities, modalities, 3, 4)
    seen = {
        tuple(modalities[g]) for batches in epochs(sampler) for b in batches for g in groups(b, 4)
    }
    assert len(seen) == 6  # all orders of two and two


@pytest.mark.parametrize("case", CASES)
def test_half_random_batches(case):
    identities, modalities = index(case)
    sampler = HalfRandomBatchSampler(identities, modalities, 12, seed=3)
    counts = [(modalities == m).sum() for m in (INFRARED, VISIBLE)]
    published = VECTORS[case]["samplers"]["cross_modality_random"]
    for batches in epochs(sampler):
        assert len(batches) == max(counts) // 6
        if "full_batches_per_epoch" in published:
            assert [len(batches)] * 2 == published["full_batches_per_epoch"]
        assert (modalities[batches[:, :6]] == INFRARED).all()
        assert (modalities[batches[:, 6:]] == VISIBLE).all()
        for side, count in zip((batches[:, :6], batches[:, 6:]), counts):
            spread = Counter(side.ravel().tolist())
            assert max(spread.values()) <= -(-side.size // count)
            assert len(spread) == min(side.size, count)


@pytest.mark.parametrize("case", [c for c in CASES if c != "one_modality_ids"])
def test_half_identity_batches(case):
    identities, modalities = index(case)
    p, k = 3, 4
    for batches in epochs(HalfIdentityBatchSampler(identities, modalities, p, k, seed=4)):
        names = len(set(identities.tolist()))
        assert len(batches) == max(1, len(identities) // (names * k)) * names // p
        for batch in batches:
            assert (modalities[batch[:6]] == INFRARED).all()
            assert (modalities[batch[6:]] == VISIBLE).all()
            first, second = identities[batch[:6]], identities[batch[6:]]
            assert (first == second).all()
            assert len(set(first)) == p
            assert (first.reshape(p, 2)[:, :1] == first.reshape(p, 2)).all()
        seen = Counter(identities[batches].ravel().tolist())
        assert max(seen.values()) - min(seen[i] for i in set(identities)) <= k


@pytest.mark.parametrize("case", [c for c in CASES if c != "one_modality_ids"])
def test_interleaved_batches(case):
    identities, modalities = index(case)
    p, k = 3, 4
    drawn = set()
    for batches in epochs(InterleavedBatchSampler(identities, modalities, p, k, seed=5)):
        assert (modalities[batches[:, 0::2]] == INFRARED).all()
        assert (modalities[batches[:, 1::2]] == VISIBLE).all()
        for batch in batches:
            assert_people(identities[groups(batch, k)], p)
        drawn |= set(identities[batches].ravel().tolist())
    assert drawn == set(identities.tolist())  # a short side keeps nobody out


@pytest.mark.parametrize("sampler", PAIRED)
def test_identities_of_one_modality(sampler):
    identities, modalities = index("one_modality_ids")
    with pytest.raises(ValueError, match=r"2 have one modality only \(1, 2\).*skip"):
        sampler(identities, modalities, 3, 4)
    for batches in epochs(sampler(identities, modalities, 3, 4, missing="skip")):
        assert len(batches)
        assert not set(identities[batches].ravel()) & {1, 2}
    with pytest.raises(ValueError, match="missing"):
        sampler(identities, modalities, 3, 4, missing="drop")


arrays = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([-1, 0, 3, 4, 17, 1000]), min_size=n, max_size=n),
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


def build_all(identities, modalities, cameras):
    """Every sampler that accepts the index, with P = 2 and K = 4."""
    builders = [
        lambda: IdentityBatchSampler(identities, 2, 4, seed=6),
        lambda: HalfRandomBatchSampler(identities, modalities, 4, seed=6),
        lambda: ClusterBatchSampler(identities, cameras, 2, 4, seed=6),
        lambda: ClusterBatchSampler(identities, cameras, 2, 4, 5, seed=6),
        *(
            lambda sampler=sampler: sampler(identities, modalities, 2, 4, missing="skip", seed=6)
            for sampler in PAIRED
        ),
    ]
    for build in builders:
        try:
            yield build()
        except ValueError as error:
            assert str(error)


@settings(max_examples=50, deadline=None)
@given(arrays)
def test_gappy_labels_and_noise(columns):
    identities, modalities, cameras = map(np.array, columns)
    for sampler in build_all(identities, modalities, cameras):
        for batches in epochs(sampler, 3):
            assert len(batches)
            assert (identities[batches] >= 0).all()
            size = 4 if isinstance(sampler, HalfRandomBatchSampler) else 8
            assert batches.shape[1] == size
            if size == 8 and not isinstance(sampler, HalfIdentityBatchSampler):
                blocks = identities[batches].reshape(-1, 4)
                assert (blocks == blocks[:, :1]).all()


@settings(max_examples=50, deadline=None)
@given(arrays, st.integers(0, 5))
def test_batches_depend_on_seed_and_epoch_only(columns, epoch):
    for one, two in zip(build_all(*columns), build_all(*columns), strict=True):
        list(one)
        one.set_epoch(epoch)
        two.set_epoch(epoch)
        assert list(one) == list(two) == list(one)


def test_epochs_and_seeds_differ():
    identities, _ = index("both_modalities")
    plans = []
    for seed in (0, 1):
        sampler = IdentityBatchSampler(identities, 3, 4, seed=seed)
        plans += [batches.tolist() for batches in epochs(sampler, 3)]
    assert all(a != b for i, a in enumerate(plans) for b in plans[:i])


@settings(max_examples=60, deadline=None)
@given(arrays, st.integers(1, 6))
def test_cluster_groups(columns, k):
    labels, _, cameras = map(np.array, columns)
    if not (labels >= 0).any():
        return
    for batches in epochs(ClusterBatchSampler(labels, cameras, 1, k, 4, seed=7), 2):
        for anchor, *others in batches.tolist():
            cluster = np.flatnonzero(labels == labels[anchor])
            available = set(cluster) - {anchor}
            foreign = {t for t in available if cameras[t] != cameras[anchor]}
            assert set(others) <= (available or {anchor})
            taken = set(others)
            # Other cameras first, without repetition; then the anchor's own camera.
            assert len(taken) == min(k - 1, len(available)) or not available
            assert len(taken & foreign) == min(k - 1, len(foreign))


def test_clusters_take_turns():
    labels = np.repeat([2, 5, 9, 11, 12], 3)
    cameras = np.tile([0, 1, 2], 5)
    for batches in epochs(ClusterBatchSampler(labels, cameras, 2, 3)):
        assert len(batches) == 2
        assert len(set(labels[batches[:, ::3]].ravel())) == 4
    for batches in epochs(ClusterBatchSampler(labels, cameras, 2, 3, 10)):
        assert Counter(labels[batches[:, ::3]].ravel().tolist()) == dict.fromkeys(set(labels), 4)


def contrast_index():
    rng = np.random.default_rng(0)
    modalities = np.array([VISIBLE] * 60 + [INFRARED] * 40)
    cameras = np.concatenate([rng.choice(3, 60, p=[0.6, 0.3, 0.1]), rng.choice([2, 7], 40)])
    return modalities, cameras


def test_contrast_batches_keep_to_one_camera():
    modalities, cameras = contrast_index()
    sampler = TrackContrastSampler(modalities, cameras, 8, 20, seed=8)
    sizes = Counter(zip(modalities.tolist(), cameras.tolist()))
    for batches in epochs(sampler, 4):
        assert batches.shape == (20, 16)
        for batch in batches:
            for half, modality in ((batch[:8], VISIBLE), (batch[8:], INFRARED)):
                assert (modalities[half] == modality).all()
                assert len(set(cameras[half])) == 1
                assert_distinct(half, sizes[modality, cameras[half[0]]])


def test_contrast_cameras_follow_their_share():
    modalities, cameras = contrast_index()
    batches = np.array(list(TrackContrastSampler(modalities, cameras, 2, 6000, seed=9)))
    drawn = np.bincount(cameras[batches[:, 0]], minlength=3) / 6000
    share = np.bincount(cameras[modalities == VISIBLE], minlength=3) / 60
    # Four deviations of a binomial share.
    assert (np.abs(drawn - share) < 4 * np.sqrt(share * (1 - share) / 6000)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(0, 20), max_size=12))
def test_a_deck_deals_evenly(size, deals):
    deck = Deck(np.arange(size), np.random.default_rng(0))
    total = Counter()
    for count in deals:
        dealt = deck.deal(count)
        assert len(dealt) == count
        assert all(n <= -(-count // size) for n in Counter(dealt).values())
        total.update(dealt)
    if total:
        assert max(total.values()) - min(total[i] for i in range(size)) <= 1


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: IdentityBatchSampler([0, 0, 1, -1], 3, 2), "only 2 can be drawn"),
        (lambda: IdentityBatchSampler([0, 1], 0, 2), "at least one"),
        (lambda: IdentityBatchSampler([[0, 1]], 1, 2), "row of integers"),
        (lambda: IdentityBatchSampler([0.5, 1.0], 1, 2), "row of integers"),
        (lambda: IdentityBatchSampler([], 1, 2), "only 0 can be drawn"),
        (lambda: ModalityRatioBatchSampler([0, 0], [0, 1], 1, 4, 0.1), "ratio=0.1"),
        (lambda: ModalityRatioBatchSampler([0, 0], [0, 1], 2, 4), "only 1 can be drawn"),
        (lambda: ModalityRatioBatchSampler([0, 0], [0], 1, 4), "2 tracks; got 1"),
        (lambda: HalfIdentityBatchSampler([0, 0], [0, 1], 1, 3), "k is even"),
        (lambda: InterleavedBatchSampler([0, 0], [0, 1], 1, 3), "k is even"),
        (lambda: HalfRandomBatchSampler([0, 0], [0, 1], 3), "even"),
        (lambda: HalfRandomBatchSampler([0, 0], [0, 1], 4), "lower batch_size"),
        (lambda: HalfRandomBatchSampler([0, -1], [0, 1], 2), "0 infrared and 1 visible"),
        (lambda: ClusterBatchSampler([-1, -1], [0, 0], 1, 2), "only 0 can be drawn"),
        (lambda: ClusterBatchSampler([0, 1], [0, 0], 1, 2, 0), "num_batches=0"),
        (lambda: TrackContrastSampler([0, 0], [0, 1], 2, 1), "2 infrared tracks"),
        (lambda: TrackContrastSampler([0, 1], [0, 1], 0, 1), "at least 1"),
        (lambda: TrackContrastSampler([0, 1], [0, -1], 1, 1), "not negative"),
    ],
)
def test_impossible_requests_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
