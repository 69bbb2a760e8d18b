"""Advice on cards: each is given by the command, typed, and leads on."""

from __future__ import annotations

import pytest
import yaml

import runcard
from tests.advice.trying import Case, each_fifth, named, try_case
from tests.conftest import Command

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
"""
ROWS = "check data=table data.path=rows.csv problem.target=y"
OWN = "_target_: runcard.models.linear.Linear\n"
DDP = "check trainer=ddp"
FSDP = "check trainer.strategy=fsdp trainer.devices=2 trainer.accelerator=gpu"
AT = "card.contradictions: "
# A saved card without a model.
SAVED = yaml.safe_dump({key: value for key, value in runcard.load_card().to_dict().items() if key != "model"})
CASES = [
    Case(["card.advice: write_override(key, near)"], ROWS, {"rows.csv": "x, y\n1,a\n"}),
    Case(
        ["card.compose: -m", "card.compose: sweep=NAME"],
        "check hydra/launcher=joblib",
        {},
        {"NAME": "grid"},
        also="seed=1,2",
    ),
    Case(["card.compose: -m"], "check hydra.verbose=true", then="nothing of Hydra's own", again=True),
    Case([f"{AT}model=mlp"], "check data=wine model=cnn"),
    Case(
        [f"{AT}data.kinds={{COLUMN: text}}"],
        f"{ROWS} model=pretrained model.name=somewhere",
        {"rows.csv": "x,y\n1,a\n"},
        {"COLUMN": "x"},
    ),
    Case(
        [f"{AT}model=pretrained model.name=NAME"],
        f"{ROWS} data.kinds='{{x: text}}'",
        {"rows.csv": "x,y\n1,a\n"},
        {"NAME": "a/b"},
    ),
    Case(
        [f"{AT}augment=none"],
        f"{ROWS} data.kinds='{{x: text}}' model=pretrained model.name=a/b augment=mixup",
        {"rows.csv": "x,y\n1,a\n"},
    ),
    Case([f"{AT}optimizer.nesterov=false"], "check optimizer=sgd optimizer.nesterov=true optimizer.momentum=0"),
    Case([f"{AT}trainer=gpu", f"{AT}trainer.precision=bf16-mixed"], "check trainer=cpu trainer.precision=16-mixed"),
    Case(
        [f"{AT}trainer.label_smoothing=0.0"], "check data=diabetes trainer.label_smoothing=0.1 problem.task=regression"
    ),
    Case([f"{AT}trainer.channels_last=auto"], "check data=wine trainer.channels_last=true"),
    Case([f"{AT}trainer.strategy=ddp"], "check trainer.devices=2"),
    Case([f"{AT}report=true"], "check logger=mlflow logger.artifacts=[report] report=false"),
    Case([f"{AT}trainer.nonfinite=stop"], f"{DDP} trainer.nonfinite=skip"),
    Case([f"{AT}trainer.strategy=single trainer.devices=1"], f"{DDP} trainer.overfit_rows=4"),
    Case([f"{AT}trainer.strategy=single trainer.devices=1"], "check trainer.strategy=ddp debug=overfit"),
    Case([f"{AT}trainer.strategy=single trainer.devices=1"], f"{DDP} debug=profile"),
    Case(
        [f"{AT}trainer.strategy=ddp (2)", f"{AT}trainer.accelerator=gpu"],
        "check trainer.strategy=fsdp trainer.devices=2 trainer.accelerator=cpu",
    ),
    Case([f"{AT}trainer.strategy=single"], "check trainer.strategy=fsdp trainer.accelerator=gpu trainer.devices=1"),
    Case([f"{AT}trainer.precision=bf16-mixed (2)"], f"{FSDP} trainer.precision=16-mixed"),
    Case([f"{AT}trainer.strategy=ddp (3)"], f"{FSDP} trainer.average.method=ema"),
    Case([f"{AT}trainer.compile=false", f"{AT}trainer.strategy=ddp (4)"], f"{FSDP} trainer.compile=true"),
    Case(["card.explain: runcard check f'{key}=NAME'"], "check card.yaml", {"card.yaml": SAVED}, {"NAME": "mlp"}),
    Case(
        ["card.check: f'{key}=VALUE'"],
        "check data=table problem.target=y",
        {"rows.csv": "x,y\n1,a\n"},
        {"VALUE": "rows.csv"},
    ),
    Case(["card.compose: f'{group}=NAME'"], "check ~data", {}, {"NAME": "wine"}),
    Case(["card.explain: f'sweep={one}'", "card.explain: -m"], "check sweep.n_trials=3", also="seed=1,2"),
    Case(["card.lightning: way"], "check trainer.lightning.fast_dev_run=true", onto="check"),
    Case(["card.lightning: way"], "check trainer.lightning.logger=true", {}, {"NAME": "none"}, onto="check"),
    Case(
        ["card.naming.judging: --config-dir FOLDER f'{place.key}=NAME'"],
        "check data=wine optimizer._target_=torch.optim.RMSprop",
        {"own/optimizer/mine.yaml": "_target_: torch.optim.RMSprop\nlr: 1.0e-3\n"},
        {"FOLDER": "own", "NAME": "mine"},
        onto="check data=wine",
    ),
    Case(
        ["card.naming.targets: AVERAGE"],
        "check trainer.callbacks='[{_target_: pytorch_lightning.callbacks.StochasticWeightAveraging}]'",
        onto="check",
    ),
    Case(
        ["card.naming.trust: --trust PACKAGE"],
        "check --config-dir own model=mine",
        {
            "own/model/mine.yaml": "_target_: mine.Net\n",
            "mine.py": NET,
        },
        {"PACKAGE": "mine"},
    ),
    Case(["card.overrides: -m"], "check seed=1,2"),
    Case(
        ["card.overrides: typed"],
        "check data=wine problem.goal=a,b",
        {},
        {"KEY": "problem.goal", "A": "a", "B": "b"},
    ),
    Case(
        ["card.overrides: typed (2)"],
        "check data=wine 'problem.goal=choise(a)'",
        {},
        {"KEY": "problem.goal", "TEXT": "x"},
    ),
    Case(
        ["card.overrides: KEY=null,1"],
        "check -m 'trainer.overfit_rows=choice(null,4)'",
        {},
        {"KEY": "trainer.overfit_rows"},
    ),
    Case(["card.wording: f'{key}=\"{value}\"'"], "check problem.target=2", then="has no target '2'"),
    Case(
        ["card.wording: f'''{key.rpartition('.')[0]}=[\"{value}\"]'''"],
        f"{ROWS} data.null_values=[-9]",
        {"rows.csv": "x,y\n1,a\n"},
    ),
    Case(
        ["card.explain: f'{key}.{empty[0]}=null'"],
        "check data=wine trainer.early_stopping=null",
        onto="check data=wine",
    ),
]


@pytest.mark.parametrize("case", each_fifth(CASES), ids=named)
def test_advice_on_cards_leads_on(case: Case, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    try_case(case, command, monkeypatch)
