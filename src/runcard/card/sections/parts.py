"""What the card's sections are made of: two kinds of section, and the ranges that many keys share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1, lt=2**31)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1)]


class Section(BaseModel):
    """A part of the card: unknown keys are refused, values are not converted, fields cannot be set."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Part(Section):
    """A section that names the class it describes; the other keys are that class's keyword arguments."""

    target_class: str = Field(alias="_target_")

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for the class."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "target_class"}
