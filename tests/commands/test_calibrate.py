"""`vireid calibrate`: files, table, page, and what is refused."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
from calibration_people import FACTS, PEOPLE, write_people
from vireid.cli import main
from vireid.datasets import load_dataset
from vireid.datasets.folder_scan import Scan
from vireid.datasets.track import Modality, Track
from vireid.engine import calibration as flow
from vireid.engine.calibration_file import read_calibration
from vireid.engine.checkpoint import load_model, save_model
from vireid.engine.fingerprint import model_fingerprint
from vireid.engine.options import SessionOptions
from vireid.engine.runtime import Runtime
from vireid.engine.track_features import half_tracks, track_features
from vireid.errors import UserError
from vireid.models import M3ReID


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("data") / "<b>two & two")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    save_model(folder / "model.safetensors", M3ReID(0, 1, backbone="thin-8"), FACTS)
    return folder


RATES = ["--fmr", "0.02,0.1", "--fpir", "0.1,0.3", "--gallery-size", "8,3"]
QUICK = ["--workers", "0", "--resamplings", "20", "--device", "cpu"]


@pytest.fixture(scope="module")
def calibrated(run, footage):
    command = ["calibrate", str(run), "--data-dir", str(footage), *RATES, *QUICK]
    assert main([*command, "--camera-people", "12"]) == 0
    return run


def test_the_files_hold_the_rates_of_the_people_outside_training(calibrated, footage):
    record = read_calibration(calibrated)
    model, meta = load_model(calibrated / "model.safetensors")
    assert record["fingerprint"] == model_fingerprint(model, meta)
    assert (record["people"], record["tracks"], record["approximate"]) == (PEOPLE, 96, False)
    assert record["notes"][0] == "16 test tracks show people of the training"
    dataset = load_dataset("folder", footage)
    tracks = [t for t in (*dataset.query, *dataset.gallery) if t.identity < PEOPLE]
    options = SessionOptions(
        dataset="folder", data_dir=footage, img_h=32, img_w=16, test_frames=1, workers=0
    )
    kept, features = track_features(model, tracks, options, Runtime("cpu", "fp32"), print)
    assert kept == tracks
    people = np.array([t.identity for t in tracks])
    kinds = np.array([t.modality.name.lower() for t in tracks])
    cameras = np.array([t.camera for t in tracks])
    number = {t.key.split("/")[3]: t.camera for t in tracks}
    scores = (features @ features.T).numpy()
    apart = people[:, None] != people
    directions = {(d["query"], d["gallery"], d["query_camera"]) for d in record["directions"]}
    assert ("visible", "infrared", None) in directions and (
        "infrared",
        "visible",
        "cam4",
    ) in directions
    for direction in record["directions"]:
        sides = []
        for side in ("query", "gallery"):
            chosen = kinds == direction[side]
            if direction[f"{side}_camera"] is not None:
                chosen = chosen & (cameras == number[direction[f"{side}_camera"]])
            sides.append(chosen)
        counted = sides[0][:, None] & sides[1] & (apart | (cameras[:, None] != cameras))
        wrong, right = scores[counted & apart], scores[counted & ~apart]
        assert direction["counts"]["nonmated"] == len(wrong)
        assert direction["counts"]["mated"] == len(right)
        assert {point["gallery_size"] for point in direction["thresholds"]} == {3, 8}
        for point in direction["thresholds"]:
            threshold = point["threshold"] + 1e-6
            assert point["fmr"] == pytest.approx(np.mean(wrong >= threshold), abs=2 / len(wrong))
            assert point["fnmr"] == pytest.approx(np.mean(right < threshold), abs=2 / len(right))
            assert point[point["aim"]] <= point["aimed"]


def test_the_table_says_what_a_rate_means(run, footage, tmp_path, capsys):
    command = ["calibrate", str(run), "--data-dir", str(footage), *RATES, *QUICK]
    assert main([*command, "--output", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "against 1,000 people it is an FPIR of 63 %" in said
    assert re.search(r"visible query, infrared gallery\n12 people, 12 of them on both sides", said)
    assert len(re.findall(r"^ *[38] +F(?:MR|PIR) ", said, re.MULTILINE)) == 4 * 8
    files = {path.name for path in (tmp_path / "new").iterdir()}
    assert files == {"calibration.json", "calibration.html"}
    assert said.splitlines()[-1].endswith(str(tmp_path / "new" / "calibration.html"))


def test_the_page_shows_names_as_text(calibrated):
    page = (calibrated / "calibration.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;two &amp; two" in page and "<b>two" not in page
    assert "is an FPIR of 63 %" in page
    assert page.count("<figure") == 1 + 4
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert len(re.findall(r"<details>", page)) == 8 + 4  # pairs of cameras


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PROBE = """
addEventListener("error", event => console.log("FAULT " + event.message), true);
addEventListener("load", () => {
  const figures = [...document.querySelectorAll("figure.chart")];
  const scales = figures.map(f => Chart.getChart(f.querySelector("canvas"))?.scales.x.type);
  const wide = document.documentElement.scrollWidth > innerWidth;
  document.body.dataset.seen = figures.length + " " + new Set(scales).size + " " + scales[0] + " "
    + wide;
});
"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_the_page(calibrated, tmp_path, width):
    page = (calibrated / "calibration.html").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    file = tmp_path / "probed.html"
    page = page.replace("</head>", f"<script>{PROBE}</script></head>", 1)
    file.write_text(page, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [f"--window-size={width},9000", f"--user-data-dir={tmp_path / 'profile'}"]
    found = subprocess.run(
        [*command, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    assert 'data-seen="5 1 logarithmic false"' in found.stdout
    assert not [line for line in found.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--dataset", "marke"], "unknown data set 'marke'"),
        (["--gallery-size", "3,12"], "--gallery-size 12:"),
        (["--gallery-size", "3,x"], "--gallery-size: expected a whole number from 1"),
        (["--fmr", "0.1,2"], "--fmr: expected a number between 0 and 1"),
        (["--fpir", "0"], "--fpir: expected a number between 0 and 1"),
        (["--fmr", "1e-6", "--fpir", "1e-6"], "no threshold can be given from"),
        (["--data-dir", "nowhere"], "nowhere does not exist"),
    ],
)
def test_bad_requests_get_one_message(run, footage, tmp_path, capsys, flags, said):
    command = ["calibrate", str(run), "--data-dir", str(footage), *QUICK]
    assert main([*command, "--output", str(tmp_path / "new"), *flags]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert "Traceback" not in found
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_network_and_a_set_of_few_people(run, tiny_set, tmp_path, capsys):
    assert main(["calibrate", str(tmp_path), "--data-dir", str(tiny_set)]) == 2
    assert f"no trained network at {tmp_path}" in capsys.readouterr().err
    command = ["calibrate", str(run), "--data-dir", str(tiny_set), "--dataset", "hitsz-vcm", *QUICK]
    assert main([*command, "--output", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "holds 6 people outside training; a calibration needs at least 10" in said
    assert list(tmp_path.iterdir()) == []


def timed_tracks(root, times):
    tracks = []
    for track in (*load_dataset("folder", root).query, *load_dataset("folder", root).gallery):
        number = len(tracks)
        frames = (track.frames[0],) * 2
        moments = (float(number // 4), number // 4 + 1.5) if times else ()
        camera = int(track.modality)
        key = f"train/unknown/{track.modality.name.lower()}/cam{camera}/t{number}"
        tracks.append(Track(frames, track.modality, camera, None, key, moments))
    return tracks


def test_without_identities_the_table_is_an_approximation(
    run, footage, tmp_path, capsys, monkeypatch
):
    tracks = timed_tracks(footage, True)
    scan = Scan(used={"train": tracks, "query": [], "gallery": []})
    monkeypatch.setattr(flow, "scan_dataset", lambda *given: scan)
    command = ["calibrate", str(run), "--data-dir", str(footage), *QUICK, "--fmr", "0.05"]
    assert main([*command, "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "An approximation: nobody says who is who." in said
    record = read_calibration(tmp_path)
    assert record["approximate"] and record["people"] is None
    by_name = {(d["query"], d["gallery"]): d for d in record["directions"]}
    assert len(by_name) == 4
    for modality in Modality:
        name = modality.name.lower()
        one = by_name[name, name]
        mine = [t for t in tracks if t.modality == modality]
        pairs = sum(
            abs(a.times[0] - b.times[0]) < 1.5 for i, a in enumerate(mine) for b in mine[:i]
        )
        assert one["counts"] == {"tracklets": len(mine), "mated": len(mine), "nonmated": pairs}
        # Both halves of a tracklet show one frame here, so none is missed.
        assert {point["fnmr"] for point in one["thresholds"]} == {0.0}
    assert by_name["visible", "infrared"]["borrowed"]
    page = (tmp_path / "calibration.html").read_text(encoding="utf-8")
    assert "Calibration, approximate" in page and "Not measured" in page


@pytest.fixture
def unknown_people(run, footage, tmp_path, monkeypatch):
    """A call of the command on tracklets of nobody, with a table of ways."""
    tracks = timed_tracks(footage, True)
    scan = Scan(used={"train": tracks, "query": [], "gallery": []})
    monkeypatch.setattr(flow, "scan_dataset", lambda *given: scan)
    file = tmp_path / "ways.csv"

    def call(*ways):
        file.write_text("\n".join(["from,to,dt_min", *ways]))
        flags = ["--transitions", str(file), "--output", str(tmp_path / "new"), "--fmr", "0.05"]
        return main(["calibrate", str(run), "--data-dir", str(footage), *QUICK, *flags])

    return tracks, call


def test_transitions_tell_people_apart_across_the_modalities(unknown_people, tmp_path, capsys):
    tracks, call = unknown_people
    assert call("cam1,cam0,2") == 0
    directions = read_calibration(tmp_path / "new")["directions"]
    by_name = {(d["query"], d["gallery"]): d for d in directions}
    sides = [[t for t in tracks if t.modality == modality] for modality in Modality]
    apart = sum(
        max(a.times[0], b.times[0]) - min(a.times[-1], b.times[-1]) < 2
        for a in sides[0]
        for b in sides[1]
    )
    for direction in (("visible", "infrared"), ("infrared", "visible")):
        one = by_name[direction]
        assert not one["borrowed"]
        assert one["counts"] == {"tracklets": len(tracks), "mated": 0, "nonmated": apart}
        assert one["thresholds"] and len(one["curve"]["fmr"]) > 10
    said = capsys.readouterr().out
    assert f"{apart:,} pairs of different people, by time. FPIR" in said
    page = (tmp_path / "new" / "calibration.html").read_text(encoding="utf-8")
    assert "Not measured" not in page and "<figure" not in page


def test_ways_of_other_cameras_are_one_message(unknown_people, tmp_path, capsys):
    _, call = unknown_people
    assert call("cam1,gate,2") == 2
    said = capsys.readouterr().err
    assert "--transitions names gate," in said and "their cameras are cam0, cam1" in said
    assert not (tmp_path / "new").exists()


def test_ways_tell_nothing_where_people_are_known(run, footage, tmp_path, capsys):
    file = tmp_path / "ways.csv"
    file.write_text("from,to,dt_min\ncam1,cam3,2\n")
    command = ["calibrate", str(run), "--data-dir", str(footage), *QUICK]
    assert main([*command, "--transitions", str(file)]) == 2
    assert "leave it out" in capsys.readouterr().err


def test_without_identities_and_times_there_is_nothing_to_go_by(
    run, footage, tmp_path, capsys, monkeypatch
):
    scan = Scan(used={"train": timed_tracks(footage, False), "query": [], "gallery": []})
    monkeypatch.setattr(flow, "scan_dataset", lambda *given: scan)
    command = ["calibrate", str(run), "--data-dir", str(footage), *QUICK]
    assert main([*command, "--output", str(tmp_path / "new")]) == 2
    assert "(0 of 112 have times)" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_halves_of_a_track_share_no_frame():
    tracks = [
        Track(tuple("abcde"), Modality.VISIBLE, 1, None, "x", (1.0, 2.0, 3.0, 4.0, 5.0)),
        Track(("a",), Modality.VISIBLE, 1, None, "short"),
    ]
    (first,), (second,) = half_tracks(tracks)
    assert (first.frames, second.frames) == (("a", "b"), ("c", "d", "e"))
    assert (first.times, second.times) == ((1.0, 2.0), (3.0, 4.0, 5.0))
    assert len({first.key, second.key, "x"}) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda r: r | {"version": 2},
        lambda r: r | {"fingerprint": 3},
        lambda r: {k: v for k, v in r.items() if k != "directions"},
        lambda r: r | {"directions": [{"query": "thermal"}]},
        lambda r: r | {"directions": [r["directions"][0] | {"thresholds": [{"threshold": "x"}]}]},
        lambda r: [r],
    ],
)
def test_a_damaged_file_is_refused(calibrated, tmp_path, damage):
    record = json.loads((calibrated / "calibration.json").read_text())
    assert read_calibration(tmp_path) is None
    (tmp_path / "calibration.json").write_text(json.dumps(damage(record)))
    with pytest.raises(UserError, match="is no calibration that this version reads"):
        read_calibration(tmp_path)
