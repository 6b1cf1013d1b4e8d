"""A scheduler's signal: when it is heard, and what a second one does."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from vireid.distributed import ranks
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

TOGETHER = """
import os, signal
from vireid.distributed import ranks
from vireid.engine.runtime import Runtime
from vireid.engine.stop_signals import StopSignals
Runtime("cpu", "fp32")
with StopSignals() as stop, stop.deferred():
    asked = stop.watch()
    for step in range(6):
        if step == 2 and ranks.rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if asked():
            break
    print(f"process {ranks.rank()} left after step {step}", flush=True)
    assert stop.wanted()
ranks.leave()
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


def test_two_processes_leave_together_one_step_after_the_signal(tmp_path, torchrun):
    script = tmp_path / "together.py"
    script.write_text(TOGETHER, encoding="utf-8")
    done = torchrun(str(script))
    assert done.returncode == 0, done.stdout + done.stderr
    for rank in (0, 1):
        assert f"process {rank} left after step 3" in done.stdout


def test_one_process_leaves_at_once():
    with StopSignals() as stop, stop.deferred():
        asked = stop.watch()
        assert not asked()
        send("SIGTERM")
        assert asked()


def test_several_read_an_answer_when_the_next_question_is_under_way(monkeypatch):
    order = []

    def ask(value):
        order.append("asked")
        return lambda: order.append("read") or value

    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "asked_of_all", ask)
    asked = StopSignals().watch()
    assert [asked() for _ in range(3)] == [False] * 3
    assert order == ["asked", "asked", "read", "asked", "read"]


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
