"""Trackers' own environment variables: obeyed where the card says nothing, said, and kept, but for a password."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runcard
from runcard.card.sections.loggers import CsvLogger
from runcard.errors import CardError
from runcard.hiding import hidden
from runcard.training.loggers import make_logger
from runcard.training.trackers.variables import obey, say
from runcard.training.trackers.wandb import Wandb
from tests.conftest import TINY, Command
from tests.test_loggers import new_run, trial

VARIABLES = ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"]
VARIABLES += [f"WANDB_{name}" for name in ("PROJECT", "NAME", "ENTITY", "MODE")]


@pytest.fixture(autouse=True)
def none_set(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def asked(kind: str, *overrides: str) -> Any:
    return runcard.load_card(["data=wine", f"logger={kind}", *overrides])


def test_without_variables_all_is_as_it_was() -> None:
    kept = obey(asked("mlflow"))
    assert (kept.logger.tracking_uri, kept.logger.experiment_name) == ("sqlite:///mlflow.db", "runcard")  # type: ignore[union-attr]
    assert kept.origins["logger.tracking_uri"].startswith("settled, ")
    assert "conf/logger/mlflow.yaml:" in kept.origins["logger.tracking_uri"]
    assert obey(kept) == kept
    kept = obey(asked("wandb"))
    assert kept.to_dict()["logger"] | {"_target_": ""} == {
        "_target_": "",
        "project": "runcard",
        "offline": True,
        "entity": None,
        "name": None,
        "artifacts": [],
    }
    card = asked("csv")
    assert obey(card) is card


@pytest.mark.parametrize(
    ("mode", "offline"), [("online", False), ("run", False), ("offline", True), ("dryrun", True), ("", True)]
)
def test_wandbs_variables_are_obeyed_and_said(mode: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROJECT": "p", "NAME": "n", "ENTITY": "e", "MODE": mode}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    card = obey(asked("wandb"))
    kept: Any = card.logger
    assert (kept.project, kept.name, kept.entity, kept.offline) == ("p", "n", "e", offline)
    said = list(say(asked("wandb"), card))
    assert "logger.project=p: from the variable WANDB_PROJECT" in said
    assert len(said) == (4 if mode else 3)


def test_a_trial_has_its_number_behind_the_name() -> None:
    card = obey(asked("wandb", "logger.name=n"))
    assert Wandb(card, trial(4), 0)._named().name == "n/4"
    assert Wandb(card, new_run("alone"), 0)._named().name == "n"


def test_a_value_of_the_card_is_kept_and_the_variable_said_to_be_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("WANDB_MODE", "online")
    given = asked("wandb", "logger.project=mine", "logger.offline=true")
    card = obey(given)
    assert (card.logger.project, card.logger.offline) == ("mine", True)  # type: ignore[union-attr]
    said = list(say(given, card))
    assert said == [
        "logger.project is given, so the variable WANDB_PROJECT is not used",
        "logger.offline is given, so the variable WANDB_MODE is not used",
    ]
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    assert list(say(given, card)) == []


def test_wandb_that_is_disabled_is_not_asked(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    said = command("fit", "data=wine", *TINY, "logger=wandb", "--json")
    assert said.code == 0, said.err
    assert "WANDB_MODE=disabled: nothing goes to wandb" in said.err
    run = runcard.load_run(said.json["run"])
    assert isinstance(run.card.logger, CsvLogger)
    assert run.card.origins["logger._target_"] == "settled, the variable WANDB_MODE"
    assert not (run.path / "wandb").exists()


def test_a_mode_that_wandb_does_not_know(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    said = command("fit", "data=wine", *TINY, "logger=wandb")
    assert (said.code, "WANDB_MODE is 'ofline'" in said.err) == (2, True)


@pytest.mark.parametrize(
    "address",
    [
        "http://user:pass-word@127.0.0.1:9",
        "postgresql://user:pass-word@host/db",
        "http://host/?token=pass-word",
        "https://host/pass-word",
        "sqlite:///x.db?key=pass-word",
    ],
)
def test_an_address_that_may_hold_a_password_is_not_kept(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    given = asked("mlflow")
    card = obey(given)
    assert card.logger.tracking_uri == address  # type: ignore[union-attr]
    written = "${oc.env:MLFLOW_TRACKING_URI,auto}"
    assert card.saved()["logger"]["tracking_uri"] == written
    assert not any("pass-word" in text for text in [*say(given, card), *card.origins.values(), hidden(address)])
    # Where the variable is not set any more, the run is opened all the same.
    file = Path("card.yaml")
    file.write_text(json.dumps(card.saved()))
    assert runcard.load_card([str(file)]).logger.tracking_uri == address  # type: ignore[union-attr]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert runcard.load_card([str(file)]).logger.tracking_uri == "auto"  # type: ignore[union-attr]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://host/", "sqlite:////a/b.db", "databricks"])
def test_an_address_without_any_is_kept(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert obey(asked("mlflow")).to_dict()["logger"]["tracking_uri"] == address


def test_an_address_that_mlflow_cannot_take_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:mlruns")
    with pytest.raises(CardError, match=r"(?s)no place that MLflow can keep.*MLFLOW_TRACKING_URI"):
        obey(asked("mlflow"))


def test_a_run_whose_address_is_gone_says_so(caplog: pytest.LogCaptureFixture) -> None:
    make_logger(asked("mlflow"), new_run("gone"))
    assert "its address was in the variable MLFLOW_TRACKING_URI, which is not set" in caplog.text
