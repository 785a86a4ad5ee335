"""What the server says of itself holds: requests made up from its own description."""

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance]
ADDRESSES = [
    ("POST", "/search"),
    ("POST", "/embed_sparse"),
    ("POST", "/documents"),
    ("DELETE", "/documents/{id}"),
    ("GET", "/documents/{id}"),
    ("GET", "/documents/{id}/picture"),
    ("GET", "/documents/{id}/patches"),
    ("GET", "/documents/{id}/audio"),
    ("GET", "/chapters/{episode}"),
    ("GET", "/health"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def schema(api):
    return schemathesis.openapi.from_dict(api.get("/openapi.json").json())


def test_every_address_is_tried(schema):
    described = {(one.ok().method.upper(), one.ok().path) for one in schema.get_all_operations()}
    assert described == set(ADDRESSES)


def file_part(one):
    if isinstance(one, tuple):
        return tuple(part if isinstance(part, bytes | None) else str(part) for part in one)
    return one if isinstance(one, bytes) else str(one)


def sendable(request):
    """What schemathesis makes for `requests`, in the words of the test client."""
    request.pop("cookies", None)
    if isinstance(request.get("data"), str | bytes):
        request["content"] = request.pop("data")
    if request.get("files"):
        request["files"] = [(name, file_part(one)) for name, one in request["files"]]
    return request


def conforms(description, path, method, response):
    """The answer has the shape that is described for its status.

    Not schemathesis's own check: it writes pairs (`prefixItems`) in a way of an older draft.
    """
    answer = description["paths"][path][method.lower()]["responses"][str(response.status_code)]
    described = answer.get("content", {}).get("application/json", {}).get("schema")
    if described is not None:
        whole = {**described, "components": description["components"]}
        jsonschema_rs.Draft202012Validator(whole).validate(response.json())
    assert response.status_code < 400 or set(response.json()) == {"error", "detail"}


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_requests_made_from_the_description(api, schema, method, path):
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[path][method].as_strategy())
    def answers_as_described(case):
        response = api.request(**sendable(case.as_transport_kwargs(base_url="http://127.0.0.1:7860")))
        case.validate_response(response, checks=CHECKS)
        conforms(schema.raw_schema, path, method, response)

    answers_as_described()
