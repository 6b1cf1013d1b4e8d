"""Tables of how long the ways between cameras take."""

import pytest
from vireid.datasets.transitions import read_transitions
from vireid.errors import UserError


def test_a_way_counts_in_both_directions_unless_each_is_listed(tmp_path):
    file = tmp_path / "ways.csv"
    file.write_text("from,to,dt_min,dt_max\ndoor,gate,20,60\ngate,yard,0,30\nyard,gate,10,\n")
    assert read_transitions(file).least() == {
        ("door", "gate"): 20,
        ("gate", "door"): 20,
        ("yard", "gate"): 10,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "from,to\na,b\n"),
        ("a.csv", "from,to,dt_min\na,b,x\n"),
        ("a.csv", "from,to,dt_min,dt_max\na,b,9,3\n"),
        ("a.csv", "from,to,dt_min\na,b,1\na,b,2\n"),
        ("a.csv", "from,to,dt_min\na,b,nan\n"),
        ("a.csv", "from,to,dt_min\na,b,-1\n"),
        ("a.yaml", "from: a"),
        ("a.yaml", "- 3"),
        ("a.yaml", "- {from: a, to: b, dt_min: [1]}"),
        ("a.yaml", "]["),
    ],
)
def test_a_file_that_is_no_table_of_ways_is_one_message(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=r"--transitions .*dt_min"):
        read_transitions(tmp_path / name)


def test_a_file_that_is_not_there_is_one_message(tmp_path):
    with pytest.raises(UserError, match="--transitions"):
        read_transitions(tmp_path / "nothing.csv")
