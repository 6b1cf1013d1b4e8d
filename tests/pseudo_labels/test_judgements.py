"""Judgements of pairs: what stands after any sequence, after a kill, and from two writers."""

import json
import subprocess
import sys
import tempfile
from datetime import timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.errors import UserError
from vireid.pseudo_labels.judgements import (
    ANSWERS,
    forget_judgements,
    judge,
    read_judgements,
    undo,
)

KEYS = ["a", "train/0/visible/door/t1", "größe\u2028'\"\\ <b>", "b\n{}"]
JUDGE = st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS), st.sampled_from(ANSWERS)).filter(
    lambda said: said[0] != said[1]
)
ACTIONS = st.lists(JUDGE | st.integers(1, 8), max_size=8)
WRITER = """
import sys
from pathlib import Path
from vireid.pseudo_labels.judgements import judge
for n in range(15):
    judge(Path(sys.argv[1]), sys.argv[2], str(n), "same")
"""


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "judgements.jsonl"


def told(found):
    return [(one.first, one.second, one.answer, one.number) for one in found]


class Plain:
    """The rules in their plainest form: a list that is searched from its start each time."""

    def __init__(self):
        self.said, self.undone, self.number = [], set(), 0

    def judge(self, first, second, answer):
        self.number += 1
        self.said.append((first, second, answer, self.number))

    def undo(self, number):
        there = [one for one in self.said if one[3] == number and number not in self.undone]
        if there:
            self.number += 1
            self.undone.add(number)
        return bool(there)

    def standing(self):
        left = [one for one in self.said if one[3] not in self.undone]
        later = [{*one[:2]} for one in left]
        return [one for place, one in enumerate(left) if {*one[:2]} not in later[place + 1 :]]


@settings(max_examples=30, deadline=None)
@given(ACTIONS)
def test_what_stands_after_any_sequence(actions):
    with tempfile.TemporaryDirectory() as folder:
        file, plain = Path(folder) / "judgements.jsonl", Plain()
        for action in actions:
            if isinstance(action, tuple):
                made = judge(file, *action)
                plain.judge(*action)
                assert made.number == plain.number
            elif plain.undo(action):
                undo(file, action)
            else:
                with pytest.raises(UserError, match="could be taken back"):
                    undo(file, action)
            assert told(read_judgements(file)) == plain.standing()


@settings(max_examples=15, deadline=None)
@given(ACTIONS, st.sampled_from(KEYS))
def test_forgetting_leaves_what_the_others_are_about(actions, key):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "judgements.jsonl"
        for action in actions:
            if isinstance(action, tuple):
                judge(file, *action)
        before = read_judgements(file)
        forget_judgements(file, lambda one: one == key)
        left = read_judgements(file)
        assert left == [one for one in before if key not in one.pair]
        if file.exists():
            values = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            assert not [v for v in values if key in (v.get("first"), v.get("second"))]


def test_forgetting_takes_the_undoing_along_and_counts(file):
    judge(file, "a", "b", "same")
    judge(file, "c", "d", "same")
    undo(file, 1)
    undo(file, 2)
    judge(file, "c", "e", "different")
    before = file.read_bytes()
    assert forget_judgements(file, lambda key: key == "z") == 0
    assert file.read_bytes() == before
    assert forget_judgements(file, lambda key: key == "a") == 1
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == [2, 4, 5]
    assert told(read_judgements(file)) == [("c", "e", "different", 5)]


def test_a_file_that_is_not_there_holds_nothing(file):
    assert read_judgements(file) == []
    assert forget_judgements(file, lambda key: True) == 0
    assert not file.exists()


def test_the_line_is_as_other_programs_read_it(file):
    made = judge(file, "a", "b", "unsure")
    assert made.time.tzinfo is timezone.utc
    undo(file, 1)
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first == {
        **{"id": 1, "time": made.time.isoformat()},
        **{"first": "a", "second": "b", "answer": "unsure"},
    }
    assert set(second) == {"id", "time", "undoes"} and (second["id"], second["undoes"]) == (2, 1)


def test_a_line_cut_off_anywhere_is_left_out_and_written_over(file):
    judge(file, "a", "b", "same")
    whole = file.read_bytes()
    judge(file, "c", "ü", "same")
    both = file.read_bytes()
    for size in range(len(whole), len(both) + 1):
        file.write_bytes(both[:size])
        # Without its line break the last line is whole already.
        count = 2 if size >= len(both) - 1 else 1
        assert len(read_judgements(file)) == count
        made = judge(file, "e", "f", "different")
        assert made.number == count + 1
        assert len(read_judgements(file)) == count + 1
        assert file.read_bytes().startswith(both if count == 2 else whole)


GOOD = (
    '{"id": 1, "time": "2026-03-01T14:00:00+00:00", "first": "a", "second": "b", "answer": "same"}'
)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ("7", "expected id, time"),
        (GOOD, "1 is there already, in line 1"),
        (GOOD.replace("1,", "0,", 1), "a number from 1"),
        (GOOD.replace("1,", "true,", 1), "a number from 1"),
        (GOOD.replace("1,", "2,", 1).replace('"b"', '"a"'), "both 'a'"),
        (GOOD.replace("1,", "2,", 1).replace('"b"', "null"), "second: expected the key"),
        (GOOD.replace("1,", "2,", 1).replace("same", "maybe"), "same, different, unsure"),
        (GOOD.replace("1,", "2,", 1).replace("+00:00", ""), "has no zone"),
        (GOOD.replace("1,", "2,", 1).replace("2026-03", "2026-13"), "time: expected"),
        ('{"id": 2, "time": "2026-03-01T14:00:00Z", "undoes": 3}', "id of a judgement above"),
        ('{"id": 2, "time": "2026-03-01T14:00:00Z", "undoes": 2}', "id of a judgement above"),
    ],
)
def test_a_broken_line_is_named(file, line, said):
    text = f"{GOOD}\n{line}\n{GOOD.replace('1,', '9,', 1)}\n"
    file.write_text(text)
    for attempt in (
        lambda: read_judgements(file),
        lambda: judge(file, "x", "y", "same"),
        lambda: undo(file, 1),
        lambda: forget_judgements(file, lambda key: True),
    ):
        with pytest.raises(UserError, match=r"judgements\.jsonl, line 2") as found:
            attempt()
        assert said in str(found.value)
    assert file.read_text() == text


def test_a_tracklet_is_not_compared_with_itself(file):
    with pytest.raises(UserError, match="is about two"):
        judge(file, "a", "a", "same")
    assert not file.exists()


def test_two_processes_write_at_once_and_nothing_is_lost(file):
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in ("x", "y")
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    found = read_judgements(file)
    assert sorted(one.number for one in found) == list(range(1, 31))
    assert {one.pair for one in found} == {(str(n), name) for n in range(15) for name in "xy"}
