"""The service's OpenAPI description, with the model's own fields."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from runcard.serving.http import ARROW
from runcard.serving.predictor import Predictor
from runcard.serving.schemas import ref, schemas
from runcard.serving.uploads import FORM, PNG, only_image

Part = dict[str, Any]
JSON, CSV, HTML, PLAIN = "application/json", "text/csv", "text/html", "text/plain"
ABOUT = "An address that is not listed is answered with 404, and another method than the listed ones with 405."
SCHEMES: Part = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The service's token."},
    "basic": {"type": "http", "scheme": "basic", "description": "The service's token as the password; any name."},
}
REFUSED = {
    400: "The body is not as it is described; each mistake is named.",
    401: "The token is missing or wrong; or the service has none, and answers its own machine only.",
    408: "The request did not come within the time that the service waits; without a body if its head did not.",
    413: "The body is too long, or holds too many rows.",
    415: "The body is of another content type, or packed.",
    429: "Too many requests at once; try again.",
    431: "The head is too long.",
    500: "A fault of the service; its log says more.",
    503: "The answer took too long; send fewer rows, or try again.",
}
# What stands before every route refuses with these, and what computes with the others too.
ALWAYS = (401, 408, 413, 415, 429, 431, 500)
RETRY = {"retry-after": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
CHALLENGE = {"www-authenticate": {"description": "How to send the token.", "schema": {"type": "string"}}}


def openapi(predictor: Predictor, rows: list[dict[str, Any]], *, token: bool = True) -> dict[str, Any]:
    """The description of all routes.

    Args:
        predictor: What answers.
        rows: Two rows to show.
        token: Whether requests have to bring one.
    """
    about = predictor.bundle.about
    described = {
        "/predict": {"post": _predict(predictor, rows)},
        "/predict/batch": {"post": _batch(predictor, rows)},
        "/explain": {"post": _explain(predictor, rows)},
        "/model": {"get": _got("model", "The model, for programs", {JSON: {"schema": ref("Model")}})},
        "/": {"get": _got("page", "The model, for people: a page with a form", _text(HTML))},
        "/docs": {"get": _got("docs", "This description, for people", _text(HTML))},
        "/openapi.json": {"get": _got("openapi", "This description", {JSON: {"schema": {"type": "object"}}})},
        "/metrics": {"get": _got("metrics", "Counts and times of requests, as Prometheus reads them", _text(PLAIN))},
        "/livez": {"get": _health("livez", "Whether the process lives")},
        "/healthz": {"get": _health("healthz", "The same as /livez")},
        "/readyz": {"get": _health("readyz", "Whether it can answer; it then does so with 200")},
    }
    goal = about["problem"]["goal"]
    return {
        "openapi": "3.1.0",
        "info": {"title": about["name"], "version": predictor.version, "description": f"{goal}\n\n{ABOUT}"},
        # Beside this description, behind whatever prefix a proxy has.
        "servers": [{"url": "."}],
        "paths": described,
        "security": [{name: []} for name in SCHEMES] if token else [],
        "components": {
            "schemas": schemas(predictor, rows),
            "responses": {str(status): _refused(status) for status in REFUSED},
            "headers": HEADERS,
            "securitySchemes": SCHEMES,
        },
    }


def _predict(predictor: Predictor, rows: list[dict[str, Any]]) -> Part:
    asked = {
        JSON: {
            "schema": {"anyOf": [ref("Row"), ref("Rows")]},
            "examples": {"one row": {"value": rows[0]}, "two rows": {"value": rows[:2]}},
        }
    }
    answers = {JSON: {"schema": {"anyOf": [ref("Answer"), ref("Answers")]}}}
    return {
        "summary": "Answer one row, or an array of rows",
        "description": "Every field has to be there; null says that it is unknown.",
        **_posted("predict", asked | _uploads(predictor)),
        "responses": _answered("An answer, or an array of them in the order of the rows.", answers),
    }


def _explain(predictor: Predictor, rows: list[dict[str, Any]]) -> Part:
    asked = {JSON: {"schema": ref("Row"), "example": rows[0]}}
    return {
        "summary": "Explain the answer to one row",
        **_posted("explain", asked | _uploads(predictor)),
        "responses": _answered("What the answer hangs on.", {JSON: {"schema": ref("Explanation")}}),
    }


def _batch(predictor: Predictor, rows: list[dict[str, Any]]) -> Part:
    columns = {name: [row[name] for row in rows[:2]] for name in rows[0]}
    separator = predictor.bundle.card["data"].get("separator", ",")
    asked = {JSON: {"schema": ref("Columns"), "example": columns}, CSV: _table(columns, separator), ARROW.decode(): {}}
    each = ", for each class probability_CLASS," if predictor.bundle.signature.target.classes else ""
    said = f"prediction{each} and unusual, which names the fields that are missing, or as training never saw them"
    answers = {
        JSON: {"schema": ref("AnswersByColumn")},
        CSV: {"schema": {"type": "string", "description": f"With the columns {said}."}},
        ARROW.decode(): {},
    }
    headers = {name: ref(name, "headers") for name in ("x-prediction-id", "x-model-version")}
    return {
        "summary": "Answer many rows, by columns",
        "description": "All columns are of one length. The answers come in the form and order that the rows came in; "
        f"as CSV and Arrow in the columns {said}. An Arrow stream is sent without compression.",
        **_posted("predict_batch", asked),
        "responses": _answered("The answers.", answers, headers),
    }


def _table(columns: Mapping[str, list[Any]], separator: str) -> Part:
    """A CSV with the fields as its head, which is shown if no field is a list."""
    about = f"With the fields as its head, in any order, and {separator!r} between them; other columns are passed over."
    schema = {"type": "string", "description": about}
    if any(isinstance(value, list) for values in columns.values() for value in values):
        return {"schema": schema}
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([columns, *zip(*columns.values(), strict=True)])
    return {"schema": schema, "example": text.getvalue()}


def _uploads(predictor: Predictor) -> Part:
    """An image as a file, if that is what the model takes."""
    image = only_image(predictor.bundle.signature)
    if image is None:
        return {}
    file = {"type": "object", "properties": {image.name: {"type": "string", "format": "binary"}}}
    form = {**file, "required": [image.name], "additionalProperties": False}
    encoding = {image.name: {"contentType": PNG.decode()}}
    return {PNG.decode(): {}, FORM.decode(): {"schema": form, "encoding": encoding}}


def _posted(name: str, content: Part) -> Part:
    return {"operationId": name, "requestBody": {"required": True, "content": content}}


def _answered(description: str, content: Part, headers: Mapping[str, Part] | None = None) -> Part:
    """What a route that computes answers."""
    named = {"x-request-id": ref("x-request-id", "headers"), **(headers or {})}
    refused = {str(status): ref(str(status), "responses") for status in REFUSED}
    return {"200": {"description": description, "headers": named, "content": content}, **refused}


def _got(name: str, summary: str, content: Part) -> Part:
    """A route that only has to be asked."""
    answered = _answered(summary, content)
    wanted = {"200", *map(str, ALWAYS)}
    return {
        "summary": summary,
        "operationId": name,
        "responses": {status: said for status, said in answered.items() if status in wanted},
    }


def _health(name: str, summary: str) -> Part:
    responses = {"200": {"description": summary, "content": _text(PLAIN)}}
    if name == "readyz":
        responses["503"] = {"description": "It cannot yet.", "content": _text(PLAIN)}
    return {"summary": summary, "operationId": name, "security": [], "responses": responses}


def _refused(status: int) -> Part:
    headers = {"x-request-id": ref("x-request-id", "headers")}
    headers |= CHALLENGE if status == 401 else RETRY if status in (429, 503) else {}
    said = {"description": REFUSED[status], "headers": headers, "content": {JSON: {"schema": ref("Mistakes")}}}
    return {"description": REFUSED[status]} if status == 431 else said


def _text(kind: str) -> Part:
    return {kind: {"schema": {"type": "string"}}}


def _header(description: str) -> Part:
    return {"description": description, "required": True, "schema": {"type": "string"}}


HEADERS = {
    "x-request-id": _header("The request's name in the log: the client's own, if it sent one, or else a new one."),
    "x-prediction-id": _header("New for every answer."),
    "x-model-version": _header("The bundle that answered."),
}
