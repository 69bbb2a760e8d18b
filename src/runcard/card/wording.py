"""What pydantic finds, in the words of the card: what was expected, the value, the nearest right value."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import ErrorDetails

from runcard.advice import advise
from runcard.card.sections.parts import NAME, PLACE
from runcard.card.spelling import in_words, nearest

# pydantic's kind of error → what was expected; the context fills the braces.
EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a section with keys of its own",
    "model_attributes_type": "a section with keys of its own",
    "finite_number": "a finite number",
    "greater_than": "above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "below {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "none_required": "null",
    "callable_type": "a mapping with the _target_ of what can be called",
    "needs_python_object": "a class itself, which no card can give",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
}
YAML = {"True": "true", "False": "false", "None": "null"}
PATTERNS = {
    NAME: "letters, digits, '.', '_' and '-', the first a letter or digit",
    PLACE: "a path that begins with / or ~/",
}


def expected(detail: ErrorDetails) -> str:
    """What the value should have been, to follow the words "must be"."""
    context = detail.get("ctx", {})
    if context.get("pattern") in PATTERNS:
        return PATTERNS[context["pattern"]]
    if detail["type"] in EXPECTED:
        return as_yaml(EXPECTED[detail["type"]].format(**context))
    return detail["msg"].removeprefix("Input should be ")


def as_yaml(choices: str) -> str:
    """Python's words for a choice of values, with YAML's for those that are no texts."""
    return re.sub(r"(?<!')\b(True|False|None)\b(?!')", lambda found: YAML[found[0]], choices)


def must_be(expected: str, value: Any) -> str:
    """The message for a value that is not what was expected."""
    return f"must be {expected}, not {shown(value)}"


def near_value(detail: ErrorDetails, key: str) -> str:
    """How to write the value at ``key`` right, if that can be guessed."""
    value = detail["input"]
    if detail["type"] == "string_type" and isinstance(value, int | float):
        if key.rpartition(".")[2].isdecimal():  # an override cannot give one value of a list
            written = advise(f'{key.rpartition(".")[0]}=["{value}"]')
            return f"Quote a text that looks like a number, within the list: {written}."
        written = advise(f'{key}="{value}"')
        return f"Quote a text that looks like a number: {written}."
    if detail["type"] not in ("literal_error", "enum") or not isinstance(detail["input"], str):
        return ""
    allowed = detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
    near = nearest(detail["input"], allowed)
    return f"Did you mean {in_words(near)}?" if near else ""


def shown(value: Any) -> str:
    """The value as JSON, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
