"""How probable it is that a pseudo-label is right, from the losses of all samples."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from .. import transfers

MAX_ITERATIONS = 100
STOP = 1e-2  # change of the mean log-likelihood; loose, as published: two or three steps
LEAST_VARIANCE = 5e-4
# Losses closer together than float32 resolves are equal.
EQUAL = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class LossMixture:
    """Two Gaussians fitted to losses, the one of low mean first.

    Attributes:
        probability: ``[N]`` posterior of the low component.
        means: ``[2]``.
        variances: ``[2]``.
        weights: ``[2]``.
        iterations: steps of the fit.
    """

    probability: NDArray[np.float64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]
    weights: NDArray[np.float64]
    iterations: int


def normalise_losses(losses: Tensor | ArrayLike) -> Tensor:
    """Scales losses linearly to 0 … 1.

    Views that are fitted together (the plain and the augmented visible one) are scaled one by one
    and then joined: ``clean_probability(torch.cat([normalise_losses(a), normalise_losses(b)]))``.

    Args:
        losses: ``[N]``; NaN stands for a sample that was never visited.

    Returns:
        ``[N]`` float64: minimum 0, maximum 1, NaN where it was; all 0 if all losses are equal.

    Raises:
        ValueError: not one-dimensional, or an infinite loss.
    """
    values = torch.as_tensor(losses).detach().double()
    if values.ndim != 1:
        raise ValueError(f"losses: expected [N], found shape {tuple(values.shape)}")
    if values.isinf().any():
        row = int(values.isinf().nonzero()[0])
        raise ValueError(f"losses: sample {row} has an infinite loss")
    known = values[~values.isnan()]
    if len(known) == 0:
        return values
    low, high = known.min(), known.max()
    if high - low <= EQUAL * known.abs().max():
        return values * 0
    return (values - low) / (high - low)


def fit_losses(normalised: NDArray[np.float64], seed: int = 0) -> LossMixture:
    """Fits a two-component Gaussian mixture to normalised losses.

    Args:
        normalised: ``[N]`` in 0 … 1, at least two different values, no NaN.
        seed: of the K-means start.

    Returns:
        The mixture; the posterior uses the parameters after the last step.
    """
    column = normalised.reshape(-1, 1)
    mixture = GaussianMixture(
        2, max_iter=MAX_ITERATIONS, tol=STOP, reg_covar=LEAST_VARIANCE, random_state=seed
    )
    with warnings.catch_warnings():  # at the published limit of steps the fit is good enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(column)
    order = np.argsort(mixture.means_[:, 0], kind="stable")
    return LossMixture(
        probability=mixture.predict_proba(column)[:, order[0]],
        means=mixture.means_[order, 0],
        variances=mixture.covariances_[order, 0, 0],
        weights=mixture.weights_[order],
        iterations=int(mixture.n_iter_),
    )


def clean_probability(losses: Tensor | ArrayLike, *, seed: int = 0) -> Tensor:
    """Probability that each sample's pseudo-label is clean (MMM, confidence of a sample).

    The losses are scaled to 0 … 1 and fitted by two Gaussians; samples with the right label learn
    first, so the component of low mean is the clean one and its posterior is the probability.

    Args:
        losses: ``[N]`` loss of each sample of one modality. NaN stands for a sample that was
            never visited: it takes no part in the fit and gets probability 0. Any finite number
            counts as a loss.
        seed: of the fit.

    Returns:
        ``[N]`` on the losses' device, float64 for float64 losses, else float32. If all losses are
        equal (or there is only one), nothing speaks against any sample: 1.

    Raises:
        ValueError: not one-dimensional, or an infinite loss.
    """
    given = torch.as_tensor(losses).detach()
    scaled = transfers.to_host(normalise_losses(given))
    visited = ~np.isnan(scaled)
    probability = np.zeros(len(scaled))
    if scaled[visited].any():
        probability[visited] = fit_losses(scaled[visited], seed).probability
    else:
        probability[visited] = 1.0
    dtype = torch.float64 if given.dtype == torch.float64 else torch.float32
    return torch.from_numpy(probability).to(given.device, dtype)
