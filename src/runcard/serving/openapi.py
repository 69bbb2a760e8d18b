"""The service's OpenAPI description, with the model's own fields."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from runcard.serving.predictor import Predictor

JSON = "application/json"


def openapi(predictor: Predictor, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The description of all routes.

    Args:
        predictor: What answers.
        rows: Two rows to show.
    """
    about = predictor.bundle.about
    _, described = models_json_schema(
        [(predictor.reader.model, "validation")], ref_template="#/components/schemas/{model}"
    )
    schemas = {**described["$defs"], "Answer": _answer(predictor), "Mistakes": _MISTAKES}
    schemas["Row"]["examples"] = rows[:1]
    return {
        "openapi": "3.1.0",
        "info": {"title": about["name"], "version": predictor.version, "description": about["problem"]["goal"]},
        "paths": {
            "/predict": {"post": _predict(rows)},
            "/livez": {"get": _plain("Whether the process lives", "It does.")},
            "/readyz": {"get": _plain("Whether it can answer", "It can; 503 or no answer: it cannot yet.")},
            "/metrics": {"get": _plain("Counts and times of requests", "In Prometheus' text format.")},
        },
        "components": {"schemas": schemas},
    }


def _predict(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "summary": "Answer one row, or an array of rows",
        "description": "Every field has to be there; null says that it is unknown.",
        "operationId": "predict",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"anyOf": [_ref("Row"), {"type": "array", "items": _ref("Row")}]},
                    "examples": {"one row": {"value": rows[0]}, "two rows": {"value": rows[:2]}},
                }
            },
        },
        "responses": {
            "200": {
                "description": "An answer, or an array of them in the order of the rows.",
                "content": {JSON: {"schema": {"anyOf": [_ref("Answer"), {"type": "array", "items": _ref("Answer")}]}}},
            },
            "400": {
                "description": "The body is no JSON, or a field is missing, unknown or of another kind.",
                "content": {JSON: {"schema": _ref("Mistakes")}},
            },
            "413": {"description": "The body is too long.", "content": {JSON: {"schema": _ref("Mistakes")}}},
        },
    }


def _answer(predictor: Predictor) -> dict[str, Any]:
    target = predictor.bundle.signature.target
    text = {"type": "string"}
    given: dict[str, Any] = {"value": {"type": "number", "description": target.name}}
    if target.classes:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        shares = {"type": "object", "properties": dict.fromkeys(target.classes, share), "required": [*target.classes]}
        given = {
            "class": {**text, "enum": [*target.classes], "description": target.name},
            "probabilities": {**shares, "description": "of each class; they add up to 1"},
        }
    properties = {
        "prediction_id": {**text, "description": "new for every answer"},
        "model_version": {**text, "description": "the bundle that answered"},
        **given,
        "warnings": {"type": "array", "items": text, "description": "what training never saw, or lacked"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


_MISTAKES = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "the first mistake, in one line"},
        "mistakes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": ["integer", "null"], "description": "in an array of rows, from 0"},
                    "field": {"type": ["string", "null"]},
                    "message": {"type": "string"},
                },
                "required": ["row", "field", "message"],
            },
        },
    },
    "required": ["error", "mistakes"],
}


def _plain(summary: str, description: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": description}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
