"""``GET /model``: all that a client needs, and nothing of the machine that the model was trained on."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

import jsonschema
import pytest

from runcard.data.signature import Signature
from runcard.packaging.bundle import open_bundle
from runcard.serving.about import about
from runcard.serving.http import encoded
from runcard.serving.predictor import Predictor
from runcard.serving.schemas import schemas
from tests.conftest import Made


def texts(value: Any) -> list[str]:
    """All texts within nested values."""
    if isinstance(value, dict | list):
        return [text for below in (value.values() if isinstance(value, dict) else value) for text in texts(below)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("kind", ["table", "digits", "text", "vector"])
def test_the_model(kind: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(f"{kind}_made")
    predictor = Predictor(open_bundle(made.bundle.path), made.bundle.tag, max_rows=7)

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    said = json.loads(encoded(about(predictor)), parse_constant=refused)
    jsonschema.validate(said, schemas(predictor, [{}])["Model"])
    assert (said["name"], said["version"], said["max_rows"]) == (made.run.card.name, made.bundle.tag, 7)
    assert Signature.from_dict(said["signature"]) == predictor.bundle.signature
    assert said["metrics"]["test/accuracy"] == made.run.metrics["test/accuracy"]
    assert said["problem"]["metric"] == said["metric"] == "accuracy"
    assert said["card"]["optimizer"]["lr"] == made.run.card.to_dict()["optimizer"]["lr"]
    assert not [text for text in texts(said) if PurePath(text).is_absolute() or text.startswith("~")]
    assert str(made.run.path.parent) not in json.dumps(said)


def test_files_and_folders_keep_their_names(table_made: Made, text_made: Made) -> None:
    names = [
        about(Predictor(open_bundle(made.bundle.path), made.bundle.tag))["card"] for made in (table_made, text_made)
    ]
    assert names[0]["data"]["path"] == "customers.csv"
    assert names[1]["model"]["name"] == "bert"
    assert {"runs_dir", "logger", "serve"}.isdisjoint(names[0])
