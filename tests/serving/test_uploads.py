"""An image as a file: the body itself or a form's, answered as the same picture within JSON is."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
from typing import Any

import numpy as np
import pytest
from PIL import Image

import runcard
from runcard.packaging.bundle import open_bundle
from runcard.serving.http import Asked, RefusedError
from runcard.serving.mistakes import RowsError
from runcard.serving.predictor import Predictor
from runcard.serving.reading import Requests
from tests.conftest import HANG_S, Made
from tests.servers import Service
from tests.serving.hostile import form

PNG, FORM, JSON = "image/png", "multipart/form-data; boundary=x", "application/json"
NAMED = 'content-disposition: form-data; name="image"; filename="a.png"\r\n'


@pytest.fixture(scope="module")
def requests(digits_made: Made) -> Requests:
    return Requests(Predictor(open_bundle(digits_made.bundle.path), digits_made.bundle.tag))


@pytest.fixture(scope="module")
def pictures(digits_made: Made) -> list[bytes]:
    """Test rows, drawn."""
    rows = runcard.tested_rows(digits_made.run.path)[0][:20]
    return [drawn(np.round(np.array(row["image"]) * 255 / 16)) for row in rows]


def drawn(pixels: Any, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(buffer, "PNG", **settings)
    return buffer.getvalue()


def in_json(picture: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(picture).decode()}).encode()


def ask(requests: Requests, body: bytes, kind: str, path: str = "/predict") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        requests.routes()[path](Asked("POST", path, {b"content-type": kind.encode()}, body)).body
    )
    return {name: value for name, value in found.items() if name != "prediction_id"}


def test_a_picture_is_answered_the_same_in_every_form(requests: Requests, pictures: list[bytes]) -> None:
    answers = [ask(requests, in_json(picture), JSON) for picture in pictures]
    assert len({answer["class"] for answer in answers}) > 5
    assert [ask(requests, picture, PNG) for picture in pictures] == answers
    assert [ask(requests, form("image", picture), FORM) for picture in pictures] == answers
    assert ask(requests, pictures[0], "IMAGE/PNG; charset=binary") == answers[0]


def test_it_is_explained_the_same_in_every_form(requests: Requests, pictures: list[bytes]) -> None:
    said = ask(requests, in_json(pictures[0]), JSON, "/explain")
    assert np.shape(said["fields"][0]["cells"]) == (8, 8)
    assert ask(requests, pictures[0], PNG, "/explain") == said
    assert ask(requests, form("image", pictures[0]), FORM, "/explain") == said


@pytest.mark.parametrize(
    "head",
    [
        NAMED + "content-type: image/png\r\n",
        NAMED + "content-type: application/octet-stream\r\ncontent-length: 5\r\n",
        'Content-Disposition: form-data; filename="x/../a b.png"; name="image"\r\n',
        "content-disposition: form-data; name=image; filename=a.png\r\n",
    ],
    ids=["with a type", "with another type", "another order", "without quotes"],
)
def test_forms_as_programs_write_them(head: str, requests: Requests, pictures: list[bytes]) -> None:
    body = b"--x\r\n" + head.encode() + b"\r\n" + pictures[0] + b"\r\n--x--\r\n"
    assert ask(requests, body, FORM) == ask(requests, pictures[0], PNG)
    assert ask(requests, body, 'multipart/form-data; boundary="x"') == ask(requests, pictures[0], PNG)


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (drawn(np.zeros((10, 12))), PNG, "field 'image': must be a picture of 8×8 pixels, not 12×10"),
        (drawn(np.random.default_rng(0).integers(0, 255, (8, 8)))[:60], PNG, "field 'image': must be a whole PNG"),
        (b"", PNG, "field 'image': must be a PNG, and this is none"),
        (drawn(np.full((8, 8, 4), 128)), PNG, "field 'image': must be a picture without transparent parts"),
        (form("image", b"\xff\xd8\xff\xe0"), FORM, "field 'image': must be a PNG, and this is none"),
        (form("picture", b""), FORM, "field 'image': is the only field there is, and the form has another"),
        (b"--x\r\n\xff: form-data\r\n\r\n--x--\r\n", FORM, "the body is not the form"),
        (b"--x--\r\n", FORM, "field 'image': must be sent once, as a file"),
    ],
    ids=["its size", "cut off", "nothing", "transparent", "a JPEG", "another name", "broken", "no part"],
)
def test_what_is_refused_is_said_in_words(body: bytes, kind: str, says: str, requests: Requests) -> None:
    for path in ("/predict", "/explain"):
        with pytest.raises(RefusedError) as caught:
            ask(requests, body, kind, path)
        assert (caught.value.status, caught.value.message[: len(says)]) == (400, says)
        if says.startswith("field"):
            assert isinstance(caught.value, RowsError)
            assert [(mistake["row"], mistake["field"]) for mistake in caught.value.mistakes] == [(None, "image")]


@pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream", "text/csv"])
def test_other_kinds_are_refused_with_the_ones_that_there_are(kind: str, requests: Requests) -> None:
    with pytest.raises(RefusedError, match="image/png or multipart/form-data") as caught:
        ask(requests, drawn(np.zeros((8, 8))), kind)
    assert caught.value.status == 415


@pytest.mark.parametrize("kind", [PNG, FORM])
def test_a_table_takes_no_picture(kind: str, table_made: Made) -> None:
    requests = Requests(Predictor(open_bundle(table_made.bundle.path), table_made.bundle.tag))
    with pytest.raises(RefusedError, match="application/json") as caught:
        ask(requests, form("image", drawn(np.zeros((8, 8)))), kind)
    assert (caught.value.status, "image/png" in caught.value.message) == (415, False)


def test_over_http(digits_service: Service, pictures: list[bytes]) -> None:
    found = []
    for kind, body in ((JSON, in_json(pictures[0])), (PNG, pictures[0]), (FORM, form("image", pictures[0]))):
        asked = urllib.request.Request(f"{digits_service.url}/predict", body, {"content-type": kind})
        with urllib.request.urlopen(asked, timeout=HANG_S) as answer:
            found.append(json.loads(answer.read())["probabilities"])
    assert found[0] == found[1] == found[2]
