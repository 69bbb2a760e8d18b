"""``/predict/batch``: the answers of ``/predict``, column by column, in whatever form the rows come."""

from __future__ import annotations

import io
import json
import resource
import urllib.request
from typing import Any

import numpy as np
import polars as pl
import pytest

import runcard
from runcard.packaging.bundle import open_bundle
from runcard.serving.http import Answer, Asked, RefusedError
from runcard.serving.predictor import Predictor
from runcard.serving.reading import Requests
from tests.conftest import HANG_S, Made, customers
from tests.servers import Service
from tests.serving.arrow_streams import STREAMS
from tests.serving.hostile import ARROW, COLUMNS, CSV, GOOD, JSON, arrow

PATH = "/predict/batch"
Rows = list[dict[str, Any]]
TEXTS = ("prediction", "unusual")
ODD: Rows = [GOOD | {"city": "Rom"}, GOOD | {"age": None}, GOOD | {"age": 212.0, "member": None}, dict.fromkeys(GOOD)]


@pytest.fixture(scope="module")
def spent_made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle for a number, of a CSV with semicolons, whose gaps are question marks."""
    folder = tmp_path_factory.mktemp("spent")
    customers(300).write_csv(folder / "customers.csv", separator=";", null_value="?")
    words = ["data=table", f"data.path={folder}/customers.csv", "data.separator=;", "data.null_values=['?']"]
    words += [
        "problem.target=spent",
        "data.kinds={customer: ignore, churned: ignore}",
        f"runs_dir={folder}",
        "name=spent",
    ]
    run = runcard.fit(runcard.load_card([*words, "trainer.max_epochs=2", "report=false"]))
    return Made(run, runcard.package(run.path, http=False))


def predictor_of(made: Made, **settings: int) -> Predictor:
    return Predictor(open_bundle(made.bundle.path), made.bundle.tag, **settings)


@pytest.fixture(params=["table", "spent", "vector", "sequence"])
def asked(request: pytest.FixtureRequest) -> tuple[Predictor, Rows]:
    """A model, and rows with gaps and, where it makes a difference, values that training never saw."""
    made: Made = request.getfixturevalue(f"{request.param}_made")
    rows = [dict(row) for row in runcard.tested_rows(made.run.path)[0][:60]]
    names = list(rows[0])
    odd = [{name: row[name] for name in names} for row in ODD] if "city" in names else [dict.fromkeys(names)]
    return predictor_of(made), [*rows, *odd]


def sent(predictor: Predictor, body: bytes, kind: str) -> Answer:
    return Requests(predictor).routes()[PATH](Asked("POST", PATH, {b"content-type": kind.encode()}, body))


def columns(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def csv(rows: Rows, **settings: Any) -> bytes:
    """Lists as JSON, for a CSV has none."""
    plain = [{key: json.dumps(cell) if isinstance(cell, list) else cell for key, cell in row.items()} for row in rows]
    text: str = pl.DataFrame(columns(plain)).write_csv(**settings)
    # A blank line could be no row at all.
    return text.replace("\n\n", '\n""\n').encode() if len(plain[0]) == 1 else text.encode()


def read_csv(content: bytes) -> pl.DataFrame:
    """Answers, of which a class may look like a number, and nothing may be unusual."""
    texts = TEXTS if b"probability" in content else TEXTS[1:]
    return pl.read_csv(content, schema_overrides=dict.fromkeys(texts, pl.String))


def same(predictor: Predictor, alone: list[dict[str, Any]], found: pl.DataFrame) -> None:
    """A table of answers says what each row was answered alone, and names what was unusual about it."""
    assert len(found) == len(alone)
    classes = predictor.bundle.signature.target.classes
    if classes:
        assert found["prediction"].to_list() == [answer["class"] for answer in alone]
        for name in classes:
            expected = [answer["probabilities"][name] for answer in alone]
            np.testing.assert_allclose(found[f"probability_{name}"], expected, atol=1e-6)
    else:
        np.testing.assert_allclose(found["prediction"], [answer["value"] for answer in alone], rtol=1e-6)
    fields = [{warning.split()[0] for warning in answer["warnings"]} for answer in alone]
    assert [set(filter(None, names.split(", "))) for names in found["unusual"].fill_null("")] == fields


def answered_alone(predictor: Predictor, rows: Rows) -> list[dict[str, Any]]:
    found = [predictor.predict(json.dumps(row).encode()) for row in rows]
    assert all(isinstance(answer, dict) for answer in found)
    return found  # type: ignore[return-value]


def test_columns_of_json_are_answered_as_each_row_alone(asked: tuple[Predictor, Rows]) -> None:
    predictor, rows = asked
    said = json.loads(sent(predictor, json.dumps(columns(rows)).encode(), JSON).body)
    classes = predictor.bundle.signature.target.classes
    found = {"prediction": said["class"] if classes else said["value"]}
    found |= {f"probability_{name}": shares for name, shares in said.get("probabilities", {}).items()}
    alone = answered_alone(predictor, rows)
    unusual = [", ".join({warning.split()[0] for warning in answer["warnings"]}) for answer in alone]
    same(predictor, alone, pl.DataFrame(found).with_columns(pl.Series("unusual", unusual)))
    assert said["model_version"] == predictor.version
    for field in {warning["field"] for warning in said["warnings"]}:
        first = [number for number, names in enumerate(unusual) if field in names.split(", ")]
        named = {row for warning in said["warnings"] if warning["field"] == field for row in warning["rows"]}
        assert named <= set(first)
        assert min(named) == first[0]
    assert {field for names in unusual for field in names.split(", ")} - {""} == {
        warning["field"] for warning in said["warnings"]
    }


def test_a_csv_is_answered_as_each_row_alone(asked: tuple[Predictor, Rows]) -> None:
    predictor, rows = asked
    data = predictor.bundle.card["data"]
    settings = {"separator": data.get("separator", ","), "null_value": data.get("null_values", [""])[0]}
    answer = sent(predictor, csv(rows, **settings), CSV)
    assert answer.kind == b"text/csv; charset=utf-8"
    same(predictor, answered_alone(predictor, rows), read_csv(answer.body))


def test_an_arrow_stream_is_answered_as_each_row_alone(asked: tuple[Predictor, Rows]) -> None:
    predictor, rows = asked
    answer = sent(predictor, arrow(pl.DataFrame(columns(rows), strict=False)), ARROW)
    assert answer.kind.decode() == ARROW
    same(predictor, answered_alone(predictor, rows), pl.read_ipc_stream(io.BytesIO(answer.body)))


@pytest.mark.parametrize("image", [None, "[[0, 16, 8, 0, 0, 0, 0, 1]]"])
def test_images_in_a_table(image: str | None, digits_made: Made) -> None:
    predictor = predictor_of(digits_made)
    rows = [dict(row) for row in runcard.tested_rows(digits_made.run.path)[0][:20]]
    rows.append({"image": image and json.loads(image) * 8})
    alone = answered_alone(predictor, rows)
    same(predictor, alone, read_csv(sent(predictor, csv(rows), CSV).body))
    found = sent(predictor, arrow(pl.DataFrame(columns(rows))), ARROW).body
    same(predictor, alone, pl.read_ipc_stream(io.BytesIO(found)))


def test_what_is_unusual_is_counted_and_placed(table_made: Made) -> None:
    rows = [dict(GOOD), GOOD | {"city": "Rom", "age": None}, dict(GOOD), GOOD | {"age": 212.0}]
    predictor = predictor_of(table_made)
    said = json.loads(sent(predictor, json.dumps(columns(rows)).encode(), JSON).body)["warnings"]
    assert [(warning["field"], warning["rows"]) for warning in said] == [("age", [1]), ("age", [3]), ("city", [1])]
    assert said[0]["message"] == "age: 1 of 4 rows missing"
    assert said[1]["message"].startswith("age: 1 of 4 rows outside")
    assert said[2]["message"] == "city: 1 of 4 rows not among the categories seen in training"
    found = read_csv(sent(predictor, csv(rows), CSV).body)
    assert found["unusual"].to_list() == ["", "age, city", "", "age"]
    many = columns([GOOD | {"age": None}] * 50)
    (warning,) = json.loads(sent(predictor, json.dumps(many).encode(), JSON).body)["warnings"]
    assert (warning["message"], len(warning["rows"])) == ("age: 50 of 50 rows missing", 10)


def test_the_order_of_the_rows_is_kept(table_made: Made) -> None:
    predictor = predictor_of(table_made)
    rows = [GOOD | {"age": float(age)} for age in range(20, 70)]
    order = np.random.default_rng(0).permutation(len(rows))
    shares = []
    for each in (rows, [rows[place] for place in order]):
        answer = sent(predictor, csv(each), CSV)
        shares.append(read_csv(answer.body)["probability_yes"].to_numpy())
    assert len(set(shares[0])) > 40
    np.testing.assert_allclose(shares[0][order], shares[1], atol=1e-6)


def test_no_rows_at_all(asked: tuple[Predictor, Rows]) -> None:
    predictor, rows = asked
    none = pl.DataFrame(columns(rows), strict=False).clear()
    separator = predictor.bundle.card["data"].get("separator", ",")
    said = json.loads(sent(predictor, json.dumps({name: [] for name in rows[0]}).encode(), JSON).body)
    assert (said.get("class", said.get("value")), said["warnings"]) == ([], [])
    assert list(said.get("probabilities", {}).values()) == [[]] * len(predictor.bundle.signature.target.classes)
    text = separator.join(rows[0]).encode() + b"\n"
    assert read_csv(sent(predictor, text, CSV).body).height == 0
    assert pl.read_ipc_stream(io.BytesIO(sent(predictor, arrow(none), ARROW).body)).height == 0


@pytest.mark.parametrize("kind", [JSON, CSV, ARROW])
def test_more_rows_than_one_request_may_have(kind: str, table_made: Made) -> None:
    predictor = predictor_of(table_made, max_rows=3)
    for count in (3, 4):
        rows = [dict(GOOD)] * count
        forms = {JSON: json.dumps(columns(rows)).encode(), CSV: csv(rows), ARROW: arrow(pl.DataFrame(columns(rows)))}
        if count == 3:
            assert sent(predictor, forms[kind], kind).status == 200
            continue
        with pytest.raises(RefusedError, match="4 rows are more than the 3 of one request") as caught:
            sent(predictor, forms[kind], kind)
        assert caught.value.status == 413


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (columns([GOOD] * 2) | {"city": ["Ulm"]}, JSON, "field 'city': has 1 values, and 'age' has 2"),
        (columns([GOOD] * 2) | {"member": [True, "perhaps"]}, JSON, "row 1, field 'member': must be true or false"),
        (columns([GOOD]) | {"agee": [1]}, JSON, "field 'agee': there is no such field; did you mean 'age'?"),
        (GOOD, JSON, "field 'age': must be an array of its values, not a number"),
        ([GOOD], JSON, "must be an object with an array of values for each field, not an array"),
        (b"age,city,member,spent\n1,Ulm,true,1,1\n", CSV, "the CSV, line 2: it has 5 fields, and the header has 4"),
        (b"age,city,member\n1,Ulm,true\n", CSV, "the rows lack 1 of the model's 4 columns: 'spent'"),
        (b"age,city,member,spent\nold,Ulm,true,1\n", CSV, "column 'age' must hold numbers"),
        (b"", "text/plain", "send columns as application/json, text/csv or application/vnd.apache.arrow.stream"),
    ],
)
def test_what_is_refused(body: Any, kind: str, says: str, table_made: Made) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RefusedError) as caught:
        sent(predictor_of(table_made), content, kind)
    assert says in caught.value.message
    assert caught.value.status == (415 if kind == "text/plain" else 400)


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum], ids=["categorical", "enum"])
def test_columns_may_be_places_in_a_list_of_texts(dtype: Any, table_made: Made) -> None:
    predictor = predictor_of(table_made)
    rows = [dict(row) for row in runcard.tested_rows(table_made.run.path)[0][:60]]
    frame = pl.DataFrame(columns([*rows, *ODD]))
    texts = frame.select(column.cast(pl.String) for column in frame)
    kinds: Any = {
        name: dtype if dtype is pl.Categorical else pl.Enum(texts[name].drop_nulls().unique()) for name in texts.columns
    }
    plain, listed = (sent(predictor, arrow(table), ARROW).body for table in (frame, texts.cast(kinds)))
    found, expected = pl.read_ipc_stream(io.BytesIO(listed)), pl.read_ipc_stream(io.BytesIO(plain))
    assert found.equals(expected)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("city", ["x" * 100_000], dtype=pl.Categorical).gather([0] * 20_000),
        pl.Series("city", ["x" * 100_000]).gather([0] * 20_000),
        pl.Series("age", ["x" * 100_000], dtype=pl.Categorical).gather([0] * 20_000),
    ],
    ids=["a category of many rows", "one text of many rows", "for a number"],
)
def test_a_text_that_many_rows_name_is_not_read_for_each(column: pl.Series, table_made: Made) -> None:
    table = pl.DataFrame({name: values * len(column) for name, values in COLUMNS.items()}).with_columns(column)
    content = arrow(table)
    assert len(content) < 2_000_000
    with pytest.raises(RefusedError, match="the texts of all rows are longer than 16 MiB together") as caught:
        sent(predictor_of(table_made), content, ARROW)
    assert caught.value.status == 413


def test_a_csv_is_weighed_by_its_own_separator(spent_made: Made) -> None:
    predictor = predictor_of(spent_made)
    for body, status in ((b";" * 200_000, 400), (b"age;city;member\n" + b";;\n" * 1_000_000, 413)):
        with pytest.raises(RefusedError) as caught:
            sent(predictor, body, CSV)
        assert caught.value.status == status
    wide = "age;city;member;note\n1;Ulm;true;" + "," * 200_000 + "\n"  # one text
    assert sent(predictor, wide.encode(), CSV).status == 200


def test_columns_that_the_model_does_not_know_are_passed_over(table_made: Made) -> None:
    predictor = predictor_of(table_made)
    rows = [{"number": 7, **GOOD, "churned": "yes"}]
    same(predictor, answered_alone(predictor, [GOOD]), read_csv(sent(predictor, csv(rows), CSV).body))


def test_over_http(table_service: Service, table_made: Made) -> None:
    rows = [dict(row) for row in runcard.tested_rows(table_made.run.path)[0][:40]]
    predictor, table = predictor_of(table_made), pl.DataFrame(columns(rows))
    alone = answered_alone(predictor, rows)
    numbers = set()
    for kind, body in ((JSON, json.dumps(columns(rows)).encode()), (CSV, csv(rows)), (ARROW, arrow(table))):
        asked = urllib.request.Request(table_service.url + PATH, body, {"content-type": kind})
        with urllib.request.urlopen(asked, timeout=HANG_S) as answer:
            content, headers = answer.read(), answer.headers
        assert headers["content-type"].partition(";")[0] == kind
        assert headers["x-model-version"] == table_made.bundle.tag
        numbers.add(headers["x-prediction-id"])
        if kind == JSON:
            said = json.loads(content)
            assert said["class"] == [one["class"] for one in alone]
            assert said["prediction_id"] == headers["x-prediction-id"]
        else:
            same(predictor, alone, read_csv(content) if kind == CSV else pl.read_ipc_stream(io.BytesIO(content)))
    assert len(numbers) == 3


@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_other_kinds_are_refused(name: str, table_made: Made, capfd: pytest.CaptureFixture[str]) -> None:
    """Some of them unfold for each row that names them, and of others polars dies with a long word to the log."""
    with pytest.raises(RefusedError) as caught:
        sent(predictor_of(table_made), STREAMS[name], ARROW)
    assert caught.value.status == 400
    assert "…c…" not in str(caught.value)
    assert "panicked" not in capfd.readouterr().err or "date" in name


@pytest.mark.parametrize("field", ["city", "age"])
def test_a_long_text_that_all_rows_name_is_not_written_out(field: str, table_made: Made) -> None:
    """100,000 rows that name one text of a megabyte: a hundred gigabytes, were they written out to be measured."""
    rows = 100_000
    plain = {"age": [1.0] * rows, "city": ["Ulm"] * rows, "member": [True] * rows, "spent": [1.0] * rows}
    listed = pl.Series(field, ["x" * 1_000_000], dtype=pl.Categorical).new_from_index(0, rows)
    body = arrow(pl.DataFrame(plain | {field: listed}))
    assert len(body) < 5_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusedError, match="longer than 16 MiB together"):
        sent(predictor_of(table_made), body, ARROW)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
