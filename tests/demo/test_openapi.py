"""What the server says of itself holds: requests made up from its own description."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

schema = schemathesis.pytest.from_fixture("description")


@pytest.fixture(scope="module")
def description(api):
    return schemathesis.openapi.from_asgi("/openapi.json", api.app, headers={"host": "127.0.0.1:7860"})


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_requests_made_from_the_description(case, api):
    response = case.call(headers={"host": "127.0.0.1:7860"})
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    case.validate_response(response, checks=checks)
    if response.status_code >= 400:
        assert set(response.json()) == {"error", "detail"}
