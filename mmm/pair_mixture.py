"""Which matched pairs are more likely right than not, and how many have a partner at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 500
SETTLED = 1e-6
START_SHARE = 0.5
# True pairs whose costs vary less than this, in deviations of the strangers', are a point.
LEAST_DEVIATION = 0.5
FAR_ABOVE = 3.0

Values = NDArray[np.float64]


def likely_pairs(matched: Values, strangers: Values) -> tuple[NDArray[np.bool_], float]:
    """Parts matched pairs into true ones and strangers that an assignment had to pair.

    The costs of strangers are a Gaussian, known from assignments of strangers alone; those of true
    pairs are a second one below it, found with its share by expectation maximisation. A pair is
    kept where the second is the likelier.

    Args:
        matched: ``[P]`` costs of the pairs of an assignment, offsets of their clusters taken off.
        strangers: ``[S]`` the same of assignments in which every pair is of strangers, S ≥ 2.

    Returns:
        ``[P]`` true for the pairs to keep, and the share of true ones, 0 to 1. All are kept where
        strangers cost the same, and none tells a pair from chance.
    """
    middle, width = float(strangers.mean()), float(strangers.std(ddof=1))
    if width <= np.spacing(abs(middle)) * len(strangers):
        return np.ones(len(matched), bool), 1.0
    # In units of the strangers: these are the Gaussian of mean 0 and deviation 1.
    cost = (matched - middle) / width
    share, mean = START_SHARE, min(float(np.quantile(cost, 0.25)), -2.0)
    deviation = max(float(cost.std()), 1.0)
    for _ in range(ROUNDS):
        right = _right(cost, share, mean, deviation)
        before, share = share, float(right.mean())
        if right.sum() < SETTLED:
            return np.zeros(len(cost), bool), 0.0
        mean = float(right @ cost / right.sum())
        deviation = float(np.sqrt(right @ (cost - mean) ** 2 / right.sum()))
        mean, deviation = min(mean, -1.0), max(deviation, LEAST_DEVIATION)
        if abs(share - before) < SETTLED:
            break
    if _gain(cost, share, mean, deviation) < 3 * np.log(len(cost)) / 2:
        return np.zeros(len(cost), bool), 0.0  # strangers alone explain the costs as well
    # Far below both, where the narrower Gaussian has died out, a pair is no stranger either.
    return (_right(cost, share, mean, deviation) > 0.5) | (cost < mean), share


def _gain(cost: Values, share: float, mean: float, deviation: float) -> float:
    """How much likelier the costs are with the second Gaussian, whose three numbers are fitted.

    Compared with half a logarithm of the pairs for each number (Schwarz, "Estimating the dimension
    of a model", Annals of Statistics 1978).
    """
    true = np.log(max(share, 1e-300) / deviation) - ((cost - mean) / deviation) ** 2 / 2
    chance = np.log(max(1 - share, 1e-300)) - cost**2 / 2
    return float((np.logaddexp(true, chance) + cost**2 / 2).sum())


def _right(cost: Values, share: float, mean: float, deviation: float) -> Values:
    """Probability of each pair to be a true one."""
    true = np.log(max(share, 1e-300) / deviation) - ((cost - mean) / deviation) ** 2 / 2
    chance = np.log(max(1 - share, 1e-300)) - cost**2 / 2
    # The wider Gaussian wins far above the strangers too, where nothing speaks for a pair.
    return np.where(cost < FAR_ABOVE, 1 / (1 + np.exp(np.clip(chance - true, -700, 700))), 0.0)
