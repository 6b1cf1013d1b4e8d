"""A scheduler's signal: when it is heard, and what a second one does."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from vireid.engine import stop_signals
from vireid.engine.stop_signals import StopSignals
from vireid.errors import Stopped

DEAF = """
import os, signal, time
from vireid.engine import stop_signals
stop_signals.ONE_REQUEST_S = 0.0
with stop_signals.StopSignals() as stop, stop.deferred():
    os.kill(os.getpid(), signal.SIGTERM)
    print(stop.wanted(), flush=True)
    time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


def send(name):
    os.kill(os.getpid(), getattr(signal, name))


@pytest.mark.parametrize("name", stop_signals.NAMES)
def test_it_is_raised_where_nothing_is_lost_and_noted_elsewhere(name):
    with StopSignals() as stop, pytest.raises(Stopped, match=f"stopped by {name}"):
        send(name)
    kept = []
    with StopSignals() as stop, stop.deferred():
        send(name)
        assert stop.wanted()
        with pytest.raises(Stopped), stop.leaving(kept.append):
            pytest.fail("a phase is not begun any more")
    assert kept == [name]


def test_a_phase_that_can_be_done_again_is_left_in_its_middle():
    kept = []
    with StopSignals() as stop, stop.deferred():
        with pytest.raises(Stopped), stop.leaving(kept.append):
            send("SIGTERM")
            pytest.fail("it goes on")
        send("SIGTERM")  # srun passes it on a second time
    assert kept == ["SIGTERM"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_without_a_signal_nothing_happens():
    with StopSignals() as stop, stop.deferred():
        with stop.leaving(lambda name: pytest.fail(name)):
            pass
        assert not stop.wanted()


def test_the_second_ends_at_once():
    done = subprocess.run(
        [sys.executable, "-c", DEAF], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "True\n")


def test_a_thread_leaves_signals_alone():
    found = []

    def enter():
        with StopSignals():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
