"""Trackers: each holds every epoch once, also after a kill, and one that fails never stops a run."""

from __future__ import annotations

import contextlib
import csv
import json
import logging
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import psutil
import pytest
import wandb
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2 as proto

import runcard
from runcard import runs
from runcard.errors import CardError, Stopped
from runcard.evaluation.predictor import Run
from runcard.files import write_json
from runcard.runs import RunFolder
from runcard.studies import StudyFolder
from runcard.training.loggers import closing, make_logger
from runcard.training.trackers.base import settings
from runcard.training.trackers.bundles import attach_bundle
from runcard.training.trackers.variables import obey
from runcard.training.trackers.wandb import Wandb
from runcard.training.trackers.winners import tell_winner
from tests.conftest import HANG_S, TINY, Command

Record: Any = vars(proto)["Record"]
KINDS = ["tensorboard", "mlflow", "wandb"]
# What wandb itself leaves there, for whoever is forked.
SERVICES = {"WANDB_SERVICE"}
FIT = ["fit", "data=wine", "trainer.max_epochs=3", "report=false"]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture(autouse=True)
def store(away: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow needs seconds to make its tables, and wandb to import what starts jobs elsewhere."""
    shutil.copy(empty_store, away)
    monkeypatch.setattr("wandb.sdk.wandb_run.Run._detect_and_apply_job_inputs", lambda self: None)
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_")) and name not in SERVICES]:
        monkeypatch.delenv(name)


def card(kind: str, *overrides: str) -> Any:
    return obey(runcard.load_card(["data=wine", f"logger={kind}", "problem.metric=accuracy", *overrides]))


def new_run(name: str) -> RunFolder:
    run = runs.create("runs", name)
    runs.publish(run)
    return run


def begun(kind: str, first_epoch: int = 0, run: RunFolder | None = None, words: str = "") -> tuple[Any, RunFolder]:
    if run is None:
        run = new_run(kind)
    return make_logger(card(kind, *words.split()), run, first_epoch), run


def trial(number: int) -> RunFolder:
    place = Path(f"studies/mine/{number}").absolute()
    place.mkdir(parents=True)
    (place.parent / "plan.json").write_text("{}")
    return RunFolder(place)


def won(run: RunFolder, value: float = 0.5) -> dict[str, Any]:
    """What the summary of a study says, as far as trackers are told."""
    best = {"number": int(run.path.name), "value": value, "run": str(run.path)}
    return {"metric": "val/accuracy", "best": best}


def store_here() -> Any:
    # By its whole address: MLflow keeps open what it once had by one.
    return mlflow.MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")


def numbers(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "train/loss": 1 / (epoch + 1), "lr": 0.1}


def log(logger: Any, epochs: range) -> None:
    for epoch in epochs:
        logger.log_metrics(numbers(epoch), step=epoch)


def write_history(run: RunFolder, epochs: range) -> None:
    with run.history.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(numbers(0)))
        writer.writeheader()
        writer.writerows(numbers(epoch) for epoch in epochs)


def points(run: RunFolder, name: str = "train/loss") -> list[tuple[int, float]]:
    """All that the run's tracker holds of a metric, read with the tracker's own means where it has any."""
    record = json.loads(run.tracker.read_text())
    if record["kind"] == "tensorboard":
        events = EventAccumulator(str(run.path / record["id"])).Reload()
        return [(event.step, event.value) for event in events.Scalars(name)]
    if record["kind"] == "mlflow":
        history = mlflow.MlflowClient(record["place"]).get_metric_history(record["id"], name)
        return sorted((point.step, point.value) for point in history)
    return [(int(row["_step"]), row[name]) for row in wandb_rows(run) if name in row]


def wandb_records(run: RunFolder) -> list[Any]:
    """What ``wandb sync`` would send; wandb goes on writing for a moment after it has said that it is done."""
    (path,) = run.path.glob("wandb/offline-run-*/*.wandb")
    give_up = time.monotonic() + HANG_S
    while time.monotonic() < give_up:
        with contextlib.suppress(DecodeError):  # a record is half written
            records = [Record.FromString(content) for content in leveldb(path.read_bytes())]
            if any(record.HasField("exit") for record in records):
                return records
        time.sleep(0.05)
    raise AssertionError(f"{path} has no end")


def leveldb(content: bytes) -> Iterator[bytes]:
    """The records of LevelDB's log format: blocks of 32 KiB with parts of records, here after a head of 7 bytes."""
    place, parts = 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def wandb_rows(run: RunFolder) -> list[dict[str, Any]]:
    history = [record.history.item for record in wandb_records(run) if record.HasField("history")]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row} for row in history]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "runcard"]


def about(epochs: range) -> list[tuple[int, Any]]:
    return [(epoch, pytest.approx(1 / (epoch + 1), rel=1e-6)) for epoch in epochs]


@pytest.mark.parametrize("kind", ["mlflow", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[::2])])
def test_a_fit_is_tracked_and_gives_the_same_bits(kind: str, command: Command, wine_run: Run) -> None:
    alone = {"PYTEST_CURRENT_TEST", "WANDB_SERVICE"}
    before = {name: value for name, value in os.environ.items() if name not in alone}
    said = command(*FIT, f"logger={kind}", "--json")
    assert said.code == 0
    assert "could not" not in said.err
    run = RunFolder(Path(said.json["run"]))
    assert run.last.read_bytes() == wine_run.folder.last.read_bytes()
    assert [value for _, value in points(run, "epoch")][-1] == 2
    assert len(points(run, "val/accuracy")) == 3
    after = {name: value for name, value in os.environ.items() if name not in alone}
    assert after == before
    assert not mlflow.tracking.is_tracking_uri_set()
    assert wandb.run is None


def test_a_fit_goes_where_mlflows_variables_say(
    command: Command, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_store, "theirs.db")
    Path("mlflow.db").unlink()
    place = f"sqlite:///{Path('theirs.db').absolute()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    said = command(*FIT, "logger=mlflow", "--json")
    assert said.code == 0, said.err
    assert f"logger.tracking_uri={place}: from the variable MLFLOW_TRACKING_URI" in said.err
    run = Path(said.json["run"])
    assert "logger.experiment_name=theirs: from the variable MLFLOW_EXPERIMENT_NAME" in (run / "run.log").read_text()
    client = mlflow.MlflowClient(place)
    experiment = client.get_experiment_by_name("theirs")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 1
    assert not Path("mlflow.db").exists()
    origin = json.loads((run / "origin.json").read_text())
    assert origin["logger.experiment_name"] == "settled, the variable MLFLOW_EXPERIMENT_NAME"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    kept = runcard.load_run(run).card.logger
    assert (kept.tracking_uri, kept.experiment_name) == (place, "theirs")  # type: ignore[union-attr]


KILLED = """
import os, signal, sys
from runcard.runs import RunFolder
from tests import test_loggers
for kind in test_loggers.KINDS:
    logger, run = test_loggers.begun(kind)
    test_loggers.log(logger, range(5))
    print(run.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_after_a_kill_each_epoch_is_held_once(caplog: pytest.LogCaptureFixture) -> None:
    program = [sys.executable, "-W", "ignore", "-c", KILLED]
    paths = {"PYTHONPATH": str(Path(__file__).parents[1])}
    # A wandb service of its own: that of this process, which its environment names, would outlive the kill.
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    done = subprocess.run(program, capture_output=True, text=True, env=own | paths, timeout=HANG_S)
    assert done.returncode == -signal.SIGKILL, done.stderr
    for kind, path in zip(KINDS, done.stdout.splitlines()[-3:], strict=True):
        goes_on(kind, RunFolder(Path(path)))
    assert not warnings_of(caplog)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_goes_on_holds_each_epoch_once(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    logger, run = begun(kind)
    log(logger, range(5))
    if kind == "wandb":  # which allows one run a process
        logger.finalize("stopped")
    goes_on(kind, run)
    assert not warnings_of(caplog)


def goes_on(kind: str, run: RunFolder) -> None:
    """Go on from epoch 3 of a run that was told of epoch 4 already."""
    record = run.tracker.read_text()
    write_history(run, range(3))
    logger, _ = begun(kind, 3, run)
    log(logger, range(3, 7))
    logger.finalize("success")
    assert points(run) == about(range(7))
    assert run.tracker.read_text() == record


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracker_that_was_out_of_reach_gets_the_epochs_before(kind: str) -> None:
    run = new_run(kind)
    write_history(run, range(4))  # the last of them is trained again
    logger, _ = begun(kind, 3, run)
    log(logger, range(3, 5))
    logger.finalize("success")
    assert points(run) == about(range(5))


def test_mlflow_holds_card_final_numbers_and_status(caplog: pytest.LogCaptureFixture) -> None:
    said = {}
    for status, error in {"FINISHED": None, "FAILED": ValueError("x"), "KILLED": Stopped(signal.SIGTERM)}.items():
        logger, run = begun("mlflow")
        with pytest.raises(type(error)) if error else contextlib.nullcontext(), closing(logger):
            log(logger, range(2))
            logger.log_metrics({"test/accuracy": 0.75})
            if error:
                raise error
        said[status] = store_here().get_run(logger.version)
        assert points(run, "test/accuracy") == [(2, 0.75)]
    assert {status: held.info.status for status, held in said.items()} == {status: status for status in said}
    held = said["FINISHED"].data
    assert held.metrics["train/loss"] == 0.5
    assert held.params["optimizer.lr"] == "0.003"
    assert held.params.keys() == settings(card("mlflow")).keys()
    assert said["FINISHED"].info.run_name.startswith("wine-mlp/")
    assert not warnings_of(caplog)


@pytest.mark.parametrize("commit", ["0123abc", None])
def test_mlflow_is_told_the_users_commit_and_the_study(commit: str | None) -> None:
    run = trial(4)
    write_json(run.environment, {"commit": commit})
    logger, _ = begun("mlflow", run=run)
    logger.finalize("success")
    held = store_here().get_run(logger.version)
    assert held.data.tags.get("mlflow.source.git.commit") == commit
    assert (held.data.tags["mlflow.source.name"], held.data.tags["runcard.study"]) == ("runcard", "mine")
    assert held.info.run_name == "mine/4"


def test_wandb_groups_the_trials_of_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    run = trial(4)
    tracker = Wandb(card("wandb"), run, 0)
    assert (tracker.name, tracker._grouped()) == ("mine/4", {"group": "mine", "job_type": "trial"})
    monkeypatch.setenv("WANDB_RUN_GROUP", "theirs")
    assert tracker._grouped() == {}
    assert Wandb(card("wandb"), new_run("alone"), 0)._grouped() == {}


def test_mlflow_shows_a_study_as_a_run_with_its_trials_below_and_the_winner_marked() -> None:
    runs, client = [trial(0), trial(1)], store_here()
    for run in runs:
        begun("mlflow", run=run)[0].finalize("success")
    folder = StudyFolder(runs[0].path.parent)
    ((_, study),) = json.loads(folder.tracker.read_text())["parents"].items()

    def tags(run: RunFolder) -> dict[str, str]:
        return dict(client.get_run(json.loads(run.tracker.read_text())["id"]).data.tags)

    assert [tags(run)["mlflow.parentRunId"] for run in runs] == [study, study]
    assert [tags(run)["runcard.kind"] for run in runs] == ["trial", "trial"]
    assert (client.get_run(study).info.run_name, client.get_run(study).info.status) == ("mine", "RUNNING")
    for winner, loser in (runs, runs[::-1]):  # with more trials another may win
        tell_winner(folder, won(winner))
        assert (tags(winner)["runcard.winner"], "runcard.winner" in tags(loser)) == ("true", False)
        held = client.get_run(study)
        assert (held.data.tags["runcard.kind"], held.data.tags["runcard.winner"]) == ("study", winner.path.name)
    assert (held.info.status, held.data.metrics) == ("FINISHED", {"val/accuracy": 0.5})


@pytest.mark.slow
def test_a_sweep_is_a_tree_in_mlflow(command: Command) -> None:
    said = command(*FIT, "-m", "logger=mlflow", "optimizer.lr=1e-3,1e-2", "sweep.name=mine", "--json")
    assert (said.code, "could not" in said.err) == (0, False), said.err
    client = store_here()
    held = {
        run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("runcard").experiment_id])
    }
    assert held.keys() == {"mine", "mine/0", "mine/1"}
    assert held["mine"].data.tags["runcard.winner"] == str(said.json["best"]["number"])
    assert all(held[f"mine/{n}"].data.tags["mlflow.parentRunId"] == held["mine"].info.run_id for n in range(2))


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
def test_a_tracker_that_cannot_be_told_the_winner_stops_nothing(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError("out of reach")

    # Not by setattr, which would import what it takes the place of.
    monkeypatch.setitem(*{"mlflow": (vars(mlflow), "MlflowClient"), "wandb": (vars(wandb), "Api")}[kind], away)
    run = trial(3)
    write_json(run.tracker, {"kind": kind, "id": "x", "place": "sqlite:///mlflow.db"})
    folder = StudyFolder(run.path.parent)
    tell_winner(folder, won(run))
    assert warnings_of(caplog) == ["the tracker could not be told that trial 3 has won: out of reach"]
    assert not folder.tracker.exists()
    tell_winner(folder, {"metric": "val/accuracy", "best": None})
    write_json(run.tracker, {"kind": "tensorboard", "id": "x"})
    tell_winner(folder, won(run))
    assert len(warnings_of(caplog)) == 1


def test_wandb_marks_the_winner_where_it_has_the_run(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {f"me/mine/{number}": SimpleNamespace(tags=["kept"], update=lambda: None) for number in range(2)}
    monkeypatch.setitem(vars(wandb), "Api", lambda **_: SimpleNamespace(run=held.__getitem__))
    first, second, kept_here = trial(0), trial(1), trial(2)
    write_json(first.tracker, {"kind": "wandb", "id": "0", "place": "me/mine/0"})
    write_json(second.tracker, {"kind": "wandb", "id": "1", "place": "me/mine/1"})
    write_json(kept_here.tracker, {"kind": "wandb", "id": "2"})
    folder = StudyFolder(first.path.parent)
    for winner in (first, first, second):
        tell_winner(folder, won(winner))
    assert [run.tags for run in held.values()] == [["kept"], ["kept", "winner"]]
    with caplog.at_level(logging.INFO, "runcard"):
        tell_winner(folder, won(kept_here))
    assert "wandb is not told which trial has won" in caplog.text


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
def test_the_files_that_a_card_chooses_are_kept(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    logger, run = begun(kind, words="logger.artifacts=[card,report]")
    run.card.write_text("seed: 1")
    run.report.write_text("<p>")
    logger.attach()
    logger.finalize("success")
    if kind == "mlflow":
        held = [Path(store_here().download_artifacts(logger.version, name)) for name in ("card.yaml", "report.html")]
    else:
        held = [
            found
            for name in ("card.yaml", "report.html")
            for found in run.path.glob(f"wandb/offline-run-*/files/{name}")
        ]
    assert [path.read_text() for path in held] == ["seed: 1", "<p>"]
    assert not warnings_of(caplog)


def test_a_run_of_no_study_lies_below_none_and_keeps_no_file_that_was_not_chosen() -> None:
    logger, run = begun("mlflow")
    run.card.write_text("seed: 1")
    logger.attach()
    logger.finalize("success")
    assert store_here().list_artifacts(logger.version) == []
    tags = store_here().get_run(logger.version).data.tags
    assert not {"mlflow.parentRunId", "runcard.kind", "runcard.study"} & tags.keys()
    logger, _ = begun("tensorboard", run=run)
    logger.attach()
    logger.finalize("success")


def test_a_file_that_cannot_be_kept_loses_nothing_else(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    logger, run = begun("mlflow", words="logger.artifacts=[card,report,bundle]")
    run.card.write_text("seed: 1")
    monkeypatch.setattr("mlflow.MlflowClient.log_artifact", full)
    monkeypatch.setattr("mlflow.MlflowClient.log_artifacts", full)
    logger.attach()
    logger.finalize("success")
    attach_bundle(logger._tracker.card, run, "wine:7", Path())
    assert [line.partition(": ")[0] for line in warnings_of(caplog)] == [
        f"mlflow could not take {run.card}",
        "mlflow could not take the bundle wine:7",
    ]
    assert store_here().get_run(logger.version).info.status == "FINISHED"


def test_a_bundle_is_kept_if_the_card_chooses_it() -> None:
    Path("made").mkdir()
    Path("made/about.json").write_text("{}")
    for words, held in (("", []), ("logger.artifacts=[bundle]", ["bundle/7/about.json"])):
        logger, run = begun("mlflow", words=words)
        logger.finalize("success")
        attach_bundle(logger._tracker.card, run, "wine:7", Path("made"))
        assert [one.path for one in store_here().list_artifacts(logger.version, "bundle/7")] == held


@pytest.mark.slow
def test_a_fit_and_its_bundle_are_kept_in_mlflow(command: Command) -> None:
    said = command("fit", "data=wine", *TINY, "logger=mlflow", "logger.artifacts=[card,report,bundle]", "report=true")
    assert (said.code, "could not" in said.err) == (0, False), said.err
    (run,) = Path("runs").glob("*/*/tracker.json")
    said = command("package", str(run.parent), "--no-http")
    assert (said.code, "mlflow keeps the bundle too" in said.err) == (0, True), said.err
    held = store_here().list_artifacts(json.loads(run.read_text())["id"])
    assert [one.path for one in held] == ["bundle", "card.yaml", "report.html"]


@pytest.mark.slow
def test_runs_that_begin_at_once_share_a_new_store() -> None:
    Path("mlflow.db").unlink()
    program = [str(Path(sys.executable).with_name("runcard")), *FIT, "logger=mlflow"]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen([*program, f"seed={seed}"], stdout=pipe, stderr=pipe, text=True) for seed in range(3)]
    said = [process.communicate(timeout=HANG_S)[1] for process in processes]
    assert not [line for text in said for line in text.splitlines() if "could not" in line]
    assert all(len(points(RunFolder(path.parent))) == 3 for path in Path("runs").glob("*/*/tracker.json"))


def test_tensorboard_holds_card_and_final_numbers() -> None:
    logger, run = begun("tensorboard")
    log(logger, range(2))
    logger.log_metrics({"test/accuracy": 0.75})
    logger.finalize("success")
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("test/accuracy")] == [(2, 0.75)]
    assert "optimizer.lr" in str(events.SummaryMetadata("_hparams_/session_start_info"))
    assert "test/accuracy" in str(events.SummaryMetadata("_hparams_/experiment"))


@pytest.mark.parametrize(("status", "code"), [("success", 0), ("failed", 1), ("stopped", 130)])
def test_wandb_holds_card_final_numbers_and_status(status: str, code: int) -> None:
    logger, run = begun("wandb")
    log(logger, range(2))
    logger.log_metrics({"test/accuracy": 0.75})
    logger.finalize(status)
    records = wandb_records(run)
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [code]
    assert any("test/accuracy" in str(record.summary) for record in records)
    assert any("wine-mlp" in str(record.config) for record in records)


def test_a_server_out_of_reach_stops_nothing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = command(*FIT, "logger=mlflow", "logger.tracking_uri=http://127.0.0.1:9")
    assert said.code == 0
    (line,) = [line for line in said.err.splitlines() if "could not" in line]
    assert "mlflow could not begin" in line
    assert "metrics.csv" in line


def test_a_database_that_is_none_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    Path("mlflow.db").unlink()
    Path("mlflow.db").mkdir()
    logger, run = begun("mlflow")
    log(logger, range(2))
    logger.finalize("success")
    (line,) = warnings_of(caplog)
    assert line.startswith("mlflow could not begin: ")
    assert logger.version is None
    assert not run.tracker.exists()
    logger.experiment.anything("goes")


@pytest.mark.parametrize(("kind", "name"), [("tensorboard", "log_metrics"), ("mlflow", "finalize")])
def test_a_failure_in_the_middle_stops_nothing(
    kind: str, name: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    owner = {"tensorboard": "TensorBoardLogger", "mlflow": "MLFlowLogger"}[kind]
    monkeypatch.setattr(f"pytorch_lightning.loggers.{owner}.{name}", full)
    said = command(*FIT, f"logger={kind}")
    assert said.code == 0
    assert said.err.count(f"{kind} could not") == 1
    assert said.err.count("No space left on device") == 1


def test_a_killed_wandb_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    logger, _ = begun("wandb")
    for child in psutil.Process().children(recursive=True):
        if child.name() == "wandb-core":
            child.kill()
            child.wait(HANG_S)
    log(logger, range(4))
    logger.finalize("success")
    assert len(warnings_of(caplog)) == 1
    assert wandb.run is None
    again, run = begun("wandb")
    log(again, range(4))
    again.finalize("success")
    assert points(run) == about(range(4))


def test_a_stop_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Stopped(signal.SIGTERM)

    logger, _ = begun("tensorboard")
    with monkeypatch.context() as patch:
        patch.setattr("pytorch_lightning.loggers.TensorBoardLogger.log_metrics", stopped)
        with pytest.raises(Stopped):
            log(logger, range(1))
    logger.finalize("stopped")


def test_a_record_of_another_tracker_is_not_gone_on_with() -> None:
    run = new_run("moved")
    run.tracker.write_text('{"kind": "wandb", "id": "x"}')
    logger, _ = begun("tensorboard", 0, run)
    log(logger, range(2))
    logger.finalize("success")
    assert points(run) == about(range(2))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("mlflow", ["pytorch_lightning.loggers.mlflow._MLFLOW_AVAILABLE"]),
        ("wandb", ["pytorch_lightning.loggers.wandb._WANDB_AVAILABLE"]),
        (
            "tensorboard",
            [f"lightning_fabric.loggers.tensorboard._{name}_AVAILABLE" for name in ("TENSORBOARD", "TENSORBOARDX")],
        ),
    ],
)
def test_a_missing_package_is_said_before_training(
    kind: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        monkeypatch.setattr(name, False)
    with pytest.raises(CardError, match=rf"pip install 'runcard\[{kind}\]'"):
        begun(kind)


@pytest.mark.parametrize("uri", ["file:mlruns", "mlruns"])
def test_a_place_that_mlflow_does_not_know_is_refused(uri: str) -> None:
    with pytest.raises(CardError, match=r"(?s)logger\.tracking_uri.*sqlite:///mlflow\.db"):
        card("mlflow", f"logger.tracking_uri={uri}")


def test_names_that_a_user_makes_up_are_no_keys() -> None:
    odd = runcard.load_card(["data=table", "data.path=x.csv", "problem.target=y", "data.kinds={'a//b (cm)': ignore}"])
    assert settings(odd)["data.kinds"] == '{"a//b (cm)": "ignore"}'
    assert settings(odd)["model.hidden"] == "[128, 128]"


@pytest.mark.slow
def test_csv_imports_no_tracker() -> None:
    script = (
        f"import sys, runcard\nruncard.fit(runcard.load_card(['data=wine', *{TINY!r}]))\n"
        "print(sorted({'mlflow', 'tensorboard', 'wandb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HANG_S)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
