"""What stands before requests, tried on an application that answers everything."""

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lexiscope.demo.guard import Guard, is_loopback


async def echo(request: Request):
    return PlainTextResponse(await request.body())


def client(**guard):
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "DELETE"])])

    async def http(_, error):
        return JSONResponse({"error": "x", "detail": error.detail}, error.status_code)

    app.add_exception_handler(413, http)
    guarded = Guard(app, **{"loopback": True, "request_bytes": 1000, **guard})
    return TestClient(guarded, base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7860", "localhost:1", "[::1]:7860", "127.9.9.9"])
def test_names_of_this_machine_are_answered(host):
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:7860",
        "10.0.0.1",
        "",
        "[",
        "a@127.0.0.1@b",
    ],
)
def test_other_names_are_not(host):
    answer = client().get("/", headers={"host": host})
    assert answer.status_code == 421 and answer.json()["error"] == "misdirected"
    assert client(loopback=False).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_pages_of_other_sites_change_nothing(method, headers):
    answer = client().request(method, "/documents/1", headers=headers)
    assert answer.status_code == 403 and answer.json()["error"] == "forbidden"


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}],
)
def test_the_page_itself_and_programs_do(headers):
    assert client().post("/documents", headers=headers, content=b"x").text == "x"


def test_long_bodies_are_refused_whether_their_length_is_told_or_not():
    assert client().post("/", content=b"x" * 1000).status_code == 200
    assert client().post("/", content=b"x" * 1001).status_code == 413
    pieces = (b"x" * 100 for _ in range(11))
    answer = client().post("/", content=pieces)
    assert answer.status_code == 413 and "MB" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file%3D/etc/passwd",
        "/gradio_api/proxy=http://evil.example/",
        "/gradio_api/run/predict",
        "/gradio_api/call/predict",
        "/file=/etc/passwd",
        "/file/etc/passwd",
        "/proxy=http://evil.example/",
        "/upload",
        "/monitoring/summary",
    ],
)
def test_of_gradio_only_what_the_page_needs_is_served(path):
    assert client().get(path).status_code == 404


def test_pictures_dropped_into_the_page_are_served_and_nothing_beside_them(tmp_path):
    guarded = client(dropped=tmp_path)
    assert guarded.get(f"/gradio_api/file={tmp_path}/abc/photo.png").status_code == 200
    for path in (f"{tmp_path}/../secret", f"{tmp_path}", f"{tmp_path}x/secret", "/etc/passwd"):
        assert guarded.get(f"/gradio_api/file={path}").status_code == 404
    hidden = str(tmp_path) + "/%252e%252e/secret"
    assert guarded.get(f"/gradio_api/file={hidden}").status_code == 404


def test_browsers_are_told_to_fetch_nothing_from_elsewhere():
    for answer in (client().get("/"), client().get("/", headers={"host": "evil.example"})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_nothing_speaks_over_websockets():
    sent = []

    async def nothing(*_):
        raise AssertionError("the application was reached")

    async def send(message):
        sent.append(message)

    anyio.run(Guard(nothing, loopback=True, request_bytes=1), {"type": "websocket"}, nothing, send)
    assert sent == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_what_is_loopback(host, expected):
    assert is_loopback(host) is expected
