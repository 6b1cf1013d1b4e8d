"""A synthetic visible-infrared data set of walking people, the same on every machine."""

from ..datasets.synthetic_mark import MARKER
from .contact_sheet import contact_sheet
from .marker import SyntheticError
from .presets import PRESETS, Preset
from .render import LAYOUTS, SyntheticSummary, render_dataset

__all__ = [
    "LAYOUTS",
    "MARKER",
    "PRESETS",
    "Preset",
    "SyntheticError",
    "SyntheticSummary",
    "contact_sheet",
    "render_dataset",
]
