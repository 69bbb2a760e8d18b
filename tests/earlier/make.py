"""Keep what this version of Runcard writes, for later versions to open.

    python -m tests.earlier.make NAME    # NAME: the commit whose files they are

A folder that is there is never made anew: what it holds was written by the version that it is named after, and a later
version adds its own beside it. All is made with the commands that users type, in a folder whose path stands in the
files; a test that opens them puts its own in its place.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runcard import files
from runcard.models import hub
from tests.conftest import TINY_TEXTS, customers, reviews, tokenizer_json, write_arrays
from tests.earlier.kept import KEPT, SUMS, sums, weights_digest
from tests.servers import free_port, starting, wait_until_ready

MADE_IN = Path("/srv/earlier")
COMMAND = Path(sys.executable).with_name("runcard")

TABLE = ["data=table", "data.path=rows/customers.csv", "problem.target=churned", "data.kinds={customer: ignore}"]
# Of no use to who opens them; a log holds the places of this machine's Python.
LEFT_OUT = ("__pycache__", ".lock", "run.log", "output", "report.html")
SMALL = ["model=mlp", "model.hidden=[8]", "optimizer.lr=1e-2", "report=false"]
LONG = ["trainer.max_epochs=150", "trainer.early_stopping.patience=null", "trainer.average.method=ema"]
TEXT = ["data=table", "data.path=rows/reviews.csv", "problem.target=label", "model=pretrained", "model.name=rows/bert"]
TEXT += ["data.kinds={review: text, number: ignore, stars: ignore}", "optimizer.lr=2e-3", "trainer.max_epochs=2"]
IMAGES = ["data=arrays", "data.inputs=rows/images/inputs.npy", "data.targets=rows/images/targets.npy", "model=cnn"]
IMAGES += ["model.channels=[4]", "model.hidden=8", "optimizer.lr=1e-2", "trainer.max_epochs=4"]
STEPS = ["data=arrays", "data.inputs=rows/steps/inputs.npy", "data.targets=rows/steps/targets.npy", "model=lstm"]
STEPS += ["model.hidden=8", "optimizer.lr=1e-2", "trainer.max_epochs=4"]
RUNS = {
    "table": [*TABLE, *SMALL, "trainer.max_epochs=8"],
    "text": [*TEXT, "report=false"],
    "images": [*IMAGES, "report=false"],
    "steps": [*STEPS, "report=false"],
}
OWN = {"mixed": ["model=blend"], "median": ["model=median"]}  # of the project
SWEEP = ["-m", *TABLE, "report=false", "trainer.max_epochs=120", "model=linear,mlp", "seed=3"]
SWEEP += ["trainer.early_stopping.patience=null", "optimizer.lr=tag(log,interval(1e-3,1e-1))", "sweep.n_trials=4"]
SWEEP += ["model.hidden=choice([8],[4]) if model=mlp"]

PROJECT = {
    "pyproject.toml": """\
        [project]
        name = "orchard"
        version = "0.1.0"

        [tool.runcard]
        config_dir = "conf"
        experiment = "apples"
        trust = ["orchard"]
        """,
    "conf/data/harvest.yaml": "_target_: orchard.data.Harvest\nfile: harvest.npz\nbatch_size: 16\nworkers: 0\n"
    "split: {seed: 0, validation: 0.2, test: 0.2}\n",
    "conf/problem/sort.yaml": """\
        goal: Sort apples.
        target: sort
        task: auto
        metric: auto
        today: By eye.
        today_value: null
        least_value: null
        risk: A wrong box.
        impact: Less waste.
        limits: {latency_ms: null, size_mb: null}
        """,
    "conf/model/blend.yaml": "_target_: orchard.networks.Blend\nwidth: 6\n",
    "conf/model/median.yaml": "_target_: orchard.networks.Median\nwidth: 6\n",
    "conf/experiment/apples.yaml": """\
        # @package _global_
        defaults:
          - override /data: harvest
          - override /problem: sort
          - override /model: blend
        optimizer: {lr: 1.0e-2}
        trainer: {max_epochs: 6}
        report: false
        """,
    "orchard/__init__.py": "",
    "orchard/data.py": """\
        from pathlib import Path

        import numpy as np


        class Harvest:
            def __init__(self, file: str) -> None:
                self.path = Path(__file__).parents[1] / file

            def columns(self) -> list[str]:
                return ["spectrum", "grams", "sort"]

            def read(self):
                with np.load(self.path) as arrays:
                    return {name: arrays[name] for name in self.columns()}
        """,
    "orchard/networks.py": """\
        from torch import nn


        class Blend(nn.Module):
            def __init__(self, input_shape, outputs: int, width: int = 8) -> None:
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, outputs))

            def forward(self, rows):
                return self.layers(rows)


        class Median(Blend):
            def forward(self, rows):
                return super().forward(rows - rows.median(1, keepdim=True).values)
        """,
}


def main(name: str) -> None:
    """Make everything, and move it to its place."""
    kept = KEPT / name
    if kept.exists():
        sys.exit(f"{kept} is there, and what was written once is never made anew")
    shutil.rmtree(MADE_IN, ignore_errors=True)
    MADE_IN.mkdir(parents=True)
    os.environ["BENTOML_HOME"] = str(MADE_IN / "store")
    write_rows(MADE_IN / "rows")
    write_project(MADE_IN / "project")
    expected: dict[str, Any] = {"made_in": str(MADE_IN)}
    for run, words in RUNS.items():
        runcard("fit", *words, f"name={run}")
    for run, words in OWN.items():
        runcard("fit", *words, f"name={run}", "runs_dir=../runs", cwd=MADE_IN / "project")
    expected["resumed"] = stop_a_run()
    expected["study"] = make_studies()
    expected["served"] = dict(make_bundles())
    files.write_json(MADE_IN / "expected.json", expected)
    shutil.rmtree(MADE_IN / "store")
    shutil.copytree(MADE_IN, kept, ignore=shutil.ignore_patterns(*LEFT_OUT))
    lines = [f"{digest}  {name}\n" for name, digest in sums(kept).items()]
    (kept / SUMS).write_text("".join(lines), encoding="utf-8")


def runcard(*words: str, cwd: Path = MADE_IN) -> Any:
    """Run a command to its end; the object that it prints."""
    done = subprocess.run([COMMAND, *words, "--json"], cwd=cwd, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def write_rows(folder: Path) -> None:
    """Tables, arrays and a network for texts."""
    for name, shape in {"images": (1, 8, 8), "steps": (6, 2)}.items():
        (folder / name).mkdir(parents=True)
        write_arrays(folder / name, *shape, count=60, gaps=0.0 if name == "images" else 0.05)
    customers(120).write_csv(folder / "customers.csv")
    reviews(60).write_csv(folder / "reviews.csv")
    torch.manual_seed(0)
    described = TINY_TEXTS["bert"] | {"hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 8}
    hub.made(hub.restored(described, num_labels=7), hub.TEXTS).save_pretrained(folder / "bert")  # type: ignore[operator]
    (folder / "bert" / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")


def write_project(folder: Path) -> None:
    """A project with a source and networks of its own; its rows hold a vector beside a number."""
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    random = np.random.default_rng(0)
    grams = random.normal(150, 20, 80).round(1)
    grams[::9] = np.nan
    spectrum = random.normal(size=(80, 5)).round(3)
    sort = np.where(spectrum[:, 0] + np.nan_to_num(grams - 150) / 20 > 0, "red", "green")
    np.savez(folder / "harvest.npz", spectrum=spectrum, grams=grams, sort=sort)


def stop_a_run() -> dict[str, Any]:
    """A run that was killed on its way, and what a run comes to that was not."""
    words = [*TABLE, *SMALL, *LONG, "checkpoint.every_s=0.05"]
    whole = Path(runcard("fit", *words, "name=whole")["run"])
    found = {"metrics": files.read_json(whole / "metrics.json"), "weights": weights_digest(whole)}
    shutil.rmtree(whole.parent)
    runs = MADE_IN / "runs" / "stopped"

    def half_way() -> bool:
        history = [path.read_text().count("\n") for path in runs.glob("*/metrics.csv")]
        return bool(history) and history[0] > 40 and any(runs.glob("*/checkpoints/last.ckpt"))

    end_early(["fit", *words, "name=stopped"], half_way, signal.SIGKILL)
    (stopped,) = runs.iterdir()
    assert not (stopped / "metrics.json").exists(), "it was over before it was killed"
    return found


def make_studies() -> dict[str, Any]:
    """A study that is over, and the same one stopped within its third trial; what each trial of the first was worth."""
    runcard("fit", *SWEEP, "sweep.name=finished")
    summary = MADE_IN / "studies" / "stopped" / "study.json"

    def half_way() -> bool:
        done = [trial["state"] for trial in json.loads(summary.read_text())["trials"]] if summary.exists() else []
        return done.count("COMPLETE") == 2 and any(summary.parent.glob("2/checkpoints/*"))

    end_early(["fit", *SWEEP, "sweep.name=stopped", "checkpoint.every_s=0.05"], half_way, signal.SIGTERM)
    trials = files.read_json(MADE_IN / "studies" / "finished" / "study.json")["trials"]
    return {str(trial["number"]): [trial["params"], trial["value"]] for trial in trials}


def end_early(words: list[str], when: Callable[[], bool], signum: signal.Signals) -> None:
    """Run a command until something is so, and end it."""
    process = subprocess.Popen([COMMAND, *words], cwd=MADE_IN)
    while not when():
        assert process.poll() is None, "it was over too soon"
        time.sleep(0.002)
    process.send_signal(signum)
    process.wait(60)


def make_bundles() -> Iterator[tuple[str, Any]]:
    """Bundles of both runtimes, signed and not, with what the service answered to rows."""
    key = ec.generate_private_key(ec.SECP256R1())
    (MADE_IN / "store").mkdir()
    private = MADE_IN / "store" / "key.pem"
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    (MADE_IN / "key.pub").write_bytes(
        key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for kind, run, words in (
        ("onnx", "table", []),
        ("onnx-signed", "table", ["--sign", str(private)]),
        ("torch", "median", []),
    ):
        (folder,) = (MADE_IN / "runs" / run).iterdir()
        project = MADE_IN / "project"
        made = runcard("package", str(folder), *words, cwd=project)
        shutil.copytree(made["path"], MADE_IN / "bundles" / kind)
        rows = files.read_json(MADE_IN / "bundles" / kind / "reference.json")["rows"][:20]
        port = free_port()
        with starting([str(COMMAND), "serve", made["bundle"], "--port", str(port)], project, port) as service:
            wait_until_ready(service)
            status, answers = service.post(rows)
        assert status == 200, answers
        for answer in answers:
            answer.pop("prediction_id", None)
        yield kind, {"tag": made["bundle"], "rows": rows, "answers": answers}


if __name__ == "__main__":
    main(sys.argv[1])
