"""Random sightings of people, and the rates of ISO/IEC 19795-1 counted one comparison at a time."""

import itertools
from math import comb

import numpy as np
import torch
from vireid.evaluation.comparisons import Comparisons, Sightings
from vireid.evaluation.metrics import ignores


def sightings(rng, people, tracks, cameras, ties=False):
    """A side with coarse scores, so that some are equal, if ``ties``."""
    features = rng.normal(size=(tracks, 3))
    features = features.round() if ties else features / np.linalg.norm(features, axis=1)[:, None]
    return Sightings(
        torch.from_numpy(features.astype(np.float32)),
        rng.choice(people, tracks),
        rng.integers(1, cameras + 1, tracks),
    )


def two_sides(seed, *, ties=False, rule="standard", people=6, tracks=(9, 14), cameras=3):
    rng = np.random.default_rng(seed)
    names = rng.choice(100, people, replace=False)
    query = sightings(rng, names, tracks[0], cameras, ties)
    gallery = sightings(rng, names, tracks[1], cameras, ties)
    return Comparisons(query, gallery, rule)


def plain_pairs(comparisons, rule):
    """(query, gallery, mated, score) of each comparison that counts."""
    query, gallery = comparisons.query, comparisons.gallery
    found = []
    for i, j in itertools.product(range(len(query)), range(len(gallery))):
        own = bool(query.people[i] == gallery.people[j])
        cameras = int(query.cameras[i]), int(gallery.cameras[j])
        if not ignores(rule, *cameras, same_identity=own):
            score = (query.features[i : i + 1] @ gallery.features.T)[0, j]
            found.append((i, j, own, float(score)))
    return found


def plain_person_scores(comparisons, rule):
    """For each probe: score of its own person or None, and of every other one, by name."""
    result = []
    pairs = plain_pairs(comparisons, rule)
    for i in range(len(comparisons.query)):
        mine = [score for q, _, own, score in pairs if q == i and own]
        others = {}
        for q, j, own, score in pairs:
            if q == i and not own:
                name = int(comparisons.gallery.people[j])
                others[name] = max(score, others.get(name, -np.inf))
        result.append((max(mine, default=None), others))
    return result


def plain_identification(comparisons, rule, size, rank, threshold):
    """FPIR and FNIR over every gallery, one after another."""
    wrong, missed = [], []
    for own, others in plain_person_scores(comparisons, rule):
        values = list(others.values())
        drawn = list(itertools.combinations(values, size))
        wrong.append(np.mean([max(gallery) >= threshold for gallery in drawn]))
        assert len(drawn) == comb(len(values), size)
        if own is not None:
            lost = []
            for gallery in itertools.combinations(values, size - 1):
                ahead = sum(value >= own for value in gallery)
                lost.append(own < threshold or ahead >= rank)
            missed.append(np.mean(lost))
    return np.mean(wrong), np.mean(missed) if missed else np.nan
