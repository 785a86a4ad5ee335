"""A wrong method is told the right ones, whether a page is mounted beside the API or not."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from lexiscope.demo import problems
from lexiscope.demo.routes import router


@pytest.fixture(scope="module", params=["alone", "page"])
def client(request):
    """The API's addresses, alone and with an application mounted at `/` that takes all, as Gradio's."""
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    problems.refuse_other_methods(app, [*app.routes, *router.routes])
    if request.param == "page":
        beside = FastAPI()
        problems.install(beside)
        app.mount("/", beside)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/search", "POST"),
        ("PUT", "/search", "POST"),
        ("OPTIONS", "/embed_sparse", "POST"),
        ("GET", "/documents", "POST"),
        ("PATCH", "/documents/1", "DELETE, GET"),
        ("POST", "/documents/1/picture", "GET"),
        ("DELETE", "/chapters/1", "GET"),
        ("BREW", "/health", "GET"),
        ("POST", "/metrics", "GET"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(client, method, path, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json() == {
        "error": "method_not_allowed",
        "detail": f"{method} is no method of this address; it has {allowed}",
    }


def test_an_address_that_is_none_is_none(client):
    for method in ("GET", "POST", "DELETE"):
        answer = client.request(method, "/nothing")
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
