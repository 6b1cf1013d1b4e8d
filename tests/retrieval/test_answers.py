"""What a person sees of a search: lines with exact keys, a table, and a page that runs nothing."""

import io
import json
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from vireid.datasets.times import parse_time
from vireid.datasets.track import Modality
from vireid.retrieval.answers import json_lines, page, table
from vireid.retrieval.moments import written
from vireid.retrieval.search import Answer, Candidate, Query

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ACT = "document.title='ran'"
HOSTILE = (
    f"</script><script>{ACT}</script>",
    f"<img src=x onerror={ACT}>",
    f'"><svg onload="{ACT}">',
    f"</title></style></textarea><body onload={ACT}>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "&lt;script&gt;",
)


def picture():
    buffer = io.BytesIO()
    Image.new("RGB", (240, 80), (200, 60, 60)).save(buffer, "jpeg")
    return buffer.getvalue()


def answer(name="a name", decision="same", strip=b""):
    vector = np.zeros(4, np.float16)
    query = Query(name, name, Modality.VISIBLE, 75.5, 80.0, vector, strip)
    found = [
        Candidate(1, name, name, Modality.INFRARED, 1.8e9, 1.8e9, strip, 0.81234567, decision),
        Candidate(2, name, name, Modality.INFRARED, None, None, b"", 0.5, None),
    ]
    return Answer(query, found, 1234)


def test_a_line_has_the_keys_that_are_promised():
    lines = [json.loads(line) for line in json_lines(answer("größe"))]
    expected = ["query", "rank", "key", "camera", "modality", "score", "decision"]
    assert [list(line) for line in lines] == [expected, expected]
    assert lines[0]["rank"] == 1 and lines[0]["score"] == 0.812346
    assert lines[0]["decision"] == "same" and lines[1]["decision"] is None
    assert lines[0]["query"] == lines[0]["key"] == "größe"
    assert lines[0]["modality"] == "infrared"


def test_the_table_shows_all_and_obeys_nothing():
    text = table(answer("x\x1b[31m"))
    assert "0.8123" in text and "same" in text and "1,234" in text and "2027-01-15" in text
    assert "\x1b" not in text
    nothing = Answer(answer().query, [], 0)
    assert "no candidate is left" in table(nothing) and json_lines(nothing) == []


class Shape(HTMLParser):
    """What a page is built of, and its text."""

    def __init__(self, text):
        super().__init__()
        self.built, self.addresses, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.built.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name):
    plain = Shape(page([answer(strip=picture())], "a title", ["a note"]))
    found = Shape(page([answer(name, strip=picture())], name, [name]))
    assert found.built == plain.built
    assert found.words.count(name) >= 7
    assert len(found.addresses) == 2
    assert all(address.startswith("data:image/jpeg;base64,") for address in found.addresses)


def test_decisions_and_what_is_missing_are_said():
    text = page([answer(), Answer(answer().query, [], 0)], "t", [])
    assert "✓ same" in text and "no picture is kept" in text and "No candidate is left" in text
    assert "? unknown" in page([answer(decision="unknown")], "t", [])


@pytest.mark.parametrize("name", HOSTILE)
def test_of_many_searches_those_that_name_somebody_are_listed_first(name):
    nobody, nothing = answer(decision="unknown"), Answer(answer().query, [], 0)
    searches = [nobody, answer(name), answer("c"), nothing]
    found = Shape(page(searches, "t", []))
    assert "2 of 4 searches name somebody:" in found.words
    assert found.addresses == ["#search-2", "#search-3"]
    assert found.words.index(name) < found.words.index("Looked for")
    assert 'id="search-3"' in page(searches, "t", [])
    assert "name somebody" not in page([nobody, nothing], "t", [])
    assert "name somebody" not in page([searches[1]], "t", [])


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_in_a_browser_pictures_show_and_no_name_runs(tmp_path):
    name = "".join(HOSTILE)
    written_page = page([answer(name, strip=picture())], name, [name])
    rule = 'http-equiv="Content-Security-Policy"'
    assert written_page.count(rule) == 1
    # Without the rule escaping alone has to do; the probe tells widths once all is loaded.
    probe = (
        "<script>onload=()=>{document.body.dataset.widths=[...document.images]"
        ".map(i=>i.naturalWidth).join()}</script>"
    )
    file = tmp_path / "page.html"
    file.write_text(written_page.replace(rule, 'name="nothing"') + probe, encoding="utf-8")
    found = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000"),
            *("--dump-dom", file.as_uri()),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    ).stdout
    assert "<title>ran" not in found
    assert 'data-widths="240,240"' in found


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("75.5", 75.5, "1:15.5"),
        ("2026-03-01T14:30:00", 1772375400.0, "2026-03-01 14:30:00"),
        ("2026-03-01T15:30:00+01:00", 1772375400.0, "2026-03-01 14:30:00"),
        ("2026-03-01T14:30:00Z", 1772375400.0, "2026-03-01 14:30:00"),
    ],
)
def test_times_are_read_and_written(text, seconds, shown):
    assert parse_time(text) == seconds and written(seconds) == shown


@pytest.mark.parametrize("text", ["", "nan", "inf", "yesterday", "2026-13-01T00:00:00", "1e999"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="expected a time like"):
        parse_time(text)
    assert written(None) == "" and written(1e300)
