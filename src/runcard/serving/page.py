"""The pages for people: a form made from the signature, and the OpenAPI description to click through."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Any

import jinja2

from runcard.card.metrics import METRICS, better
from runcard.data.signature import Signature, Target
from runcard.packaging.bundle import Bundle
from runcard.serving.fields import describe
from runcard.serving.http import HTML, Answer, Header
from runcard.serving.predictor import Predictor

# Runs no script and takes no style but its own, asks nobody but this service, and is shown in no frame.
POLICY = "default-src 'none'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
POLICY += "; frame-ancestors 'none'"
# The page is put together from web/; its script from these, in this order.
SCRIPTS = ("ask", "csv", "picture", "form", "answer", "why", "many", "programs", "tabs")
# So begins what conf/problem/ says where nobody has said anything.
NOT_WRITTEN = "Not written down yet"
MAX_NAMED = 10  # classes
SWAGGER = {"swagger-ui.css": b"text/css", "swagger-ui-bundle.js": b"text/javascript"}


def page(predictor: Predictor, rows: list[dict[str, Any]]) -> Answer:
    """The page at ``/``.

    Args:
        predictor: What answers.
        rows: Rows that the form can be filled in with.
    """
    bundle = predictor.bundle
    fields = [
        {
            "name": feature.name,
            "kind": feature.kind,
            "about": describe(feature),
            "range": "" if feature.low is None else _range(feature.low, feature.high),
            "feature": feature,
        }
        for feature in bundle.signature.features
    ]
    problem = {key: "" if str(text).startswith(NOT_WRITTEN) else text for key, text in bundle.about["problem"].items()}
    text = _template("web/page.html").render(
        style=_read("web/page.css"),
        script="\n".join(['"use strict";', *(_read(f"web/{name}.js") for name in SCRIPTS)]),
        about=bundle.about,
        version=predictor.version,
        goal=problem["goal"],
        risk=problem["risk"],
        predicts=_answers(bundle.signature.target),
        standing=_standing(bundle),
        target=bundle.signature.target,
        fields=fields,
        images=_has_images(bundle.signature),
        model=_known(bundle, rows),
    )
    return Answer(text.encode(), kind=HTML, headers=(_policy(text, f"style-src {_digests(text, 'style')}"),))


def _known(bundle: Bundle, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page's script has to know."""
    signature = bundle.signature
    target = signature.target
    return {
        "rows": rows,
        "kinds": {feature.name: feature.kind for feature in signature.features},
        "target": {"name": target.name, "classes": target.classes, "low": target.low, "high": target.high},
        "table": all(feature.kind in ("number", "boolean", "category") for feature in signature.features),
        "images": _has_images(signature),
        "separator": bundle.card.get("data", {}).get("separator", ","),
    }


def _range(low: float | None, high: float | None) -> str:
    """From where to where, in as many digits as tell people something."""
    low, high = low or 0.0, high or 0.0
    digits = ".6g" if max(abs(low), abs(high)) < 1e6 else ".10g"
    return f"{low:{digits}} to {high:{digits}}"


def _has_images(signature: Signature) -> bool:
    return any(feature.kind == "image" for feature in signature.features)


def _answers(target: Target) -> str:
    """What answers there are, in a few words."""
    if not target.classes:
        return f"a number; {_range(target.low, target.high)} in training"
    listed = ", ".join(target.classes[:MAX_NAMED])
    return f"one of {len(target.classes)}: {listed}{', …' if len(target.classes) > MAX_NAMED else ''}"


def _standing(bundle: Bundle) -> list[str]:
    """How good the model is, and than what it is better or worse; empty if it was never tested."""
    metric, problem = bundle.about["metric"], bundle.about["problem"]
    score = bundle.metrics.get(f"test/{metric}")
    if score is None:
        return []
    meaning = f" ({METRICS[metric].meaning})" if metric in METRICS else ""
    today = problem["today"].rstrip(".")
    rivals = {
        "what is done today" + ("" if today.startswith(NOT_WRITTEN) else f" ({today})"): problem["today_value"],
        "the least that is of use": problem["least_value"],
        "a linear model": bundle.metrics.get(f"baseline/linear/{metric}"),
        "one answer for every row": bundle.metrics.get(f"baseline/trivial/{metric}"),
    }
    beside = [
        f"{_verdict(metric, score, other)} {name}: {round(other, 4) + 0:.4f}"
        for name, other in rivals.items()
        if other is not None
    ]
    return [f"{metric} {score:.4f} on rows that it had never seen{meaning}", *beside]


def _verdict(metric: str, score: float, other: float) -> str:
    if better(metric, score, other):
        return "better than"
    return "worse than" if better(metric, other, score) else "as good as"


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
    loader.policies["json.dumps_kwargs"] = {"sort_keys": False}  # fields stand in the signature's order
    return loader.from_string(_read(name))


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
