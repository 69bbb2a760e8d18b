"""Texts → token ids: cut, filled up, missing, and the same after a trip through JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

from runcard.data import signature, transforms
from runcard.data.fields import to_columns, to_fields, warnings
from runcard.data.signature import Rows, Signature
from runcard.data.tokens import CHARACTERS, TextStep, Tokenizer, fit_text, opened
from runcard.data.transforms import Transforms
from runcard.errors import CardError
from tests.conftest import tokenizer_json

PAD, UNKNOWN, BEGIN, END, GOOD = 0, 1, 2, 3, 4


def texts(*values: str | None) -> Any:
    return np.array(values, dtype=object)


def learned(*values: str | None, limit: int = 32) -> TextStep:
    return fit_text("t", texts(*values), Tokenizer(tokenizer_json(), limit, PAD))


def test_words_become_ids_and_the_rest_is_filled_up() -> None:
    ids = learned("good Good never").apply(texts("good Good never", "good"))
    assert ids.dtype == np.int64
    assert ids.tolist() == [[BEGIN, GOOD, GOOD, UNKNOWN, END, 0, 0, 0], [BEGIN, GOOD, END, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("words", "limit", "length"), [(0, 32, 8), (6, 32, 8), (7, 32, 16), (50, 32, 32), (50, 30, 30), (9, 10, 10)]
)
def test_as_long_as_the_longest_text_and_no_longer_than_the_network_reads(words: int, limit: int, length: int) -> None:
    step = learned("good " * words, limit=limit)
    assert step.length == length
    (ids,) = step.apply(texts("good " * 1000)).tolist()
    assert ids == [BEGIN, *[GOOD] * (length - 2), END]


def test_no_more_of_a_text_is_looked_at_than_could_be_read() -> None:
    step = learned("good " * 6)
    end = 8 * CHARACTERS
    near, far = step.apply(texts(" " * (end - 4) + "good bad", " " * end + "good bad")).tolist()
    assert near == [BEGIN, GOOD, END, *[PAD] * 5]
    assert far == [BEGIN, END, *[PAD] * 6]


def test_a_missing_text_is_an_empty_one_and_none_are_none() -> None:
    step = learned("good", None)
    assert step.apply(texts(None, "")).tolist() == [[BEGIN, END, *[PAD] * 6]] * 2
    assert step.apply(texts()).shape == (0, 8)
    assert learned(None).length == 8


def test_what_a_tokenizer_would_cut_or_fill_up_itself_is_not_asked() -> None:
    encoder = opened(tokenizer_json())
    encoder.enable_padding(length=20, pad_id=9)
    encoder.enable_truncation(3)
    step = fit_text("t", texts("good " * 10), Tokenizer(encoder.to_str(), 32, PAD))
    assert step.apply(texts("good good")).tolist() == [[BEGIN, GOOD, GOOD, END, *[PAD] * 12]]


def data_of(*values: str | None) -> Rows:
    target = np.arange(len(values), dtype=np.float64)
    return Rows({"t": texts(*values)}, {"t": "text"}, target, "y", "regression", (), "")


def test_json_changes_nothing() -> None:
    rows = data_of("good film", "", None, "bad \N{SNOWMAN} \n\t\"'")
    described = signature.describe(rows, np.arange(3))
    fitted = transforms.fit(described, rows.columns, rows.target, tokenizer=Tokenizer(tokenizer_json(), 32, PAD))
    stored = json.loads(json.dumps([described.to_dict(), fitted.to_dict()]))
    again = Signature.from_dict(stored[0])
    assert again == described
    assert Transforms.from_dict(stored[1], again) == fitted
    np.testing.assert_array_equal(
        Transforms.from_dict(stored[1], again).apply(rows.columns), fitted.apply(rows.columns)
    )
    fields = json.loads(json.dumps(to_fields(described, rows.columns)))
    assert to_columns(described, fields)["t"].tolist() == rows.columns["t"].tolist()
    assert fitted.input_shape(described) == (8,)


def test_no_text_is_a_surprise_but_its_lack() -> None:
    rows = data_of("good", "bad", None)
    described = signature.describe(rows, np.arange(2))
    (feature,) = described.features
    assert (feature.kind, feature.missing, feature.categories, feature.low) == ("text", False, (), None)
    assert signature.surprises(described, rows.columns) == {}
    assert warnings(described, rows.columns, 3) == [[], [], ["t is missing, which no training row lacked"]]


def test_a_broken_tokenizer_is_refused() -> None:
    with pytest.raises(CardError, match=r"tokenizer\.json of this network cannot be read"):
        opened("{}")


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    content = tokenizer_json()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(CardError, match="pip install tokenizers"):
        opened(content)
