"""Multi-memory matching: which visible cluster is which infrared one, and which labels to trust."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .confidence import clean_probability, normalise_losses
    from .matchers import register_matcher
    from .matching import match, matching_cost, transfer_labels, unify_labels

__all__ = [
    "clean_probability",
    "match",
    "matching_cost",
    "normalise_losses",
    "register_matcher",
    "transfer_labels",
    "unify_labels",
]
# Commands read the options of this package before they load torch.
__getattr__ = lazy_names(__name__, "matchers", "matching", "confidence")
