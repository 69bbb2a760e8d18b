"""Cards, runs and studies as a notebook shows them: in a line, or as a small table."""

from __future__ import annotations

import html
from collections.abc import Mapping

# So many numbers stand in a line.
NAMED = 3


def line_of(kind: str, name: str, numbers: Mapping[str, object]) -> str:
    """An object in a line, such as ``Run(runs/wine/1, test/accuracy=0.97)``; of many numbers the first.

    Args:
        kind: Of the object.
        name: Which one it is.
        numbers: What else is known of it.
    """
    shown = [f"{key}={_short(value)}" for key, value in [*numbers.items()][:NAMED]]
    return f"{kind}({', '.join([name, *shown])}{', …' if len(numbers) > NAMED else ''})"


def table_of(title: str, rows: Mapping[str, object]) -> str:
    """An object as HTML: a title, and a table of names and values.

    Args:
        title: Above the table.
        rows: Name → value.
    """
    lines = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(_short(value))}</td></tr>" for name, value in rows.items()
    )
    return f"<p><b>{html.escape(title)}</b></p><table>{''.join(lines)}</table>"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
