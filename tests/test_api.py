"""The line from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import runcard
from runcard.brief import table_of
from runcard.errors import CardError, DataError, RunError
from runcard.evaluation.predictor import Run
from tests.conftest import TINY, customers

TABLE = ["data=table", "problem.target=churned", "report=false"]


@pytest.fixture(scope="module")
def customer_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("customers")
    customers().write_csv(folder / "customers.csv")
    return runcard.fit(runcard.load_card([*TABLE, f"data.path={folder}/customers.csv", f"runs_dir={folder}"]))


def test_names_are_found_on_first_use() -> None:
    assert all(callable(getattr(runcard, name)) for name in runcard.__all__ if name != "__version__")
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        runcard.fitt  # noqa: B018


def test_a_table_is_learned(customer_run: Run) -> None:
    assert customer_run.metrics["test/accuracy"] > 0.8
    assert customer_run.card.problem.task == "classification"
    assert customer_run.card.problem.metric == "accuracy"
    assert [feature.name for feature in customer_run.signature.features] == ["age", "city", "member", "spent"]


def test_all_forms_of_rows_get_the_same_answers(customer_run: Run) -> None:
    frame = customers(40, seed=5)
    frame.write_csv("rows.csv")
    frame.write_parquet("rows.parquet")
    expected = customer_run.predict(frame)
    assert expected.columns == ["prediction", "probability_no", "probability_yes"]
    for rows in ("rows.csv", Path("rows.parquet"), frame.to_dict(as_series=False), frame.to_dicts()):
        assert customer_run.predict(rows).equals(expected)


def test_a_loaded_run_answers_as_the_fitted_one(customer_run: Run) -> None:
    loaded = runcard.load_run(customer_run.path)
    rows = customers(40, seed=5)
    assert loaded.predict(rows).equals(customer_run.predict(rows))
    assert loaded.metrics == customer_run.metrics


def test_predicting_the_test_rows_gives_the_stored_predictions(customer_run: Run) -> None:
    stored = pl.read_parquet(customer_run.folder.predictions)
    answers = customer_run.predict(customers()[stored["row"].to_list()])
    assert answers.equals(stored.drop("row", "truth"))


def test_one_row_is_answered_as_in_a_batch(customer_run: Run) -> None:
    rows = customers(20, seed=3)
    together = customer_run.predict(rows)
    alone = pl.concat([customer_run.predict(rows[i]) for i in range(rows.height)])
    assert alone["prediction"].equals(together["prediction"])
    np.testing.assert_allclose(alone["probability_yes"], together["probability_yes"], atol=1e-6)


def test_gaps_and_new_values_are_answered_and_reported(customer_run: Run) -> None:
    rows = {"age": [None, 200.0], "city": ["Rom", None], "member": [None, True], "spent": [1, 2]}
    assert customer_run.predict(rows).height == 2
    assert [text.partition(":")[0] for text in customer_run.warnings(customer_run.columns(rows))] == ["age", "city"]


def test_no_rows_no_answers(customer_run: Run) -> None:
    assert customer_run.predict(customers()[:0]).height == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"age": [1]}, "lack 3 of the model's 4 columns: 'city', 'member', 'spent'"),
        ({"age": ["old"], "city": ["Ulm"], "member": [True], "spent": [1]}, "'age' must hold numbers; 'old' is none"),
        ({"age": [1], "city": ["Ulm"], "member": ["maybe"], "spent": [1]}, "'member' must hold true or false"),
        ({"age": [1, 2], "city": ["Ulm"]}, "these rows are no table"),
        ("nowhere.csv", r"there is no file nowhere\.csv"),
        (7, "these rows are no table"),
    ],
)
def test_rows_that_cannot_be_answered(customer_run: Run, rows: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        customer_run.predict(rows)  # type: ignore[arg-type]


def test_images_are_answered() -> None:
    run = runcard.fit(runcard.load_card(["data=digits", *TINY]))
    stored = pl.read_parquet(run.folder.predictions)
    from sklearn.datasets import load_digits

    images = load_digits().images[stored["row"].to_numpy()]
    answers = run.predict({"image": images.tolist()})
    assert answers.equals(stored.drop("row", "truth"))
    assert run.predict({"image": []}).height == 0
    with pytest.raises(DataError, match="row 2 has a pixel that is no finite number"):
        run.predict({"image": [images[0].ravel().tolist(), [None] * 64]})
    with pytest.raises(DataError, match="must hold images of 1×8×8 numbers"):
        run.predict({"image": [[1.0, 2.0]]})


def test_folders_that_are_no_runs(away: Path, wine_run: Run) -> None:
    with pytest.raises(RunError, match="there is no folder"):
        runcard.load_run("nowhere")
    with pytest.raises(RunError, match="is not a run folder"):
        runcard.load_run(away)
    (away / "card.yaml").write_text(wine_run.folder.card.read_text())
    with pytest.raises(RunError, match="is not finished"):
        runcard.load_run(away)


def test_auto_is_settled_and_written_into_the_card() -> None:
    run = runcard.fit(runcard.load_card(["data=wine", "trainer=auto", *TINY]))
    assert run.card.trainer.accelerator in ("cpu", "gpu")
    assert "auto" not in run.folder.card.read_text()


def test_the_run_folder_is_whole(wine_run: Run) -> None:
    names = {str(path.relative_to(wine_run.path)) for path in wine_run.path.rglob("*") if path.is_file()}
    checkpoints = {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    documents = {"card.yaml", "origin.json", "environment.json", "data.json", "metrics.json", "metrics.csv"}
    assert names == documents | checkpoints | {"split.parquet", "predictions.parquet", "report.html", "run.log"}
    environment = json.loads(wine_run.folder.environment.read_text())
    assert environment["packages"]["torch"]
    assert environment["threads"] == wine_run.card.trainer.threads


def test_two_runs_in_one_second_do_not_collide() -> None:
    from runcard import runs

    folders = {runs.create("runs", "same").path for _ in range(50)}
    assert len(folders) == 50


def test_rows_are_read_as_the_card_says() -> None:
    frame = customers(120).with_columns(pl.col("age").fill_null(-999.0))
    frame.write_csv("rows.csv", separator=";")
    overrides = ["data=table", "data.path=rows.csv", "data.separator=';'", "data.null_values=['-999.0','']"]
    run = runcard.fit(runcard.load_card([*overrides, "problem.target=churned", *TINY]))
    stored = pl.read_parquet(run.folder.predictions)
    answers = run.predict("rows.csv")[stored["row"].to_list()]
    assert answers.equals(stored.drop("row", "truth"))


def test_codes_are_the_same_text_in_every_form() -> None:
    codes = [f"{code:05d}" for code in (1067, 1210, 53111)] * 20
    pl.DataFrame({"zip": codes, "y": ["a", "b", "b"] * 20}).write_csv("rows.csv")
    overrides = ["data=table", "data.path=rows.csv", "data.kinds={zip: category}", "problem.target=y"]
    run = runcard.fit(runcard.load_card([*overrides, *TINY]))
    assert run.signature.features[0].categories == ("01067", "01210", "53111")
    Path("mixed.csv").write_text("zip\n01067\nK1A0B1\n")
    expected = run.predict({"zip": ["01067"]})
    np.testing.assert_allclose(run.predict("mixed.csv")["probability_a"][0], expected["probability_a"][0], rtol=1e-5)
    assert run.predict([{"zip": "01067"}]).equals(expected)


def test_rows_after_the_hundredth_count_as_much(customer_run: Run) -> None:
    row = customers(1, seed=8).to_dicts()[0]
    rows = [{**row, "age": 40}] * 150 + [{**row, "age": 40.7}]
    columns = customer_run.columns(rows)
    assert columns["age"][-1] == 40.7


def test_gaps_as_pandas_writes_them(customer_run: Run) -> None:
    nan = float("nan")
    rows = {"age": [nan], "city": [nan], "member": [nan], "spent": [1.0]}
    columns = customer_run.columns(rows)
    assert columns["city"].tolist() == [None]
    assert np.isnan(columns["member"]).all()


@pytest.mark.parametrize("name", ["exp=1/runs", "7e12345", "with space"])
def test_a_run_is_found_again_wherever_it_lies(name: str) -> None:
    run = runcard.fit(runcard.load_card(["data=wine", "name='1e5'", f"runs_dir='{name}'", *TINY]))
    assert run.card.name == "1e5"
    assert runcard.load_run(run.path).card == run.card
    assert runcard.load_card([str(run.folder.card)]) == run.card


def test_a_notebook_finds_the_functions_before_they_are_imported() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import runcard; print(*dir(runcard))"], capture_output=True, text=True
    )
    assert {"fit", "load_card", "sweep", "package", "load_run"} <= {*said.stdout.split()}
    assert "hiding" not in said.stdout.split()


def test_a_line_is_taken_as_a_shell_takes_it() -> None:
    assert runcard.load_card("data=wine model=linear 'problem.goal=two words'").problem.goal == "two words"
    assert runcard.load_card("data=wine") == runcard.load_card(["data=wine"])
    with pytest.raises(CardError, match="is no line that a shell would take: no closing quotation"):
        runcard.load_card("data=wine 'problem.goal=two")
    assert runcard.load_sweep("data=wine seed=1,2").trials == 2


def test_what_load_card_takes_is_fitted_too() -> None:
    assert runcard.fit(["data=wine", "model=linear", *TINY]).card.name == "wine-linear"


def test_a_card_is_not_changed_and_says_what_to_do() -> None:
    card = runcard.load_card("data=wine")
    with pytest.raises(CardError, match=r"not changed: compose another, with max_epochs among the overrides"):
        card.trainer.max_epochs = 3
    assert card.trainer.max_epochs != 3


def test_what_a_notebook_shows_is_short(wine_run: Run) -> None:
    assert repr(wine_run.card) == str(wine_run.card) == "Card(wine-mlp, data=Builtin, model=Mlp, optimizer=AdamW, …)"
    accuracy = wine_run.metrics["test/accuracy"]
    assert repr(wine_run).startswith(f"Run({wine_run.path}, test/accuracy={accuracy:.4g}, ")
    assert f"<tr><th>test/accuracy</th><td>{accuracy:.4g}</td></tr>" in wine_run._repr_html_()
    assert (
        table_of("<b>", {"<i>": "&"})
        == "<p><b>&lt;b&gt;</b></p><table><tr><th>&lt;i&gt;</th><td>&amp;</td></tr></table>"
    )
