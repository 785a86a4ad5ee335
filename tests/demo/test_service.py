"""One index under many requests: read, written, made anew and deleted meanwhile."""

import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from starlette.testclient import TestClient

from lexiscope import indexing
from lexiscope.demo.server import make_app
from lexiscope.demo.service import Service
from lexiscope.errors import IndexFolderError
from lexiscope.retriever import Retriever

BASE = "http://127.0.0.1:7860"


def index_from_outside(folder, index):
    command = [sys.executable, "-m", "lexiscope", "index", str(folder), "--out", str(index)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def pictures(folder, colors):
    folder.mkdir(exist_ok=True)
    for number, color in enumerate(colors):
        Image.new("RGB", (40, 30), color).save(folder / f"{number}.png")


def test_an_index_that_is_made_behind_the_page(tmp_path, index):
    tries = []

    def make():
        tries.append(1)
        if len(tries) == 1:
            raise IndexFolderError("the disk is full")
        shutil.copytree(index, tmp_path / "index")

    service = Service(tmp_path / "index", make=make)
    assert service.counts() == {"image": 0, "chapter": 0} and not service.ready
    with pytest.raises(IndexFolderError, match="full"):
        service.reader()
    assert service.counts() == {"image": 0, "chapter": 0}  # what went wrong may go right the next time
    with ThreadPoolExecutor(4) as four:
        first, *others = four.map(lambda _: service.reader(), range(4))
    assert service.ready and len(tries) == 2 and all(other is first for other in others)
    assert service.counts() == first.counts() != {"image": 0, "chapter": 0}


def test_what_is_indexed_from_outside_is_found_while_searches_go_on(api, tmp_path, index):
    pictures(tmp_path / "new", ["red", "green", "blue"])
    before = api.get("/health").json()["pictures"]
    ended, statuses = threading.Event(), []

    def ask():
        while not ended.is_set():
            statuses.append(api.post("/search", json={"text": "rocket sky"}).status_code)
            time.sleep(0.1)  # the other program needs the cores, too

    with ThreadPoolExecutor(2) as two:
        asking = [two.submit(ask) for _ in range(2)]
        try:
            done = index_from_outside(tmp_path / "new", index)
        finally:
            ended.set()
        for one in asking:
            one.result()
    assert done.returncode == 0, done.stderr
    assert set(statuses) == {200} and len(statuses) > 2
    assert api.get("/health").json()["pictures"] == before + 3


def test_an_index_that_another_program_writes_to_is_said_to_be_and_nothing_is_lost(api, index, monkeypatch):
    monkeypatch.setattr(indexing, "SECONDS_TO_WAIT", 0.3)
    transcript = "WEBVTT\n\n00:00:01.000 --> 00:00:09.000\n<v Ann>The harpsichord is here, and it is loud.\n"
    before = api.get("/health").json()
    with Retriever.open(index) as other, other.collection.write():
        answer = api.post("/documents", files=[("files", ("locked.vtt", transcript.encode()))])
        assert answer.status_code == 503 and "written to by process" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "1"
        assert api.delete("/documents/0").status_code == 503
        assert api.post("/search", json={"text": "rocket"}).status_code == 200
    assert api.get("/health").json() == before
    again = api.post("/documents", files=[("files", ("locked.vtt", transcript.encode()))])
    assert again.json()["added"] == 1
    assert api.post("/search", json={"text": "harpsichord", "kind": "chapter"}).json()["hits"]


def test_many_add_and_delete_at_once(api, index):
    def add(number):
        text = (
            f"WEBVTT\n\n00:00:01.000 --> 00:00:09.000\n<v Ann>Number {number} is a trombone, of all things.\n"
        )
        return api.post("/documents", files=[("files", (f"t{number}.vtt", text.encode()))])

    before = api.get("/health").json()["chapters"]
    with ThreadPoolExecutor(6) as many:
        answers = list(many.map(add, range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert api.get("/health").json()["chapters"] == before + 6
    asked = {"text": "trombone", "kind": "chapter", "k": 50}
    hits = api.post("/search", json=asked).json()["hits"]
    ids = [hit["id"] for hit in hits if "trombone" in hit["utterance"]["text"]]
    assert len(ids) == 6
    with ThreadPoolExecutor(6) as many:
        gone = list(many.map(lambda id: api.delete(f"/documents/{id}").json(), ids))
    assert gone == [{"deleted": 1}] * 6
    assert api.get("/health").json()["chapters"] == before
    assert not list(index.with_name("index.files").glob("t?.vtt"))


def test_an_index_deleted_under_the_server_and_put_back(sample, tmp_path):
    folder = shutil.copytree(sample, tmp_path / "index")
    app = make_app(Service(folder), page=False)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as api:
        hits = api.post("/search", json={"text": "rocket"}).json()["hits"]
        folder.rename(tmp_path / "away")
        for answer in (
            api.post("/search", json={"text": "rocket"}),
            api.get("/health"),
            api.get("/documents/0"),
            api.delete("/documents/0"),
            api.post(
                "/documents", files=[("files", ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nA boat.\n"))]
            ),
        ):
            assert answer.status_code == 503
            body = answer.json()
            assert body["error"] == "unavailable" and "lexiscope index" in body["detail"]
        metrics = api.get("/metrics")
        assert metrics.status_code == 200 and "lexiscope_requests_total" in metrics.text
        assert "lexiscope_documents{" not in metrics.text
        (tmp_path / "away").rename(folder)
        assert api.post("/search", json={"text": "rocket"}).json()["hits"] == hits
        assert not (tmp_path / "index.files" / "a.vtt").exists()  # it was refused: nothing half-added stays
        broken = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(broken)[:-20])
        assert api.post("/search", json={"text": "rocket"}).status_code == 503
        assert api.get("/health").status_code == 503


def test_an_index_made_anew_with_another_model_is_served_on(sample, model_folder, tmp_path):
    pictures(tmp_path / "files", ["red", "green"])
    folder = shutil.copytree(sample, tmp_path / "index")
    service = Service(folder)
    with TestClient(make_app(service, page=False), base_url=BASE) as api:
        assert api.post("/search", json={"text": "rocket"}).json()["hits"]
        shutil.rmtree(folder)
        with Retriever.open(folder, model=model_folder, create=True) as other:
            other.add([tmp_path / "files"])
        assert api.post("/search", json={"text": "a dog", "kind": "image"}).status_code == 200
        assert api.get("/health").json() == {"status": "ok", "pictures": 2, "chapters": 0}


def test_no_index_no_service(tmp_path):
    with pytest.raises(IndexFolderError):
        Service(tmp_path / "nothing")


def test_beyond_loopback_writing_needs_the_token(sample, tmp_path):
    folder = shutil.copytree(sample, tmp_path / "index")
    app = make_app(Service(folder), loopback=False, token="s3cret", page=False)
    file = [("files", ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nA boat on the water.\n"))]
    with TestClient(app, base_url="http://lexiscope.example") as api:
        assert api.post("/search", json={"text": "rocket"}).status_code == 200
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "Bearer s3cret "[:-2]},
            {"authorization": "Bearer "},
        ):
            for answer in (
                api.post("/documents", files=file, headers=headers),
                api.delete("/documents/0", headers=headers),
            ):
                assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["error"] == "token_needed"
        assert not (tmp_path / "index.files").exists()
        right = {"authorization": "Bearer s3cret"}
        assert api.post("/documents", files=file, headers=right).json()["added"] == 1
        assert api.delete("/documents/0", headers=right).json() == {"deleted": 1}
