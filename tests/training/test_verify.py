"""verify: a run comes out the same again, or it is said where it does not."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import runcard
from runcard import verifying
from runcard.cli.text import verdict_text
from runcard.fitting import moved
from runcard.runs import RunFolder
from runcard.training import differences
from runcard.training.checkpoint import load, save
from runcard.verifying import compare, verify_run
from tests.conftest import Command

CARD = ["data=wine", "trainer.max_epochs=2", "report=false"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runcard.fit(runcard.load_card([*CARD, f"runs_dir={tmp_path_factory.mktemp('runs')}"])).path


@pytest.fixture
def copy(finished: Path, away: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(finished, away / "copy")))


@pytest.mark.slow
def test_a_run_comes_out_the_same(finished: Path, command: Command) -> None:
    said = command("verify", str(finished), "--json")
    assert (said.code, said.json["same"], said.json["differs"], said.json["first_step"]) == (0, True, [], None)
    assert "the same to the last bit: 16 steps" in said.err


@pytest.mark.slow
def test_the_first_step_that_differs_is_named(copy: RunFolder, command: Command) -> None:
    content = load(copy.last)
    content["state"]["losses"][5] += 1e-6
    save(copy.last, content)
    said = command("verify", str(copy.path), "--json")
    assert (said.code, said.json["same"], said.json["first_step"]) == (3, False, 5)
    assert "the loss of step 5, the first that differs" in said.err


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda content: content["state_dict"]["layers.2.weight"].view(-1)[:1].add_(1e-6),
            "tensors of the last weights",
        ),
        (lambda content: content["stepper"]["optimizer"]["state"][0]["exp_avg"].add_(1e-9), "the optimizer's state"),
        (lambda content: content["state"]["history"][1].update({"val/loss": 0.5}), "val/loss of epoch 1"),
    ],
)
def test_each_part_is_compared(damage: object, said: str, finished: Path, copy: RunFolder) -> None:
    content = load(copy.last)
    damage(content)  # type: ignore[operator]
    save(copy.last, content)
    verdict = compare(RunFolder(finished), copy, {}, 0.0)
    assert any(said in difference for difference in verdict.differs), verdict.differs


def test_other_answers_are_noticed(finished: Path, copy: RunFolder) -> None:
    copy.predictions.write_bytes(copy.predictions.read_bytes() + b" ")
    assert compare(RunFolder(finished), copy, {}, 0.0).differs == ["the answers to the test rows"]


@pytest.mark.slow
def test_where_versions_changed_a_tolerance_holds(copy: RunFolder, command: Command) -> None:
    environment = json.loads(copy.environment.read_text())
    environment["packages"]["torch"] = "1.0"
    copy.environment.write_text(json.dumps(environment))
    content = load(copy.last)
    content["state"]["losses"] *= 1.001
    save(copy.last, content)
    said = command("verify", str(copy.path))
    assert said.code == 0, said.err + said.out
    assert "torch was 1.0 and is" in said.out
    assert "the same within 0.05" in said.out
    assert command("verify", str(copy.path), "--tolerance", "0.0001").code == 3


def test_what_cannot_be_verified(copy: RunFolder, command: Command) -> None:
    assert "a share is expected" in command("verify", str(copy.path), "--tolerance", "2").err
    copy.metrics.unlink()
    said = command("verify", str(copy.path))
    assert (said.code, "is not finished" in said.err) == (2, True)


def test_only_what_bits_depend_on_counts() -> None:
    then = {"python": "3.11.7", "processor": "A", "commit": "a", "packages": {"torch": "2.13.0", "bentoml": "1"}}
    assert moved(then, then | {"commit": "b", "packages": {"torch": "2.13.0", "bentoml": "2"}}) == {}
    assert moved(then, then | {"processor": "B"}) == {"processor": ("A", "B")}


def test_processors_of_one_name_are_told_apart(finished: Path) -> None:
    then = json.loads((finished / "environment.json").read_text())
    assert re.search(r"\w+, (family|cpu implementer) ", then["instructions"])
    wider = then | {"instructions": "avx512f " + then["instructions"]}
    assert moved(wider, then) == {"instructions": (wider["instructions"], then["instructions"])}
    before = {key: value for key, value in then.items() if key != "instructions"}
    assert moved(before, then) == {"instructions": ("not recorded", then["instructions"])}


def test_bits_are_compared_elsewhere_too(finished: Path, copy: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_fit_again", lambda folder, place: RunFolder(finished))
    environment = json.loads(copy.environment.read_text())
    copy.environment.write_text(json.dumps(environment | {"instructions": "avx512f, family 25, model 17"}))
    text = verdict_text(verify_run(copy, 0.05))
    assert "instructions was avx512f, family 25, model 17 and is" in text
    assert "the same to the last bit" in text
    content = load(copy.last)
    content["state"]["losses"] *= 1.001
    save(copy.last, content)
    assert "the same within 0.05" in verdict_text(verify_run(copy, 0.05))
    assert "NOT the same within 0.0001" in verdict_text(verify_run(copy, 0.0001))


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.data())
def test_the_first_step_is_the_first(values: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    losses = torch.tensor(values)
    other = losses.clone()
    other[place] = 12345.0 if values[place] != 12345.0 else 0.0
    then, now = ({"state": {"losses": item}} for item in (losses, other))
    assert differences.first_step(then, now) == place
    assert differences.first_step(then, then) is None
    assert differences.first_step(then, {"state": {"losses": losses[:place]}}) == place
