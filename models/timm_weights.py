"""Weights of timm's networks: from a file, from a package, or from what timm downloads."""

from __future__ import annotations

import contextlib
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from .lite0_weights import NETWORK, PACKAGE, is_package_layout, package_file, to_timm
from .state_files import check_state, read_state_dict


@contextlib.contextmanager
def from_cache_where_offline() -> Iterator[None]:
    """What timm would download comes from its cache alone where the server has no address.

    Otherwise it tries for most of a minute, and says so line by line.
    """
    from huggingface_hub import constants

    was_offline = constants.HF_HUB_OFFLINE
    host = urllib.parse.urlsplit(constants.ENDPOINT).hostname
    try:
        if not urllib.request.getproxies():  # a proxy knows addresses that this machine does not
            socket.getaddrinfo(host, None)
    except OSError:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was_offline


def load_weights(net: Any, name: str, weights: str | Path) -> None:
    """Fills a network of timm.

    Args:
        net: without classifier.
        name: of the network, perhaps with that of certain weights.
        weights: name of the package of EfficientNet-Lite0, or a file in its layout or timm's, whose
            classifier is ignored.

    Raises:
        ValueError: the package is not installed, or the weights do not fit.
        FileNotFoundError: the file does not exist.
    """
    own = name.partition(".")[0]
    if str(weights) == PACKAGE and own != NETWORK:
        raise ValueError(f"the package {PACKAGE} holds weights of timm/{NETWORK}, not of {name}")
    source = package_file() if str(weights) == PACKAGE else weights
    state = read_state_dict(source)
    if is_package_layout(state) and own == NETWORK:
        state = to_timm(state, [len(stage) for stage in net.blocks])
    heads = net.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))
    expected = net.state_dict()
    kept: dict[str, Tensor] = {
        key: tensor
        for key, tensor in state.items()
        if key in expected or not (heads and key.startswith(heads))
    }
    check_state(kept, expected, layout=f"a state of timm's {name} ({source})")
    net.load_state_dict(kept)
