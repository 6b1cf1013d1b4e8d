"""Ways to damage a file, whatever it holds. Each writes a new file: the old one may be a link."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, random.Random, Path], None]  # file, draw, folder of strangers' files


def replace(path: Path, content: bytes) -> None:
    """Puts a new file in the place of what is there."""
    path.unlink()
    path.write_bytes(content)


def flip(path: Path, rng: random.Random, strangers: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    replace(path, bytes(content))


def flip_head(path: Path, rng: random.Random, strangers: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 4))):
        if content:
            content[rng.randrange(min(64, len(content)))] = rng.randrange(256)
    replace(path, bytes(content))


def cut(path: Path, rng: random.Random, strangers: Path) -> None:
    content = path.read_bytes()
    replace(path, content[: rng.randrange(len(content) + 1)])


def cut_front(path: Path, rng: random.Random, strangers: Path) -> None:
    content = path.read_bytes()
    replace(path, content[rng.randrange(len(content) + 1) :])


def double(path: Path, rng: random.Random, strangers: Path) -> None:
    replace(path, path.read_bytes() * 2)


def empty(path: Path, rng: random.Random, strangers: Path) -> None:
    replace(path, b"")


def garbage(path: Path, rng: random.Random, strangers: Path) -> None:
    replace(path, rng.randbytes(rng.choice((1, 100, 5000))))


def zeros(path: Path, rng: random.Random, strangers: Path) -> None:
    replace(path, bytes(len(path.read_bytes())))


def delete(path: Path, rng: random.Random, strangers: Path) -> None:
    path.unlink()


def link_to_itself(path: Path, rng: random.Random, strangers: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def link_to_nowhere(path: Path, rng: random.Random, strangers: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere/at/all")


def link_outside(path: Path, rng: random.Random, strangers: Path) -> None:
    path.unlink()
    path.symlink_to(strangers / "secret.txt")


def folder_instead(path: Path, rng: random.Random, strangers: Path) -> None:
    path.unlink()
    path.mkdir()
    if rng.random() < 0.5:
        (path / "inside.txt").write_text("inside\n", encoding="utf-8")


def pipe_instead(path: Path, rng: random.Random, strangers: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def unreadable(path: Path, rng: random.Random, strangers: Path) -> None:
    """Says nothing to root, who reads everything."""
    replace(path, path.read_bytes())
    path.chmod(0)


def huge(path: Path, rng: random.Random, strangers: Path) -> None:
    """A file of a tebibyte that takes no room."""
    replace(path, path.read_bytes())
    os.truncate(path, 1 << 40)


def not_utf8(path: Path, rng: random.Random, strangers: Path) -> None:
    content = path.read_bytes()
    place = rng.randrange(len(content) + 1)
    replace(path, content[:place] + rng.choice((b"\xff\xfe", b"\xc3(", b"\x80")) + content[place:])


def swap(path: Path, rng: random.Random, strangers: Path) -> None:
    """Takes the content of a file beside it, or of a stranger."""
    near = [p for p in sorted(path.parent.iterdir()) if p.is_file() and p != path]
    others = near or sorted(p for p in strangers.iterdir() if p.is_file())
    replace(path, rng.choice(others).read_bytes())


def stranger(path: Path, rng: random.Random, strangers: Path) -> None:
    """Takes the content of a file of another kind: archives, pickles, pictures, scripts."""
    replace(path, rng.choice(sorted(p for p in strangers.iterdir() if p.is_file())).read_bytes())


ANY: tuple[Damage, ...] = (
    *(flip, flip_head, cut, cut_front, double, empty, garbage, zeros, delete, link_to_itself),
    *(link_to_nowhere, link_outside, folder_instead, pipe_instead, unreadable, huge, not_utf8),
    *(swap, stranger),
)
