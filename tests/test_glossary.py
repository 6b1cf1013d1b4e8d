"""The picture of the glossary says what is true of it, and is the one that its program draws."""

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def glossary():
    return runpy.run_path(str(DOCS / "glossary.py"), run_name="glossary")


def test_the_scores_are_those_of_the_list(glossary):
    """Counted by hand, item by item."""
    found, rank, precisions = 0, 0, []
    ranked = sorted(glossary["GALLERY"], key=lambda item: -item.similarity)
    assert ranked == list(glossary["GALLERY"])
    for item in ranked:
        if (item.person, item.camera) == (glossary["QUERY_PERSON"], glossary["QUERY_CAMERA"]):
            continue
        rank += 1
        if item.person == glossary["QUERY_PERSON"]:
            found += 1
            precisions.append(found / rank)
            last = rank
    assert glossary["scores"]() == {
        "Rank-1": float(precisions[0] == 1),
        "Rank-5": 1.0,
        "AP": pytest.approx(sum(precisions) / found),
        "INP": pytest.approx(found / last),
    }
    assert 0 < rank < len(ranked)  # the rule has something to ignore


def test_the_picture_is_the_one_that_is_drawn(glossary):
    """All but the pixels, which another version of Pillow packs in another way."""
    texts = [glossary["draw"](), glossary["PICTURE"].read_text(encoding="utf-8")]
    drawn, stored = (re.sub(r"base64,[^']*", "", text) for text in texts)
    assert drawn == stored
    words = re.sub(r"<[^>]*>", " ", stored)
    assert all(line.partition("      ")[0] in words for line in glossary["calculation"]())
    assert "(1/2 + 2/3 + 3/5) / 3 = 0.589" in words
