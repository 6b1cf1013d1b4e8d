"""``vireid browse``: a web page to look through an index, and to say who is the same."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class BrowseSettings(Options):
    """Which index is shown, and how."""

    index: Path = option("the index")
    ask: bool = option("begin with questions, the most informative pairs first", False)
    top: int = option("candidates of a tracklet", 12, at_least=1, at_most=200)
    fpir: float = option(
        "share of searches for a stranger that may name somebody; decides same or unknown",
        0.01,
        above=0,
        below=1,
    )
    port: int = option("port on 127.0.0.1; 0: a free one", 0, at_least=0, at_most=65535)
    open: bool = option("open the page in the browser of this machine", False)


def run_browse(settings: BrowseSettings) -> int:
    """Serves the page until Ctrl-C.

    Raises:
        UserError: there is no such index, a package is missing, or the port is taken.
    """
    from ..retrieval.extra import require_web_server
    from ..retrieval.index_folder import open_index

    index = open_index(settings.index)
    require_web_server()

    from ..retrieval.browse.access import new_token
    from ..retrieval.browse.serving import listen, server
    from ..retrieval.browse.session import Session

    session = Session(index, top=settings.top, fpir=settings.fpir, ask=settings.ask)
    with listen(settings.port) as opened:
        token = new_token()
        address = f"http://127.0.0.1:{opened.getsockname()[1]}/{token}/"
        for sentence in session.notes:
            print(f"vireid: {sentence}", file=sys.stderr)
        print(f"{address}\nCtrl-C ends it. Whoever has the address sees the index.", flush=True)
        if settings.open:
            import webbrowser

            webbrowser.open(address)
        with suppress(KeyboardInterrupt):  # the usual end
            server(session, token, opened).run(sockets=[opened])
    return 0
