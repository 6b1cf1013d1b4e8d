"""A schedule that was damaged in the records is refused, or can be shown."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_settings import SHORTEST, SHORTEST_STAGE_ONE
from vireid.baselines.schedules import stage_one_schedules
from vireid.baselines.settings import BaselineSettings
from vireid.mmm.schedules import stage_two_schedule
from vireid.mmm.settings import StageTwoSettings
from vireid.reporting.record_schema import check_record
from vireid.reporting.schedule_table import schedule_remarks, schedule_rows, schedule_text

PLACE = {"data_dir": Path(), "dataset": "x", "output": Path("o")}
SCHEDULES = [
    *stage_one_schedules(BaselineSettings(**PLACE, **SHORTEST_STAGE_ONE)),
    stage_two_schedule(StageTwoSettings(**PLACE, **{**SHORTEST, "variant": "released"})),
]
RECORDS = [json.loads(json.dumps({"kind": "schedule", **one.record()})) for one in SCHEDULES]
VALUES = st.sampled_from(
    [None, True, 0, -1, 1, 10**9, 2**70, 0.5, "", "x" * 20_000, [], [1], {}, {"a": []}, [{}]]
)


def places(value, path=()):
    """Every place in a record, as the steps that lead there."""
    if path:
        yield path
    if isinstance(value, (dict, list)):
        for step, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, step))


def holder(record, path):
    for step in path[:-1]:
        record = record[step]
    return record


def shown(record):
    """Everything that is made of a schedule."""
    return schedule_rows(record), schedule_remarks(record), schedule_text([record])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["stage"])
def test_what_runs_write_is_taken(record):
    check_record(record)
    assert all(shown(record))


@given(st.data())
def test_what_is_damaged_is_refused_or_shown(data):
    record = copy.deepcopy(data.draw(st.sampled_from(RECORDS)))
    path = data.draw(st.sampled_from([p for p in places(record) if p != ("kind",)]))
    if data.draw(st.booleans()):
        holder(record, path)[path[-1]] = data.draw(VALUES)
    else:
        del holder(record, path)[path[-1]]
    try:
        check_record(record)
    except ValueError:
        return
    shown(record)


def test_a_field_that_is_missing_is_named():
    record = {name: value for name, value in RECORDS[0].items() if name != "epochs"}
    with pytest.raises(ValueError, match="there is no epochs"):
        check_record(record)
