"""`GET /v1/openapi.json`: what the port answers, as an OpenAPI 3.1 document made from the structs of the answers.

    OPERATIONS (path, method, what may be answered) ┐
    structs of answers.py, core/asking/pages.py, contracts ┴─► document(version)

A test holds it to the routes of the port, and real answers of every operation to its schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from riskstream.core.asking.pages import PAGE_MAX, Page, Wanted
from riskstream.service.http.answers import Entity, Live, ModelFacts, Problem, Ready, Scores, Text, Texts

JsonObject = dict[str, Any]
_TEMPLATE = "#/components/schemas/{name}"
_GUARDED = (401, 403, 429, 500)
"""What every path under /v1 may answer beside its own statuses."""


class Operation(msgspec.Struct, frozen=True):
    """One method of one path. `answer` is the type of a 200, `also` the refusals beside those of every path."""

    method: str
    path: str
    summary: str
    answer: Any
    also: tuple[int, ...] = ()
    body: Any = None
    query: type[msgspec.Struct] | None = None


OPERATIONS = (
    Operation("get", "/livez", "Whether a restart would help; 503 where it would.", Live, (503,)),
    Operation("get", "/readyz", "Whether work may come here; 503 with the reasons where not.", Ready, (503,)),
    Operation("get", "/metrics", "Metrics for Prometheus, as text or OpenMetrics.", None),
    Operation("get", "/v1/alerts", "Alerts, newest change first, in pages.", Page, (400, 404), query=Wanted),
    Operation("get", "/v1/entities/{id}", "One entity: its alerts, its texts, what each rule sees.", Entity, (404,)),
    Operation("get", "/v1/model", "The model that answers here.", ModelFacts, (404, 503)),
    Operation(
        "post",
        "/v1/score",
        "The scores of one text, or of a list of texts in order.",
        Scores | list[Scores],
        (400, 404, 413, 503),
        body=Text | Texts,
    ),
    Operation("get", "/v1/openapi.json", "This document.", dict[str, Any]),
)


def document(version: str) -> JsonObject:
    """The whole document, of this version of riskstream."""
    types: list[Any] = [kind for one in OPERATIONS for kind in (one.answer, one.body) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template=_TEMPLATE)
    found = iter(schemas)
    paths: dict[str, JsonObject] = {}
    for one in OPERATIONS:
        answer = next(found) if one.answer is not None else None
        body = next(found) if one.body is not None else None
        paths.setdefault(one.path, {})[one.method] = _operation(one, answer, body)
    licence = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "riskstream", "version": version, "license": licence},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _operation(one: Operation, answer: JsonObject | None, body: JsonObject | None) -> JsonObject:
    guarded = one.path.startswith("/v1/")
    good = {"application/json": {"schema": answer}} if answer else {"text/plain": {"schema": {"type": "string"}}}
    problem = {"application/json": {"schema": {"$ref": _TEMPLATE.format(name="Problem")}}}
    refusals = sorted({*one.also, *(_GUARDED if guarded else (500,))})
    responses: JsonObject = {"200": {"description": "OK", "content": good}}
    for status in refusals:
        content = good if status == 503 and not guarded else problem
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    told: JsonObject = {"summary": one.summary, "responses": responses, "parameters": list(_parameters(one))}
    if body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return told if guarded else told | {"security": []}


def _parameters(one: Operation) -> list[JsonObject]:
    found: list[JsonObject] = []
    if "{id}" in one.path:
        text = {"type": "string", "minLength": 1}
        found.append({"name": "id", "in": "path", "required": True, "schema": text})
    if one.query is not None:
        _, components = msgspec.json.schema_components([one.query])
        fields: Mapping[str, JsonObject] = components[one.query.__name__]["properties"]
        for name, schema in fields.items():
            limits = {"minimum": 1, "maximum": PAGE_MAX} if name == "limit" else {}
            found.append({"name": name, "in": "query", "required": False, "schema": schema | limits})
    return found
