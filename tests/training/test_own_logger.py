"""A logger of the user's own, of Lightning's kind: what it is told, what is refused, and that it stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import TINY, Command

PACKAGE = """
from pytorch_lightning.loggers.logger import Logger


class Say(Logger):
    def __init__(self, word: str, save_dir: str, loud: bool = False) -> None:
        super().__init__()
        self.word, self.path = word, save_dir + "/said.txt"

    name = version = "say"

    def write(self, *words):
        with open(self.path, "a") as file:
            file.write(" ".join(map(str, words)) + "\\n")

    def log_hyperparams(self, params, *args, **kwargs):
        self.write("card", params["optimizer.lr"], params["logger.word"])

    def log_metrics(self, metrics, step=None):
        self.write(self.word, step, "val/loss" in metrics, "test/accuracy" in metrics)

    def finalize(self, status):
        self.write("end", status)


class Broken(Say):
    def log_metrics(self, metrics, step=None):
        raise RuntimeError("the line is cut")


class NoLogger:
    pass
"""
WORDS = ["data=wine", "model=linear", *TINY[1:], "trainer.max_epochs=2", "--config-dir", "conf", "--trust", "logs"]
TOLD = ["card 0.003 hello", "hello 0 True False", "hello 1 True False", "hello 2 False True", "end success"]


@pytest.fixture(autouse=True)
def package(away: Path) -> None:
    Path("logs").mkdir()
    Path("logs/__init__.py").write_text(PACKAGE)
    Path("conf/logger").mkdir(parents=True)
    for name in ("Say", "Broken", "NoLogger"):
        text = f"_target_: logs.{name}\n" + "word: hello\n" * (name != "NoLogger")
        Path(f"conf/logger/{name.lower()}.yaml").write_text(text)


def test_it_is_told_the_card_each_epoch_and_the_end_once(command: Command) -> None:
    said = command("fit", *WORDS, "logger=say", "--json")
    assert said.code == 0, said.err
    run = Path(said.json["run"])
    assert (run / "said.txt").read_text().splitlines() == TOLD
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    (run / "metrics.json").unlink()
    assert command("resume", str(run), "--trust", "logs").code == 0
    assert (run / "said.txt").read_text().splitlines()[:5] == TOLD
    assert "hello 0" not in "".join((run / "said.txt").read_text().splitlines()[5:])


def test_one_that_fails_stops_nothing(command: Command) -> None:
    said = command("fit", *WORDS, "logger=broken", "--json")
    assert said.code == 0, said.err
    assert said.err.count("logs.Broken could not take an epoch: the line is cut. Training goes on") == 1
    assert Path(said.json["run"], "metrics.json").is_file()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["logger=say", "logger.wrd=1"], "logger.wrd: logs.Say has no such argument"),
        (["logger=say", "logger.loud=3"], "logger.loud: must be true or false"),
        (["logger=nologger"], "'logs.NoLogger' is no pytorch_lightning.loggers.logger.Logger"),
        (["logger._target_=pytorch_lightning.loggers.CometLogger"], "CometLogger' is not allowed"),
        (["logger=say", "logger.save_dir=/tmp"], "logger.save_dir"),
    ],
)
@pytest.mark.whole
def test_what_is_wrong_is_said_with_the_key(words: list[str], says: str, command: Command) -> None:
    said = command("check", *WORDS, *words)
    assert said.code == 2
    assert says in said.err


def test_one_that_nobody_trusts_is_not_imported(command: Command) -> None:
    said = command("check", *WORDS[:-2], "logger=say")
    assert said.code == 2
    assert "the class 'logs.Say' is not allowed" in said.err
