"""The variants of stage two by name, and the network that each starts from."""

from __future__ import annotations

from ..engine.network import build_network, network_of
from ..engine.session import Session
from ..models.network import Network
from ..pseudo_labels.artefact import Artefact
from .schedules import goes_on
from .settings import StageTwoSettings
from .stage_two import StageTwo
from .variant_paper import PaperVariant
from .variant_released import ReleasedVariant
from .variant_vireid import VireidVariant

VARIANTS: dict[str, type[StageTwo]] = {
    "vireid": VireidVariant,
    "paper": PaperVariant,
    "released": ReleasedVariant,
}


def starting_network(settings: StageTwoSettings, artefact: Artefact, session: Session) -> Network:
    """The network on the device: stage one's, or what ``--weights`` says; see :func:`goes_on`.

    Args:
        settings: of the command.
        artefact: of stage one.
        session: device and data.

    Raises:
        UserError: the weights cannot be had, or are of another network.
    """
    if goes_on(settings):
        return network_of(artefact.encoder, settings, session)
    return build_network(settings, session)
