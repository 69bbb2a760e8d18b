"""A bundle is proved before it is stored: on a thousand rows, one by one, and by the real service over HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

import runcard
from runcard.data.signature import Columns
from runcard.errors import ParityError
from runcard.packaging import parity, proof
from runcard.packaging.bundle import Bundle, open_bundle
from runcard.packaging.parity import Compared
from tests.conftest import Command, Made
from tests.servers import BIN
from tests.waiting import wait_for

# Within the service's worker, its answers are changed.
TAMPER = """
import os, sys
if any("_bentoml_impl.worker" in word for word in sys.orig_argv):
    import runcard.serving.predictor
    answered = runcard.serving.predictor.Predictor._answers
    def changed(self, columns):
        assert len(os.environ["RUNCARD_TOKEN"]) >= 43  # and the service asks for it
        answers = answered(self, columns)
        {change}
        return answers
    runcard.serving.predictor.Predictor._answers = changed
"""
FLIPPED = 'answers[-1]["class"] = "yes" if answers[-1]["class"] == "no" else "no"'
NUDGED = 'answers[-1]["probabilities"]["yes"] += 2e-5'
# The table's odd rows: each of four features missing, the category unseen, all missing.
ODD = 6


def stored() -> set[str]:
    return {str(model.tag) for model in bentoml.models.list()}


def tampered(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Have every Python process run this first."""
    (folder / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep))


def words_of(process: psutil.Process) -> list[str]:
    """How a process was started; nothing if it has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def workers(folder: Path) -> list[psutil.Process]:
    """Processes of a service that were started with a folder on their path."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "_bentoml_impl.worker.service" in process.cmdline() and str(folder) in process.environ().get(
                "PYTHONPATH", ""
            ):
                found.append(process)
    return found


def test_all_rows_are_compared_if_they_are_few_and_a_thousand_if_not(table_made: Made, digits_made: Made) -> None:
    assert table_made.bundle.compared == table_made.bundle.again == 600 + ODD
    assert digits_made.bundle.compared == digits_made.bundle.again == 1000 + 2  # an image can only be missing
    assert table_made.bundle.http == 0


def compared(made: Made) -> Callable[[], Compared]:
    """What compares a bundle with its run, as packaging does; opened before anything is changed."""
    bundle, data = open_bundle(made.bundle.path), runcard.api._restored(made.run)
    return lambda: parity.compare(bundle, made.run, data)


@pytest.mark.parametrize("part", ["test", "validation", "train"])
def test_no_row_of_them_may_differ(part: Any, table_made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    compare, data = compared(table_made), runcard.api._restored(table_made.run)
    spent = data.rows.columns["spent"][data.indices(part)[-1]]
    change_answers(monkeypatch, lambda answers, columns: np.where(columns["spent"] == spent, 1e-4, 0.0))
    with pytest.raises(ParityError, match=r"answers up to 0\.0001 apart.*Nothing was packaged"):
        compare()


@pytest.mark.parametrize("alone", [True, False])
def test_one_row_at_a_time_is_answered_as_many_are(
    alone: bool, table_made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = compared(table_made)
    change_answers(monkeypatch, lambda answers, columns: np.full(len(answers), 1e-4 * ((len(answers) == 1) == alone)))
    with pytest.raises(ParityError, match=r"answers up to 0\.0001 apart"):
        compare()


class OtherAlone(nn.Module):
    """A network that answers a row otherwise when no other stands beside it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.model(inputs)
        return outputs * 1.01 if len(inputs) == 1 else outputs


def test_the_run_is_asked_one_by_one_too(table_made: Made) -> None:
    run, data = table_made.run, runcard.api._restored(table_made.run)
    looking = dataclasses.replace(run, model=OtherAlone(run.model))
    with pytest.raises(ParityError, match="answers a row otherwise alone than beside others: answers up to"):
        parity.compare(open_bundle(table_made.bundle.path), looking, data)


def change_answers(
    monkeypatch: pytest.MonkeyPatch, shift: Callable[[NDArray[np.float64], Columns], NDArray[np.float64]]
) -> None:
    """Shift the bundle's first probability, row by row."""
    answered = Bundle.answer

    def changed(self: Bundle, columns: Columns) -> NDArray[np.float64]:
        answers = answered(self, columns)
        answers[:, 0] += shift(answers, columns)
        return answers

    monkeypatch.setattr(Bundle, "answer", changed)


@pytest.mark.parametrize("setting", ["AGAIN_NUMBERS", "AGAIN_WEIGHTS"])
def test_of_what_is_large_fewer_rows_are_answered_again(
    setting: str, table_made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, setting, 100)
    found = compared(table_made)()
    assert (found.count, len(found.rows)) == (606, parity.REFERENCE_ROWS + ODD)


def test_how_many_were_answered_again_is_said(
    table_made: Made, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setattr(parity, "AGAIN_NUMBERS", 100)
    said = command("package", "--no-http", str(table_made.run.path), "--json")
    assert (said.json["rows_compared"], said.json["rows_one_by_one"]) == (606, parity.REFERENCE_ROWS + ODD)
    assert "606 rows, 38 of them one by one too, and none over HTTP (--no-http)" in said.err


def test_rows_go_into_requests_that_are_not_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MAX_ROWS", 3)
    monkeypatch.setattr(proof, "MAX_BYTES", 10)
    texts = ["1", "2", "3", "4", "12345", "123456", "12345678901", "5"]
    assert list(proof._arrays(texts)) == [["1", "2", "3"], ["4", "12345"], ["123456"], ["12345678901"], ["5"]]


def test_what_is_no_answer_differs_without_end(table_made: Made) -> None:
    bundle = open_bundle(table_made.bundle.path)
    answers = np.array([[0.25, 0.75]])
    compared = Compared(1, 0.0, [{}], answers, {})
    good = {"class": "yes", "probabilities": {"no": 0.25, "yes": 0.75}, "model_version": "a:b"}
    assert proof._deviation([good], "a:b", bundle, compared) == 0
    for wrong in (
        good | {"class": "no"},
        good | {"model_version": "a:c"},
        good | {"probabilities": {"no": 0.25}},
        good | {"probabilities": {"no": None, "yes": 0.75}},
        {"value": 1.0},
        "yes",
    ):
        assert proof._deviation([wrong], "a:b", bundle, compared) == np.inf
    assert proof._deviation([], "a:b", bundle, compared) == np.inf
    assert proof._deviation([good, good], "a:b", bundle, compared) == np.inf


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "text"])
def test_the_service_is_tried_out_and_leaves_nothing(
    kind: str, request: pytest.FixtureRequest, away: Path, installed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Made = request.getfixturevalue(f"{kind}_made")
    tampered(monkeypatch, away, TAMPER.format(change="pass"))
    (away / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(away / "temporary"))
    said = installed("package", str(made.run.path), "--json")
    assert said.code == 0, said.err
    assert said.json["rows_over_http"] == said.json["rows_one_by_one"] > 100
    assert f"and {said.json['rows_over_http']} over HTTP" in said.err
    assert said.json["deviation"] <= 1e-5
    assert said.json["bundle"] in stored()
    assert not workers(away)
    assert not [path for path in (away / "temporary").iterdir() if path.name.startswith("runcard")]


@pytest.mark.slow
def test_a_number_over_http(away: Path, command: Command) -> None:
    run = command("fit", "data=diabetes", "trainer.max_epochs=2", "report=false", "--json").json["run"]
    said = command("package", run, "--json")
    assert (said.code, said.json["rows_over_http"]) == (0, 442 + 11), said.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (f"if len(answers) == 1: {FLIPPED}", "asked one by one, would not answer as the run did: another class"),
        (f"if len(answers) > 1: {NUDGED}", "asked in arrays, would not answer as the run did: answers up to 2e-05"),
        ("assert len(answers) == 1", 'with 500: {"error":"a fault of the service'),
    ],
)
def test_a_service_that_answers_otherwise_is_refused(
    change: str, says: str, table_made: Made, away: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered(monkeypatch, away, TAMPER.format(change=change))
    before = stored()
    said = command("package", str(table_made.run.path))
    assert (said.code, says in said.err, stored()) == (3, True, before), said.err
    assert not workers(away)
    assert "Nothing was packaged. Its log ends so:" in said.err
    assert said.err.rpartition("Its log ends so:")[2].count("\n  ") > 2


@pytest.mark.slow
def test_a_service_that_does_not_start_is_refused(
    table_made: Made, away: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered(monkeypatch, away, "import sys\nif 'serve' in sys.orig_argv: sys.exit('no room here')")
    before = stored()
    said = command("package", str(table_made.run.path))
    assert (said.code, "no room here" in said.err, stored()) == (2, True, before), said.err
    assert "the service does not start; it ended with 1" in said.err
    assert "Nothing was packaged" in said.err


def test_where_no_port_can_be_opened(table_made: Made, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(proof, "_free_port", none)
    before = stored()
    said = command("package", str(table_made.run.path))
    assert (said.code, "--no-http" in said.err, stored()) == (2, True, before), said.err


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_who_is_stopped_leaves_no_bundle_and_no_service(signum: int, code: int, table_made: Made, away: Path) -> None:
    before = stored()
    words = [str(BIN / "runcard"), "package", str(table_made.run.path)]
    environment = {**os.environ, "TMPDIR": str(away)}
    with (
        (away / "log").open("wb") as log,
        subprocess.Popen(words, stdout=log, stderr=log, env=environment) as process,
        contextlib.ExitStack() as ended,
    ):
        ended.callback(process.kill)
        there = psutil.Process(process.pid)
        wait_for(lambda: any("serve" in words_of(child) for child in there.children()))
        wait_for(lambda: len(there.children(recursive=True)) > 1)  # the service, and what it has started
        started = there.children(recursive=True)
        process.send_signal(signum)
        assert process.wait(60) == code, (away / "log").read_text()
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in started))
    assert stored() == before
