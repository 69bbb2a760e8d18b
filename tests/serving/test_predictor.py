"""Request bodies: what is answered, what is refused, and in which words."""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

import runcard
from runcard.data.fields import DoubledNameError, check_pairs
from runcard.data.signature import Feature, Signature, Target
from runcard.packaging.bundle import open_bundle
from runcard.serving.http import RefusedError
from runcard.serving.mistakes import RowsError
from runcard.serving.openapi import openapi
from runcard.serving.page import page
from runcard.serving.predictor import Predictor
from runcard.serving.rows import Reader
from tests.conftest import Made

GOOD: dict[str, Any] = {"age": 45.0, "city": "Ulm", "member": True, "spent": 100.0}


@pytest.fixture(scope="module")
def table(table_made: Made) -> Predictor:
    return Predictor(open_bundle(table_made.bundle.path), table_made.bundle.tag)


@pytest.fixture(scope="module")
def digits(digits_made: Made) -> Predictor:
    return Predictor(open_bundle(digits_made.bundle.path), digits_made.bundle.tag)


def ask(predictor: Predictor, body: Any) -> Any:
    return predictor.predict(body if isinstance(body, bytes) else json.dumps(body).encode())


def refused(predictor: Predictor, body: Any) -> RowsError:
    with pytest.raises(RowsError) as caught:
        ask(predictor, body)
    return caught.value


def png(pixels: Any, mode: str = "L") -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_an_answer(table: Predictor) -> None:
    answer = ask(table, GOOD)
    assert list(answer) == ["prediction_id", "model_version", "class", "probabilities", "warnings"]
    assert answer["class"] in ("yes", "no")
    assert set(answer["probabilities"]) == {"yes", "no"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert max(answer["probabilities"], key=answer["probabilities"].get) == answer["class"]
    assert (answer["model_version"], answer["warnings"]) == (table.version, [])
    assert answer["prediction_id"] != ask(table, GOOD)["prediction_id"]


def test_many_rows_are_answered_as_each_alone(table: Predictor) -> None:
    rows = [GOOD, GOOD | {"age": 20}, GOOD | {"city": None}]
    together, alone = ask(table, rows), [ask(table, row) for row in rows]
    assert [answer["class"] for answer in together] == [answer["class"] for answer in alone]
    for one, other in zip(together, alone, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)
    assert len({answer["prediction_id"] for answer in together}) == 3
    assert ask(table, []) == []
    assert len(ask(table, [GOOD] * 3000)) == 3000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age": None}, "age is missing"),
        ({"city": None}, "city is missing"),
        ({"spent": None}, "spent is missing, which no training row lacked"),
        ({"city": "Rom"}, "city 'Rom' was never seen in training"),
        ({"city": ""}, "city '' was never seen in training"),
        ({"age": 212}, "age 212 is outside"),
        ({"age": -1e30}, "age -1e+30 is outside"),
    ],
)
def test_what_training_never_saw_is_answered_with_a_warning(
    change: dict[str, Any], says: str, table: Predictor
) -> None:
    answer = ask(table, GOOD | change)
    assert len(answer["warnings"]) == 1
    assert answer["warnings"][0].startswith(says)
    assert 0 <= answer["probabilities"]["yes"] <= 1


def test_warnings_belong_to_their_row(table: Predictor) -> None:
    warned = [answer["warnings"] for answer in ask(table, [GOOD, GOOD | {"age": 212, "member": None}, GOOD])]
    assert [len(found) for found in warned] == [0, 2, 0]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"age": "45"}, "age", "must be a number, not a text"),
        ({"age": True}, "age", "must be a number, not true or false"),
        ({"age": [45]}, "age", "must be a number, not an array"),
        ({"age": {}}, "age", "must be a number, not an object"),
        ({"age": 1e31}, "age", "must be a number between -1e+30 and 1e+30"),
        ({"age": 10**400}, "age", "must be a number between -1e+30 and 1e+30"),
        ({"city": 3}, "city", "must be a text, not a number"),
        ({"city": ["Ulm"]}, "city", "must be a text, not an array"),
        ({"member": "perhaps"}, "member", "must be true or false, not a text"),
        ({"member": 2}, "member", "must be true or false, not a number"),
        ({"agee": 45}, "agee", "there is no such field; did you mean 'age'?"),
        ({"churned": "yes"}, "churned", "there is no such field"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str, says: str, table: Predictor) -> None:
    error = refused(table, GOOD | change)
    assert [(mistake["field"], mistake["row"]) for mistake in error.mistakes] == [(field, None)]
    assert error.mistakes[0]["message"].startswith(says)
    assert error.message == f"field {field!r}: {error.mistakes[0]['message']}"
    (mistake,) = refused(table, [GOOD, GOOD | change]).mistakes
    assert (mistake["row"], mistake["field"]) == (1, field)


@pytest.mark.parametrize("field", list(GOOD))
def test_a_missing_field_is_named(field: str, table: Predictor) -> None:
    (mistake,) = refused(table, {name: value for name, value in GOOD.items() if name != field}).mistakes
    assert (mistake["field"], mistake["message"]) == (field, "is missing; send null if it is unknown")


def test_all_mistakes_of_a_request_at_once(table: Predictor) -> None:
    error = refused(table, {"age": "x", "agee": 1, "city": None})
    assert {mistake["field"] for mistake in error.mistakes} == {"age", "agee", "member", "spent"}
    assert "(and 3 more)" in error.message
    assert len(refused(table, [GOOD, {}] + [{}] * 1000).mistakes) == 4
    assert {mistake["row"] for mistake in refused(table, [GOOD, {}, {}]).mistakes} == {1}
    assert len(refused(table, {f"extra{place}": 0 for place in range(1000)}).mistakes) == 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[",
        b"nonsense",
        b'{"age": NaN}',
        b'{"age": 1,}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"age": Infinity}',
    ],
    ids=["empty", "blank", "open", "list", "words", "nan", "comma", "bytes", "deep", "infinity"],
)
def test_malformed_json(body: bytes, table: Predictor) -> None:
    error = refused(table, body)
    assert "JSON" in error.message or "number" in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize("body", [1, "text", None, True, [1], [None], [[GOOD]]])
def test_json_that_is_no_row(body: Any, table: Predictor) -> None:
    assert "an object with the fields of one row" in refused(table, body).message


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("name", ["city", "ci\\u0074y"])
def test_a_name_that_stands_twice_is_refused(name: str, many: bool, table: Predictor) -> None:
    """Which of the two counts differs from parser to parser."""
    text = json.dumps(GOOD)[:-1] + f', "{name}": "Bonn"}}'
    wrong = refused(table, (f"[{json.dumps(GOOD)}, {text}]" if many else text).encode())
    assert str(wrong) == "field 'city': a name stands twice in one object"


def test_a_name_that_stands_twice_among_very_many_is_soon_found() -> None:
    """Each name is looked at once: to count it among all the others took minutes."""
    pairs = [(f"n{i}", 1) for i in range(200_000)]
    with pytest.raises(DoubledNameError, match="n199999"):
        check_pairs([*pairs, pairs[-1]])


def test_colons_within_texts_are_no_names(table: Predictor) -> None:
    row = GOOD | {"city": 'a: "city": b'}
    assert ask(table, row)["warnings"] == ["city 'a: \"city\": b' was never seen in training"]


def test_nothing_that_was_sent_comes_back(table: Predictor) -> None:
    error = refused(table, GOOD | {"age": "secret"})
    assert "secret" not in json.dumps([error.message, error.mistakes])


@pytest.mark.parametrize("value", [1, 0, 1.0, "yes", "true", "on"])
def test_a_truth_value_is_true_or_false(value: Any, table: Predictor) -> None:
    assert refused(table, GOOD | {"member": value}).mistakes[0]["field"] == "member"


@pytest.mark.parametrize(
    ("categories", "sent", "read"),
    [
        (("1067", "89073"), b"1067", "1067"),
        (("1067", "89073"), b'"1067"', "1067"),
        (("-1", "0", "1"), b"-1", "-1"),
        (("-1", "0", "1"), b"1.0", "1"),
        (("1.5", "2.5"), b"2.5", "2.5"),
        (("1.5", "2.5"), b"7", "7"),
        (("0.5", "1.0"), b"1", "1.0"),
        (("0.5", "1.0"), b"0.50", "0.5"),
        (("1.1", "1.10"), b"1.1", None),
        (("12345678901234567890", "7"), b"12345678901234567890", "12345678901234567890"),
        (("12345678901234567890", "7"), b"12345678901234567891", "12345678901234567891"),
        (("False", "True"), b"1", None),
        (("01067", "89073"), b"1067", None),
        (("1", "one"), b"1", None),
        (("1", "2"), b"true", None),
        (("1", "2"), b"1e999", None),
    ],
)
def test_categories_that_are_numbers_may_be_sent_as_numbers(
    categories: tuple[str, ...], sent: bytes, read: str | None
) -> None:
    reader = Reader(Signature((Feature("zip", "category", categories=categories),), Target("y", "regression")))
    if read is None:
        with pytest.raises(RowsError, match="must be a text"):
            reader.read(b'{"zip": %s}' % sent)
    else:
        assert reader.read(b'{"zip": %s}' % sent) == ([{"zip": read}], False)


TOWN, TEXT = Feature("x", "category", categories=("Ulm",)), Feature("x", "text")
NUMBERS = Feature("x", "vector", (300_000,), low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("feature", "value"),
    [(TOWN, "x" * 2**20), (TEXT, "x" * 2**22), (NUMBERS, [0.25] * 300_000)],
    ids=["town", "text", "numbers"],
)
def test_a_long_value_is_read(feature: Feature, value: Any) -> None:
    reader = Reader(Signature((feature,), Target("y", "regression")))
    ((row,), many) = reader.read(json.dumps({"x": value}).encode())
    assert (len(row["x"]), many) == (len(value), False)


@pytest.mark.parametrize(
    ("value", "said"), [("x" * 2**22, "a value of more than 1 MiB"), ("x," * 2**21, "more than 200,000 values")]
)
def test_a_value_that_no_field_has_is_refused_unread(value: str, said: str) -> None:
    reader = Reader(Signature((TOWN,), Target("y", "regression")))
    with pytest.raises(RefusedError, match=said) as caught:
        reader.read(json.dumps({"x": value}).encode())
    assert caught.value.status == 413


def test_columns_may_be_called_anything() -> None:
    names = ("class", "model_config", "f0", "a b (cm)", "_x", "")
    signature = Signature(
        tuple(Feature(name, "number", low=0.0, high=1.0) for name in names), Target("y", "regression")
    )
    row = dict.fromkeys(names, 0.5)
    assert Reader(signature).read(json.dumps(row).encode()) == ([row], False)


def test_images_as_lists(digits: Predictor, digits_made: Made) -> None:
    rows, _ = runcard.tested_rows(digits_made.run.path)
    answers = ask(digits, rows[:50])
    image = rows[0]["image"]
    assert ask(digits, {"image": [image]})["class"] == answers[0]["class"]
    whole = [[int(pixel) for pixel in line] for line in image]
    assert ask(digits, {"image": whole})["class"] == answers[0]["class"]
    assert [answer["warnings"] for answer in answers] == [[]] * 50


def test_images_as_png(digits: Predictor, digits_made: Made) -> None:
    rows, _ = runcard.tested_rows(digits_made.run.path)
    drawn = [png(np.round(np.array(row["image"]) * 255 / 16)) for row in rows]
    answers = ask(digits, [{"image": text} for text in drawn])
    assert [answer["class"] for answer in answers] == [answer["class"] for answer in ask(digits, rows)]
    assert ask(digits, {"image": f"data:image/png;base64,{drawn[0]}"})["class"] == answers[0]["class"]
    lines = "\n".join(drawn[0][start : start + 76] for start in range(0, len(drawn[0]), 76))
    assert ask(digits, {"image": f"{lines}\n"})["class"] == answers[0]["class"]
    colours = np.repeat(np.round(np.array(rows[0]["image"]) * 255 / 16)[..., np.newaxis], 3, axis=2)
    assert ask(digits, {"image": png(colours, "RGB")})["class"] == answers[0]["class"]


def test_a_png_says_the_same_in_every_way_to_write_it(digits: Predictor, digits_made: Made) -> None:
    (row,) = runcard.tested_rows(digits_made.run.path)[0][:1]
    gray = np.round(np.array(row["image"]) * 255 / 16).astype(np.uint8)
    opaque, plain = np.full_like(gray, 255), Image.fromarray(gray)
    ways = {
        "8 bits": plain,
        "16 bits": Image.fromarray(gray.astype(np.uint16) * 257),
        "palette": plain.convert("P"),
        "alpha": Image.fromarray(np.dstack([gray, opaque])),
        "colours and alpha": Image.fromarray(np.dstack([gray, gray, gray, opaque])),
    }
    shares = {}
    for way, image in ways.items():
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        answer = ask(digits, {"image": base64.b64encode(buffer.getvalue()).decode()})
        shares[way] = list(answer["probabilities"].values())
    for way in shares:
        assert shares[way] == shares["8 bits"], way


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_parts_have_no_meaning(mode: str, digits: Predictor) -> None:
    pixels = np.full((8, 8, len(mode)), 128)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    error = refused(digits, {"image": base64.b64encode(buffer.getvalue()).decode()})
    assert "without transparent parts" in error.mistakes[0]["message"]


def test_images_are_read_side_by_side(digits: Predictor) -> None:
    filters = list(warnings.filters)
    bodies = [{"image": np.full((8, 8), value).tolist()} for value in (1, 1e99)] * 200

    def status(body: Any) -> bool:
        try:
            ask(digits, body)
        except RowsError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(status, bodies)) == [True, False] * 200
    assert list(warnings.filters) == filters


def test_an_image_that_is_not_there_or_too_bright(digits: Predictor) -> None:
    assert ask(digits, {"image": None})["warnings"] == ["image is missing, which no training row lacked"]
    bright = ask(digits, {"image": np.full((8, 8), 99).tolist()})
    assert bright["warnings"] == ["image has pixels outside 0…16 seen in training"]


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((9, 8)).tolist(), "must be an image of 1×8×8 (channels, height, width), not 1×9×8"),
        (np.zeros((3, 8, 8)).tolist(), "must be an image of 1×8×8 (channels, height, width), not 3×8×8"),
        ([0] * 64, "must be an image of 1×8×8 (channels, height, width), not 64"),
        (np.zeros((1, 1, 8, 8)).tolist(), "must be an image of 1×8×8"),
        ([[0] * 8] * 7 + [[0] * 7], "all rows of one length"),
        ([["0"] * 8] * 8, "nested lists of numbers"),
        ([["a" * 40_000, *"bcdefgh"]] + [["b"] * 8] * 7, "nested lists of numbers"),
        ([[True, *[1] * 7]] + [[1] * 8] * 7, "nested lists of numbers"),
        ([[10**400] * 8] * 8, "must hold finite numbers"),
        ([[None] * 8] * 8, "nested lists of numbers"),
        ([[1e99] * 8] * 8, "must hold finite numbers"),
        ([[True] * 8] * 8, "nested lists of numbers"),
        ([], "must be an image"),
        (7, "must be nested lists of numbers or a base64 PNG"),
        ({"a": 1}, "must be nested lists of numbers or a base64 PNG"),
        ("no base64!", "this text is no base64"),
        (base64.b64encode(b"GIF89a").decode(), "must be a PNG, and this is none"),
        ("", "must be a PNG, and this is none"),
        (png(np.zeros((10, 12))), "must be a picture of 8×8 pixels, not 12×10"),
        (png(np.zeros((8, 8)))[:60], "this one breaks off"),
    ],
)
def test_an_image_that_is_refused(image: Any, says: str, digits: Predictor) -> None:
    error = refused(digits, {"image": image})
    assert error.mistakes[0]["field"] == "image"
    assert says in error.mistakes[0]["message"]


def test_a_broken_off_png(digits: Predictor) -> None:
    whole = base64.b64decode(png(np.random.default_rng(0).integers(0, 255, (8, 8))))
    for length in range(len(whole) - 40):  # what follows the pixels is no loss
        assert "PNG" in refused(digits, {"image": base64.b64encode(whole[:length]).decode()}).message


@pytest.fixture(scope="module")
def vector(vector_made: Made) -> Predictor:
    return Predictor(open_bundle(vector_made.bundle.path), vector_made.bundle.tag)


@pytest.fixture(scope="module")
def sequence(sequence_made: Made) -> Predictor:
    return Predictor(open_bundle(sequence_made.bundle.path), sequence_made.bundle.tag)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ([0] * 12, None),
        (None, "vector is missing"),
        ([None] * 12, "vector is missing"),
        ([None] + [0] * 11, "vector has numbers that are missing"),
        ([1e30] + [0] * 11, "vector has numbers outside"),
    ],
)
def test_vectors_that_are_answered(change: Any, says: str | None, vector: Predictor) -> None:
    warned = ask(vector, {"vector": change})["warnings"]
    assert [warning.startswith(says or "") for warning in warned] == [True] * (says is not None)
    assert ask(vector, []) == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([0] * 11, "must be a list of 12 numbers, not 11"),
        ([[0] * 12], "must be a list of 12 numbers, not 1×12"),
        ([], "must be a list of 12 numbers, not 0"),
        (["0"] * 12, "hold numbers or null only"),
        ([0] * 11 + ["x"], "hold numbers or null only"),
        ([0] * 11 + [[0]], "hold numbers or null only"),
        ([True] * 12, "hold numbers or null only"),
        ([1e31] * 12, "must hold numbers between -1e+30 and 1e+30"),
        ([10**400] * 12, "must hold numbers between -1e+30 and 1e+30"),
        (7, "must be a list"),
        ("1,2", "must be a list"),
        ({"a": 1}, "must be a list"),
    ],
)
def test_a_vector_that_is_refused(value: Any, says: str, vector: Predictor) -> None:
    error = refused(vector, {"vector": value})
    assert error.mistakes[0]["field"] == "vector"
    assert says in error.mistakes[0]["message"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([[0, 0]] * 5, "must be a list of 6 steps, each a list of 2 numbers, not 5×2"),
        ([[0]] * 6, "not 6×1"),
        ([0] * 6, "not 6"),
        ([[0, 0]] * 5 + [[0]], "nested lists, one a step"),
        ([[0, 0]] * 5 + [0], "nested lists, one a step"),
        ([[0, "x"]] * 6, "hold numbers or null only"),
        ([[0, 1e31]] * 6, "must hold numbers between"),
    ],
)
def test_a_sequence_that_is_refused(value: Any, says: str, sequence: Predictor) -> None:
    error = refused(sequence, [{"sequence": [[0, 0]] * 6}, {"sequence": value}])
    assert (error.mistakes[0]["field"], error.mistakes[0]["row"]) == ("sequence", 1)
    assert says in error.mistakes[0]["message"]


def test_openapi_and_page_describe_a_sequence(sequence: Predictor) -> None:
    row = {"sequence": [[0, None]] * 6}
    field = openapi(sequence, [row] * 2)["components"]["schemas"]["Row"]["properties"]["sequence"]
    steps, missing = field["anyOf"]
    assert missing == {"type": "null"}
    assert (steps["minItems"], steps["items"]["maxItems"]) == (6, 2)
    assert steps["items"]["items"] == {"type": ["number", "null"]}
    assert field["description"].startswith("a list of 6 steps, each a list of 2 numbers, null for one that is unknown")
    assert re.search('<textarea [^>]*data-name="sequence"', page(sequence, [row]).body.decode())


def test_openapi_names_the_fields(table: Predictor, digits: Predictor) -> None:
    described = openapi(table, [GOOD, GOOD])
    row = described["components"]["schemas"]["Row"]
    assert list(row["properties"]) == list(GOOD) == row["required"]
    assert row["additionalProperties"] is False
    assert row["properties"]["city"]["anyOf"][0]["examples"] == ["Bonn", "Köln", "Ulm"]
    assert "in training" in row["properties"]["age"]["description"]
    answer = described["components"]["schemas"]["Answer"]
    assert set(answer["required"]) == set(ask(table, GOOD))
    assert answer["properties"]["class"]["enum"] == ["no", "yes"]
    image = openapi(digits, [{"image": None}] * 2)["components"]["schemas"]["Row"]["properties"]["image"]["anyOf"]
    assert [form.get("type") for form in image] == ["array", "string", "null"]
    json.dumps(described)


def test_the_page_escapes_what_the_data_holds(table: Predictor) -> None:
    text = page(table, [GOOD | {"city": "</script><script>alert(1)</script>"}]).body.decode()
    assert "<script>alert" not in text
    for name in GOOD:
        assert f'data-name="{name}"' in text
    assert "http://" not in text
    assert "https://" not in text
