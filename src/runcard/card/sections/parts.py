"""What the card's sections are made of: two kinds of section, and the ranges that many keys share."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from runcard.errors import CardError

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1, lt=2**31)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=100)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
# A bundle is used wherever it lies: what a path in it begins at has to be the same everywhere.
PLACE = r"^(/|~/)."
Place = Annotated[str, StringConstraints(pattern=PLACE)]
Text = Annotated[str, StringConstraints(min_length=1)]


class AbsentValue(Exception):  # noqa: N818  # nothing is wrong with who asks
    """A key was asked for that a card with mistakes does not have; no ``AttributeError``, which would be a bug."""


class Section(BaseModel):
    """A part of the card: unknown keys are refused, values are not converted, fields cannot be set."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    if not typing.TYPE_CHECKING:  # a checker would take every name for one that there is

        def __getattr__(self, name: str) -> Any:
            """Python asks it for what is not there.

            Raises:
                AbsentValue: If it is a key that the partial card lacks.
            """
            if name in type(self).model_fields:
                raise AbsentValue(name)
            return super().__getattr__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            """Python asks it to change a value.

            Raises:
                CardError: If it is a key: a card was checked whole.
            """
            if name in type(self).model_fields:
                raise CardError(
                    f"a card is checked whole and not changed: compose another, with {name} among the overrides, as in "
                    f"load_card([..., '...{name}={value}'])"
                )
            super().__setattr__(name, value)


# A section describes a class that is shipped, or one that its owner trusts.
SHIPPED, OWN = "runcard:shipped", "runcard:own"


class Part(Section):
    """A section that names the class it describes; the other keys are that class's keyword arguments."""

    target_class: str = Field(alias="_target_")

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for the class."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "target_class"}


class OwnPart(Part):
    """A class that Runcard does not know: its own signature says which other keys there are.

    As a base it stands last, or the other's configuration would refuse them.
    """

    model_config = ConfigDict(extra="allow")

    def arguments(self) -> dict[str, Any]:
        """As ``Part.arguments``."""
        return dict(self.model_extra or {})


def kind_of_part(value: Any) -> str:
    """Which of the two a section describes, for pydantic's unions; a wrong name counts as shipped."""
    target = value.get("_target_") if isinstance(value, dict) else getattr(value, "target_class", None)
    return OWN if isinstance(target, str) and target not in shipped_targets() else SHIPPED


@functools.cache
def shipped_targets() -> frozenset[str]:
    """The names of all classes that have a section of their own."""
    return frozenset(target for part in _parts(Part) for target in targets_of(part))


def targets_of(part: type[Part]) -> tuple[str, ...]:
    """The names that a section's ``_target_`` may have; none if any."""
    return typing.get_args(part.model_fields["target_class"].annotation)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return models_in(inside[0])
    if origin is dict:
        return models_in(inside[1])
    if origin in (typing.Union, types.UnionType):
        return [model for option in inside for model in models_in(option)]
    return []


def _parts(part: type[Part]) -> Iterator[type[Part]]:
    yield part
    for below in part.__subclasses__():
        yield from _parts(below)


def is_encoding(name: str) -> bool:
    """Whether Python can read a text with it."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):  # ValueError: a NUL in its name
        return False
    return True
