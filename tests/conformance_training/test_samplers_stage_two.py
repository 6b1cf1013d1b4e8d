"""Index lists of the warm-up and the confidence passes of stage two."""

from collections import Counter

import numpy as np
import pytest
from training_vectors import each_vector, facts
from vireid.datasets.samplers import UnpairedBatchSampler
from vireid.datasets.samplers.unpaired import fill_up
from vireid.datasets.track import Modality

FULL = 24  # of the vector's field `batches_of_24`


def repeated(rows) -> list[int]:
    return sorted(int(row) for row, times in Counter(map(int, rows)).items() if times == 2)


@each_vector("samplers_stage_two*.json")
def test_the_lists_hold_every_image_and_then_the_first_ones_again(vector):
    for case in facts(vector)["cases"]:
        visible, infrared = case["visible"], case["infrared"]
        slots = (case["length"], case["infrared_slots"])
        assert repeated(fill_up(range(visible), slots[0])) == case["visible_twice"]
        # Beyond that the released list names images that do not exist.
        if slots[1] <= 2 * infrared:
            assert repeated(fill_up(range(infrared), slots[1])) == case["infrared_twice"]
        modalities = np.repeat([int(Modality.VISIBLE), int(Modality.INFRARED)], [visible, infrared])

        def sampler(n, slots=slots, modalities=modalities):
            return UnpairedBatchSampler(np.zeros(len(modalities), int), modalities, n, slots=slots)

        # One pair a batch shows the whole lists, as far as both reach.
        pairs = list(sampler(1))
        assert len(pairs) == min(slots)
        if slots[1] >= slots[0]:  # the released code stops at the end of a shorter infrared list
            assert case["announced"] == len(pairs) == case["used_infrared_slots"]
            assert len(sampler(FULL)) == case["batches_of_24"]
            assert repeated(pair[0] for pair in pairs) == case["visible_twice"]
            assert case["every_visible"] == ({pair[0] for pair in pairs} == set(range(visible)))
        if slots[1] == slots[0] <= 2 * infrared:
            assert case["every_infrared"] == (len({pair[1] for pair in pairs}) == infrared)
        # The released code leaves the last, unfilled batch out; ours has none and shows all.
        whole = UnpairedBatchSampler(np.zeros(len(modalities), int), modalities, FULL)
        rows = Counter(row for batch in whole for row in batch)
        assert len(rows) == visible + infrared
        larger = range(visible) if visible >= infrared else range(visible, visible + infrared)
        again = sum(rows[row] - 1 for row in larger)
        assert again == -max(visible, infrared) % FULL
        assert all(len(batch) == 2 * FULL for batch in whole)


def test_sides_are_shuffled_apart_anew_each_epoch_and_noise_is_left_out():
    modalities = np.repeat([0, 1], [40, 25])
    labels = np.zeros(65, int)
    labels[[3, 50]] = -1
    sampler = UnpairedBatchSampler(labels, modalities, 8, seed=3)
    first = list(sampler)
    assert len(first) == len(sampler) == 5
    for batch in first:
        assert (modalities[batch] == np.repeat([0, 1], 8)).all()
        assert not {3, 50} & set(batch)
    visible = [row for batch in first for row in batch[:8]]
    assert visible != sorted(visible)
    sampler.set_epoch(1)
    assert list(sampler) != first
    longer = UnpairedBatchSampler(labels, modalities, 8, 12, seed=3)
    assert len(list(longer)) == len(longer) == 12
    assert list(longer)[:5] == first


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([0, -1], [0, 1], 1), "0 infrared"),
        (([0, 0], [0, 1], 0), "n=0"),
        (([0, 0], [0, 1], 1, 0), "num_batches=0"),
        (([0, 0, 0], [0, 0, 1], 1, None, (1, 1)), "1 to 1 of them; got 2"),
        (([0, 0], [0, 1], 2, None, (1, 1)), "do not fill a batch"),
    ],
)
def test_what_gives_no_batch_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        UnpairedBatchSampler(*given[:4], slots=given[4] if len(given) > 4 else None)
