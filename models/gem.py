"""Generalised-mean pooling."""

import torch
from torch import Tensor

# Added under the root; a channel without any activation pools to 1e-12 ** (1 / 3) = 1e-4.
ROOT_FLOOR = 1e-12


def generalized_mean(features: Tensor, weights: Tensor | None = None, power: float = 3.0) -> Tensor:
    """Pools a feature map by the mean of a power, optionally under several masks.

    The pooled value of channel c under mask k is ``(mean_p (w[k,p] x[c,p])^q + 1e-12)^(1/q)`` over
    positions p, with q the power. Because masks are not negative, the power is taken of mask and
    map apart and the mean is one matrix product, so the K masked copies of the map never exist. The
    computation runs in float32 (float64 for float64 input) also under autocast: cubes overflow
    float16.

    Radenović et al., "Fine-tuning CNN image retrieval with no human annotation", equation 3.

    Args:
        features: feature map, [N, C, H, W], not negative.
        weights: masks, [N, K, H * W], not negative; None pools once without a mask.
        power: exponent; 1 is the plain mean, without the root and its floor.

    Returns:
        [N, K, C], or [N, C] without masks; finite for any finite input.
    """
    with torch.autocast(features.device.type, enabled=False):
        wide = torch.promote_types(features.dtype, torch.float32)
        powered = _power(features.to(wide), power)
        if weights is None:
            mean = powered.mean(dim=(2, 3))
        else:
            # [N, H * W, C] is a view where the map is channels_last.
            rows = powered.flatten(2).transpose(1, 2)
            mean = torch.bmm(_power(weights.to(wide), power), rows) / rows.shape[1]
        if power == 1:
            return mean
        # The clamp acts on negative means only, which have no real root.
        return (mean + ROOT_FLOOR).clamp(min=ROOT_FLOOR).pow(1 / power)


def _power(base: Tensor, power: float) -> Tensor:
    return base if power == 1 else base.pow(power)
