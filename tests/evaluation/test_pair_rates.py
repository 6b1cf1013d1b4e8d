"""FMR and FNMR against counting one comparison at a time."""

import numpy as np
import pytest
from calibration_cases import plain_pairs, two_sides
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.evaluation import comparisons as blocks
from vireid.evaluation.calibration import collect_pairs
from vireid.evaluation.pair_rates import (
    LargestScores,
    false_match_rate_again,
    false_matches,
    lowest_threshold,
)

RULES = st.sampled_from(["standard", "sysu", "sysu-symmetric", "llcm", "all"])
SEEDS = st.integers(0, 10_000)


@settings(max_examples=40, deadline=None)
@given(SEEDS, RULES, st.booleans(), st.integers(1, 200))
def test_rates_are_those_of_counting(seed, rule, ties, entries):
    sides = two_sides(seed, rule=rule, ties=ties)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_ENTRIES", entries)
        mated, largest, total = collect_pairs(sides, 1.0)
        pairs = plain_pairs(sides, rule)
        wrong = np.array([score for *_, own, score in pairs if not own], np.float32)
        right = np.array([score for *_, own, score in pairs if own], np.float32)
        assert total == len(wrong)
        np.testing.assert_allclose(np.sort(mated.scores), np.sort(right), atol=1e-6)
        np.testing.assert_allclose(largest.sorted(), np.sort(wrong)[::-1], atol=1e-6)
        chosen = [-0.25, 0.5, 0.125]  # between the coarse scores
        found = false_matches(sides, chosen, chosen)
    for place, threshold in enumerate(chosen):
        assert found.above[place] == (wrong >= threshold).sum()
        assert mated.missed([threshold])[0] == pytest.approx(np.mean(right < threshold))
        counts = found.by_people[threshold].toarray()
        assert counts.sum() == found.above[place]
        for i, j, own, score in pairs:
            if not own and score >= threshold:
                cell = (sides.query_person[i], sides.gallery_person[j])
                counts[cell] -= 1
        assert not counts.any()


@settings(max_examples=40, deadline=None)
@given(SEEDS, RULES)
def test_a_resampling_counts_people_as_often_as_they_were_drawn(seed, rule):
    sides = two_sides(seed, rule=rule)
    people = len(sides.people)
    weights = np.random.default_rng(seed).multinomial(people, [1 / people] * people, size=3)
    weights[0] = 1
    found = false_matches(sides, [0.25], [0.25])
    again = false_match_rate_again(found.by_people[0.25], sides, weights.astype(float))
    mated, *_ = collect_pairs(sides, 0.1)
    missed = mated.missed_again(0.25, weights.astype(float))
    pairs = plain_pairs(sides, rule)
    for row, values in enumerate(weights):
        wrong, right = np.zeros(2), np.zeros(2)
        for i, j, own, score in pairs:
            a, b = values[sides.query_person[i]], values[sides.gallery_person[j]]
            if own:  # one of the copies, not one copy with another
                right += (a * (score < 0.25), a)
            else:
                wrong += (a * b * (score >= 0.25), a * b)
        for rate, (hits, count) in ((again[row], wrong), (missed[row], right)):
            assert (np.isnan(rate) and not count) or rate == pytest.approx(hits / count)
    assert again[0] == pytest.approx(found.rates[0], nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 300), st.floats(0, 1), st.booleans())
def test_the_threshold_is_the_lowest_that_keeps_the_rate(seed, count, rate, ties):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=count).astype(np.float32)
    scores = scores.round(1) if ties else scores
    largest = LargestScores(int(rate * count) + 2)
    for part in np.array_split(scores, 7):
        largest.add(part)
    found = lowest_threshold(largest.sorted(), count, rate)
    if found is None:
        assert rate * count < 1
        return
    assert (scores >= np.float32(found)).mean() <= rate * (1 + 1e-12)
    lower = np.nextafter(np.float32(found), np.float32(-np.inf))
    assert found == -np.inf or (scores >= lower).mean() > rate


@pytest.mark.parametrize("ties", [False, True])
def test_the_tail_of_many_scores_is_kept_exactly(ties):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=400_000).astype(np.float32)
    scores = scores.round(1) if ties else scores
    largest = LargestScores(500)
    for part in np.array_split(scores, 40):
        largest.add(part)
        assert largest._held <= 2 * 500 + 65536
    assert (largest.sorted() == np.sort(scores)[::-1][:500]).all()
