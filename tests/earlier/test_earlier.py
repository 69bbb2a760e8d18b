"""What earlier versions wrote still opens, and comes to the same: runs, studies, bundles, a project."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import runcard
from runcard import api
from runcard.evaluation import plots
from runcard.files import read_json
from runcard.packaging import trial
from runcard.packaging.bundle import open_bundle
from runcard.packaging.manifest import digest_of
from runcard.serving.predictor import Predictor
from tests.conftest import Command
from tests.earlier.kept import KEPT, SUMS, VERSIONS, Kept, copy_kept, same_machine, sums, weights_digest
from tests.servers import BIN, free_port, starting, wait_until_ready

pytestmark = pytest.mark.whole

RUNS = ("table", "text", "images", "steps", "mixed", "median")
BUNDLES = ("onnx", "onnx-signed", "torch")
# Where a byte is changed, as a share of the file: of a table, most say nothing.
DAMAGED = {"checkpoints/best.ckpt": 0.5, "split.parquet": 0.25, "data.json": 0.5, "metrics.json": 0.5, "card.yaml": 0.5}
ASIDE = 1e-5  # how far an answer may be where the processor or a library is another


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest, away: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What a version wrote; the working directory is the project that its classes are of."""
    found = copy_kept(request.param, away / "earlier")
    monkeypatch.chdir(found.folder / "project")
    return found


def short(names: tuple[str, ...], *chosen: str) -> list[Any]:
    """All names, those that are not chosen for the slow tests only."""
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.slow) for name in names]


def assert_close(found: Any, expected: Any, *, exactly: bool) -> None:
    """Compare plain values; numbers within ``ASIDE`` where bits cannot be the same."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_close(found[name], value, exactly=exactly)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other, exactly=exactly)
    elif isinstance(expected, float) and not exactly:
        assert math.isclose(found, expected, rel_tol=ASIDE, abs_tol=ASIDE)
    else:
        assert found == expected


def assert_answers(run: Path, answers: pl.DataFrame, kept: Kept, *, exactly: bool = True) -> None:
    """Compare answers to the test rows with those that lie in the run's folder."""
    stored = pl.read_parquet(KEPT / VERSIONS[0] / run.relative_to(kept.folder) / "predictions.parquet")
    names = [name for name in answers.columns if name in stored.columns]
    assert "prediction" in names
    assert len(names) > 1
    exactly = exactly and same_machine(run)
    assert_close(answers[names].to_dict(as_series=False), stored[names].to_dict(as_series=False), exactly=exactly)


def test_there_are_some() -> None:
    assert VERSIONS == ["94e1fbd"]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_that_is_kept_was_changed(version: str) -> None:
    lines = (KEPT / version / SUMS).read_text(encoding="utf-8").splitlines()
    assert {name: digest for digest, name in (line.split("  ", 1) for line in lines)} == sums(KEPT / version)


# Their plots are drawn: of columns and of images. Those of the others, of the same numbers, take as long as the rest.
DRAWN = ("table", "images")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_evaluated_and_answers_as_it_did(
    name: str, kept: Kept, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name not in DRAWN:
        monkeypatch.setattr(plots, "svg_text", lambda _: "")
    run = kept.run(name)
    before = read_json(run / "metrics.json")
    rows, _ = api.tested_rows(run)
    assert_answers(run, runcard.load_run(run).predict(rows), kept)
    said = command("evaluate", str(run), "--json")
    assert said.code == 0, said.err
    # Baselines are fitted by a library, and only in an evaluation with a report.
    found = {key: value for key, value in said.json["metrics"].items() if not key.startswith("baseline/")}
    assert_close(found, before, exactly=same_machine(run))
    assert_answers(run, pl.read_parquet(run / "predictions.parquet"), kept)
    assert (run / "report.html").stat().st_size > (10_000 if name in DRAWN else 2_000)


@pytest.mark.parametrize("name", ["table", "text"])
def test_a_run_answers_a_file(name: str, kept: Kept, command: Command) -> None:
    run, rows = kept.run(name), {"table": "customers", "text": "reviews"}[name]
    said = command("predict", str(run), str(kept.folder / "rows" / f"{rows}.csv"), "-o", "answers.parquet", "--json")
    assert said.code == 0, said.err
    tested = pl.read_parquet(run / "split.parquet").with_row_index().filter(pl.col("part") == "test")["index"]
    # What stands beside a row in its batch decides its last bits.
    assert_answers(run, pl.read_parquet("answers.parquet")[tested.to_list()], kept, exactly=False)


@pytest.mark.parametrize("name", RUNS)
def test_a_finished_run_stays_as_it_is(name: str, kept: Kept, command: Command) -> None:
    run = kept.run(name)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = command("resume", str(run), "--json")
    assert said.code == 0, said.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_was_killed_comes_to_the_same_end(kept: Kept, command: Command) -> None:
    run, expected = kept.run("stopped"), kept.expected["resumed"]
    said = command("resume", str(run), "--json")
    assert said.code == 0, said.err
    assert_close(said.json["metrics"], expected["metrics"], exactly=same_machine(run))
    if same_machine(run):
        assert weights_digest(run) == expected["weights"]
    assert len((run / "metrics.csv").read_text().splitlines()) == 151  # each epoch, and none twice


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_run_comes_out_the_same_again(name: str, kept: Kept, command: Command) -> None:
    said = command("verify", str(kept.run(name)), "--json")
    assert said.code == 0, said.err
    assert (said.json["same"], said.json["differs"]) == (True, [])
    assert said.json["tolerance"] in ((0.0,) if not said.json["elsewhere"] else (0.0, 0.05))


@pytest.mark.parametrize("name", short(RUNS, "table", "median"))
def test_a_run_is_packaged(name: str, kept: Kept, command: Command) -> None:
    said = command("package", str(kept.run(name)), "--no-http", "--json")
    assert said.code == 0, said.err
    assert said.json["rows_compared"] > 50
    assert said.json["runtime"] == ("torch" if name == "median" else "onnx")


@pytest.mark.parametrize("kind", BUNDLES)
def test_a_bundle_answers_as_it_did(kind: str, kept: Kept, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the process in which one from a stranger is tried, to which it is all one who wrote it.
    monkeypatch.setattr(trial, "try_out", lambda path, **_: digest_of(path))
    expected = kept.expected["served"][kind]
    Path("rows.json").write_text(json.dumps(expected["rows"]), encoding="utf-8")
    said = command("predict", str(kept.bundle(kind)), "rows.json", "-o", "answers.parquet", "--json")
    assert said.code == 0, said.err
    answers = pl.read_parquet("answers.parquet")
    assert answers["prediction"].to_list() == [answer["class"] for answer in expected["answers"]]
    for name in expected["answers"][0]["probabilities"]:
        found, served = answers[f"probability_{name}"], [one["probabilities"][name] for one in expected["answers"]]
        assert_close(found.to_list(), served, exactly=False)


@pytest.mark.parametrize("kind", ["onnx", "onnx-signed"])
def test_a_bundle_answers_a_service_as_it_did(kind: str, kept: Kept) -> None:
    """Its body and its answers, without the process that would wait for them."""
    expected = kept.expected["served"][kind]
    predictor = Predictor(open_bundle(kept.bundle(kind)), expected["tag"])
    answers = json.loads(json.dumps(predictor.predict(json.dumps(expected["rows"]).encode())))
    for answer in answers:
        answer.pop("prediction_id", None)
    assert_close(answers, expected["answers"], exactly=False)


def test_a_signed_bundle_is_whose_it_was(kept: Kept) -> None:
    from runcard.errors import BundleError
    from runcard.packaging.signing import verify_signature

    verify_signature(kept.bundle("onnx-signed"), kept.folder / "key.pub")
    with pytest.raises(BundleError, match="sign"):
        verify_signature(kept.bundle("onnx"), kept.folder / "key.pub")


@pytest.mark.slow
@pytest.mark.parametrize("kind", BUNDLES)
def test_a_bundle_is_served(kind: str, kept: Kept) -> None:
    expected = kept.expected["served"][kind]
    name, _, version = expected["tag"].partition(":")
    store = kept.folder / "store"
    shutil.copytree(kept.bundle(kind), store / "models" / name / version)
    (store / "models" / name / "latest").write_text(version, encoding="utf-8")
    port = free_port()
    words = [str(BIN / "runcard"), "serve", expected["tag"], "--port", str(port)]
    with starting(words, Path.cwd(), port, BENTOML_HOME=str(store)) as service:
        wait_until_ready(service)
        status, answers = service.post(expected["rows"])
    assert status == 200
    for answer in answers:
        answer.pop("prediction_id", None)
    assert_close(answers, expected["answers"], exactly=False)


@pytest.fixture
def studies(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The same, in the folder that the studies were made in: a plan's paths are those that were typed."""
    monkeypatch.chdir(kept.folder)
    return kept


def test_a_finished_study_stays_as_it_is(studies: Kept, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "svg_text", lambda _: "")
    before = json.loads((studies.study("finished") / "study.json").read_text())
    said = command("resume", str(studies.study("finished")), "--json")
    assert said.code == 0, said.err
    assert_trials(said.json["study"], studies)
    assert said.json["best"]["number"] == before["best"]["number"]
    winner = studies.study("finished") / str(said.json["best"]["number"])
    said = command("evaluate", str(winner), "--json")
    assert said.code == 0, said.err
    assert said.json["metrics"]["val/accuracy"] == pytest.approx(before["best"]["value"])


def test_a_study_that_was_stopped_comes_to_the_same_end(studies: Kept, command: Command) -> None:
    said = command("resume", str(studies.study("stopped")), "--json")
    assert said.code == 0, said.err
    assert said.json["states"]["COMPLETE"] == 4
    assert_trials(said.json["study"], studies)


def assert_trials(study: str, kept: Kept) -> None:
    trials = json.loads((Path(study) / "study.json").read_text())["trials"]
    found = {str(trial["number"]): [trial["params"], trial["value"]] for trial in trials}
    assert_close(found, kept.expected["study"], exactly=same_machine(kept.study("finished") / "0"))


@pytest.mark.slow  # README packages one of ours
def test_a_study_is_packaged_and_listed(studies: Kept, command: Command) -> None:
    said = command("package", str(studies.study("finished")), "--no-http", "--json")
    assert said.code == 0, said.err
    assert said.json["runtime"] == "onnx"
    said = command("ls", "--runs-dir", str(studies.folder / "studies"), "--json")
    assert [run["state"] for run in said.json["runs"]].count("finished") == 6


@pytest.mark.parametrize(
    ("file", "share"),
    list(DAMAGED.items()),
)
def test_a_run_with_a_changed_byte_is_refused(file: str, share: float, kept: Kept, command: Command) -> None:
    path = kept.run("table") / file
    change_byte(path, share)
    said = command("evaluate", str(kept.run("table")))
    assert said.code == 2, said.err
    assert path.name in said.err
    assert "Traceback" not in said.err


@pytest.mark.slow  # test_resume.py damages ours
def test_a_killed_run_whose_checkpoint_has_a_changed_byte_goes_on_from_the_one_before(
    kept: Kept, command: Command
) -> None:
    run = kept.run("stopped")
    change_byte(run / "checkpoints" / "last.ckpt")
    said = command("resume", str(run), "--json")
    assert said.code == 0, said.err
    assert "last.ckpt" in said.err
    assert_close(said.json["metrics"], kept.expected["resumed"]["metrics"], exactly=same_machine(run))


def change_byte(path: Path, share: float = 0.5) -> None:
    content = path.read_bytes()
    place = int(share * len(content))
    path.write_bytes(content[:place] + bytes([content[place] ^ 0x81]) + content[place + 1 :])


@pytest.mark.slow
def test_a_bundle_with_a_changed_byte_is_refused(kept: Kept, command: Command) -> None:
    folder = kept.bundle("onnx")
    names = sorted(set(read_json(folder / "manifest.json")) | {"manifest.json", "manifest.sha256"})
    assert len(names) >= 10
    Path("rows.json").write_text("[]", encoding="utf-8")
    for name in names:
        content = (folder / name).read_bytes()
        change_byte(folder / name)
        said = command("predict", str(folder), "rows.json")
        assert (said.code, name in said.err or "manifest" in said.err) == (2, True), (name, said.err)
        (folder / name).write_bytes(content)


def test_the_project_still_fits(kept: Kept, command: Command) -> None:
    said = command("fit", "trainer.max_epochs=1", "--json")
    assert said.code == 0, said.err
    assert Path(said.json["run"]).is_relative_to(kept.folder / "project" / "runs")
