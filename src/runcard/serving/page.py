"""The pages for people: a form made from the signature, and the OpenAPI description to click through."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Any

import jinja2

from runcard.serving.fields import describe
from runcard.serving.http import HTML, Answer, Header
from runcard.serving.predictor import Predictor

# Runs no script and takes no style but its own, asks nobody but this service, and is shown in no frame.
POLICY = "default-src 'none'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
POLICY += "; frame-ancestors 'none'"
SWAGGER = {"swagger-ui.css": b"text/css", "swagger-ui-bundle.js": b"text/javascript"}


def page(predictor: Predictor, rows: list[dict[str, Any]]) -> Answer:
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
    text = _template("page.html").render(fields=fields, rows=rows, **known)
    return Answer(text.encode(), kind=HTML, headers=(_policy(text, f"style-src {_digests(text, 'style')}"),))


def docs_page(predictor: Predictor) -> Answer:
    """The page at ``/docs``; what it shows it takes from ``/openapi.json``."""
    text = _template("docs.html").render(about=predictor.bundle.about)
    return Answer(text.encode(), kind=HTML, headers=(_policy(text, "style-src 'self' 'unsafe-inline'"),))


def swagger() -> dict[str, Answer]:
    """What the page at ``/docs`` is drawn by, out of BentoML's package, by path."""
    folder = resources.files("bentoml").joinpath("_internal", "server", "static_content")
    return {
        f"/static_content/{name}": Answer(folder.joinpath(name).read_bytes(), kind=kind)
        for name, kind in SWAGGER.items()
    }


def _policy(text: str, styles: str) -> Header:
    return b"content-security-policy", f"{POLICY}; {styles}; script-src 'self' {_digests(text, 'script')}".encode()


def _digests(text: str, tag: str) -> str:
    """The page's own inline scripts or styles, by their SHA-256."""
    found = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() for inline in found]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _template(name: str) -> jinja2.Template:
    loader = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return loader.from_string(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
