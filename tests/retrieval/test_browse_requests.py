"""The requests of the page: who may send them, what they answer, and what is kept."""

import json

import pytest
from browse_cases import calibrate, pairs_of_people, said
from index_rows import row, unit_vectors
from vireid.retrieval.conditions import key_condition
from vireid.retrieval.forgetting import forget
from vireid.retrieval.index_folder import open_index

pytest.importorskip("starlette")
pytest.importorskip("httpx")
pytest.importorskip("uvicorn")
from starlette.testclient import TestClient
from vireid.retrieval.browse.application import LARGEST, application
from vireid.retrieval.browse.session import Session

TOKEN, PORT = "a-token", 8123
HOST = f"127.0.0.1:{PORT}"


def client_of(session):
    made = TestClient(application(session, TOKEN, PORT), base_url=f"http://{HOST}")
    made.headers["sec-fetch-site"] = "same-origin"
    return made


@pytest.fixture
def people(index):
    return pairs_of_people(index)


@pytest.fixture
def ask(people):
    """Sends a request; gives its status and content."""
    client = client_of(Session(people, top=4))

    def send(name, write=None, **values):
        address = f"/{TOKEN}/api/{name}"
        if write is None:
            answer = client.get(address, params=values)
        else:
            answer = client.post(address, json=write)
        return answer.status_code, answer.json()

    return send


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/another/", {}),
        (f"/{TOKEN}x/api/about", {}),
        ("/api/about", {}),
        (f"/{TOKEN}/", {"host": "evil.example"}),
        (f"/{TOKEN}/", {"host": f"evil.example:{PORT}"}),
        (f"/{TOKEN}/", {"host": f"127.0.0.1:{PORT + 1}"}),
        (f"/{TOKEN}/", {"origin": "http://evil.example"}),
        (f"/{TOKEN}/", {"origin": "null"}),
        (f"/{TOKEN}/", {"origin": f"http://localhost:{PORT}"}),
        (f"/{TOKEN}/", {"sec-fetch-site": "cross-site"}),
        (f"/{TOKEN}/", {"sec-fetch-site": "same-site"}),
    ],
)
def test_others_are_refused(people, path, headers):
    client = client_of(Session(people))
    values = {"first": "p0000", "second": "p0001", "answer": "same"}
    assert client.get(path, headers=headers).status_code == 403
    judging = client.post(f"{path.rstrip('/')}/api/judge", headers=headers, json=values)
    assert judging.status_code == 403 and "vireid browse" in judging.text
    assert said(people) == []


def test_the_page_may_run_its_own_scripts_alone(people):
    client = client_of(Session(people))
    for headers in ({}, {"origin": f"http://{HOST}"}, {"sec-fetch-site": "none"}):
        answer = client.get(f"/{TOKEN}/", headers=headers)
        assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "http" not in answer.text.replace("http-equiv", "")


def test_candidates_are_those_of_the_search(ask, people):
    status, found = ask("tracklet", key="p0002")
    assert status == 200
    assert found["tracklet"]["camera"] == "door" and found["tracklet"]["time"] == "0:20.0"
    assert [one["modality"] for one in found["candidates"]] == ["infrared"] * 4
    assert found["candidates"][0]["key"] == "p0003" and found["searched"] == 6
    scores = [one["score"] for one in found["candidates"]]
    assert scores == sorted(scores, reverse=True)
    assert {one["decision"] for one in found["candidates"]} == {None}
    _, same = ask("tracklet", key="p0002", modality="visible")
    assert {one["modality"] for one in same["candidates"]} == {"visible"}
    assert "p0002" not in [one["key"] for one in same["candidates"]]


def test_thresholds_decide_and_are_told(people):
    client = client_of(Session(people))
    found = client.get(f"/{TOKEN}/api/tracklet", params={"key": "p0002"}).json()["candidates"]
    calibrate(people, (found[0]["score"] + found[1]["score"]) / 2)
    client = client_of(Session(people))
    found = client.get(f"/{TOKEN}/api/tracklet", params={"key": "p0002"}).json()["candidates"]
    assert [one["decision"] for one in found] == ["same", *["unknown"] * 5]
    assert "1.00%" in client.get(f"/{TOKEN}/api/about").json()["notes"][0]


def test_judging_joining_splitting_and_taking_back(ask, people):
    pairs = [("p0000", "p0001"), ("p0001", "p0002"), ("p0002", "p0003")]
    for first, second in pairs:
        status, _ = ask("judge", {"first": first, "second": second, "answer": "same"})
        assert status == 200
    _, found = ask("people")
    assert [(one["number"], one["size"]) for one in found["identities"]] == [(1, 4)]
    candidates = {one["key"]: one for one in ask("tracklet", key="p0000")[1]["candidates"]}
    assert (candidates["p0001"]["answer"], candidates["p0001"]["follows"]) == ("same", True)
    assert (candidates["p0003"]["answer"], candidates["p0003"]["follows"]) == (None, True)
    status, done = ask("split", {"key": "p0001"})
    assert status == 200 and len(done["numbers"]) == 3
    assert sorted(said(people)) == [
        ("p0000", "p0002", "same"),
        ("p0001", "p0000", "different"),
        ("p0001", "p0002", "different"),
        ("p0002", "p0003", "same"),
    ]
    ask("undo", done)
    assert said(people) == [(*pair, "same") for pair in pairs]
    _, undone = ask("undo", {})
    assert undone["undone"][0]["number"] == 3
    assert said(people) == [(*pair, "same") for pair in pairs[:2]]


def test_a_contradiction_is_shown_with_its_chain(ask):
    for first, second, answer in (
        ("p0000", "p0001", "same"),
        ("p0001", "p0002", "same"),
        ("p0000", "p0002", "different"),
    ):
        ask("judge", {"first": first, "second": second, "answer": answer})
    (found,) = ask("people")[1]["contradictions"]
    assert found["different"]["number"] == 3
    assert [one["number"] for one in found["chain"]] == [1, 2]


def test_questions_end_when_all_is_known(ask, people):
    asked = set()
    while (found := ask("question")[1])["question"]:
        one = found["question"]
        pair = (one["visible"]["key"], one["infrared"]["key"])
        assert pair not in asked
        asked.add(pair)
        same = int(pair[0][1:]) // 2 == int(pair[1][1:]) // 2
        answer = "same" if same else "different"
        ask("judge", {"first": pair[0], "second": pair[1], "answer": answer})
    assert found["among"] == [6, 6]
    _, known = ask("people")
    assert {tuple(m["key"] for m in one["members"]) for one in known["identities"]} == {
        (f"p{2 * n:04d}", f"p{2 * n + 1:04d}") for n in range(6)
    }
    assert ask("question", skip=3)[1]["question"] is None


def test_the_timeline_holds_pictures_and_filters(ask):
    _, found = ask("timeline")
    assert [one["key"] for one in found["tracklets"]] == [f"p{n:04d}" for n in range(12)]
    assert all(one["picture"] for one in found["tracklets"])
    _, found = ask("timeline", camera="door", find="P000")
    assert [one["key"] for one in found["tracklets"]] == [f"p{n:04d}" for n in range(0, 10, 2)]


@pytest.mark.parametrize(
    ("name", "values", "status", "words"),
    [
        ("judge", {"first": "p0000", "second": "nobody", "answer": "same"}, 404, "no tracklet"),
        ("judge", {"first": "p0000", "second": "p0000", "answer": "same"}, 409, "about two"),
        ("judge", {"first": "p0000", "second": "p0001", "answer": "maybe"}, 400, "expected one of"),
        ("judge", {"first": 7, "second": "p0001", "answer": "same"}, 400, "expected a text"),
        ("undo", {"numbers": [99]}, 409, "could be taken back"),
        ("undo", {"numbers": "all"}, 400, "numbers"),
        ("split", {"key": "nobody"}, 404, "no tracklet"),
    ],
)
def test_what_cannot_be_done_is_said(ask, people, name, values, status, words):
    found, content = ask(name, values)
    assert found == status and words in content["error"]
    assert said(people) == []


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        ("tracklet", {"key": "nobody"}, 404),
        ("tracklet", {"key": "p*"}, 404),
        ("tracklet", {"key": "p0000", "modality": "radar"}, 400),
        ("timeline", {"position": "-1"}, 400),
        ("timeline", {"position": "9" * 400}, 400),
        ("question", {"skip": "x"}, 400),
    ],
)
def test_odd_questions_get_an_answer(ask, name, values, status):
    found, content = ask(name, **values)
    assert found == status and content["error"]


def test_only_json_of_some_size_is_read(people):
    client = client_of(Session(people))
    address = f"/{TOKEN}/api/judge"
    text = json.dumps({"first": "p0000", "second": "p0001", "answer": "same"})
    plain = {"content-type": "text/plain"}
    assert client.post(address, content=text, headers=plain).status_code == 415
    kind = {"content-type": "application/json"}
    assert client.post(address, content="[" * 9999, headers=kind).status_code == 400
    assert client.post(address, content=" " * LARGEST + text, headers=kind).status_code == 413
    assert client.get(address).status_code == 405
    assert said(people) == []


def test_what_others_write_is_seen_and_what_they_forget_is_gone(ask, people):
    ask("judge", {"first": "p0000", "second": "p0001", "answer": "same"})
    ask("judge", {"first": "p0002", "second": "p0003", "answer": "same"})
    other = open_index(people.path)
    other.store.add([row(50)], unit_vectors(1), [b""])
    assert ask("timeline", find="p0050")[1]["total"] == 1
    assert forget(open_index(people.path), key_condition("p0001")) == 1
    assert said(people) == [("p0002", "p0003", "same")]
    assert b"p0001" not in (people.path / "judgements.jsonl").read_bytes()
    status, _ = ask("judge", {"first": "p0000", "second": "p0001", "answer": "same"})
    assert status == 404
    assert ask("timeline")[1]["total"] == 12
    assert [one["size"] for one in ask("people")[1]["identities"]] == [2]


def test_a_full_disk_is_said_and_the_file_is_as_before(ask, people, monkeypatch):
    import errno

    from vireid.pseudo_labels import judgements

    ask("judge", {"first": "p0000", "second": "p0001", "answer": "same"})

    def full(path, line):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(judgements, "append_line", full)
    status, content = ask("judge", {"first": "p0002", "second": "p0001", "answer": "same"})
    assert status == 507 and "Make room" in content["error"]
    assert len(said(people)) == 1
