"""The OpenAPI document: whole, true, self-contained, and about exactly our routes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from api.auth.guards import Gate
from api.auth.mobile import MobileGate
from api.openapi.errors import GUARDS, OPERATIONS
from tests.integration.api.conftest import Api

ROUTES = {
    "/push/apps/{app_id}": {"get", "put", "delete"},
    "/push/apps/{app_id}/secret": {"post"},
    "/push/apps/{app_id}/users": {"post"},
    "/push/apps/{app_id}/users/{user_id}": {"get", "put", "delete"},
    "/push/config/{app_id}": {"get", "patch"},
    "/push/config/{app_id}/providers/apns": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/apns/verify": {"post"},
    "/push/config/{app_id}/providers/fcm": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/fcm/verify": {"post"},
    "/push/config/{app_id}/providers/webpush": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/webpush/verify": {"post"},
    "/push/config/{app_id}/providers/pushy": {"get", "put", "delete"},
    "/push/config/{app_id}/providers/pushy/verify": {"post"},
    "/push/config/{app_id}/webhook/attempts": {"get"},
    "/push/config/{app_id}/webhook/test": {"post"},
    "/push/devices/register": {"post"},
    "/push/devices/{id}": {"get", "delete"},
    "/push/send": {"post"},
    "/push/send/bulk": {"post"},
    "/push/send/batch": {"post"},
    "/push/send/preview": {"post"},
    "/push/notifications": {"get"},
    "/push/notifications/{notification_id}": {"get", "delete"},
    "/push/notifications/{notification_id}/data": {"get"},
    "/push/dead-letters": {"get"},
    "/push/dead-letters/discard": {"post"},
    "/push/dead-letters/{dead_letter_id}": {"get", "delete"},
    "/push/receipts": {"get"},
    "/push/receipts/replay": {"post"},
    "/api/v1/device-info": {"get", "post"},
    "/api/v1/device-info/subscribe": {"post"},
    "/api/v1/device-info/unsubscribe": {"post"},
    "/api/v1/device-info/topics/{topic}/subscribers": {"get"},
    "/api/v1/notifications/send-dev": {"post"},
    "/api/v1/notifications/{notification_id}": {"get"},
    "/api/v1/sys/key-pair": {"post"},
    "/auth/token": {"post"},
    "/.well-known/jwks.json": {"get"},
    "/livez": {"get"},
    "/readyz": {"get"},
}
PUBLIC = {"/auth/token", "/.well-known/jwks.json", "/livez", "/readyz"}
PROBLEM = "application/problem+json"
JSON = "application/json"
Document = dict[str, Any]


class Operation(NamedTuple):
    """One operation of the document; `spec` is what it says of it."""

    path: str
    method: str
    spec: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"


@pytest.fixture
async def document(api: Api) -> Document:
    answer = await api.http.get("/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    found: Document = answer.json()
    return found


@pytest.fixture
def operations(document: Document) -> list[Operation]:
    return [
        Operation(path, method, spec)
        for path, item in document["paths"].items()
        for method, spec in item.items()
    ]


def references(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if "$ref" in value:
                yield value["$ref"]
            for member in value.values():
                yield from references(member)
        case list():
            for member in value:
                yield from references(member)
        case _:
            pass


def contents(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body of an operation: the status that it comes with, or `body`; its media type."""
    for media_type, content in spec.get("requestBody", {"content": {}})["content"].items():
        yield "body", media_type, content
    for status, answer in spec["responses"].items():
        for media_type, content in answer["content"].items():
            yield status, media_type, content


def examples(content: Mapping[str, Any]) -> list[Any]:
    if "examples" in content:
        return [example["value"] for example in content["examples"].values()]
    return [content["example"]]


async def test_it_has_our_routes(document: Document) -> None:
    assert {path: set(item) for path, item in document["paths"].items()} == ROUTES


async def test_a_validator_of_openapi_accepts_it(document: Document) -> None:
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


async def test_its_references_resolve(document: Document) -> None:
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


async def test_every_shape_is_used(document: Document) -> None:
    used = {reference.rpartition("/")[2] for reference in references(document)}

    components = document["components"]
    assert components["schemas"].keys() | components["headers"].keys() == used


async def test_its_path_parameters_are_those_of_the_path(operations: list[Operation]) -> None:
    for path, _, spec in operations:
        named = {row["name"] for row in spec.get("parameters", []) if row["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


async def test_every_operation_says_what_it_is_and_who_may_call(
    operations: list[Operation],
) -> None:
    for path, _, spec in operations:
        assert spec["summary"]
        assert (spec.get("security") == [{}]) is (path in PUBLIC)
        assert ("Caller: " in spec["description"]) is not (path in PUBLIC)
        for row in spec.get("parameters", []):
            assert row["description"]


async def test_every_operation_names_each_status(operations: list[Operation]) -> None:
    for operation in operations:
        codes = operation.spec["responses"].keys()
        wanted = {"400"} if operation.path in PUBLIC else {"400", "401", "403", "503"}
        if "requestBody" in operation.spec:
            wanted |= {"408", "413"} if operation.path in PUBLIC else {"408", "413", "415"}
        assert wanted <= codes, operation.label
        assert all(re.fullmatch(r"[2345]\d\d", code) for code in codes), operation.label
        assert codes & {"200", "201"}, operation.label


async def test_every_example_has_the_shape_that_is_said(
    document: Document, operations: list[Operation]
) -> None:
    for operation in operations:
        for where, media_type, content in contents(operation.spec):
            schema = {**content["schema"], "components": document["components"]}
            validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
            for example in examples(content):
                found = [str(error) for error in validator.iter_errors(example)]
                assert found == [], f"{operation.label} {where} {media_type}"


async def test_every_refusal_has_an_example_of_each_detail(operations: list[Operation]) -> None:
    for operation in operations:
        is_enveloped = operation.path.startswith("/api/v1/")
        media_type, member = (JSON, "message") if is_enveloped else (PROBLEM, "detail")
        for status, answer in operation.spec["responses"].items():
            if status[0] == "2" or media_type not in answer["content"] or _is_own(answer):
                continue
            content = answer["content"][media_type]
            shown = {example[member] for example in examples(content)}
            listed = {x for x in content["schema"]["properties"][member]["enum"] if x.isascii()}
            assert shown == listed, operation.label


def _is_own(answer: Mapping[str, Any]) -> bool:
    """A status that the route itself describes, in its own shape."""
    return "example" in answer["content"].get(JSON, {}) and PROBLEM not in answer["content"]


async def test_limits_and_waits_have_their_fields(operations: list[Operation]) -> None:
    for operation in operations:
        for status, answer in operation.spec["responses"].items():
            headers = answer["headers"].keys()
            assert "X-Request-Id" in headers
            if operation.path not in PUBLIC:
                assert ("WWW-Authenticate" in headers) is (status == "401"), operation.label
                assert ("Retry-After" in headers) or status not in {"429", "503"}, operation.label


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/push/send", "200", "Idempotent-Replayed"),
        ("/push/send/bulk", "200", "RateLimit"),
        ("/push/send/batch", "429", "RateLimit-Policy"),
        ("/push/send", "409", "Retry-After"),
        ("/push/devices/register", "201", "RateLimit"),
        ("/push/devices/register", "429", "RateLimit-Policy"),
        ("/auth/token", "401", "WWW-Authenticate"),
        ("/auth/token", "429", "Retry-After"),
    ],
)
async def test_an_answer_has_the_fields_that_it_comes_with(
    document: Document, path: str, status: str, name: str
) -> None:
    assert name in document["paths"][path]["post"]["responses"][status]["headers"]


async def test_the_tables_of_refusals_are_about_what_there_is(
    operations: list[Operation],
) -> None:
    ids = {operation.spec["operationId"] for operation in operations}
    of_each_provider = {"get_credential", "delete_credential", "verify_credential"}
    guards = {f"{gate.__name__}.{name}" for gate in (Gate, MobileGate) for name in vars(gate)}

    assert OPERATIONS.keys() - of_each_provider <= ids
    assert GUARDS.keys() == {name for name in guards if "._" not in name} - {"Gate.caller"}


async def test_requests_refuse_unknown_members(document: Document) -> None:
    schemas = document["components"]["schemas"]
    open_on_purpose = {"Subscription", "SubscriptionKeys", "ServiceAccount", "TokenRequest"}

    requests = {name for name in schemas if name.endswith("Body")}
    assert requests
    assert {n for n in requests if schemas[n].get("additionalProperties") is not False} == set()
    assert not any("additionalProperties" in schemas[name] for name in open_on_purpose)


async def test_operation_ids_are_unique(operations: list[Operation]) -> None:
    ids = [operation.spec["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))


async def test_it_is_the_same_each_time_and_leads_to_no_other_host(
    api: Api, document: Document
) -> None:
    first, second = [(await api.http.get("/openapi.json")).text for _ in range(2)]

    assert first == second
    assert all(reference.startswith("#/") for reference in references(document))
    assert document["servers"] == [{"url": "/"}]
    hosts = set(re.findall(r"https?://([^/\"\\\s)\[|]+)", first))
    assert all(host.endswith(".example") for host in hosts), hosts
