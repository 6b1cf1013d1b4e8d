"""From a seed and a number to a case: a command, its inputs, and what is damaged in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import bad_input_binary as binary
from . import bad_input_text as text
from .bad_input_damages import ANY, Damage
from .bad_input_pictures import picture
from .bad_input_templates import WRITTEN, templates
from .bad_input_world import copy_part

BY_SUFFIX: dict[str, tuple[Damage, ...]] = {
    **dict.fromkeys((".txt", ".csv"), text.LINES),
    **dict.fromkeys((".json", ".jsonl"), text.JSON),
    **dict.fromkeys((".yaml", ".yml"), text.YAML),
    **dict.fromkeys((".pt", ".pth"), binary.CHECKPOINT),
    **dict.fromkeys((".jpg", ".bmp"), (picture,)),
    ".safetensors": binary.SAFETENSORS,
    ".mat": (binary.matlab,),
    ".frames": (binary.shard_tail,),
}
DAMAGES = {
    one.__name__: one for one in (*ANY, *(d for several in BY_SUFFIX.values() for d in several))
}


@dataclass
class Case:
    """One case.

    Attributes:
        number: from which, with the seed, all of it follows.
        command: name of the command.
        words: command line.
        damages: what was done, as (damage, file or setting).
        written: folders and files that the command may write to.
    """

    number: int
    command: str
    words: list[str]
    damages: list[tuple[str, str]] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)


def build_case(seed: int, number: int, world: Path, folder: Path) -> Case:
    """Lays a case out below ``folder``: ``in`` (damaged copy), ``out``, ``strangers``, ``cwd``."""
    rng = random.Random(f"{seed}/{number}")
    chosen = [one for one in templates() if all((world / part).exists() for part in one.parts)]
    template = rng.choices(chosen, [one.weight for one in chosen])[0]
    for name in ("cwd", "home", "tmp"):
        (folder / name).mkdir(parents=True)
    strangers = folder / "strangers"
    binary.make_strangers(strangers)
    target = folder / "in"
    target.mkdir()
    for part in template.parts:
        copy_part(world, part, target)
    out = folder / "out"
    out.mkdir()
    places = {"{in}": str(target), "{out}": str(out / "run"), "{world}": str(world)}
    words = [_filled(word, places) for word in template.words]
    case = Case(number, words[0], words, written=[out, *(target / w for w in template.written)])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if template.flags and (not template.targets or rng.random() < template.settings):
            _replace_setting(case, rng.choice(template.flags), rng, folder / "cwd")
        else:
            _damage_file(case, target, template.targets, rng, strangers)
    return case


def _filled(word: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        word = word.replace(name, place)
    return word


def _replace_setting(case: Case, flag: str, rng: random.Random, cwd: Path) -> None:
    words = [word for word in text.WORDS if "\0" not in word and "\ud800" not in word]
    if flag in WRITTEN:  # root may write everywhere
        words = [word for word in words if "/" not in word and ".." not in word]
        case.written.append(cwd)
    value = rng.choice(words)
    value = rng.choice((value, value, "0.5", "3", "[1]", "{}", "[[", "a: b", "1,2", "'"))
    case.damages.append(("setting", f"--{flag}={value[:40]}"))
    option = f"--{flag}"
    if option in case.words and case.words.index(option) + 1 < len(case.words):
        case.words[case.words.index(option) + 1] = value
    else:
        case.words.append(f"{option}={value}")


def _damage_file(
    case: Case, root: Path, targets: Sequence[str], rng: random.Random, strangers: Path
) -> None:
    for _ in range(8):
        pattern = rng.choice(targets)
        found = sorted(p for p in root.glob(pattern) if p.is_file() and not p.is_symlink())
        if found:
            break
    else:
        return
    path = rng.choice(found)
    own = BY_SUFFIX.get(path.suffix, ())
    damage = rng.choice(own if own and rng.random() < 0.6 else ANY)
    try:
        damage(path, rng, strangers)
    except Exception:  # a damage before has left nothing that this one could damage
        return
    case.damages.append((damage.__name__, str(path.relative_to(root))))
