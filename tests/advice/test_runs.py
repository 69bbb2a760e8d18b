"""Advice on runs, bundles, projects and this machine: each is given by the command, typed, and leads on."""

from __future__ import annotations

import io
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from runcard.errors import CardError, Stopped
from runcard.evaluation.predictor import Run
from tests.advice.trying import Case, Files, each_fifth, named, raising, try_case
from tests.conftest import TINY, Command, reviews
from tests.packaging.test_signing import write_keys

SMALL = f"fit model=linear {' '.join(TINY)}"
WINE = f"{SMALL} data=wine"
ROWS = {"rows.csv": "x,y\n" + "1,a\n2,b\n" * 20}
ARRAYS = "fit data=arrays data.inputs=inputs.npy data.targets=targets.npy"
IMAGE = "registry.example.com/team/digits"
NO_GPU = {"torch.cuda.is_available": lambda: False}
ONE_GPU = {
    "torch.cuda.is_available": lambda: True,
    "torch.cuda.device_count": lambda: 1,
    "torch.cuda.get_device_name": lambda _: "a GPU",
}
THREE = SimpleNamespace(world_size=lambda: 3, global_rank=lambda: 0)
TRAINING = "runcard.training.task.Task.training_step"
NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layer = torch.nn.Linear(input_shape[0], outputs)

    def forward(self, inputs):
        return self.layer(inputs)
"""
OWN: Files = {"own/model/mine.yaml": "_target_: mine.Net\n", "mine.py": NET}
# It fails after it was tried with a few rows.
BREAKS = "if self.training and len(inputs) > 8:\n            raise KeyError('odd')\n        return"
BROKEN: Files = {
    "own/model/broken.yaml": "_target_: broken.Net\n",
    "broken.py": NET.replace("return", BREAKS),
}
NORMS: Files = {
    "own/model/norm.yaml": "_target_: norms.Net\n",
    "norms.py": NET.replace("self.layer(inputs)", "self.norm(self.layer(inputs))").replace(
        "self.layer =", "self.norm = torch.nn.BatchNorm1d(outputs)\n        self.layer ="
    ),
}
NORMED = "fit --config-dir own --trust norms model=norm data=wine"
OF_OWN = f"fit --config-dir own data=wine {' '.join(TINY)}"


def arrays(*shape: int) -> Files:
    """Twenty rows of a shape, of two classes."""
    return {"inputs.npy": _npy(np.random.default_rng(0).random((20, *shape))), "targets.npy": _npy(np.arange(20) % 2)}


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values.astype(np.float32) if values.dtype.kind == "f" else values)
    return file.getvalue()


CASES = [
    Case(["cli.completion: runcard --shell-completion way"], "--shell-completion install=csh"),
    Case(
        ["cli.deploying: --image REGISTRY/NAME:TAG"],
        "deploy --target kubernetes --image digits:1",
        fill={"REGISTRY/NAME:TAG": f"{IMAGE}:1"},
        also="--output another",
    ),
    Case(
        ["deploying.deploy: --image REGISTRY/NAME:TAG"],
        "deploy --target compose",
        fill={"REGISTRY/NAME:TAG": f"{IMAGE}:1"},
        patched={"runcard.deploying.deploy.find_bundle": lambda *_: ("digits:1", {})},
    ),
    Case(
        ["deploying.deploy: runcard deploy --target bento"],
        "deploy --target compose",
        patched={f"runcard.deploying.{room}.find_bundle": lambda *_: ("digits:1", {}) for room in ("deploy", "bento")},
    ),
    Case(
        ["deploying.names: --image f\"{found['name']}:TAG\""],
        f"deploy --target compose --image {IMAGE}",
        fill={":TAG": ":1"},
    ),
    Case(["deploying.names: --name near"], f"deploy --target compose --image {IMAGE}:1 --name 'Two Words'"),
    Case(["deploying.names: --name f'{name}-model'"], f"deploy --target compose --image {IMAGE}:1 --name default"),
    Case(
        ["deploying.names: --name NAME"],
        "deploy --target compose --image registry.example.com/null:1",
        fill={"NAME": "mine"},
        patched={"runcard.deploying.deploy._known_bundle": lambda *_: (None, {})},
    ),
    Case(["cli.doctor: trainer=cpu", "cli.doctor: trainer=auto"], "doctor", onto="check", patched=NO_GPU),
    Case(["cli.doctor: trainer=gpu"], "doctor", onto="check", patched=ONE_GPU),
    Case(
        ["cli.doctor: runs_dir=FOLDER"],
        "doctor",
        fill={"FOLDER": "other"},
        onto="check",
        patched={"tempfile.TemporaryFile": raising(OSError(28, "No space left"))},
    ),
    Case(
        ["cli.listed: runcard ls --columns ','.join(left[:2])"],
        "ls",
        before=f"{WINE} && {SMALL} data=diabetes trainer.precision=bf16-mixed optimizer.weight_decay=0.123456",
        patched={"runcard.cli.terminal.width_of": lambda _: 40},
    ),
    Case(["cli.listed: runcard fit"], "ls --runs-dir empty", {"empty": None}, trains=True),
    Case(
        ["cli.main: --traceback"],
        "check",
        patched={"runcard.api.load_checked": raising(ZeroDivisionError("by design"))},
    ),
    Case(["cli.main: runcard --help"], "chekc"),
    Case(["cli.main: --traceback (2)"], f"{OF_OWN} --trust broken model=broken", BROKEN, then="Traceback", again=True),
    Case(
        ["cli.main: --traceback (3)"],
        f"{OF_OWN} --trust mine model=mine",
        OWN,
        patched={"runcard.fitting.settle": raising(RuntimeError("odd"))},
        trains=True,
    ),
    Case(["cli.parsing: *self.prog.split() --help", "cli.parsing: one"], "check --jason", onto="check"),
    Case(["cli.parsing: word.strip('-') + '=VALUE'"], "check --seed 3", fill={"VALUE": "3"}, onto="check"),
    Case(
        ["packaging.acceptance: runcard package str(path) --accept"],
        "package --no-http runs/*/*",
        before="fit model=linear data=wine trainer.max_epochs=1 report=false problem.least_value=1",
        also="--no-http",
    ),
    Case(["cli.predicting: runcard ls"], "predict nothing rows.csv", {"runs": None}),
    Case(
        ["cli.starting: cd folder", "cli.starting: runcard check", "cli.starting: runcard fit"],
        "init my_project --data rows.csv --target y",
        ROWS,
        trains=True,
    ),
    Case(["cli.steps: --runs-dir FOLDER"], "ls", {"other": None}, {"FOLDER": "other"}),
    Case(
        ["fitting: runcard resume str(folder.path)"],
        f"{WINE} 'runs_dir=my runs'",
        patched={"runcard.fitting._go_on": raising(Stopped(signal.SIGTERM))},
    ),
    Case(["models.adapt: model=resnet"], f"{ARRAYS} model=mobilenet", arrays(2, 8, 8), trains=True),
    Case(["models.shapes: model=mlp"], f"{ARRAYS} model=cnn", arrays(12), trains=True),
    Case(["models.shapes: model=mlp (2)"], f"{ARRAYS} model=lstm", arrays(12), trains=True),
    Case(
        ["runs: f'{_PLACES[what]}=FOLDER'"], f"{WINE} runs_dir=afile", {"afile": ""}, {"FOLDER": "other"}, trains=True
    ),
    Case(["removing.judge: runcard ls"], "rm nowhere --yes", {"runs": None}),
    Case(
        ["removing.judge: runcard rm str(path.parent)"],
        "rm 'my studies/one/0' --yes",
        {f"my studies/one/{name}": "" for name in ("plan.json", "cards/0.yaml", "0/card.yaml")},
        also="--yes",
    ),
    Case(["runs: runcard ls"], "evaluate nowhere", {"runs": None}),
    Case(["runs: runcard ls (2)"], "evaluate folder", {"runs": None, "folder": None}),
    Case(
        ["serving.launch: --port PORT", "serving.launch: --host HOST"],
        "serve nothing:here",
        fill={"PORT": "3999", "HOST": "localhost"},
        patched={"socket.socket.bind": raising(OSError(98, "Address already in use"))},
        then="there is no bundle nothing:here",
    ),
    Case(
        ["serving.settings: serve.workers=2"],
        "serve nothing:here workers=2",
        onto="serve nothing:here",
        then="there is no bundle nothing:here",
    ),
    Case(["settling: trainer.channels_last=auto"], f"{ARRAYS} trainer.channels_last=true", arrays(12), trains=True),
    Case(["settling: trainer=cpu", "settling: trainer=auto"], f"{WINE} trainer=gpu", patched=NO_GPU, trains=True),
    Case(
        ["settling: f'trainer.devices={there}'"],
        f"{WINE} trainer=gpu trainer.devices=2 trainer.strategy=ddp",
        onto="check data=wine trainer=gpu",
        patched=ONE_GPU,
    ),
    Case(["settling: data.last_batch=drop"], f"{NORMED} data.batch_size=5", NORMS, trains=True),
    Case(["settling: data.batch_size=2"], f"{NORMED} data.batch_size=1", NORMS, trains=True),
    Case(["starting.project: --data FILE"], "init mine --target y", ROWS, {"FILE": "rows.csv"}),
    Case(
        ["starting.project: --encoding one"],
        "init mine --data rows.csv --target y --encoding utf-9",
        ROWS,
        then="is not empty",
    ),
    Case(
        ["training.ranks: f'trainer.devices={environment.world_size()}'"],
        f"{WINE} trainer=ddp",
        onto="check trainer=ddp",
        patched={"runcard.training.ranks.started_outside": lambda: THREE},
    ),
    Case(
        ["training.surroundings: trainer.precision=bf16-mixed"],
        WINE,
        patched={TRAINING: raising(torch.OutOfMemoryError())},
    ),
    Case(
        ["training.surroundings: runcard resume str(run.path)"],
        f"{WINE} 'runs_dir=my runs'",
        patched={TRAINING: raising(RuntimeError("gloo/transport"))},
    ),
]
SLOW = [
    Case(
        ["training.finders: optimizer.lr=1e-3", "training.finders: debug=overfit optimizer.lr=1e-3"],
        "fit data=table data.path=rows.csv problem.target=y model.hidden=[1] model.input_dropout=0.9 optimizer.lr=auto "
        "trainer.gradient_clip_norm=1e-30 optimizer=sgd",
        {"rows.csv": "x,y\n" + "".join(f"{n % 7},{'ab'[n % 2]}\n" for n in range(280))},
        trains=True,
    ),
    Case(
        ["training.task: trainer.gradient_clip_norm=1.0"],
        "fit data=diabetes optimizer=sgd optimizer.lr=30 report=false trainer.max_epochs=5",
    ),
    Case(
        ["training.epochs: trainer.monitor=val/loss"],
        f"{SMALL} data=table data.path=rows.csv problem.target=y trainer.monitor=val/roc_auc "
        "data.split.validation=0.03",
        {"rows.csv": "x,y\n" + "1,a\n" * 36 + "2,b\n" * 4},
    ),
    Case(
        [
            "cli.sweeping: runcard resume place",
            "cli.sweeping: runcard evaluate where",
            "cli.sweeping: runcard package place",
        ],
        f"{WINE} -m seed=1,2,3 sweep.target_value=0 'sweep.studies_dir=my studies'",
        again=True,
    ),
]
OF_RUN = [
    Case(["cli.steps: --cards RUN RUN"], "compare", fill={"RUN": "runs/wine-mlp/one"}),
    Case(
        ["evaluation.predictor: runcard fit str(folder.card)"],
        "evaluate 'runs/wine-mlp/changed card'",
        also=" ".join(TINY),
    ),
    Case(["cli.removing: --dry-run", "cli.removing: --yes"], "rm runs/wine-mlp/one"),
    Case(
        ["removing.remove: runcard rm --yes *rest"],
        "rm --yes runs/wine-mlp/one runs/wine-mlp/pruned",
        patched={"runcard.removing.remove._remove": raising(Stopped(signal.SIGTERM))},
    ),
    Case(["runs: runcard resume str(run.path) (2)"], "evaluate 'runs/wine-mlp/not finished'"),
    Case(["runs: runcard resume str(run.path)"], "evaluate runs/wine-mlp/pruned"),
]
PACKAGE = "package runs/wine-mlp/one --no-http"
SERVED = "it would serve"
OF_TEXT = "data.dataset: write_settings('data.kinds', said)"
SLOW_OF_RUN = [
    Case(["cli.text: runcard serve"], PACKAGE, then=SERVED),
    Case(
        ["packaging.proof: --no-http"],
        "package runs/wine-mlp/one",
        patched={"runcard.packaging.proof._serving": raising(OSError(12, "Cannot allocate memory"))},
    ),
    Case(
        ["packaging.signing: runcard package RUN --sign KEY.pem"],
        "serve serve.public_key=ours.pub",
        fill={"RUN": "runs/wine-mlp/one", "KEY.pem": "ours.pem"},
        before=PACKAGE,
    ),
    Case(
        ["packaging.store: runcard package RUN"],
        "serve",
        fill={"RUN": "runs/wine-mlp/one"},
        patched={"runcard.packaging.store._folder": lambda: Path("nowhere")},
    ),
    Case(
        ["serving.settings: runcard serve tag word"],
        "serve served",
        before=f"{WINE} name=served runs_dir=asks serve.workers=2 && package asks/served/* --no-http",
        then=SERVED,
    ),
]


def slow(case: Case) -> Any:
    return pytest.param(case, marks=pytest.mark.slow)


@pytest.mark.parametrize("case", [*each_fifth(CASES), *map(slow, SLOW)], ids=named)
def test_advice_on_runs_leads_on(case: Case, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(".")
    try_case(case, command, monkeypatch)


@pytest.mark.parametrize("case", [*each_fifth(OF_RUN), *map(slow, SLOW_OF_RUN)], ids=named)
def test_advice_on_a_run_leads_on(case: Case, wine_run: Run, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "not finished", "pruned", "changed card"):
        shutil.copytree(wine_run.path, f"runs/wine-mlp/{name}")
    for name in ("not finished", "pruned"):
        Path(f"runs/wine-mlp/{name}/metrics.json").unlink()
    Path("runs/wine-mlp/pruned/pruned.json").write_text('{"epochs": 3}')
    with Path("runs/wine-mlp/changed card/card.yaml").open("a") as file:
        file.write("# changed\n")
    if case in SLOW_OF_RUN:
        write_keys(Path(), "ours")
    monkeypatch.setattr("runcard.serving.launch.become_server", raising(CardError(SERVED)))
    try_case(case, command, monkeypatch)


@pytest.mark.slow
def test_advice_on_a_text_leads_on(tiny_texts: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews(60).write_csv("rows.csv")
    words = f"model=pretrained model.name={tiny_texts / 'bert'} 'data.kinds={{review: text}}'"
    line = f"fit data=table data.path=rows.csv problem.target=label {words}"
    try_case(Case([OF_TEXT], line, trains=True), command, monkeypatch)
