"""Names in a run that a stranger made: text on the page, in every place, and nothing that runs."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from vireid import __version__
from vireid.datasets.track import Modality, Track
from vireid.datasets.track_table import track_table
from vireid.pseudo_labels.stored_clustering import LabelHistory, StoredClustering, write_clustering
from vireid.reporting import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ACT = "document.title='ran';window.ran=1"
HARMLESS = "a harmless name"
HOSTILE = (
    f"</script><script>{ACT}</script>",
    f"<script>{ACT}</script>",
    f"<img src=x onerror={ACT}>",
    f'"><svg onload="{ACT}">',
    f"' autofocus onfocus='{ACT}",
    f"</title></style></textarea><body onload={ACT}>",
    f"javascript:{ACT}",
    f"--><a href='javascript:{ACT}'>x</a><!--",
    "{{ 7 * 7 }}{% include 'x' %}",
    "&lt;script&gt; \u202e \u2028 \ufeff",
    "'); alert(1); ('",
)


def make_run(folder: Path, name: str) -> Path:
    """A run folder in which every name that somebody chooses is ``name``."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    tracks = [
        Track(
            (Path("/data") / f"{name} {person}.jpg",),
            modality,
            camera,
            person,
            f"{name} {modality.name} {person} {camera}",
        )
        for modality in Modality
        for person in range(4)
        for camera in range(2)
    ]
    labels = np.array([track.identity for track in tracks])
    features = torch.nn.functional.normalize(
        torch.from_numpy(rng.normal(size=(4, 8))[labels] + 0.1 * rng.normal(size=(16, 8)))
    )
    clustering = StoredClustering(
        tracks, features, labels, labels.copy(), np.arange(4), stage=name, epoch=1
    )
    write_clustering(folder, clustering, Path("/data"), LabelHistory({}, {}))
    sides = ["query" if t.modality is Modality.VISIBLE else "gallery" for t in tracks]
    (folder / "test_tracks.csv").write_text(track_table(tracks, sides, Path("/data")), "utf-8")
    save_file({"features": features.half().float()}, folder / "test_features.safetensors")
    score = {"mAP": 0.5, "rank1": 0.5, "mINP": 0.5}
    moment = {"stage": name, "epoch": 1, "step": 1}
    sizes = {"query": 8, "gallery": 8, "valid_queries": 8}
    ranking = {**moment, **sizes, "rule": "standard", "gallery_kind": name, **score}
    quality = {"clusters": 4, "noise": 0.0, "largest": 4, "identities": 4}
    records = [
        {
            **{"kind": "run", "command": name, "data_dir": name, "device": name},
            **{"dataset": "hitsz-vcm", "verification": name, "seed": 0},
            "versions": {"vireid": __version__, name: name},
        },
        {"kind": "pseudo_labels", **moment, "modality": "visible", **quality},
        {"kind": "pseudo_labels", **moment, "modality": "infrared", **quality},
        {"kind": "train", **moment, "loss": 1.0, "losses": {name: 1.0}},
        {"kind": "stage_time", "stage": name, "seconds": 1.0, "steps": 1},
        {"kind": "evaluation", **ranking, "protocol": "hitsz-vcm/v2i"},
        {"kind": "evaluation", **ranking, "protocol": f"hitsz-vcm/{name}"},
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    settings = {
        **{"dataset": "hitsz-vcm", "data_dir": name, "desc": name, "baseline": name},
        **{"network": name, "backbone": name, "img_h": name, "img_w": name, name: name},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    return folder


class Shape(HTMLParser):
    """What a page is built of: tags and the names of their attributes; and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.built: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.built.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action")]

    def handle_endtag(self, tag):
        self.built.append((f"/{tag}", ()))

    def handle_comment(self, data):
        self.built.append(("comment", (data,)))

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Shape:
    """The page of the same run with a harmless name."""
    run = make_run(tmp_path_factory.mktemp("plain") / "run", HARMLESS)
    return Shape(write_report(run).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", HOSTILE)
def test_the_page_is_built_as_with_a_harmless_name(plain, tmp_path, name):
    page = Shape(write_report(make_run(tmp_path / "run", name)).read_text(encoding="utf-8"))
    assert page.built == plain.built
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    # It stands there as often as the harmless one, letter by letter; in charts it is JSON.
    assert plain.words.count(HARMLESS) > 10
    assert name in page.words


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_nothing_of_a_name_runs_in_a_browser_that_would_run_it(tmp_path):
    """Without the rule that lets only the page's own scripts run: escaping alone has to do."""
    name = "".join(HOSTILE)
    written = write_report(make_run(tmp_path / "run", name)).read_text(encoding="utf-8")
    rule, open_page = 'http-equiv="Content-Security-Policy"', tmp_path / "open.html"
    assert written.count(rule) == 1
    open_page.write_text(written.replace(rule, 'name="nothing"'), encoding="utf-8")
    assert "<title>ran" not in shown(open_page, tmp_path)
    assert 'data-drawn="' in shown(open_page, tmp_path)  # its own scripts did run
    # The same name as markup is what would have run.
    open_page.write_text(f"<title>x</title><body>{HOSTILE[1]}", encoding="utf-8")
    assert "<title>ran" in shown(open_page, tmp_path)


def shown(page: Path, folder: Path) -> str:
    """The document after its scripts have run."""
    found = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={folder / 'profile'}", "--window-size=1280,20000"),
            *("--virtual-time-budget=3000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    return found.stdout
