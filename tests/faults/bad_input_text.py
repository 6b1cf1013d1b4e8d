"""Damages of text: words and lines of lists and tables, values of JSON and YAML."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

from .bad_input_damages import Damage, replace

WORDS = (
    *("", " ", "-1", "0", "1", "99999999", "9" * 25, "9" * 5000, "1e400", "-1e400", "nan", "inf"),
    *(
        "٣",
        "\uff11\uff12",
        "²",
        "0x10",
        "1_000",
        "1.5",
        "../../elsewhere/secret.txt",
        "/etc/passwd",
        "..",
        "/",
    ),
    *("\u202etxt.exe", "a\u0000b", "\u200b", "\u001b[31mred", "x" * 300, "x" * 70000, "<script>"),
    *("'", '"', "%s%n", "{seed}", "${HOME}", "=1+1", "\\", "\\\\host\\share", "café", "\U0001f600"),
    *("None", "null", "true", "[]", "{}", "NaN", "~", "C:\\x", "|", "a|b", "\ud800"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**25, 10**4400, -(10**30), 1.5, 1e308, float("nan")),
    *(
        float("inf"),
        "",
        "x",
        [],
        {},
        [1],
        {"a": 1},
        [[]],
        [None],
        ["x"],
        "../../elsewhere/secret.txt",
    ),
    *("/etc/passwd", "٣", "\u202ex", "<script>alert(1)</script>", "9" * 5000, "1e400", "nan"),
)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _store(path: Path, text: str) -> None:
    replace(path, text.encode("utf-8", "surrogatepass"))


def word(path: Path, rng: random.Random, strangers: Path) -> None:
    """Another word in a line."""
    lines = _text(path).split("\n")
    filled = [i for i, line in enumerate(lines) if line.strip()] or [0]
    for _ in range(rng.choice((1, 1, 4))):
        row = rng.choice(filled)
        mark = "," if "," in lines[row] else " "
        words = lines[row].split(mark)
        words[rng.randrange(len(words))] = rng.choice(WORDS)
        lines[row] = mark.join(words)
    _store(path, "\n".join(lines))


def column(path: Path, rng: random.Random, strangers: Path) -> None:
    """The same word in all lines, or a column that is gone or doubled."""
    lines = _text(path).split("\n")
    mark = "," if "," in lines[0] else " "
    place, new, kind = rng.randrange(8), rng.choice(WORDS), rng.randrange(3)
    for row, line in enumerate(lines[rng.randrange(2) :]):
        words = line.split(mark)
        if line.strip():
            at = place % len(words)
            words[at : at + 1] = ([new], [], [words[at], words[at]])[kind]
            lines[row] = mark.join(words)
    _store(path, "\n".join(lines))


def lines_changed(path: Path, rng: random.Random, strangers: Path) -> None:
    """Lines left out, doubled, in another order."""
    lines = _text(path).split("\n")
    row = rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[row : row + rng.choice((1, 5))]
    elif kind == 1:
        lines.insert(row, lines[row])
    elif kind == 2:
        rng.shuffle(lines)
    elif kind == 3:
        lines.insert(row, rng.choice(WORDS))
    else:
        lines = lines[:1]
    _store(path, "\n".join(lines))


def encoding(path: Path, rng: random.Random, strangers: Path) -> None:
    """Byte order marks, UTF-16, line ends of other systems."""
    text = _text(path)
    changed = (
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16"),
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(),
        text.replace("\n", "\u2028").encode(),
        text.encode("utf-32"),
        text.replace("\n", "\0").encode(),
        text.encode("latin-1", "replace") + b"\xe9",
    )
    replace(path, rng.choice(changed))


def _mutated(value: Any, rng: random.Random) -> Any:
    """The same with one value, somewhere inside, replaced, dropped or added."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        changed = dict(value)
        kind = rng.random()
        if kind < 0.15:
            del changed[key]
        elif kind < 0.25:
            changed[rng.choice(("extra", "", "__class__", "\u202e", "kind"))] = rng.choice(VALUES)
        else:
            changed[key] = _mutated(value[key], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.9:
        changed_list = list(value)
        at = rng.randrange(len(value))
        if rng.random() < 0.2:
            del changed_list[at]
        else:
            changed_list[at] = _mutated(value[at], rng)
        return changed_list
    return rng.choice(VALUES)


def json_value(path: Path, rng: random.Random, strangers: Path) -> None:
    """A value of a JSON file, or of lines of one; numbers that JSON does not have, too."""
    lines = _text(path).split("\n") if path.suffix == ".jsonl" else [_text(path)]
    filled = [i for i, line in enumerate(lines) if line.strip()] or [0]
    for _ in range(rng.choice((1, 1, 5))):
        row = rng.choice(filled)
        try:
            lines[row] = _dumped(_mutated(json.loads(lines[row]), rng))
        except ValueError:
            lines[row] = "{"
    _store(path, "\n".join(lines))


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except ValueError:  # Python writes no number this long
        return '{"kind": ' + "9" * 4400 + "}"


def json_shape(path: Path, rng: random.Random, strangers: Path) -> None:
    """Another value at the top, depths, a key twice."""
    text = _text(path)
    first = text.split("\n")[0]
    shapes = (
        *("[]", "null", "3", '"x"', "[" * 100000, '{"a":' * 100000, "[" * 900 + "]" * 900, "NaN"),
        *("9" * 5000, '{"kind": "run", "kind": "run"}', text.replace("{", '{"": 1,', 1)),
        *('{"a": 1e999}', '{"a": "\\ud800"}', first + "\n" + "[1]\n", first + "\n" + first),
    )
    _store(path, rng.choice(shapes))


def yaml_value(path: Path, rng: random.Random, strangers: Path) -> None:
    """A value of a YAML file."""
    try:
        values = yaml.safe_load(_text(path))
    except yaml.YAMLError:
        values = {}
    for _ in range(rng.choice((1, 1, 3))):
        values = _mutated(values, rng)
    try:
        text = yaml.safe_dump(values, allow_unicode=True)
    except ValueError:
        text = "lr: " + "9" * 4400 + "\n"
    _store(path, text)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij")
)


def yaml_shape(path: Path, rng: random.Random, strangers: Path) -> None:
    """Tags that ask for code, aliases that grow, other tops, odd keys and scalars."""
    text = _text(path)
    call = f"!!python/object/apply:os.system ['touch {strangers.parent / 'ran-yaml'}']"
    shapes = (
        call,
        f"{text}\ndesc: {call}\n",
        "!!python/name:os.system",
        BOMB,
        text + BOMB,
        text + "desc: *nothing\n",
        "a: &a\n  b: *a\n",
        "- 1\n- 2\n",
        "text\n",
        "42\n",
        "~\n",
        text + "\n---\n" + text,
        text + text,
        text + "? [1, 2]\n: x\n",
        text + "1: 2\nnull: 3\n",
        "[" * 20000,
        "{a: " * 3000 + "1" + "}" * 3000,
        text + "\tlr: 1\n",
        text.replace(": ", ":"),
        text + "desc: !!binary aGVsbG8=\n",
        text + "desc: 2001-01-01\n",
        text + "desc: 2001-99-99\n",
        text + "seed: !!int x\n",
        text + "seed: 1:2:3\n",
        text + "lr: .nan\n",
        text + "<<: [1]\n",
        text + "desc: \x07\n",
        text + "desc: \u202e\n",
        text + "%YAML 9.9\n",
        "lr: 0x" + "f" * 6000,
        "lr: " + "9" * 6000,
    )
    _store(path, rng.choice(shapes))


LINES: tuple[Damage, ...] = (word, word, column, lines_changed, encoding)
JSON: tuple[Damage, ...] = (json_value, json_value, json_value, json_shape, encoding)
YAML: tuple[Damage, ...] = (yaml_value, yaml_value, yaml_shape, yaml_shape, encoding, lines_changed)
