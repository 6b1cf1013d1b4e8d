"""The table of right answers, on a scene that was made up."""

import json

import pytest

from benchmarks.footage_answers import people_of, read_searches, table

BOXES = [("cam1", 3, "7"), ("cam1", 4, "8"), ("cam3", 3, "7"), ("cam3", 5, "8"), ("cam3", 6, "")]


@pytest.fixture
def places(tmp_path):
    """Person 7 is seen by both cameras, 8 too, 9 by the first alone; track 6 is nobody."""
    scene, crops = tmp_path / "scene", tmp_path / "crops"
    (scene / "truth").mkdir(parents=True)
    crops.mkdir()
    truth, rows = ["camera,frame,track,person"], ["camera,tracklet,track,frame"]
    for camera, track, person in (*BOXES, ("cam1", 9, "9")):
        for frame in range(3):
            # A track that jumps to somebody else in its last frame is still its first person's.
            shown = "99" if frame == 2 and track == 4 else person
            truth.append(f"{camera},{frame},{track},{shown}")
            rows.append(f"{camera},{camera}-{track},{track},{frame}")
    (scene / "truth/boxes.csv").write_text("\n".join(truth) + "\n")
    (crops / "tracks.csv").write_text("\n".join(rows) + "\n")
    return scene, crops


def answer(query, *candidates):
    return [
        json.dumps(
            {
                "query": f"train/unknown/visible/cam1/cam1-{query}",
                "key": f"train/unknown/infrared/cam3/cam3-{track}",
                "modality": "infrared",
                "decision": decision,
            }
        )
        for track, decision in candidates
    ]


def test_tracklets_show_whom_most_of_their_crops_show(places):
    found = people_of(*places)
    assert found["cam1", "cam1-4"] == 8
    assert found["cam3", "cam3-6"] is None


def test_answers_are_counted(places, tmp_path):
    answers = tmp_path / "answers.jsonl"
    lines = [
        *answer(3, (3, "same"), (5, "same"), (6, "unknown")),
        *answer(4, (6, "unknown"), (3, "unknown"), (5, "unknown")),
        *answer(9, (3, "same"), (5, "unknown"), (6, "unknown")),
    ]
    answers.write_text("\n".join(lines) + "\n")
    searches = read_searches(answers, people_of(*places))
    head, *rows = table(searches).splitlines()
    assert head.strip() == "visible to infrared"
    assert [row.split()[-1] for row in rows] == [
        *("2", "50.0%", "33.3%", "100.0%"),  # of two who are there, the first candidate of one
        *("1", "0.0%"),  # the stranger is named
        *("3", "33.3%"),  # of three candidates called same, one is
        *("1", "0.0%"),  # one search ends with unknown, for somebody who is there
    ]
