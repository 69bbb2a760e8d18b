"""The model card in a bundle: the hub can read its head, people its body, and no text of a user breaks either."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from markdown_it import MarkdownIt

import runcard
from runcard.data.signature import Feature, Signature, Target, TaskName
from runcard.evaluation import plots
from runcard.packaging import modelcard
from runcard.packaging.bundle import open_bundle
from runcard.packaging.manifest import seal
from runcard.packaging.modelcard import pipeline_of
from tests.conftest import TINY, Command, Made, customers

# The hub's own list has more; https://huggingface.co/tasks
PIPELINES = {"tabular-classification", "tabular-regression", "image-classification", "text-classification"}
NASTY = "a|b <img src=x onerror=alert(1)> `c` [d](http://e.example) *f* $$g$$"


def parts(folder: Path) -> tuple[dict[str, Any], str]:
    """The head as YAML, and the body."""
    text = (folder / "README.md").read_text()
    _, head, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    return yaml.safe_load(head), body


def shown(body: str) -> str:
    """As HTML."""
    return str(MarkdownIt("commonmark").enable("table").render(body))


@pytest.mark.parametrize("kind", ["table", "digits", "vector", "sequence", "text"])
def test_the_head_is_what_the_hub_reads(kind: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(f"{kind}_made")
    head, body = parts(made.bundle.path)
    expected = {"digits": "image-classification", "text": "text-classification"}
    assert head["pipeline_tag"] == expected.get(kind, "tabular-classification")
    assert head["pipeline_tag"] in PIPELINES
    assert (head["library_name"], "license" in head) == ("runcard", False)
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert (model["name"], result["task"]["type"]) == (made.run.card.name, head["pipeline_tag"])
    assert result["dataset"]["revision"] in body
    scores = {f"test/{score['type']}": score["value"] for score in result["metrics"]}
    assert scores == {name: value for name, value in made.run.metrics.items() if name.startswith("test/")}


def test_the_hubs_own_library_reads_it(table_made: Made) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(table_made.bundle.path / "README.md")
    assert card.data.model_name == "table-mlp"
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found["accuracy"] == table_made.run.metrics["test/accuracy"]


def test_the_body_says_what_a_user_has_to_know(table_made: Made) -> None:
    about = json.loads((table_made.bundle.path / "bundle.json").read_text())
    _, body = parts(table_made.bundle.path)
    html = shown(body)
    for word in (about["fingerprint"], about["problem"]["risk"], "600 rows of customers.csv", "runcard.models.mlp.Mlp"):
        assert word in html, word
    assert "<td>city</td>\n<td>category</td>\n<td>Bonn, Köln, Ulm</td>\n<td>some</td>" in html
    assert "<td>spent</td>\n<td>number</td>" in html
    score = f"{table_made.run.metrics['test/accuracy']:.4f}"
    assert f'<td>accuracy</td>\n<td style="text-align:right">{score}</td>' in html
    assert "2 classes of <strong>churned</strong>" in html
    assert "The smallest classes it learned from: " in html
    assert "baseline" not in html  # for the run has none


def test_the_example_is_a_row_that_can_be_sent(table_made: Made, digits_made: Made) -> None:
    for made in (table_made, digits_made):
        _, body = parts(made.bundle.path)
        line = next(line for line in body.splitlines() if line.startswith("curl "))
        row = json.loads(shlex.split(line)[-1])
        assert row in json.loads((made.bundle.path / "reference.json").read_text())["rows"]
        assert None not in row.values()
        assert f"runcard serve {made.bundle.tag}\n" in body


def test_baselines_and_numbers(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "svg_text", lambda _: "")
    run = command("fit", "data=diabetes", *TINY[:2], TINY[3], "--json").json["run"]
    head, body = parts(Path(command("package", "--no-http", run, "--json").json["path"]))
    assert head["pipeline_tag"] == "tabular-regression"
    assert set(head["metrics"]) == {"r_squared", "rmse", "mae"}
    html = shown(body)
    assert "linear baseline" in html
    assert "a number for <strong>progression</strong>" in html
    assert "smallest classes" not in html


def test_what_users_wrote_stays_text(away: Path, command: Command) -> None:
    frame = customers().rename({"city": NASTY})
    renamed = {"Ulm": "Ulm|</td><script>", "Bonn": "Bonn\n```\n# no"}
    frame.with_columns(pl.col(NASTY).replace(renamed)).write_parquet("rows.parquet")
    (away / "conf/problem").mkdir(parents=True)
    problem = yaml.safe_load((Path(__file__).parents[2] / "conf/problem/table.yaml").read_text())
    problem |= {"goal": f"---\n{NASTY}\n\x1b[31m", "risk": NASTY, "target": "churned"}
    (away / "conf/problem/mine.yaml").write_text(yaml.safe_dump(problem))
    words = ["data=table", "data.path=rows.parquet", "problem=mine", "--config-dir", "conf", *TINY]
    fitted = command("fit", *words, "--json")
    assert fitted.code == 0, fitted.err
    head, body = parts(Path(command("package", "--no-http", fitted.json["run"], "--json").json["path"]))
    assert head["model-index"][0]["results"][0]["dataset"]["name"] == "rows.parquet"
    # With HTML let through, as the hub does: there is none.
    html = str(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    assert not re.search("<(img|script|a|em|h1>no)", html)
    cell = NASTY.replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>Risk of an error</td>\n<td>{cell}</td>" in html
    assert f"<td>{cell}</td>\n<td>category</td>" in html
    assert "\x1b" not in body
    for row in re.findall("<tr>.*?</tr>", html, re.DOTALL):
        assert row.count("<td") in (0, 2, 3, 4)
    (code,) = re.findall(r"<code class=\"language-sh\">(.*?)</code>", html, re.DOTALL)
    assert code.startswith("runcard serve ")
    assert "runcard predict " in code


@pytest.mark.parametrize(
    ("kind", "task", "expected"),
    [
        ("image", "classification", "image-classification"),
        ("image", "regression", None),
        ("text", "regression", "text-classification"),
        ("sequence", "regression", "tabular-regression"),
        ("number", "classification", "tabular-classification"),
    ],
)
def test_the_hubs_word_for_it(kind: Any, task: TaskName, expected: str | None) -> None:
    classes = ("a", "b") if task == "classification" else ()
    assert pipeline_of(Signature((Feature("x", kind),), Target("y", task, classes))) == expected


def test_a_row_too_long_for_an_example_is_taken_from_a_file(table_made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modelcard, "MAX_EXAMPLE", 10)
    folder, run = table_made.bundle.path, table_made.run
    rows = json.loads((folder / "reference.json").read_text())
    bundle = open_bundle(folder)
    text = modelcard.model_card(run, runcard.api._restored(run), bundle, table_made.bundle.tag, rows["rows"][0])
    lines = text.splitlines()
    assert any(line.startswith("curl ") and line.endswith(" -d @row.json") for line in lines)
    (make,) = [shlex.split(line) for line in lines if line.startswith("python ")]
    done = subprocess.run([sys.executable, *make[1:3]], cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == rows["rows"][0]


def test_a_bundle_from_before_there_were_model_cards(table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    for name in ("README.md", "manifest.json", "manifest.sha256"):
        (folder / name).unlink()
    seal(folder)
    open_bundle(folder)
