"""The model, for who asks what answers: ``GET /model``."""

from __future__ import annotations

from typing import Any

from runcard.serving.predictor import Predictor


def about(predictor: Predictor) -> dict[str, Any]:
    """Name, version, problem, scores, what goes in and comes out, and the card."""
    bundle = predictor.bundle
    # Where on a machine the run lies is nobody's business.
    known = {key: value for key, value in bundle.about.items() if key not in ("run", "needs")}
    return {
        **known,
        "version": predictor.version,
        "metrics": dict(bundle.metrics),
        "signature": bundle.signature.to_dict(),
        "card": dict(bundle.card),
    }
