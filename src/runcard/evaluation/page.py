"""Pages for people that need nothing else: one HTML text with its style and plots inline, no script, no network."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2


def filled(package: str, template: str, **content: Any) -> str:
    """A page from its template.

    Args:
        package: Where the template lies, such as ``runcard.tuning``.
        template: The name of its file; it finds the look of all pages as ``style``.
        content: What else it finds; all text is escaped, but for what the template calls safe.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    text = resources.files(package).joinpath(template).read_text("utf-8")
    style = resources.files("runcard.evaluation").joinpath("style.css").read_text("utf-8")
    return environment.from_string(text).render(style=style, **content)


def number(value: float | None) -> str:
    """A number for people: four digits that matter."""
    if value is None:
        return "not known"
    # Adding 0 turns the -0.0 that rounding leaves into 0.0.
    return f"{round(value, 4) + 0:.4f}" if abs(value) < 10 else f"{value:,.1f}"
