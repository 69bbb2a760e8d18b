"""Classes of the user's own, through the command line: checked, fitted, resumed, verified, packaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import runcard
from runcard.errors import CardError, DataError
from tests.conftest import TINY, Command

pytestmark = pytest.mark.usefixtures("undrawn")

PACKAGE = """
from __future__ import annotations

import math
import os
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
import torch
from pydantic import BaseModel, Field
from pytorch_lightning import Callback
from torch import nn

danger = os.system
instance = nn.ReLU()


class Net(nn.Module):
    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        widths: tuple[int, ...] = (16,),
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        activation: nn.Module | None = None,
        norms: list[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        layers, width = [nn.Flatten()], math.prod(input_shape)
        for out in widths:
            layers += [nn.Linear(width, out), activation or nn.ReLU(), nn.Dropout(dropout)]
            width = out
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs), *(norms or []))

    def forward(self, x):
        return self.layers(x)


class Loose(Net):
    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)


class Declared(Net):
    class Arguments(BaseModel):
        widths: list[Annotated[int, Field(gt=0)]] = [8]

    def __init__(self, input_shape, outputs, **kwargs) -> None:
        super().__init__(input_shape, outputs, **kwargs)


def net(input_shape, outputs: int, width: int = 8) -> nn.Module:
    return Net(input_shape, outputs, (width,))


def broken(input_shape, outputs: int) -> nn.Module:
    raise ValueError("no such luck")


class NoModule:
    def __init__(self, input_shape, outputs) -> None:
        pass


class Odd(Net):
    def forward(self, x):
        if torch.is_grad_enabled() and len(x) > 4:  # more than before training
            raise KeyError("only in training")
        return super().forward(x)


class Shape(Net):
    def forward(self, x):
        return super().forward(x)[:, 1:]


class Tuple(Net):
    def forward(self, x):
        return super().forward(x), x


class Wrong(Net):
    def forward(self, x):
        return super().forward(x[:, 1:])


class Noted(Net):
    def get_extra_state(self):
        return {"note": 1}


class Still(Net):
    def __init__(self, input_shape, outputs):
        super().__init__(input_shape, outputs)
        self.requires_grad_(False)


class Narrow(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()


class Sessions:
    def __init__(self, rows: Annotated[int, Field(ge=20)] = 60, form: str = "frame") -> None:
        self.rows, self.form = rows, form

    def columns(self) -> list[str]:
        return ["age", "city", "left"]

    def read(self):
        random = np.random.default_rng(0)
        age = random.normal(40, 10, self.rows)
        left = np.where(age > 40, "yes", "no")
        if self.form == "fails":
            raise ValueError("the disk is gone")
        if self.form == "list":
            return [1, 2]
        if self.form == "image":
            return {"photo": random.random((self.rows, 1, 4, 4)).astype(np.float32), "left": left}
        city = random.choice(["Ulm", "Bonn"], self.rows)
        if self.form == "arrays":
            return {"age": age, "city": city, "left": left, "track": random.random((self.rows, 3))}
        return pl.DataFrame({"age": age, "city": city, "left": left})


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr: float, beta: Annotated[float, Field(ge=0, lt=1)] = 0.9) -> None:
        super().__init__(params, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    mean = state.setdefault("mean", torch.zeros_like(weight))
                    mean.lerp_(weight.grad, 1 - group["beta"])
                    weight.add_(mean.sign(), alpha=-group["lr"])


class Halving:
    def __init__(self, times: int = 2) -> None:
        self.times = times

    def __call__(self, progress: float) -> float:
        return 0.5 ** int(progress * (self.times + 1))


class Jitter:
    def __init__(self, size: float = 0.01) -> None:
        self.size = size

    def __call__(self, inputs, targets, classes):
        return inputs + self.size * torch.randn_like(inputs), targets


class Counting(Callback):
    def __init__(self, path: str) -> None:
        self.path, self.epochs = path, 0

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self.epochs += 1
        with open(self.path, "w") as file:
            file.write(str(self.epochs))

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state) -> None:
        self.epochs = state["epochs"]
"""
EVERYTHING = """\
# @package _global_
defaults:
  - override /data: sessions
  - override /problem: sessions
  - override /model: net
  - override /optimizer: lion
  - override /scheduler: halving
  - override /augment: jitter
name: own
model: {widths: [12, 8], activation: {_target_: torch.nn.GELU, approximate: tanh}}
"""
DATA = """\
_target_: PACKAGE.parts.Sessions
rows: 80
batch_size: 16
workers: 0
split: {seed: 0, validation: 0.2, test: 0.2}
"""
PROBLEM = """\
task: auto
target: left
metric: auto
goal: g
today: t
today_value: null
least_value: null
risk: r
impact: i
limits: {latency_ms: null, size_mb: null}
"""


@pytest.fixture
def project(away: Path) -> str:
    """A project in the working directory, with a package of a name of its own, for Python imports a name once."""
    package = f"own_{away.name.replace('-', '_').replace('[', '_').replace(']', '_')}_{os.urandom(3).hex()}"
    files = {
        f"src/{package}/__init__.py": "",
        f"src/{package}/parts.py": PACKAGE,
        f"{package}_evil.py": "from pathlib import Path\nPath('ran').write_text('')\nclass Net: pass\n",
        "pyproject.toml": f'[tool.runcard]\ntrust = ["{package}"]\nconfig_dir = "conf"\n',
        "conf/experiment/own.yaml": EVERYTHING,
        "conf/data/sessions.yaml": DATA,
        "conf/problem/sessions.yaml": PROBLEM,
        "conf/model/net.yaml": "_target_: PACKAGE.parts.Net\n",
        "conf/optimizer/lion.yaml": "_target_: PACKAGE.parts.Lion\nlr: 0.01\n",
        "conf/scheduler/halving.yaml": "_target_: PACKAGE.parts.Halving\n",
        "conf/augment/jitter.yaml": "_target_: PACKAGE.parts.Jitter\nsize: 0.02\n",
        "conf/optimizer/plain.yaml": "_target_: torch.optim.RMSprop\nlr: auto\n",
        "conf/scheduler/steps.yaml": "_target_: torch.optim.lr_scheduler.StepLR\nstep_size: 2\ngamma: 0.5\n",
    }
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text.replace("PACKAGE", package))
    return package


def mistakes(*words: str) -> dict[str, str]:
    with pytest.raises(CardError) as caught:
        runcard.load_card(words)
    return {mistake.key: f"{mistake.message} {mistake.hint} ({mistake.where})" for mistake in caught.value.mistakes}


def test_a_card_of_nothing_but_own_classes_goes_the_whole_way(project: str, command: Command) -> None:
    said = command("fit", "experiment=own", "trainer.max_epochs=3", "--json")
    assert said.code == 0, said.err
    run = runcard.load_run(said.json["run"])
    assert run.card.to_dict()["model"]["dropout"] == 0.1, "what its signature says is written down"
    assert run.card.origins["model.dropout"] == f"default of {project}.parts.Net"
    assert run.metrics["test/accuracy"] > 0.5
    assert command("evaluate", str(run.path)).code == 0
    packaged = runcard.package(run.path, http=False)
    assert onnxruntime.InferenceSession(packaged.path / "model.onnx").get_inputs()


@pytest.mark.slow
def test_a_run_of_own_classes_comes_out_the_same(project: str, command: Command) -> None:
    run = command("fit", "experiment=own", "trainer.max_epochs=3", "--json").json["run"]
    assert command("verify", run).code == 0


@pytest.mark.slow
def test_resumed_to_the_same_bits(project: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    count = str(Path("epochs.txt").absolute())
    words = ["experiment=own", "trainer.max_epochs=6", "checkpoint.every_s=0", "report=false"]
    words += [f"trainer.callbacks={{count: {{_target_: {project}.parts.Counting, path: {count}}}}}"]
    whole = command("fit", *words, "--json").json["run"]
    assert Path(count).read_text() == "6"
    program = [sys.executable, "-m", "runcard", "fit", *words, "runs_dir=cut"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not list(Path("cut").glob("own/*/checkpoints/last-before.ckpt")) and process.poll() is None:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (cut,) = Path("cut").glob("own/[!.]*")
    assert command("resume", str(cut)).code == 0
    assert Path(count).read_text() == "6", "the callback went on counting"
    for name in ("metrics.csv", "predictions.parquet"):
        assert (cut / name).read_bytes() == (Path(whole) / name).read_bytes()


def test_elsewhere_it_is_not_trusted(project: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = command("fit", "experiment=own", *TINY, "--json").json["run"]
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    Path("pyproject.toml").write_text("")
    for words in (["evaluate", run], ["predict", run, "x.csv"], ["resume", run], ["verify", run], ["package", run]):
        said = command(*words)
        assert said.code in (0, 2), said.err
        if words[0] != "resume":  # a finished run is left as it is
            assert said.code == 2
            assert f"'{project}.parts.Net' is not allowed" in said.err
            assert "--trust PACKAGE" in said.err
    assert command("evaluate", run, "--trust", project).code == 0
    assert "RUNCARD_TRUST" not in os.environ


@pytest.mark.parametrize(
    ("form", "words"), [("frame", []), ("arrays", []), ("image", []), ("frame", ["data.kinds={city: ignore}"])]
)
def test_rows_of_any_form(project: str, form: str, words: list[str]) -> None:
    card = runcard.load_card(["experiment=own", f"data.form={form}", *words, *TINY])
    run = runcard.fit(card)
    kinds = {feature.name: feature.kind for feature in run.signature.features}
    expected = {"age": "number", "city": "category"} | ({"track": "vector"} if form == "arrays" else {})
    if words:
        del expected["city"]
    assert kinds == ({"photo": "image"} if form == "image" else expected)
    assert run.metrics["epochs"] == 1


@pytest.mark.parametrize(("form", "said"), [("fails", "the disk is gone"), ("list", "a mapping of arrays is expected")])
def test_rows_that_cannot_be_read(project: str, form: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        runcard.fit(runcard.load_card(["experiment=own", f"data.form={form}"]))
    assert form != "fails" or "parts.py:" in str(caught.value)


def test_columns_are_compared_before_rows_are_read(project: str, command: Command) -> None:
    said = command("check", "experiment=own", "problem.target=lft", "data.form=fails", "data.kinds={citty: category}")
    assert said.code == 2
    assert "no column 'lft'" in said.err
    assert "Did you mean left?" in said.err
    assert "data.kinds.citty" in said.err


@pytest.mark.parametrize("name", ["Net", "Declared", "net"])
def test_what_can_be_a_model(project: str, name: str) -> None:
    run = runcard.fit(runcard.load_card(["data=wine", "model=net", f"model._target_={project}.parts.{name}", *TINY]))
    assert isinstance(run.predict({feature.name: [1.0] for feature in run.signature.features}).height, int)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Shape", "answered (4, 2)"),
        ("Tuple", "answered a tuple"),
        ("Wrong", "(batch, 13) and answers (batch, 3), and failed on 4 rows: RuntimeError"),
        ("Still", "has no weights to learn"),
        ("Noted", "keeps _extra_state, which is no tensor"),
        ("Odd", "parts failed: KeyError: 'only in training' ("),
    ],
)
def test_a_network_that_does_not_do_is_said_in_a_line(project: str, name: str, said: str, command: Command) -> None:
    done = command("fit", "data=wine", "model=net", f"model._target_={project}.parts.{name}", *TINY)
    assert done.code == 2
    assert said in done.err
    assert "fault in Runcard" not in done.err
    assert "Traceback" not in done.err


WRONG = {
    "model._target_=PACKAGE.parts.Nett": ("model._target_", "has no 'Nett' Did you mean Net "),
    "model._target_=PACKAGE.part.Net": ("model._target_", "has no 'part' Did you mean parts?"),
    "model._target_=PACKAGE.parts.danger": ("model._target_", "neither a class nor a function"),
    "model._target_=PACKAGE.parts.instance": ("model._target_", "neither a class nor a function"),
    "model._target_=PACKAGE.parts.os.system": ("model._target_", "an alias of the module os"),
    "model._target_=PACKAGE.parts.nn.Sequential": ("model._target_", "an alias of the module torch.nn"),
    "model._target_=PACKAGE.parts.BaseModel": ("model._target_", "an alias of pydantic.main.BaseModel"),
    "model._target_=PACKAGE_evil.Net": ("model._target_", "is not allowed"),
    "model._target_=PACKAGE.parts.NoModule": ("model._target_", "is no torch.nn.modules.module.Module"),
    "model._target_=PACKAGE.parts.Loose": ("model._target_", "Arguments"),
    "model._target_=PACKAGE.parts.Narrow": ("model.width", "is missing"),
    "+model.widht=3": ("model.widht", "no such argument Did you mean widths?"),
    "model.dropout=1.0": ("model.dropout", "must be below 1.0, not 1.0"),
    "model.dropout=half": ("model.dropout", "must be a number"),
    "model.widths=[8,x]": ("model.widths.1", "must be a whole number"),
    "model.outputs=3": ("model.outputs", "is set by Runcard"),
    "model.activation=relu": ("model.activation", "Module"),
    "model.activation={_target_: torch.nn.GELU, aproximate: tanh}": ("model.activation.aproximate", "approximate"),
    "model.activation={_target_: torch.nn.GELLU}": ("model.activation._target_", "Did you mean torch.nn.GELU"),
    "model.activation={_target_: torch.optim.Adam}": ("model.activation._target_", "is no Module"),
    "model.norms=[{_target_: torch.nn.LayerNorm, normalised_shape: 2}]": (
        "model.norms.0.normalised_shape",
        "normalized",
    ),
    "model.activation={_target_: os.system}": ("model.activation._target_", "is not allowed"),
    "model._partial_=true": ("model._partial_", "names classes only"),
    'trainer.callbacks={"a.b": {_target_: PACKAGE.parts.Counting}}': ("trainer.callbacks.a.b.[key]", "a.b"),
    "data._target_=PACKAGE.parts.Net": ("data._target_", "has no method 'read'"),
    "optimizer._target_=PACKAGE.parts.Net": ("optimizer._target_", "is no torch.optim.optimizer.Optimizer"),
    "optimizer._target_=runcard.models.mlp.Mlp": ("optimizer._target_", "is not allowed"),
    "optimizer._target_=torch.optim.lr_scheduler.StepLR": ("optimizer._target_", "is not allowed"),
    "trainer.callbacks={stop: {_target_: pytorch_lightning.callbacks.EarlyStopping}}": (
        "trainer.callbacks.stop._target_",
        "Set it with trainer.early_stopping",
    ),
}


@pytest.mark.parametrize("typed", WRONG)
def test_wrong_targets_and_arguments(project: str, typed: str) -> None:
    key, said = WRONG[typed]
    found = mistakes("data=wine", "model=net", typed.replace("PACKAGE", project))
    assert key in found, found
    assert said in found[key]
    assert not Path("ran").exists()


def test_a_schedule_is_called(project: str) -> None:
    Path("conf/scheduler/odd.yaml").write_text(f"_target_: {project}.parts.NoModule\ninput_shape: 1\noutputs: 2\n")
    assert "has no method '__call__'" in mistakes("data=wine", "scheduler=odd")["scheduler._target_"]


def test_another_class_than_the_files_is_one_mistake(project: str) -> None:
    found = mistakes("data=wine", "optimizer._target_=torch.optim.RMSprop")
    assert list(found) == ["optimizer._target_"]
    assert (
        "adamw.yaml sets for another class: betas, fused Write a file optimizer/NAME.yaml"
        in found["optimizer._target_"]
    )


def test_the_line_of_a_mistake_in_a_list_of_targets(project: str) -> None:
    text = f"""\
    _target_: {project}.parts.Net
    norms:
      - _target_: torch.nn.LayerNorm
        normalized_shape: 2
      - _target_: torch.nn.LayerNorm
        normalized_shape: 2
        ebs: 1.0e-3
    """
    Path("conf/model/listed.yaml").write_text(textwrap.dedent(text))
    found = mistakes("data=wine", "model=listed")
    assert list(found) == ["model.norms.1.ebs"]
    assert "Did you mean eps? (conf/model/listed.yaml:7)" in found["model.norms.1.ebs"]


def test_a_module_that_fails_is_said_with_its_line(project: str) -> None:
    Path(f"src/{project}/late.py").write_text("import torch\n\nraise RuntimeError('not today')\n")
    found = mistakes("model=net", f"model._target_={project}.late.Net")
    assert "RuntimeError: not today" in found["model._target_"]
    assert "late.py:3" in found["model._target_"]
    with pytest.raises(CardError, match=r"ValueError: no such luck .*parts\.py:\d+"):
        runcard.fit(runcard.load_card(["data=wine", "model=net", f"model._target_={project}.parts.broken"]))


def test_a_librarys_optimizer_and_schedule(project: str) -> None:
    words = ["data=wine", "optimizer=plain", "scheduler=steps", "trainer.max_epochs=4", "report=false", "logger=csv"]
    run = runcard.fit(runcard.load_card(words))
    card = run.card.to_dict()
    assert card["optimizer"]["alpha"] == 0.99
    assert isinstance(card["optimizer"]["lr"], float)
    rates = np.loadtxt(run.folder.history, delimiter=",", skiprows=1, usecols=_column(run.folder.history, "lr"))
    assert rates / card["optimizer"]["lr"] == pytest.approx([1.0, 1.0, 0.5, 0.5])


def _column(path: Path, name: str) -> int:
    return path.read_text().splitlines()[0].split(",").index(name)


def test_lightnings_own_callbacks_run(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = "trainer.callbacks={summary: {_target_: pytorch_lightning.callbacks.ModelSummary, max_depth: 2}}"
    run = runcard.fit(runcard.load_card(["data=wine", summary, *TINY]))
    assert json.loads(run.folder.origin.read_text())["trainer.callbacks.summary.max_depth"]
