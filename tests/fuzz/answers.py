"""What every answer must be, whatever was asked."""

import re
from typing import Any

from schemathesis import Case, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.fuzz.world import World

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
# How msgspec begins what it finds wrong: a body that the document calls valid must not be that.
_WRONG_SHAPE = re.compile(r"Expected |Object |Invalid |a JSON body|not valid JSON")


def check(case: Case[Any], answer: Response, world: World, token: str | None) -> None:
    """Raises for anything that the document does not say, and for what nobody should read."""
    case.validate_response(answer, checks=CHECKS)
    trace_id = answer.headers["x-request-id"][0]
    body = _body(answer)
    if answer.status_code >= 400 and "trace_id" in body:
        assert body["trace_id"] == trace_id
    for secret in (*world.secrets, *([token] if token else [])):
        assert secret not in answer.text
        assert secret not in str(answer.headers)
    if answer.status_code == 400 and case.meta and case.meta.generation.mode.is_positive:
        details = [error["detail"] for error in body.get("errors", [])]
        assert not [d for d in details if _WRONG_SHAPE.match(d)], (details, case.body)


def _body(answer: Response) -> dict[str, Any]:
    is_json = "json" in answer.headers.get("content-type", [""])[0]
    found = answer.json() if is_json and "ndjson" not in str(answer.headers) else {}
    return found if isinstance(found, dict) else {}
