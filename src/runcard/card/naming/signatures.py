"""What a target takes: from the table for a third-party class, from signature and annotations for a user's."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import BaseModel

from runcard.card.naming import thirdparty

NOTHING: Any = inspect.Parameter.empty
Function = Callable[..., Any]


@dataclass(frozen=True)
class Unreadable:
    """In an annotation: it cannot be resolved, so that nobody can say whether a value is right."""

    why: str


@dataclass(frozen=True)
class Argument:
    """One argument.

    Attributes:
        annotation: What its value must be.
        required: Whether it has no default.
        default: ``NOTHING`` if there is none, or none that is known.
        closed: Whether its value cannot be written in a card.
    """

    annotation: Any
    required: bool
    default: Any = NOTHING
    closed: bool = False


@dataclass(frozen=True)
class Signature:
    """What a class or function takes by name.

    Attributes:
        name: Of the class or function.
        arguments: By name.
        bases: Names of the classes that what it makes is an object of; None: not known.
        made: The class of what it makes, where it is imported.
        positional: The annotation of each of ``*args``; ``NOTHING`` where a card can give none.
        model: What judges the arguments behind ``**kwargs``.
        refusal: Why a card cannot name it, and what to do.
    """

    name: str
    arguments: Mapping[str, Argument]
    bases: frozenset[str] | None = None
    made: type | None = None
    positional: Any = NOTHING
    model: type[BaseModel] | None = None
    refusal: tuple[str, str] | None = None


def signature_of(target: str | Function) -> Signature:
    """What a target takes.

    Args:
        target: The public name of a class in the table, or a user's class or function.
    """
    if isinstance(target, str):
        return _of_entry(target)
    known = _of_class(target) if isinstance(target, type) else None
    if known is not None:
        return known
    try:
        return _of_parameters(target, list(inspect.signature(target).parameters.values()))
    except ValueError:  # as for some classes written in C
        return Signature(named(target), {}, refusal=("does not say what it takes", "Name a class written in Python."))


def arguments_of(model: type[Any]) -> dict[str, Argument]:
    """The fields of a pydantic model, or of a ``TypedDict``, as arguments under the names that the class has."""
    if not issubclass(model, BaseModel):
        hints = typing.get_type_hints(model)
        return {name: Argument(hint, name in model.__required_keys__) for name, hint in hints.items()}
    return {
        name: Argument(
            Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation,
            field.is_required(),
            NOTHING if field.is_required() or field.default_factory else field.default,
        )
        for name, field in model.model_fields.items()
    }


def suits(signature: Signature, annotation: Any) -> bool:
    """Whether what the target makes can be of the annotated type, as far as that is known."""
    kind = typing.get_origin(annotation) or annotation
    if signature.bases is None or kind in (Any, object) or isinstance(kind, typing.TypeVar):
        return True
    if isinstance(kind, thirdparty.Instance):
        return kind.qualified in signature.bases
    if not isinstance(kind, type):
        return False
    # A protocol is followed without being inherited, and whether an object can be called is not known of all.
    free = named(kind) == "collections.abc.Callable" or getattr(kind, "_is_protocol", False)
    return free or named(kind) in signature.bases or (signature.made is not None and issubclass(signature.made, kind))


def named(target: Function) -> str:
    """The name of a class or function with its module's."""
    return f"{target.__module__}.{getattr(target, '__qualname__', type(target).__qualname__)}"


def _of_entry(name: str) -> Signature:
    entry = thirdparty.entry(name)
    arguments = {
        name: Argument(
            thirdparty.annotation(item["type"] or "any"),
            bool(item.get("required")),
            item.get("default", NOTHING),
            item["type"] is None,
        )
        for name, item in entry["arguments"].items()
    }
    positional = thirdparty.annotation(entry["positional"]) if "positional" in entry else NOTHING
    return Signature(name, arguments, frozenset(entry["bases"]), positional=positional)


def _of_class(target: type) -> Signature | None:
    """What a class takes whose constructor is a model's, or is inherited from a class of the table."""
    if issubclass(target, BaseModel):
        return Signature(named(target), arguments_of(target), _bases(target), target, model=target)
    owner = next(base for base in target.__mro__ if "__init__" in vars(base))
    inherited = thirdparty.public(named(owner))
    if inherited is None:
        return None
    return replace(_of_entry(inherited), name=named(target), bases=_bases(target), made=target)


def _of_parameters(target: Function, parameters: list[inspect.Parameter]) -> Signature:
    kinds = {item.kind for item in parameters}
    scope = _scope(target)
    arguments = {
        item.name: Argument(_hint(item.annotation, scope), item.default is NOTHING, item.default)
        for item in parameters
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    model = _model(target) if inspect.Parameter.VAR_KEYWORD in kinds else None
    arguments |= arguments_of(model) if model else {}
    positional = NOTHING
    if parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:  # behind others nobody could tell them
        positional = _hint(parameters[0].annotation, scope)
    made, refusal = _made(target), _refusal(parameters, model)
    return Signature(named(target), arguments, _bases(made), made, positional, model, refusal)


def _refusal(parameters: list[inspect.Parameter], model: type[BaseModel] | None) -> tuple[str, str] | None:
    for item in parameters:
        if item.kind is item.VAR_KEYWORD and model is None:
            hint = "Name every argument, or give the class a pydantic model named Arguments that does."
            return f"takes **{item.name}, so no mistake in its arguments could be seen", hint
        if item.kind is item.POSITIONAL_ONLY and item.default is NOTHING:
            return f"takes {item.name!r} by its position alone", "Let it be given by name."
    return None


def _model(target: Function) -> type[BaseModel] | None:
    found = getattr(target, "Arguments", None)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _made(target: Function) -> type | None:
    if isinstance(target, type):
        return target
    made = _hint(getattr(target, "__annotations__", {}).get("return", Any), _scope(target))
    return made if isinstance(made, type) and made is not Any else None


def _bases(made: type | None) -> frozenset[str] | None:
    return None if made is None else frozenset(named(base) for base in made.__mro__)


def _scope(target: Function) -> dict[str, Any]:
    function: Any = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    return getattr(inspect.unwrap(function), "__globals__", {})


def _hint(annotation: Any, scope: dict[str, Any]) -> Any:
    """The annotation, resolved; anything, if there is none."""
    if annotation is NOTHING:
        return Any
    try:
        holder = SimpleNamespace(__annotations__={"it": annotation})
        return typing.get_type_hints(holder, scope, include_extras=True)["it"]
    except Exception as error:  # whatever the text in an annotation raises
        return Annotated[Any, Unreadable(f"{annotation!s} cannot be read: {type(error).__name__}: {error}")]
