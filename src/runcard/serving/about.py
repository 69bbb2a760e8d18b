"""The model, for who asks what answers: ``GET /model``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from runcard.data.signature import Signature
from runcard.serving.predictor import Predictor

# Where on a machine the run lies, and whom it told, is nobody's business.
OF_THE_MACHINE = ("run", "needs")
OF_THE_CARD = ("runs_dir", "logger", "serve")
# A place on the machine: absolute, from the owner's home, or as an address without a host.
PLACE = re.compile(r"([a-z+]+://)?[/~].*", re.DOTALL)


def about(predictor: Predictor) -> dict[str, Any]:
    """Name, version, problem, scores, what goes in and comes out, and the card."""
    bundle = predictor.bundle
    return {
        **{key: value for key, value in bundle.about.items() if key not in OF_THE_MACHINE},
        "version": predictor.version,
        "max_rows": predictor.max_rows,
        "metrics": dict(bundle.metrics),
        "signature": _told(bundle.signature),
        "card": _named({key: value for key, value in bundle.card.items() if key not in OF_THE_CARD}),
    }


def _told(signature: Signature) -> dict[str, Any]:
    """The signature, with the number of the categories that are not listed in the place of their digests."""
    content = signature.to_dict()
    for feature in content["features"]:
        if "withheld" in feature:
            feature["withheld"] = len(feature["withheld"]["digests"])
    return content


def _named(value: Any) -> Any:
    """Nested values, in which a file or folder of the machine has its name only."""
    if isinstance(value, dict):
        return {key: _named(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_named(below) for below in value]
    if isinstance(value, str) and PLACE.fullmatch(value):
        return PurePosixPath(value).name or value
    return value
