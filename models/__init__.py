"""Networks: M3-ReID for clips, AGW two-stream for images, and the blocks that they share."""

from .agw import AGW
from .backbones import build_backbone
from .bn_neck_network import BNNeckNetwork
from .m3reid import M3ReID
from .network import BatchOutput, Network, network_named, register_network
from .published_agw import load_official_agw, to_published_agw
from .published_m3reid import load_official_m3reid, to_published_m3reid
from .stem_and_stages import Backbone

__all__ = [
    "AGW",
    "BNNeckNetwork",
    "Backbone",
    "BatchOutput",
    "M3ReID",
    "Network",
    "build_backbone",
    "load_official_agw",
    "load_official_m3reid",
    "network_named",
    "register_network",
    "to_published_agw",
    "to_published_m3reid",
]
