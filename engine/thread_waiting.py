"""How long the threads of a computation stay awake while they wait for each other."""

from __future__ import annotations

import os

# Rounds of libgomp's waiting loop: a thread that is only a little late is still met awake. Its own
# 300,000 hold a core for so long that others, who share it, keep the late thread from coming.
ROUNDS = 20_000
OWN_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly() -> None:
    """Tells GNU's OpenMP, which torch comes with on Linux, to send waiting threads to sleep soon.

    On cores that are shared with other work a training on two threads is then faster; alone it is
    not slower (``python -m benchmarks.thread_waiting``). What is computed does not change. What the
    environment says (``GOMP_SPINCOUNT``, ``OMP_WAIT_POLICY``) stands.

    The library reads the environment when it is loaded, so this has to come before torch.
    """
    if not any(name in os.environ for name in OWN_SETTINGS):
        os.environ["GOMP_SPINCOUNT"] = str(ROUNDS)
