"""The card's classes as JSON Schema: pydantic's own, with the text under each field, and told apart by ``_target_``."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

Schema = dict[str, Any]
TARGET = "_target_"
# A class that is none of ours; what looks like one of ours and is not must be a slip.
_ELSEWHERE = {"type": "string", "pattern": r"^(?!runcard\.)"}
# Where a schema holds others: by name, in a list, or one.
_NAMED, _LISTED, _SINGLE = ("properties", "$defs"), ("anyOf", "oneOf", "allOf"), ("items", "additionalProperties")


def described(root: type[BaseModel]) -> Schema:
    """The schema of a class, with those of all classes below it in ``$defs``."""
    schema = root.model_json_schema(schema_generator=_Described)
    classes = schema.get("$defs", {})
    return mapped(schema, lambda part: _by_target(_plain_list(part), classes))


def mapped(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A schema with all schemas in it changed, the innermost first."""
    made = dict(schema)
    for key in _NAMED:
        if key in made:
            made[key] = {name: mapped(part, change) for name, part in made[key].items()}
    for key in _LISTED:
        if key in made:
            made[key] = [mapped(part, change) for part in made[key]]
    for key in _SINGLE:
        if isinstance(made.get(key), dict):
            made[key] = mapped(made[key], change)
    return change(made)


def targets_of(schema: Schema) -> list[str]:
    """The classes that a section may name; none if it may name any."""
    target = schema.get("properties", {}).get(TARGET, {})
    return list(target.get("enum", [target["const"]] if "const" in target else []))


def partial(schema: Schema, classes: Mapping[str, Schema]) -> Schema:
    """A schema that requires nothing, and where ``_target_`` would decide lets the keys of all classes be.

    Args:
        schema: What ``described`` gives, or a part of it.
        classes: What it refers to.
    """
    return mapped(schema, lambda part: _without(_merged(part, classes), "required"))


def with_open(schema: Schema) -> Schema:
    """A schema in which every value may also be left open: what that is stands in ``$defs`` under ``Open``."""
    return mapped(schema, _opened)


class _Described(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        made: Schema = super().model_schema(schema)
        model = schema["cls"]
        texts = field_texts(model)
        for name, field in model.model_fields.items():
            part = made.get("properties", {}).get(field.alias or name)
            if part is not None and name in texts:
                part.setdefault("description", texts[name])
        return made


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Field → the docstring under it, also under a field of the same name in a class above.

    pydantic can read them itself, but only while it makes the class, and every start would wait for it.
    """
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        for field, below in itertools.pairwise(_body(base.__module__).get(base.__name__, [])):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                    texts[name] = inspect.cleandoc(text)
    return texts


@functools.cache
def _body(module: str) -> Mapping[str, list[ast.stmt]]:
    """Class → its statements, of a module of which there is a source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):
        return {}
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def _plain_list(schema: Schema) -> Schema:
    """A list of so many values of one kind, in words that every editor knows."""
    items = schema.get("prefixItems")
    if not items or any(item != items[0] for item in items) or schema.get("maxItems") != len(items):
        return schema
    return _without(schema, "prefixItems") | {"items": items[0]}


def _by_target(schema: Schema, classes: Mapping[str, Schema]) -> Schema:
    """One of several classes, of which ``_target_`` alone decides, so that an editor speaks of that one only."""
    several: list[Schema] = schema.get("oneOf") or schema.get("anyOf") or []
    options = [each for option in several for each in _cases(option)]
    sections = [classes.get(_class(option), {}) for option in options]
    if not sections or not all(TARGET in section.get("properties", {}) for section in sections):
        return schema
    cases = list(zip(map(targets_of, sections), options, strict=True))
    named = [target for targets, _ in cases for target in targets]
    any_class = [option for targets, option in cases if not targets]
    target: Schema = {"description": "The class that takes the other keys.", "enum": named}
    if any_class:
        target = {"description": target["description"], "anyOf": [{"enum": named}, _ELSEWHERE]}
    rest = _without(schema, "oneOf", "anyOf", "discriminator")
    chosen = [_if({"enum": targets}, option) for targets, option in cases if targets]
    chosen += [_if({"not": {"enum": named}}, option) for option in any_class]
    return rest | {"type": "object", "properties": {TARGET: target}, "required": [TARGET], "allOf": chosen}


def _if(target: Schema, then: Schema) -> Schema:
    return {"if": {"properties": {TARGET: target}, "required": [TARGET]}, "then": then}


def _cases(schema: Schema) -> list[Schema]:
    """The classes that a schema of ``_by_target`` chooses from; any other schema is its own only case."""
    return [case["then"] for case in schema.get("allOf", []) if "then" in case] or [schema]


def _class(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _merged(schema: Schema, classes: Mapping[str, Schema]) -> Schema:
    sections = [classes[_class(option)] for option in _cases(schema) if "allOf" in schema]
    if not sections:
        return schema
    keys = dict.fromkeys(key for section in sections for key in section["properties"] if key != TARGET)
    several = {key: _one_of([s["properties"][key] for s in sections if key in s["properties"]]) for key in keys}
    free = any(section.get("additionalProperties") for section in sections)
    known = {"properties": schema["properties"] | several, "additionalProperties": free}
    return _without(schema, "allOf") | known


def _one_of(options: Sequence[Schema]) -> Schema:
    """What a key may hold in one class or another."""
    alike = {json.dumps(_without(option, "description")): option for option in reversed(options)}
    return {"anyOf": list(alike.values())[::-1]} if len(alike) > 1 else options[0]


def _opened(schema: Schema) -> Schema:
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {k: v if k == TARGET else _or_open(v) for k, v in made["properties"].items()}
    for key in _SINGLE:
        if isinstance(made.get(key), dict):
            made[key] = _or_open(made[key])
    return made


def _or_open(schema: Schema) -> Schema:
    about = {key: schema[key] for key in ("description", "default") if key in schema}
    rest = _without(schema, *about)
    free_text = rest.get("type") == "string" and not {"enum", "const", "pattern", "maxLength"} & set(rest)
    if free_text or not rest:
        return schema
    return about | {"anyOf": [*(rest["anyOf"] if set(rest) == {"anyOf"} else [rest]), {"$ref": "#/$defs/Open"}]}


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}
