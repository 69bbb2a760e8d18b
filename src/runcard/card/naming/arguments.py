"""The judge of a target's arguments: unknown, missing, of a wrong type, at any depth. Imports no target itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, ValidationError

from runcard.card import wording
from runcard.card.naming import fits, thirdparty
from runcard.card.naming.plain import Fit, Wrong, errors_in, holds_objects
from runcard.card.naming.signatures import (
    NOTHING,
    Argument,
    Function,
    Signature,
    Unreadable,
    arguments_of,
    signature_of,
    suits,
)
from runcard.card.spelling import suggest

UNREADABLE = "Import what the annotation names, and not for type checkers alone."
# A target's name → the user's class or function; None for what is in the table.
Resolve = Callable[[str], Function | None]


def judge_arguments(
    key: str,
    target: str | Function,
    values: Mapping[str, Any],
    given: Collection[str] = (),
    resolve: Resolve = lambda name: None,
) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint for each mistake.

    Args:
        key: The dotted path of the section.
        target: The name of a class of the table or of what ``resolve`` finds, or a user's class or function.
        values: The section without ``_target_``, as YAML has it; ``_args_`` lists positional arguments.
        given: Arguments that Runcard gives, so that the card must not.
        resolve: Finds what a ``_target_`` names, which must be known or trusted already.
    """
    for wrong in _Judge(resolve).call(key, target, values, given).wrong:
        yield wrong.key, wrong.message, wrong.hint


def converted(
    target: str | Function, values: Mapping[str, Any], resolve: Resolve = lambda name: None
) -> dict[str, Any]:
    """The arguments as the target's annotations want them, such as tuples for lists and paths for texts.

    What has a ``_target_`` stays a mapping, with converted arguments.

    Args:
        target: As in ``judge_arguments``.
        values: What was judged to have no mistakes.
        resolve: As in ``judge_arguments``.
    """
    found: dict[str, Any] = _Judge(resolve).call("", target, values, ()).value
    return found


def defaults_of(target: str | Function, given: Collection[str] = ()) -> dict[str, Any]:
    """The arguments that have a default which YAML can hold, and these defaults.

    Args:
        target: The name of a class of the table, or a user's class or function.
        given: Arguments that Runcard gives.
    """
    arguments = signature_of(target).arguments.items()
    plain = {name: _plain(item.default) for name, item in arguments if not item.closed and name not in given}
    return {name: value for name, value in plain.items() if value is not NOTHING}


def accepts(target: str | Function) -> frozenset[str]:
    """The names of all arguments, with those that no card can write.

    Args:
        target: As in ``defaults_of``.
    """
    return frozenset(signature_of(target).arguments)


@dataclass(frozen=True)
class _Judge:
    resolve: Resolve

    def call(self, key: str, target: str | Function, values: Mapping[str, Any], given: Collection[str]) -> Fit:
        signature = self._signature(target)
        if signature is None:  # whoever judged the name has said so
            return Fit(dict(values))
        if signature.refusal is not None:
            message, hint = signature.refusal
            return Fit(dict(values), (Wrong(f"{key}._target_", f"{signature.name} {message}", hint),))
        return self._section(key, signature, values, given)

    def _signature(self, target: str | Function) -> Signature | None:
        if not isinstance(target, str) or thirdparty.known(target):
            return signature_of(target)
        found = self.resolve(target)
        return None if found is None else signature_of(found)

    def _section(self, key: str, signature: Signature, values: Mapping[str, Any], given: Collection[str]) -> Fit:
        judged = {name: self._argument(f"{key}.{name}", name, values[name], signature, given) for name in values}
        missing = [
            _missing(f"{key}.{name}", signature, argument)
            for name, argument in signature.arguments.items()
            if argument.required and name not in values and name not in given
        ]
        wrong = (*(item for found in judged.values() for item in found.wrong), *missing)
        if signature.model is not None and not wrong:
            wrong = _whole(key, signature.model, values).wrong
        return Fit({name: found.value for name, found in judged.items()}, wrong)

    def _argument(self, key: str, name: str, value: Any, signature: Signature, given: Collection[str]) -> Fit:
        argument = signature.arguments.get(name)
        if name in given:
            return Fit(value, (Wrong(key, "is set by Runcard", "Leave it out."),))
        if name == "_args_" and signature.positional is not NOTHING:
            return fits.fit(key, value, list[signature.positional], self._object)  # type: ignore[name-defined]
        if argument is None:
            return Fit(value, (_unknown(key, name, signature, given),))
        if argument.closed:
            return Fit(value, (Wrong(key, "cannot be written in a card", "Leave it out."),))
        if value == "???":  # which is reported elsewhere
            return Fit(value)
        if _same(value, argument.default):  # a saved card holds defaults, which need not be as annotated
            return Fit(argument.default)
        why = next((one.why for one in getattr(argument.annotation, "__metadata__", ()) if type(one) is Unreadable), "")
        if why:
            return Fit(value, (Wrong(key, f"cannot be judged: its annotation {why}", UNREADABLE),))
        return fits.fit(key, value, argument.annotation, self._object)

    def _object(self, key: str, value: dict[str, Any], annotation: Any) -> Fit:
        if "_target_" not in value:
            return self._model(key, value, annotation)
        target, arguments = value["_target_"], {name: value[name] for name in value if name != "_target_"}
        if not isinstance(target, str):
            return Fit(value, (Wrong(f"{key}._target_", wording.must_be("a text", target)),))
        signature = self._signature(target)
        if signature is not None and not suits(signature, annotation):
            return fits.unfit(key, value, annotation)
        found = self.call(key, target, arguments, ())
        return Fit({"_target_": target, **found.value}, found.wrong)

    def _model(self, key: str, value: dict[str, Any], model: type[Any]) -> Fit:
        signature = Signature(model.__qualname__, arguments_of(model))
        found = self._section(key, signature, value, ())
        return found if found.wrong or not issubclass(model, BaseModel) else _whole(key, model, value)


def _missing(key: str, signature: Signature, argument: Argument) -> Wrong:
    if argument.closed:
        return Wrong(key, "is missing, and cannot be written in a card", f"{signature.name} is not for this place.")
    return Wrong(key, "is missing", f"{signature.name} needs it.")


def _unknown(key: str, name: str, signature: Signature, given: Collection[str]) -> Wrong:
    open_ones = [other for other, item in signature.arguments.items() if not item.closed and other not in given]
    hint = suggest(name, open_ones)
    if name == "_args_":
        hint = "Give each argument by its name."
    elif signature.positional is not NOTHING and not open_ones:
        hint = "List what it takes in _args_."
    return Wrong(key, f"{signature.name} has no such argument", hint or "It has none.")


def _whole(key: str, model: type[BaseModel], values: Mapping[str, Any]) -> Fit:
    """The model, for what it says of several fields together; not with objects in it, which are not made yet."""
    fields = {name: value for name, value in values.items() if name in model.model_fields}
    if holds_objects(fields):
        return Fit(fields)
    aliases = {name: model.model_fields[name].validation_alias for name in fields}
    by_alias = {alias if isinstance(alias, str) else name: fields[name] for name, alias in aliases.items()}
    try:
        return Fit(model.model_validate_json(json.dumps(by_alias, default=str), strict=True))
    except ValidationError as error:
        return Fit(fields, errors_in(key, fields, error))
    except Exception as error:  # whatever a validator of the user's raises
        return Fit(fields, (Wrong(key, f"cannot be judged: {error}"),))


def _same(value: Any, default: Any) -> bool:
    plain = _plain(default)
    return plain is not NOTHING and json.dumps(value, default=str) == json.dumps(plain)


def _plain(value: Any) -> Any:
    """The value as YAML holds it; ``NOTHING`` if it cannot."""
    if isinstance(value, Enum | PurePath):
        return _plain(value.value if isinstance(value, Enum) else str(value))
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return NOTHING if any(item is NOTHING for item in items) else items
    if isinstance(value, dict):
        items = [_plain(item) for item in value.values()]
        return NOTHING if any(item is NOTHING for item in items) else dict(zip(value, items, strict=True))
    finite = type(value) is float and math.isfinite(value)
    return value if value is None or finite or type(value) in (bool, int, str) else NOTHING
