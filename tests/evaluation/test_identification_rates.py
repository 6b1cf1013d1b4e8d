"""FPIR and FNIR against searching every gallery, one after another."""

import numpy as np
import pytest
from calibration_cases import plain_identification, plain_person_scores, two_sides
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.evaluation.comparisons import Comparisons, Sightings
from vireid.evaluation.identification_rates import (
    GalleryDraws,
    false_negatives,
    false_positives,
    lowest_identification_threshold,
    person_scores,
    rates_again,
)
from vireid.evaluation.pair_rates import false_matches

RULES = st.sampled_from(["standard", "sysu", "all"])
SEEDS = st.integers(0, 10_000)
THRESHOLDS = [-2.5, -0.25, 0.125, 0.5, 2.5]


@settings(max_examples=40, deadline=None)
@given(SEEDS, RULES, st.booleans(), st.integers(1, 3))
def test_rates_are_those_of_every_gallery(seed, rule, ties, rank):
    sides = two_sides(seed, rule=rule, ties=ties)
    scores = person_scores(sides)
    plain = plain_person_scores(sides, rule)
    found = zip(plain, scores.own, scores.ahead, scores.candidates)
    for (own, others), mine, ahead, count in found:
        assert count == len(others)
        if own is None:
            assert mine == -np.inf
        else:
            assert mine == pytest.approx(own, abs=1e-6)
            assert ties or ahead == sum(value >= own for value in others.values())
    for size in range(1, scores.largest_gallery + 1):
        for threshold in THRESHOLDS:
            wrong, missed = plain_identification(sides, rule, size, rank, threshold)
            assert false_positives(scores, size, threshold) == pytest.approx(wrong, abs=1e-9)
            found = false_negatives(scores, size, rank, threshold)
            assert found == pytest.approx(missed, abs=1e-9, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 3))
def test_errors_move_one_way(seed, rank):
    scores = person_scores(two_sides(seed, rule="all"))
    sizes = range(1, scores.largest_gallery + 1)
    steps = np.linspace(-1, 1, 9)
    for size in sizes:
        assert (np.diff([false_positives(scores, size, t) for t in steps]) <= 1e-12).all()
        missed = [false_negatives(scores, size, rank, t) for t in steps]
        assert (np.diff(missed) >= -1e-12).all() or np.isnan(missed).all()
    for threshold in steps:
        assert (np.diff([false_positives(scores, n, threshold) for n in sizes]) >= -1e-12).all()


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(-0.9, 0.9))
def test_a_gallery_of_one_person_with_one_track_is_a_pair(seed, threshold):
    rng = np.random.default_rng(seed)
    sides = two_sides(seed, rule="all", people=7)
    gallery = sides.gallery.of(sides.starts)  # one track of each
    query = sides.query.of(rng.permutation(len(sides.query)))
    query = query.of(np.isin(query.people, gallery.people))
    if len(query) == 0 or len(gallery) < 2:
        return
    one = Comparisons(query, gallery, "all")
    found = false_positives(person_scores(one), 1, threshold)
    assert found == pytest.approx(false_matches(one, [threshold], []).rates[0])


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_names_and_order_do_not_matter(seed):
    sides = two_sides(seed, rule="standard")
    rng = np.random.default_rng(seed)
    names = rng.permutation(100)

    def other(side):
        order = rng.permutation(len(side))
        return Sightings(side.features, names[side.people], side.cameras).of(order)

    renamed = Comparisons(other(sides.query), other(sides.gallery), "standard")
    one, two = person_scores(sides), person_scores(renamed)
    assert one.largest_gallery == two.largest_gallery
    for size in range(1, one.largest_gallery + 1):
        for threshold in (-0.2, 0.3, 0.7):
            for rate in (false_positives, lambda s, n, t: false_negatives(s, n, 1, t)):
                expected = rate(one, size, threshold)
                assert rate(two, size, threshold) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([0.05, 0.12, 0.3, 0.6]), st.booleans())
def test_the_threshold_is_the_lowest_that_keeps_the_rate(seed, rate, ties):
    scores = person_scores(two_sides(seed, rule="all", ties=ties, tracks=(12, 15)))
    for size in range(1, scores.largest_gallery + 1):
        found = lowest_identification_threshold(scores, size, rate)
        if found is None:
            assert rate * len(scores.own) < 1
            continue
        assert false_positives(scores, size, found) <= rate
        below = np.nextafter(np.float32(found), np.float32(-np.inf))
        assert false_positives(scores, size, float(below)) > rate


def test_draws_are_the_hypergeometric_ones():
    from scipy.stats import hypergeom

    draws = GalleryDraws(40)
    for people, special, drawn in [(40, 7, 11), (9, 0, 4), (9, 9, 3), (5, 2, 5), (12, 3, 0)]:
        for than in (1, 2, 5):
            found = draws.fewer(np.array([people]), np.array([special]), drawn, than)[0]
            assert found == pytest.approx(hypergeom.cdf(than - 1, people, special, drawn))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 2))
def test_a_resampling_repeats_people(seed, rank):
    """Against the same rates of a data set in which people really stand as often as drawn."""
    sides = two_sides(seed, rule="all", people=5)
    scores = person_scores(sides)
    people = len(sides.people)
    weights = np.random.default_rng(seed).multinomial(people, [1 / people] * people, size=2)
    weights[0] = 1
    again = rates_again(scores, 2, rank, 0.25, weights.astype(float))
    assert again.fpir[0] == pytest.approx(false_positives(scores, 2, 0.25))
    assert again.fnir[0] == pytest.approx(false_negatives(scores, 2, rank, 0.25), nan_ok=True)
    wrong, missed = [], []
    draws = GalleryDraws(20)
    for probe in range(len(scores.own)):
        copies = int(weights[1][scores.person[probe]])
        repeats = weights[1][scores.enrolled] * np.isfinite(scores.others[probe])
        every = np.repeat(scores.others[probe], repeats)
        n = np.array([len(every)])
        reached = np.array([(every >= 0.25).sum()])
        wrong += copies * [1 - draws.fewer(n, reached, 2, 1)[0]]
        if np.isfinite(scores.own[probe]):
            ahead = np.array([(every >= scores.own[probe]).sum()])
            hit = draws.fewer(n, ahead, 1, rank)[0] * (scores.own[probe] >= 0.25)
            missed += copies * [1 - hit]
    for found, values in ((again.fpir[1], wrong), (again.fnir[1], missed)):
        assert (np.isnan(found) and not values) or found == pytest.approx(np.mean(values))
