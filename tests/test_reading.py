"""Files that anybody may have made end in a value, OSError or ValueError, and in no other way."""

import os
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from vireid import reading
from vireid.models.state_files import load_plain, read_header, read_tensors


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="is a pipe or device"):
        reading.read_text(pipe)
    with pytest.raises(OSError, match="is a pipe or device"):
        read_tensors(pipe)
    with pytest.raises(OSError, match="is a pipe or device"):
        load_plain(pipe)


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path):
    file = tmp_path / "huge.txt"
    file.touch()
    os.truncate(file, 1 << 40)
    with pytest.raises(OSError, match=r"has 1,099,511,627,776 bytes, too many"):
        reading.read_bytes(file)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 100_000, "nested too deep"),
        ("9" * 5000, "larger than 64 bits"),
        ("18446744073709551616", "larger than 64 bits"),
        ("NaN", "NaN is no JSON"),
        ("1e999", "larger than any number"),
        (r'"\ud800"', "expected UTF-8 text"),
        (b'"\xff"', "decode"),
        ("{", "Expecting"),
    ],
)
def test_json_fails_in_one_way(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        reading.parse_json(text)


def test_json_of_every_kind_is_read():
    assert reading.parse_json(r'{"a": [1, -2.5, null, true, "\ud83d\ude00"]}') == {
        "a": [1, -2.5, None, True, "\U0001f600"]
    }
    assert reading.parse_json(str(2**64 - 1)) == 2**64 - 1


def bomb():
    """Ten levels of aliases, nine of each below: four thousand million values."""
    levels = [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefghi", "bcdefghij")]
    return "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(levels)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "is no YAML"),
        ("[" * 20_000, "nested too deep"),
        (bomb(), "more than a million"),
        ("a: &a\n  b: *a", "inside what it stands for"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("a: 2001-99-99", "is no YAML"),
        ("a: " + "9" * 6000, "is no YAML"),
        ("a: 0x" + "f" * 100, "larger than 64 bits"),
    ],
)
def test_yaml_fails_in_one_way(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        reading.parse_yaml(text)


def test_yaml_may_use_an_alias_twice():
    assert reading.parse_yaml("a: &a [1, 2]\nb: *a\nc: *a") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": [1, 2],
    }


@pytest.mark.parametrize("word", ["٣", "\uff11", "²", "1_000", "1.5", "", "9" * 30, "0x1"])
def test_numbers_are_written_with_the_digits_0_to_9(word):
    assert not reading.is_count(word)
    with pytest.raises(ValueError, match="expected a whole number"):
        reading.whole_number(word)


def test_whole_numbers():
    assert [reading.whole_number(word) for word in ("-1", " 7 ", "+3")] == [-1, 7, 3]
    assert reading.is_count("007") and not reading.is_count("-1")


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "a\0b"])
def test_paths_that_leave_the_folder(path):
    assert not reading.inside(path)


def test_paths_that_stay_inside():
    assert all(map(reading.inside, ("a", "a/b.jpg", "..a/b", "a..b")))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a,b\n1\n", r"line 2: 2 cells expected, 1 found"),
        (b"a,b\n1,2\n1,2,3\n", r"line 3: 2 cells expected, 3 found"),
        (b"a,b\n\xff,2\n", "expected UTF-8 text"),
    ],
)
def test_tables_name_the_line(tmp_path, content, complaint):
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        reading.read_table(file)


def test_what_a_terminal_would_obey_is_shown():
    assert reading.visible("a\x1b[31m\u202eb\n\tc") == "a\\x1b[31m\\u202eb\n\tc"
    assert len(reading.shortened("x" * 1000)) == 80


def test_an_archive_that_grows_is_not_unpacked(tmp_path):
    small, grown = tmp_path / "small.pt", tmp_path / "grown.pt"
    torch.save({"weight": torch.zeros(1000)}, small)
    assert load_plain(small)["weight"].shape == (1000,)
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(grown, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + bytes(10**6), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="its entries grow from"):
        load_plain(grown)


def test_the_header_of_tensors_takes_no_memory(tmp_path):
    file = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(3, 2), "b": torch.zeros(4, dtype=torch.int64)}, file, {"k": "v"})
    found, about = read_header(file)
    assert {name: (list(t.shape), t.dtype, t.device.type) for name, t in found.items()} == {
        "a": ([3, 2], torch.float32, "meta"),
        "b": ([4], torch.int64, "meta"),
    }
    assert about == {"k": "v"}
    file.write_bytes((10**18).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match="is damaged"):
        read_header(file)
