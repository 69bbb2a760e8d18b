"""What requests and answers hold, as JSON Schemas for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from runcard.data.signature import Target
from runcard.serving.predictor import Predictor

Schema = dict[str, Any]


def schemas(predictor: Predictor, rows: list[dict[str, Any]]) -> dict[str, Schema]:
    """All of them by name.

    Args:
        predictor: What answers.
        rows: The first is shown.
    """
    models = [(model, "validation") for model in (predictor.reader.model, predictor.reader.columns)]
    _, described = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    row, columns = described["$defs"]["Row"], described["$defs"]["Columns"]
    row["examples"] = rows[:1]
    columns["description"] = "Of each field its values, as many as there are rows."
    for values in columns["properties"].values():
        values["maxItems"] = predictor.max_rows
    target = predictor.bundle.signature.target
    return {
        "Row": row,
        "Rows": {"type": "array", "items": ref("Row"), "maxItems": predictor.max_rows},
        "Columns": columns,
        "Answer": _answer(target),
        "Answers": {"type": "array", "items": ref("Answer")},
        "AnswersByColumn": _answers_by_column(target),
        "Explanation": _explanation(predictor),
        "Model": _MODEL,
        "Mistakes": _MISTAKES,
    }


def ref(name: str, kind: str = "schemas") -> Schema:
    """Where a part of the description stands."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _object(properties: Mapping[str, Any], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _list(items: Schema, description: str = "") -> Schema:
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def _or_null(kind: str, description: str = "") -> Schema:
    return {"type": [kind, "null"]} | ({"description": description} if description else {})


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _number(description: str) -> Schema:
    return {"type": "number", "description": description}


_FREE: Schema = {"type": "object", "additionalProperties": True}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_MADE = {"prediction_id": _text("new for every answer"), "model_version": _text("the bundle that answered")}


def _class_of(target: Target) -> Schema:
    return {"type": "string", "enum": [*target.classes], "description": target.name}


def _answer(target: Target) -> Schema:
    given: dict[str, Schema] = {"value": _number(target.name)}
    if target.classes:
        shares = _object(dict.fromkeys(target.classes, _SHARE))
        given = {
            "class": _class_of(target),
            "probabilities": {**shares, "description": "of each class; they add up to 1"},
        }
    return _object({**_MADE, **given, "warnings": _list({"type": "string"}, "what training never saw, or lacked")})


def _answers_by_column(target: Target) -> Schema:
    given: dict[str, Schema] = {"value": _list({"type": "number"}, target.name)}
    if target.classes:
        shares = _object(dict.fromkeys(target.classes, _list(_SHARE)))
        given = {
            "class": _list(_class_of(target)),
            "probabilities": {**shares, "description": "of each class, in the order of the rows"},
        }
    warning = _object(
        {
            "field": {"type": "string"},
            "message": _text("what training never saw, or lacked, and in how many rows"),
            "rows": _list({"type": "integer", "minimum": 0}, "the first of them, from 0"),
        }
    )
    return _object({**_MADE, **given, "warnings": _list(warning)})


def _explanation(predictor: Predictor) -> Schema:
    signature = predictor.bundle.signature
    given: dict[str, Schema] = {"value": _number(signature.target.name)}
    if signature.target.classes:
        given = {"class": _class_of(signature.target), "probability": {**_SHARE, "description": "of that class"}}
    effect = _number("how much of the answer goes without it; below 0: it speaks against the answer")
    cells = _list({}, "of an image, a sequence or a vector: the effect of each cell of a grid over it, nested lists")
    place = {"type": "integer", "minimum": 0}
    word = _object({"start": place, "end": place, "effect": {"type": "number"}})
    field = {
        "field": {"type": "string", "enum": [feature.name for feature in signature.features]},
        "effect": effect,
        "cells": cells,
        "words": _list(word, "of a text: the effect of each word, and where it stands"),
    }
    fields = _list(_object(field, "cells", "words"), "the largest effect first")
    return _object(
        {"model_version": _MADE["model_version"], **given, "method": _text("what an effect is"), "fields": fields}
    )


_FEATURE = _object(
    {
        "name": {"type": "string"},
        "kind": {"type": "string", "enum": ["number", "boolean", "category", "text", "image", "vector", "sequence"]},
        "shape": _list({"type": "integer"}, "of an array's values"),
        "low": _or_null("number", "least in training, rounded outward"),
        "high": _or_null("number", "largest in training, rounded outward"),
        "categories": _list({"type": "string"}, "seen in training"),
        "missing": {"type": "boolean", "description": "whether training rows lacked it"},
        "withheld": {"type": "integer", "minimum": 1, "description": "categories that are known and not listed"},
    },
    "withheld",
)
_TARGET = _object(
    {
        "name": {"type": "string"},
        "task": {"type": "string", "enum": ["classification", "regression"]},
        "classes": _list({"type": "string"}),
        "low": _or_null("number", "least in training, rounded outward"),
        "high": _or_null("number", "largest in training, rounded outward"),
    }
)
_MODEL = _object(
    {
        "name": {"type": "string"},
        "version": _text("the bundle that answers"),
        "max_rows": {"type": "integer", "description": "the most rows of one request"},
        "created": {**_text("when it was packaged"), "format": "date-time"},
        "fingerprint": _text("of the rows that it learned from"),
        "commit": _or_null("string", "of the project that it was trained in"),
        "uncommitted_changes": _or_null("boolean"),
        "metric": _text("what the problem is judged by"),
        "problem": {**_FREE, "description": "what the model is for"},
        "versions": {"type": "object", "additionalProperties": {"type": "string"}},
        "examples": {**_text("whether the rows shown are made or real"), "enum": ["made", "real"]},
        "metrics": {"type": "object", "additionalProperties": _or_null("number")},
        "signature": _object({"features": _list(_FEATURE), "target": _TARGET}),
        "card": {**_FREE, "description": "how it was trained; of files the names alone"},
    }
)
_MISTAKES = _object(
    {
        "error": _text("the first mistake, in one line"),
        "mistakes": _list(
            _object(
                {
                    "row": _or_null("integer", "from 0; null if there is but one, or no row in particular"),
                    "field": _or_null("string"),
                    "message": {"type": "string"},
                }
            )
        ),
    }
)
