"""The variants of stage two by name, and the network that each starts from."""

from __future__ import annotations

from pathlib import Path

from ..engine.checkpoint import read_meta
from ..engine.network import build_network, network_of
from ..engine.session import Session
from ..engine.session_options import OF_THE_NETWORK
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

    Of a stage one that saw its frames otherwise, the log says in what way.

    Args:
        settings: of the command.
        artefact: of stage one.
        session: device and data.

    Raises:
        UserError: the weights cannot be had, or are of another network.
    """
    if goes_on(settings):
        model = network_of(artefact.encoder, settings, session)
        if notice := _other_frames(artefact.encoder, settings):
            session.say(notice)
        return model
    return build_network(settings, session)


def _other_frames(encoder: Path, settings: StageTwoSettings) -> str:
    """In what stage one's frames were others than the settings ask for; nothing if in nothing."""
    stored = read_meta(encoder)
    # Some facts are younger than the first files that are read.
    pairs = {
        name: (stored[name], getattr(settings, name)) for name in OF_THE_NETWORK if name in stored
    }
    found = [
        f"--{name.replace('_', '-')} {then} then, {now} now"
        for name, (then, now) in pairs.items()
        if then != now
    ]
    if not found:
        return ""
    return (
        f"stage two sees its frames otherwise than stage one did ({encoder}): {'; '.join(found)}. "
        "If that is not meant, give stage two the settings of stage one."
    )
