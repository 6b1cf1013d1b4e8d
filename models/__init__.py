"""Networks: M3-ReID for clips, AGW two-stream for images, and the blocks that they share."""

from .agw import AGW, ImageOutput
from .backbones import Backbone, build_backbone
from .m3reid import ClipOutput, M3ReID
from .published_agw import load_official_agw, to_published_agw
from .published_m3reid import load_official_m3reid, to_published_m3reid

__all__ = [
    "AGW",
    "Backbone",
    "ClipOutput",
    "ImageOutput",
    "M3ReID",
    "build_backbone",
    "load_official_agw",
    "load_official_m3reid",
    "to_published_agw",
    "to_published_m3reid",
]
