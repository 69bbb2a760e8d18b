"""The pages for people: a form made from the signature, and the OpenAPI description to click through."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jinja2

from runcard.serving.predictor import Predictor
from runcard.serving.rows import describe


def page(predictor: Predictor, rows: list[dict[str, Any]]) -> str:
    """The page at ``/``.

    Args:
        predictor: What answers.
        rows: Rows that the form can be filled in with.
    """
    bundle = predictor.bundle
    score = bundle.metrics.get(f"test/{bundle.about['metric']}")
    fields = [
        {"name": feature.name, "kind": feature.kind, "about": describe(feature), "feature": feature}
        for feature in bundle.signature.features
    ]
    known = {"about": bundle.about, "version": predictor.version, "score": score, "target": bundle.signature.target}
    return _template("page.html").render(fields=fields, rows=rows, **known)


def docs_page(predictor: Predictor) -> str:
    """The page at ``/docs``; what it shows it takes from ``/openapi.json``."""
    return _template("docs.html").render(about=predictor.bundle.about)


def _template(name: str) -> jinja2.Template:
    loader = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return loader.from_string(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
