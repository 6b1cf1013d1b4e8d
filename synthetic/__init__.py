"""A synthetic visible-infrared data set of walking people, the same on every machine."""

from ..datasets.synthetic_mark import MARKER
from .contact_sheet import contact_sheet
from .marker import SyntheticError
from .options import SyntheticOptions
from .presets import PRESETS, Preset
from .render import LAYOUTS, SyntheticSummary, render_dataset

__all__ = [
    "LAYOUTS",
    "MARKER",
    "PRESETS",
    "Preset",
    "SyntheticError",
    "SyntheticOptions",
    "SyntheticSummary",
    "contact_sheet",
    "render_dataset",
]
