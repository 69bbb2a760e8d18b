"""Hostile cards: whatever a card, a folder of groups, a run or the working directory says, nothing runs.

Each is refused with exit code 2 and a message, or passed over where it is none of the card's. Two things tell that
nothing ran: a file that every payload makes, and a hook that hears of every process, pickle and planted import.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
import yaml

import runcard
from runcard import environment
from runcard.evaluation import plots
from runcard.evaluation.predictor import Run
from runcard.training import checkpoint
from tests.conftest import HANG_S, TINY, Command, Said

# What each of them makes when it runs; {canary} in cases stands for it.
CANARY = "ran"
# What may be said at most: a card cannot fill a terminal.
MOST_SAID = 20_000
HEARD = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class")
OURS = ("git", "uname", sys.executable)  # a run asks for commit and machine, and is verified in a fresh process

_heard: list[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is None:
        return
    if event in HEARD and arguments[0] not in OURS:
        _heard.append(f"{event}{arguments[:1]}")
    elif event == "import" and str(arguments[0]).partition(".")[0] in ("evil", "my_package_evil"):
        _heard.append(f"import {arguments[0]}")


sys.addaudithook(_hear)  # cannot be taken back, so it listens only within ``attack``


EVIL = """\
import os
open({canary!r}, "w").close()
from hydra.experimental.callback import Callback as _Callback
import logging
class Callback(_Callback): pass
class Handler(logging.Handler): pass
class Net: pass
def formatter(**_): return logging.Formatter()
"""
MINE = """\
import functools
import os
import pickle
import subprocess
import numpy
import torch
from os import system as danger
from numpy import load
from subprocess import Popen
from functools import partial
made = functools.partial(os.system, {touch!r})
short = lambda **_: os.system({touch!r})
class Caller:
    def __call__(self, **_): os.system({touch!r})
instance = Caller()
class Net(torch.nn.Module): pass
"""
PAYLOADS = {"evil.py": EVIL, "my_package_evil.py": EVIL, "my_package/__init__.py": MINE}


@pytest.fixture(autouse=True)
def planted(away: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path with modules that tell when they are imported, one of them trusted by name."""
    folder = tmp_path_factory.mktemp("planted")
    canary = away / CANARY
    for name, text in PAYLOADS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.format(canary=str(canary), touch=f"touch {canary}"))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    yield folder
    for name in [name for name in sys.modules if name.startswith(("evil", "my_package"))]:
        del sys.modules[name]


class Payload:
    """Unpickled, it makes the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.canary), "w")


def pickled(file: IO[bytes], array: Any) -> None:
    """What ``numpy.save`` makes of objects."""
    np.save(file, array, allow_pickle=True)


@dataclass(frozen=True)
class Case:
    """What is typed, with the files that it meets."""

    words: list[str]
    files: dict[str, str] = field(default_factory=dict)


def attack(case: Case, command: Command, away: Path) -> Said:
    """Type it, and see that nothing ran."""
    global _heard
    canary = away / CANARY
    fill = {"{canary}": str(canary), "{touch}": f"touch {canary}", "{here}": str(away)}
    pattern = re.compile("|".join(map(re.escape, fill)))

    def filled(text: str) -> str:
        return pattern.sub(lambda found: fill[found[0]], text)

    for name, text in case.files.items():
        path = away / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(text), encoding="utf-8")
    before = os.getcwd(), list(sys.path), set(sys.modules)
    _heard = []
    try:
        said = command(*map(filled, case.words))
    finally:
        heard, _heard = _heard, None
    assert not canary.exists(), "it ran"
    assert not heard, heard
    assert not {name for name in set(sys.modules) - before[2] if name.startswith(("evil", "my_package_evil"))}
    assert (os.getcwd(), sys.path) == before[:2]
    return said


def refused(said: Said, code: int = 2) -> None:
    assert said.code == code, f"{said.code}: {said.err or said.out}"[:2000]
    assert "Traceback" not in said.out + said.err
    assert "a fault in Runcard" not in said.err
    assert len(said.err) < MOST_SAID
    assert said.err.startswith("runcard: "), "words that are ours"
    assert not Path("runs").exists()


def own(group: str, text: str, *words: str, verb: str = "check") -> Case:
    """A file of one's own in a group, chosen."""
    return Case([verb, *words, f"{group}=evil", "--config-dir", "conf"], {f"conf/{group}/evil.yaml": text})


WINE = runcard.load_card(["data=wine", *TINY]).to_dict()


@functools.cache
def without(section: str) -> str:
    """The text of a card but for a section."""
    return yaml.safe_dump({name: content for name, content in WINE.items() if name != section})


def saved(section: str, content: dict[str, Any]) -> Case:
    """A saved card with another section, to be fitted."""
    text = without(section) + yaml.safe_dump({section: content}, allow_unicode=True)
    return Case(["fit", "card.yaml"], {"card.yaml": text})


MLP = "_target_: runcard.models.mlp.Mlp\nhidden: [8]\ndropout: 0.1\ninput_dropout: 0.0\n"
GLOBAL = "# @package _global_\n"
FIT = ["data=wine", *TINY]

# Class → what it would be called with. Each can do harm, or lead to what can.
TARGETS: dict[str, str] = {
    "os.system": "command: '{touch}'",
    "os.popen": "cmd: '{touch}'",
    "posix.system": "command: '{touch}'",
    "os.execv": "{path: /bin/touch, _args_: [/bin/touch, ['touch', '{canary}']]}",
    "builtins.eval": '_args_: [\'open("{canary}", "w")\']',
    "builtins.exec": '_args_: [\'open("{canary}", "w")\']',
    "builtins.open": "{file: '{canary}', mode: w}",
    "builtins.__import__": "name: evil",
    "builtins.getattr": "_args_: [evil, Net]",
    "subprocess.Popen": "args: [touch, '{canary}']",
    "subprocess.run": "args: [touch, '{canary}']",
    "subprocess.check_output": "_args_: [[touch, '{canary}']]",
    "multiprocessing.Process": "{target: evil.Net}",
    "pickle.loads": "_args_: ['x']",
    "marshal.loads": "_args_: ['x']",
    "importlib.import_module": "name: evil",
    "importlib.reload": "module: os",
    "runpy.run_path": "path_name: '{here}/evil.py'",
    "runpy.run_module": "mod_name: evil",
    "code.interact": "{}",
    "pty.spawn": "argv: [touch, '{canary}']",
    "timeit.timeit": 'stmt: \'open("{canary}", "w")\'',
    "cProfile.run": 'statement: \'open("{canary}", "w")\'',
    "shutil.rmtree": "path: '{here}/conf'",
    "pathlib.Path.write_text": "_args_: ['{canary}', x]",
    "logging.config.dictConfig": "config: {version: 1, formatters: {x: {(): evil.formatter}}}",
    "torch.load": "{f: '{here}/evil.pt', weights_only: false}",
    "torch.hub.load": "{repo_or_dir: '{here}', model: evil, source: local}",
    "torch.jit.load": "f: '{here}/evil.pt'",
    "torch.serialization.load": "{f: '{here}/evil.pt', weights_only: false}",
    "torch.utils.cpp_extension.load_inline": "{name: evil, cpp_sources: 'int x;'}",
    "torch.utils.cpp_extension.load": "{name: evil, sources: ['{here}/evil.cpp']}",
    "numpy.load": "{file: '{here}/evil.npy', allow_pickle: true}",
    "numpy.f2py.compile": "source: x",
    "pandas.read_pickle": "filepath_or_buffer: '{here}/evil.pkl'",
    "joblib.load": "filename: '{here}/evil.pkl'",
    "yaml.unsafe_load": "stream: '!!python/object/apply:os.system [\"{touch}\"]'",
    "hydra.utils.get_method": "path: os.system",
    "hydra.utils.get_class": "path: evil.Net",
    "hydra.utils.get_object": "path: evil.Net",
    "hydra.utils.call": "config: {_target_: os.system, command: '{touch}'}",
    "hydra.utils.instantiate": "config: {_target_: os.system, command: '{touch}'}",
    "hydra._internal.instantiate._instantiate2.instantiate": "config: {_target_: evil.Net}",
    "hydra.main": "config_name: evil",
    "functools.partial": "_args_: [os.system]",
    "functools.reduce": "_args_: [os.system, ['{touch}']]",
    "operator.attrgetter": "_args_: [system]",
    "operator.methodcaller": "_args_: [system, '{touch}']",
    "omegaconf.OmegaConf.load": "file_: '{here}/evil.yaml'",
    "omegaconf.OmegaConf.register_new_resolver": "{name: evil, resolver: os.system}",
    "omegaconf.OmegaConf.save": "{config: {}, f: '{canary}'}",
    "runcard.files.write_text": "{path: '{canary}', text: x}",
    "runcard.cli.main.main": "argv: [fit]",
    "runcard.cli.main.run": "words: [fit]",
    "runcard.api.fit": "card: x",
    "runcard.data.table.pl.read_csv": "source: '{here}/x.csv'",
    "runcard.card.naming.targets.build": "part: {_target_: os.system}",
    "runcard.card.naming.targets.importlib.import_module": "name: evil",
    "runcard.training.checkpoint.load": "path: '{here}/evil.pt'",
    "runcard.models.hub.library": "{}",
    # By another name of the module, through a package that is allowed in part.
    "runcard.files.os.system": "command: '{touch}'",
    "runcard.models.mlp.nn.modules.module.torch.load": "f: '{here}/evil.pt'",
    "runcard.models.mlp.Mlp.__init__.__globals__": "{}",
    "runcard.models.mlp.Mlp.__subclasses__": "{}",
    "runcard.models.mlp.Mlp.load_state_dict": "{}",
    "runcard.models.mlp.__builtins__.eval": "_args_: ['1']",
    "torch.os.system": "command: '{touch}'",
    "torch.nn.modules.module.torch.load": "{f: '{here}/evil.pt', weights_only: false}",
    "torch.optim.AdamW.__init__.__globals__": "{}",
    "torch.optim.adamw.torch.load": "f: '{here}/evil.pt'",
    "pytorch_lightning.loggers.wandb.os.system": "command: '{touch}'",
    "pytorch_lightning.loggers.csv_logs.os.system": "command: '{touch}'",
    # A module that is not trusted, which must not even be imported.
    "evil.Net": "{}",
    "evil": "{}",
    "evil.nothing": "{}",
    # No names at all.
    "": "{}",
    ".": "{}",
    "..os.system": "command: '{touch}'",
    "os.system\\n": "command: '{touch}'",
    "os\\0.system": "command: '{touch}'",
    "os.syſtem": "command: '{touch}'",  # the long s is an s to Python's parser
}
SECTIONS = ("model", "optimizer", "scheduler", "augment", "data", "logger")


def arguments(text: str) -> dict[str, Any]:
    """What a target would be called with."""
    if text.startswith("{") and not text.startswith("{path"):
        found = yaml.safe_load(text)
    else:
        found = yaml.safe_load(text if text.startswith("{") else f"{{{text}}}")
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_a_class_that_is_not_trusted(target: str, command: Command, away: Path, tmp_path: Path) -> None:
    name = target.replace("\\n", "\n").replace("\\0", "\0")
    group = SECTIONS[list(TARGETS).index(target) % len(SECTIONS)]
    content = {"_target_": name, **arguments(TARGETS[target])}
    with open("evil.npy", "wb") as file:
        pickled(file, np.array([Payload(away / CANARY)], dtype=object))
    for other in ("evil.pt", "evil.pkl"):
        Path(other).write_bytes(pickle.dumps(Payload(away / CANARY)))
    refused(attack(saved(group, content), command, away))


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "runcard.files.os.system",
        "evil.Net",
        "torch.load",
        "runcard.models.mlp.Mlp.forward",
    ],
)
@pytest.mark.parametrize("verb", ["check", "fit", "fit -m"])
def test_a_class_that_is_typed(verb: str, target: str, command: Command, away: Path) -> None:
    many = ["seed=1,2"] if verb.endswith("-m") else []
    case = Case([*verb.split(), *FIT, *many, f"model._target_={target}", "model.command='{touch}'"])
    refused(attack(case, command, away))


# What a package that its owner trusts leads to, and what only begins like it.
THROUGH = [
    "my_package.os.system",
    "my_package.danger",
    "my_package.load",
    "my_package.numpy.load",
    "my_package.torch.load",
    "my_package.pickle.loads",
    "my_package.subprocess.Popen",
    "my_package.Popen",
    "my_package.functools.partial",
    "my_package.partial",
    "my_package.made",
    "my_package.short",
    "my_package.instance",
    "my_package.Net.__init__.__globals__",
    "my_package.Net.__subclasses__",
    "my_package.Net.__reduce__",
    "my_package.Net.load_state_dict",
    "my_package.Net.__class__",
    "my_package.Net.__base__",
    "my_package.__builtins__.eval",
    "my_package.__loader__.load_module",
    "my_package.__dict__",
    "my_package",
    "my_package.",
    "my_package..os.system",
    ".my_package.Net",
    "my_package.nothing",
    "my_package/../evil.Net",
    "my_package_evil.Net",
    "evil.my_package.Net",
    "My_Package.Net",
    "my_pаckage.Net",
]


@pytest.mark.parametrize("target", THROUGH)
def test_a_trusted_package_vouches_for_its_own_only(target: str, command: Command, away: Path) -> None:
    trusting = {"pyproject.toml": '[tool.runcard]\ntrust = ["my_package"]\n'}
    case = saved("model", {"_target_": target, "command": "{touch}"})
    refused(attack(Case(case.words, case.files | trusting), command, away))


def test_importing_works_as_before_once_a_package_is_trusted(command: Command, away: Path) -> None:
    case = saved("model", {"_target_": "my_package.danger"})
    trusting = {"pyproject.toml": '[tool.runcard]\ntrust = ["my_package"]\n'}
    refused(attack(Case(case.words, case.files | trusting), command, away))
    importlib.invalidate_caches()  # as whoever writes a module and imports it must call it


def test_a_trusted_package_in_a_file(command: Command, away: Path) -> None:
    trusting = {"pyproject.toml": '[tool.runcard]\ntrust = ["my_package"]\n'}
    case = own("model", "_target_: my_package.danger\ncommand: '{touch}'\n", *FIT, verb="fit")
    refused(attack(Case(case.words, case.files | trusting), command, away))


@pytest.mark.parametrize(
    "trust",
    [
        '"os"',
        '[""]',
        '["*"]',
        '["."]',
        '["my_package.*"]',
        '[["os"]]',
        "[1]",
        "{os = true}",
        "true",
        '["os"',
        '["\\u0000"]',
    ],
)
def test_trust_that_is_no_list_of_packages(trust: str, command: Command, away: Path) -> None:
    case = saved("model", {"_target_": "os.system", "command": "{touch}"})
    trusting = {"pyproject.toml": f"[tool.runcard]\ntrust = {trust}\n"}
    refused(attack(Case(case.words, case.files | trusting), command, away))


PRETRAINED = ["check", "data=digits", "model=pretrained", "model.name=x"]
HARM = "{_target_: os.system, command: '{touch}'}"
NESTED = {
    "in a list": Case(["fit", *FIT, f"model.hidden=[{HARM}]"]),
    "in a mapping of columns": Case(["fit", "data=table", "data.path=x.csv", f"data.kinds={{a: {HARM}}}"]),
    "as a number": Case(["fit", *FIT, f"optimizer.lr={HARM}"]),
    "in trainer.lightning": Case(["fit", *FIT, f"trainer.lightning={{logger: {HARM}}}"]),
    "as a profiler": Case(["fit", *FIT, f"trainer.lightning={{profiler: {HARM}}}"]),
    "as callbacks": Case(["fit", *FIT, f"trainer.lightning={{callbacks: [{HARM}]}}"]),
    "as a plugin": Case(["fit", *FIT, f"trainer.lightning={{plugins: [{HARM}]}}"]),
    "at the root": Case(["fit", *FIT, "_target_=os.system", "command='{touch}'"]),
    "beside the root": Case(["fit", *FIT, f"evil={HARM}"]),
    "in the trainer": Case(["fit", *FIT, "trainer._target_=os.system"]),
    "in the checkpoint": Case(["fit", *FIT, "checkpoint._target_=os.system"]),
    "in the problem": Case(["fit", *FIT, "problem._target_=os.system"]),
    "in limits": Case(["fit", *FIT, f"problem.limits={HARM}"]),
    "in the split": Case(["fit", *FIT, f"data.split={HARM}"]),
    "in a file's list": own("model", f"{MLP}layers:\n- {HARM}\n", *FIT, verb="fit"),
    "in a file, deep": own("model", f"{MLP}a: {{b: [{{c: {HARM}}}]}}\n", *FIT, verb="fit"),
    "in an experiment": own("experiment", f"{GLOBAL}model: {HARM}\n", *FIT, verb="fit"),
    "in debug": own("debug", f"{GLOBAL}trainer: {{lightning: {{logger: {HARM}}}}}\n", *FIT, verb="fit"),
    "in a problem's file": own("problem", f"goal: {HARM}\n", "data=wine", *TINY, verb="fit"),
    "partial": Case(["fit", *FIT, "model._partial_=true"]),
    "recursive": Case(["fit", *FIT, "model._recursive_=true"]),
    "convert": Case(["fit", *FIT, "model._convert_=all"]),
    "args": Case(["fit", *FIT, "model._args_=['{touch}']"]),
    "partial in a file": own("model", f"{MLP}_partial_: true\n", *FIT, verb="fit"),
    "args in a file": own("model", f"{MLP}_args_: [1]\n", *FIT, verb="fit"),
    "args of an optimizer": Case(["fit", *FIT, "optimizer._args_=[1]"]),
    "swept": Case(["fit", "-m", *FIT, "model._target_=os.system,evil.Net"]),
    "swept with a choice": Case(["fit", "-m", *FIT, "optimizer._target_=choice(os.system,torch.optim.AdamW)"]),
    "swept whole": Case(["fit", "-m", *FIT, f"model={HARM},{HARM[:-1]}, x: 1}}"]),
    "swept list": Case(["fit", "-m", *FIT, f"model.hidden=[{HARM}],[8]"]),
    "in a file's space": own(
        "sweep", f"sampler: grid\nspace:\n  model: [{HARM}, {{_target_: evil.Net}}]\n", *FIT, verb="fit"
    ),
    "in a file's space by key": own(
        "sweep", "sampler: grid\nspace: {model._target_: [os.system, evil.Net]}\n", *FIT, verb="fit"
    ),
    "in a typed space": Case(["fit", "-m", *FIT, "sweep.space={model._target_: [os.system, evil.Net]}"]),
    "sampler": Case(["fit", "-m", *FIT, "seed=1,2", f"sweep.sampler={HARM}"]),
    "sweep's own": Case(["fit", "-m", *FIT, "seed=1,2", "sweep._target_=os.system"]),
    # What the package transformers would look up and run; its answer to it is a question to whoever sits there.
    "auto_map": Case(
        [
            *PRETRAINED,
            "model.weights=false",
            "model.config={model_type: gpt2, auto_map: {AutoModelForImageClassification: '{here}--evil.Net'}}",
        ]
    ),
    "attention from the hub": Case(
        [*PRETRAINED, "model.weights=false", "model.config={model_type: vit, attn_implementation: evil/kernel}"]
    ),
    "attention from the hub, private": Case(
        [*PRETRAINED, "model.config={model_type: vit, _attn_implementation: evil/kernel}"]
    ),
    "remote code": Case([*PRETRAINED, "model.config={model_type: vit, trust_remote_code: true}"]),
    "a class in a description": Case(
        ["check", "data=digits", "model=pretrained", "model.name=x", f"model.config={HARM}"]
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_class_where_none_belongs(name: str, command: Command, away: Path) -> None:
    refused(attack(NESTED[name], command, away))


# What belongs to Hydra; none of it is a card's.
OF_HYDRA = [
    "hydra.searchpath=[pkg://evil]",
    "+hydra.searchpath=[pkg://evil]",
    "hydra.searchpath=['file://{here}/far']",
    "hydra/launcher=evil",
    "hydra/sweeper=basic",
    "hydra/job_logging=none",
    "+hydra.callbacks.evil._target_=evil.Callback",
    "hydra.launcher._target_=evil.Net",
    "hydra.launcher.setup=[{_target_: evil.Net}]",
    "hydra.sweeper._target_=evil.Net",
    "+hydra.sweeper.x={_target_: os.system, command: '{touch}'}",
    "hydra.mode=nonsense",
    "hydra.mode=MULTIRUN",
    "hydra.job_logging.formatters.simple={(): evil.formatter}",
    "+hydra.hydra_logging.handlers.x={class: evil.Handler}",
    "+hydra.job.env_set.PATH={here}",
    "hydra.job.chdir=true",
    "hydra.run.dir={here}/elsewhere",
    "~hydra.run",
    "hydra.verbose=true",
    "hydra@model=mlp",
    "model@hydra.sweeper=mlp",
]
SHOWING = [
    "--cfg job",
    "--cfg hydra",
    "--cfg all",
    "--cfg all --resolve",
    "--info all",
    "--info config",
    "--info searchpath",
]


def some(cases: Sequence[str], *others: str, every: int = 9) -> list[Any]:
    """Each case under the first of the other parameters, and some under each of the rest: pairs for ``parametrize``."""
    first, *rest = others
    pairs = [(first, case) for case in cases]
    pairs += [(other, case) for place, other in enumerate(rest) for case in cases[place % every :: every]]
    return [pytest.param(*pair, id=" - ".join(pair)) for pair in pairs]


@pytest.mark.parametrize(("verb", "override"), some(OF_HYDRA, "check", "check -m seed=1,2", "check --cfg job", every=5))
def test_what_is_hydras_is_not_typed(verb: str, override: str, command: Command, away: Path) -> None:
    refused(attack(Case([*verb.split(), *FIT, override]), command, away))


@pytest.mark.parametrize("override", ["hydra.searchpath=[pkg://evil]", "+hydra.callbacks.x._target_=evil.Callback"])
@pytest.mark.parametrize("flags", SHOWING[1:])
def test_what_is_hydras_is_not_shown(flags: str, override: str, command: Command, away: Path) -> None:
    refused(attack(Case(["check", *flags.split(), override]), command, away))


@pytest.mark.parametrize(
    "override",
    ["hydra.searchpath=[pkg://evil]", "+hydra.callbacks.x._target_=evil.Callback", "model._target_=evil.Net"],
)
def test_completing_a_line_runs_nothing(
    override: str, command: Command, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"runcard fit {override} mo"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    said = attack(Case(["--shell-completion", "query=bash"]), command, away)
    assert "a fault in Runcard" not in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "flag",
    [
        "--experimental-rerun={here}/evil.pkl",
        "--config-path={here}",
        "--config-name=evil",
        "--hydra-help",
        "--run",
        "-cd={here}",
    ],
)
@pytest.mark.parametrize("before", [[], ["--"]], ids=["plain", "after two dashes"])
def test_flags_of_hydra_that_are_not_ours(flag: str, before: list[str], command: Command, away: Path) -> None:
    Path("evil.pkl").write_bytes(pickle.dumps(Payload(away / CANARY)))
    refused(attack(Case(["check", "--cfg", "job", *before, flag], {"evil.yaml": "seed: 3\n"}), command, away))


IN_FILES = {
    "searchpath": "hydra: {searchpath: [pkg://evil]}",
    "callbacks": "hydra: {callbacks: {x: {_target_: evil.Callback}}}",
    "job_logging": "hydra: {job_logging: {version: 1, formatters: {x: {(): evil.formatter}}}}",
    "hydra_logging": "hydra: {hydra_logging: {version: 1, handlers: {x: {class: evil.Handler}}}}",
    "launcher": "hydra: {launcher: {_target_: evil.Net}}",
    "sweeper": "hydra: {sweeper: {_target_: evil.Net}}",
    "mode": "hydra: {mode: nonsense}",
    "run": "hydra: {run: {dir: '{here}/elsewhere'}}",
    "environment": "hydra: {job: {env_set: {PATH: '{here}'}}}",
    "dotted": "hydra.searchpath: [pkg://evil]",
    "scalar": "hydra: evil",
    "override job_logging": "defaults: [override /hydra/job_logging: evil]",
    "override callbacks": "defaults: [override hydra/callbacks: evil]",
    "add callbacks": "defaults: [/hydra/callbacks: evil]",
    "add callbacks, plain": "defaults: [/hydra/callbacks/evil]",
    "add callbacks at a place": "defaults: [/hydra/callbacks@_global_.hydra.callbacks: evil]",
    "override launcher": "defaults: [override /hydra/launcher: basic]",
    "override sweeper": "defaults: [override /hydra/sweeper: basic]",
    "override mode by group": "defaults: [override /hydra: evil]",
    "at hydra's place": "defaults: [/model@_global_.hydra.sweeper: evil]",
    "at hydra's place, callbacks": "defaults: [/model@_global_.hydra.callbacks.x: evil]",
    "a package": "defaults: [pkg://evil/model]",
    "a package's group": "defaults: [pkg://evil: model]",
    "a file elsewhere": "defaults: ['file://{here}/far/evil']",
    "above": "defaults: [../../far/evil]",
    "above, absolute": "defaults: [/../far/evil]",
    "absolute": "defaults: ['/{here}/far/evil']",
    "by itself": "defaults: [/experiment/evil]",
    "above, by a group": "defaults: [override /model: ../../far/evil]",
    "by the environment": "defaults: [override /model: '${oc.env:HOME}']",
    "by a resolver": "defaults: [override /model: '${oc.create:mlp}']",
    "misspelt override": "defaults: [overide /model: mlp]",
    "misspelt optional": "defaults: [optinal /model: mlp]",
    "no list": "defaults: {model: mlp}",
    "a number": "defaults: [3]",
}


@pytest.mark.parametrize(("verb", "name"), some([*IN_FILES], "check", "check -m seed=1,2", "check --cfg all"))
def test_what_is_hydras_is_in_no_file(verb: str, name: str, command: Command, away: Path) -> None:
    case = own("experiment", f"{GLOBAL}{IN_FILES[name]}\n", *verb.split()[1:], verb=verb.split()[0])
    others = {
        "conf/hydra/callbacks/evil.yaml": "x: {_target_: evil.Callback}\n",
        "conf/hydra/job_logging/evil.yaml": "version: 1\nformatters: {x: {(): evil.formatter}}\n",
        "conf/model/evil.yaml": "_target_: evil.Net\n",
        "far/evil.yaml": MLP,
    }
    # A folder that has a group of Hydra's may be refused for that alone: only those that need one have it.
    needed = {
        path: text for path, text in others.items() if "hydra/" not in path or path.split("/")[2] in IN_FILES[name]
    }
    refused(attack(Case(case.words, case.files | needed), command, away))


@pytest.mark.parametrize(
    "package",
    ["hydra", "hydra.sweeper", "hydra.callbacks", "_global_.hydra.callbacks", "hydra.job_logging", "_group_.hydra"],
)
def test_a_header_puts_nothing_into_hydra(package: str, command: Command, away: Path) -> None:
    text = f"# @package {package}\nx: {{_target_: evil.Callback}}\nsearchpath: [pkg://evil]\n"
    refused(attack(own("experiment", text), command, away))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("hydra/sweeper/runcard", "_target_: evil.Net"),
        ("hydra/sweeper/runcard", f"_target_: hydra_plugins.runcard_sweeper.RuncardSweeper\nx: {HARM}"),
        ("hydra/sweeper/runcard", "_target_: hydra_plugins.runcard_sweeper.RuncardSweeper\nx: {_target_: evil.Net}"),
        (
            "hydra/sweeper/runcard",
            "_target_: hydra_plugins.runcard_sweeper.RuncardSweeper\n"
            "x: {_target_: numpy.load, _args_: ['{here}/evil.npy'], allow_pickle: true}",
        ),
        ("hydra/launcher/basic", f"_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\nx: {HARM}"),
        ("hydra/job_logging/default", "version: 1\nformatters: {x: {(): evil.formatter}}"),
        ("hydra/config", "callbacks: {x: {_target_: evil.Callback}}"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "fit -m seed=1,2"])
def test_a_folder_of_ones_own_has_no_group_of_hydras(
    verb: str, path: str, text: str, command: Command, away: Path
) -> None:
    with open("evil.npy", "wb") as file:
        pickled(file, np.array([Payload(away / CANARY)], dtype=object))
    case = Case([*verb.split(), *FIT, "--config-dir", "conf"], {f"conf/{path}.yaml": f"{text}\n"})
    refused(attack(case, command, away))


RESOLVERS = [
    "${eval:'1'}",
    "${evil:1}",
    "${hydra:runtime.cwd}",
    "${oc.create:x}",
    "${oc.deprecated:seed}",
    "${oc.dict.keys:model}",
    "${oc.dict.values:model}",
    "${python_version:}",
    "${now:%Y}",
    "${oc.decode:'${now:%Y}'}",
    "${oc.env:HOME,${now:%Y}}",
    "a text with ${hydra:runtime.cwd} in it",
]


@pytest.mark.parametrize(
    ("place", "resolver"), some(RESOLVERS, "typed", "file", "experiment", "--cfg all --resolve", every=3)
)
def test_a_resolver_that_is_not_plain(place: str, resolver: str, command: Command, away: Path) -> None:
    quoted = json.dumps(resolver)
    if place == "typed":
        case = Case(["check", f"problem.goal={resolver}"])
    elif place == "file":
        case = own("logger", f"_target_: pytorch_lightning.loggers.WandbLogger\noffline: true\nproject: {quoted}\n")
    elif place == "experiment":
        case = own("experiment", f"{GLOBAL}problem: {{goal: {quoted}}}\n")
    else:
        case = Case(["check", *place.split(), f"problem.goal={resolver}"])
    refused(attack(case, command, away))


TAGS = [
    "!!python/object/apply:os.system ['{touch}']",
    "!!python/object/new:os.system ['{touch}']",
    "!!python/object:evil.Net {}",
    "!!python/name:os.system",
    "!!python/name:evil.Net",
    "!!python/module:evil",
    "!!python/tuple [1, 2]",
    "!evil 1",
    "!!binary aGk=",
    "!!set {a, b}",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['{touch}']",
    "&x !!python/object/apply:subprocess.Popen [[touch, '{canary}']]",
]


@pytest.mark.parametrize(
    ("place", "tag"), some(TAGS, "file", "experiment", "saved card", "typed", "swept", "unused file", every=4)
)
def test_a_tag(place: str, tag: str, command: Command, away: Path) -> None:
    if place == "file":
        case = own("model", MLP.replace("[8]", tag))
    elif place == "experiment":
        case = own("experiment", f"{GLOBAL}problem:\n  goal: {tag}\n")
    elif place == "saved card":
        text = yaml.safe_dump(runcard.load_card().to_dict()).replace("seed: 0", f"seed: {tag}")
        case = Case(["check", "card.yaml"], {"card.yaml": text})
    elif place == "typed":
        case = Case(["check", f'problem.limits={{"é": {tag}}}'])
    elif place == "swept":
        case = own("sweep", f"sampler: grid\nspace:\n  seed: {tag}\n")
    else:
        case = Case(["check", "--config-dir", "conf"], {"conf/model/evil.yaml": MLP.replace("[8]", tag)})
        said = attack(case, command, away)
        assert (said.code, "warning: conf/model/evil.yaml" in said.out, said.err) == (0, True, "")
        case = Case(["check", "--config-dir", "conf", "seed=-1"])
    refused(attack(case, command, away))


NAMES = [
    "../../far/evil",
    "/{here}/far/evil",
    "../model/mlp",
    "./mlp",
    "mlp/",
    "mlp\n",
    "mlp\0",
    "far evil",
    "mlp.yaml",
    "*",
    "",
    ".",
]


@pytest.mark.parametrize(("group", "name"), some(NAMES, "model", "experiment"))
def test_a_choice_that_is_no_name(group: str, name: str, command: Command, away: Path) -> None:
    case = Case(["check", f"{group}='{name}'" if name else f"{group}=''", "--config-dir", "conf"])
    refused(attack(Case(case.words, {"far/evil.yaml": MLP, "conf/model/mine.yaml": MLP}), command, away))


@pytest.mark.parametrize(
    "name", ["e\nvil", "e,vil", "e=vil", "${oc.env:HOME}", "e vil]", "[evil", "choice(a,b)", "glob(*)"]
)
def test_a_file_with_a_name_that_hydra_reads_otherwise(name: str, command: Command, away: Path) -> None:
    case = Case(["check", f"model='{name}'", "--config-dir", "conf"], {f"conf/model/{name}.yaml": MLP})
    refused(attack(case, command, away))


@pytest.mark.parametrize("what", ["file", "group", "folder", "up"])
def test_what_a_link_leads_to_is_looked_at_too(what: str, command: Command, away: Path) -> None:
    Path("far/model").mkdir(parents=True)
    Path("far/model/evil.yaml").write_text("defaults: [override hydra/callbacks: evil]\n" + MLP)
    Path("conf/model").mkdir(parents=True)
    if what == "file":
        Path("conf/model/evil.yaml").symlink_to(away / "far/model/evil.yaml")
    elif what == "group":
        Path("conf/model").rmdir()
        Path("conf/model").symlink_to(away / "far/model")
    elif what == "folder":
        Path("conf/model/more").symlink_to(away / "far/model")
        Path("conf/model/evil.yaml").symlink_to("more/evil.yaml")
    else:
        Path("conf/model/evil.yaml").symlink_to("../../far/model/evil.yaml")
    refused(attack(Case(["check", "model=evil", "--config-dir", "conf"]), command, away))


@pytest.mark.parametrize(
    "words",
    [
        ["check", "a\0.yaml"],
        ["check", "a" * 5000 + ".yaml"],
        ["check", "data.path=" + "a" * 5000 + ".yaml"],
        ["check", "--config-dir", "a\0"],
        ["check", "--config-dir", "a" * 5000],
        ["evaluate", "a\0"],
        ["evaluate", "a" * 5000],
        ["resume", "a\0"],
        ["predict", "a\0", "rows.csv"],
        ["package", "a\0"],
        ["package", "a" * 5000],
        ["verify", "a\0"],
        ["ls", "--runs-dir", "a\0"],
        ["fit", *FIT, "runs_dir='a\0'"],
        ["fit", *FIT, "runs_dir=" + "a" * 5000],
        ["fit", *FIT, "name='a\nb'"],
        ["fit", *FIT, "name='" + "a" * 101 + "'"],
        ["fit", "-m", *FIT, "seed=1,2", "sweep.studies_dir='a\0'"],
        ["fit", "-m", *FIT, "seed=1,2", "sweep.name=../up"],
    ],
    ids=lambda words: repr(" ".join(words))[:60],
)
def test_names_that_are_none(words: list[str], command: Command, away: Path) -> None:
    refused(attack(Case(words), command, away))


# Runs and studies that came from someone else.


@pytest.fixture
def run_copy(wine_run: Run, away: Path) -> Path:
    return Path(shutil.copytree(wine_run.path, away / "theirs" / "wine" / wine_run.path.name))


def changed(run: Path, **values: Any) -> None:
    """Write other values into a run's card."""
    content = yaml.safe_load((run / "card.yaml").read_text())
    for key, value in values.items():
        content[key] = value
    (run / "card.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))


def on_run(verb: str, run: Path) -> Case:
    if verb == "resume":
        (run / "metrics.json").unlink()
    Path("rows.csv").write_text("alcohol\n1\n")
    return Case([verb, str(run), *(["rows.csv"] if verb == "predict" else [])])


ON_RUNS = ["resume", "verify", "evaluate", "predict", "package"]


@pytest.mark.parametrize(
    ("section", "target"), [("model", "evil.Net"), ("data", "os.system"), ("logger", "runcard.files.os.system")]
)
@pytest.mark.parametrize("verb", ON_RUNS)
def test_a_run_whose_card_names_another_class(
    verb: str, section: str, target: str, run_copy: Path, command: Command, away: Path
) -> None:
    changed(run_copy, **{section: {"_target_": target, "command": f"touch {away / CANARY}"}})
    refused(attack(on_run(verb, run_copy), command, away))


@pytest.mark.parametrize("verb", ON_RUNS)
def test_a_run_whose_card_has_a_tag(verb: str, run_copy: Path, command: Command, away: Path) -> None:
    text = (run_copy / "card.yaml").read_text()
    (run_copy / "card.yaml").write_text(f"{text}evil: !!python/object/apply:os.system ['touch {away / CANARY}']\n")
    refused(attack(on_run(verb, run_copy), command, away))


@pytest.mark.parametrize("verb", ON_RUNS)
def test_a_run_whose_network_would_be_looked_up(verb: str, run_copy: Path, command: Command, away: Path) -> None:
    config = {"model_type": "gpt2", "auto_map": {"AutoModelForImageClassification": f"{away}--evil.Net"}}
    part = {"_target_": "runcard.models.pretrained.Pretrained", "name": "x", "revision": None, "weights": False}
    changed(run_copy, model=part | {"freeze": False, "size": 8, "config": config})
    refused(attack(on_run(verb, run_copy), command, away))


@pytest.mark.parametrize("form", ["zip", "pickle"])
@pytest.mark.parametrize("verb", [verb for verb in ON_RUNS if verb != "verify"])  # that looks at them at its end
def test_a_run_whose_weights_are_a_pickle(verb: str, form: str, run_copy: Path, command: Command, away: Path) -> None:
    case = on_run(verb, run_copy)
    for path in (run_copy / "checkpoints").glob("*.ckpt"):
        content = {"state_dict": Payload(away / CANARY)}
        if form == "pickle":
            path.write_bytes(pickle.dumps(content, protocol=2))
        else:
            torch.save(content, path)  # of its own accord with pickle
        # With the right SHA-256, so that it is the content that is refused.
        text = path.read_bytes()
        end = text if form == "pickle" else text[:-2]
        path.write_bytes(end + checkpoint.COMMENT)
        with path.open("r+b") as file:
            digest = checkpoint._digest(file, path.stat().st_size)
            file.seek(0, 2)
            file.write(digest.encode())
        if form == "zip":
            assert zipfile.is_zipfile(path)
    refused(attack(case, command, away))


def test_a_study_whose_winner_is_hostile(run_copy: Path, command: Command, away: Path) -> None:
    study = away / "studies" / "theirs"
    shutil.copytree(run_copy, study / "0")
    changed(study / "0", model={"_target_": "evil.Net"})
    (study / "study.json").write_text(json.dumps({"best": {"number": 0}, "trials": [{}], "n_trials": 1}))
    refused(attack(Case(["package", str(study)]), command, away))


@pytest.mark.parametrize("number", ["../../theirs/wine", 1.5, True, [0], -1, 10**30])
def test_a_study_whose_winner_is_no_number(number: Any, run_copy: Path, command: Command, away: Path) -> None:
    Path("studies/theirs").mkdir(parents=True)
    text = json.dumps({"best": {"number": number}, "trials": [{}], "n_trials": 1})
    Path("studies/theirs/study.json").write_text(text)
    refused(attack(Case(["package", "studies/theirs"]), command, away))


@pytest.mark.parametrize("which", ["inputs", "targets"])
@pytest.mark.parametrize("verb", ["check", "fit"])
def test_arrays_of_pickles(verb: str, which: str, command: Command, away: Path) -> None:
    arrays: dict[str, Any] = {"inputs": np.zeros((20, 3), np.float32), "targets": np.arange(20) % 2}
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    with open(f"{which}.npy", "wb") as file:
        pickled(file, np.array([Payload(away / CANARY)] * 20, dtype=object))
    said = attack(Case([verb, "data=arrays", "data.inputs=inputs.npy", "data.targets=targets.npy"]), command, away)
    refused(said, 4)


DEEP = "[" * 100_000


@pytest.mark.parametrize("name", ["card.yaml", "data.json", "metrics.json", "environment.json"])
@pytest.mark.parametrize(
    "text", [DEEP, '{"a": ' * 100_000, '{"best_epoch": NaN}', 'a: "\\ud800"'], ids=["lists", "mappings", "NaN", "half"]
)
@pytest.mark.parametrize("verb", ["evaluate", "ls"])
def test_a_run_whose_files_are_too_deep(
    verb: str, text: str, name: str, run_copy: Path, command: Command, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "svg_text", lambda _: "")  # which takes longer than all else
    card = (run_copy / "card.yaml").read_text()
    (run_copy / name).write_text(card + text if text.startswith("a: ") and name == "card.yaml" else text)
    words = ["ls", "--runs-dir", "theirs"] if verb == "ls" else [verb, str(run_copy)]
    said = attack(Case(words), command, away)
    assert "a fault in Runcard" not in said.err
    # A damaged run hides no other, so they are listed; a number that is none hurts only where it is read.
    harmless = name == "environment.json" and "NaN" in text
    assert said.code == (0 if verb == "ls" or harmless else 2), said.err


def test_a_study_whose_file_is_too_deep(command: Command, away: Path) -> None:
    refused(attack(Case(["package", "studies"], {"studies/study.json": DEEP}), command, away))


# A terminal obeys what is printed: its title, its colours, what is pasted next.

ESCAPE = "\x1b]0;evil\x07\x1b[2J"
PRINTED = {
    "a choice": Case(["check", f"model={ESCAPE}"]),
    "a key": Case(["check", f"{ESCAPE}=1"]),
    "a key in quotes": Case(["check", f'data.kinds={{"{ESCAPE}": number}}']),
    "a text": Case(["check", f'problem.goal="{ESCAPE}"']),
    "a card's name": Case(["check", f"{ESCAPE}.yaml"]),
    "a card's key": Case(["check", "card.yaml"], {"card.yaml": yaml.safe_dump(WINE | {ESCAPE: 1})}),
    "a card's text": Case(["check", "card.yaml"], {"card.yaml": yaml.safe_dump(WINE | {"runs_dir": ESCAPE})}),
    "a file of a group": Case(["check", "model=zzzz", "--config-dir", "conf"], {f"conf/model/{ESCAPE}.yaml": MLP}),
    "a folder of groups": Case(["check", "--config-dir", ESCAPE]),
    "a verb": Case([ESCAPE]),
    "a flag": Case(["check", f"--{ESCAPE}"]),
    "a run": Case(["evaluate", ESCAPE]),
    "a listed run": Case(["ls", "--runs-dir", "a"], {f"a/{ESCAPE}/x/card.yaml": yaml.safe_dump(WINE)}),
    "a listed value": Case(
        ["ls", "--runs-dir", "a"],
        {f"a/b/{name}/card.yaml": yaml.safe_dump(WINE | {"name": f"{ESCAPE}{name}"}) for name in "xy"},
    ),
    "half a character": Case(["check", "model=\udcff", "--json"]),
}


@pytest.mark.parametrize("name", PRINTED)
def test_nothing_reaches_the_terminal_that_it_would_obey(name: str, command: Command, away: Path) -> None:
    said = attack(PRINTED[name], command, away)
    assert "a fault in Runcard" not in said.err
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said.out + said.err)


# What lies in the working directory is nobody's word.


LATER = ["yaml", "omegaconf", "hydra", "pydantic", "polars", "sklearn", "torch", "wandb", "mlflow", "pytorch_lightning"]


def plant(names: list[str], canary: Path) -> None:
    for name in names:
        path = Path(f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(canary)!r}, 'a').write({name!r} + ' ')\n")


def in_a_process(*words: str) -> Said:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=HANG_S)
    return Said(done.returncode, done.stdout, done.stderr)


def test_the_module_imports_nothing_from_the_working_directory(away: Path) -> None:
    plant([*LATER, "hydra_plugins/evil"], away / CANARY)
    said = in_a_process("-m", "runcard", "check", "data=wine")
    assert not (away / CANARY).exists(), (away / CANARY).read_text()
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "seed=1,2"],
        *(pytest.param(each, marks=pytest.mark.slow) for each in (["--cfg", "job"], ["--info", "all"])),
    ],
    ids=" ".join,
)
def test_no_plugin_of_the_working_directory(words: list[str], away: Path) -> None:
    plant(["hydra_plugins/evil"], away / CANARY)
    said = in_a_process("-m", "runcard", "check", "data=wine", *words)
    assert not (away / CANARY).exists()
    assert said.code == 0, said.err


@pytest.mark.slow
def test_a_child_imports_nothing_from_the_working_directory(wine_run: Run, command: Command, away: Path) -> None:
    # `python -m` looks there first: whose installed command is asked to verify has not asked for that.
    plant(["runcard/__init__", "runcard/__main__", "torch"], away / CANARY)
    said = command("verify", str(wine_run.path))
    assert not (away / CANARY).exists(), (away / CANARY).read_text()
    assert said.code == 0, said.err


def test_other_processes_of_a_fit_import_nothing_from_the_working_directory(
    away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runcard.training import ranks

    started: list[tuple[list[str], dict[str, str]]] = []

    def start(command: list[str], *, env: dict[str, str], **_: object) -> None:
        started.append((command, env))
        raise OSError("by design")

    with monkeypatch.context() as patched:
        patched.setattr("runcard.training.ranks.subprocess.Popen", start)
        with pytest.raises(OSError, match="by design"), ranks.children(away, 2):
            pass
    ((words, variables),) = started
    plant(["planted_here"], away / CANARY)
    before = words[: words.index("-m")]
    done = subprocess.run([*before, "-m", "planted_here"], env=variables, cwd=away, capture_output=True, timeout=HANG_S)
    assert done.returncode
    assert not (away / CANARY).exists()


def test_settings_of_matplotlib_in_the_working_directory(
    run_copy: Path, command: Command, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    # As if there had been a matplotlibrc: with it LaTeX would be run, or missed.
    monkeypatch.setitem(mpl.rcParams, "text.usetex", True)
    said = attack(Case(["evaluate", str(run_copy)]), command, away)
    assert said.code == 0, said.err


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("way", ["fsmonitor", "clean filter", "process filter", "external diff"])
def test_git_runs_nothing_that_a_checkout_names(way: str, away: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.email=a@b", "-c", "user.name=a", *words], check=True, capture_output=True)

    git("init", "-q")
    Path("file").write_text("a")
    git("add", "file")
    git("commit", "-q", "-m", "a")
    Path("file").write_text("b")
    script = Path(".git/evil.sh")
    script.write_text(f"#!/bin/sh\ntouch {away / CANARY}\ncat\n")
    script.chmod(0o755)
    key = {"fsmonitor": "core.fsmonitor", "external diff": "diff.external"}.get(way)
    if key is None:
        Path(".git/info/attributes").write_text("* filter=evil\n")
        key = f"filter.evil.{way.partition(' ')[0]}"
    git("config", key, str(script.absolute()))
    environment.describe()
    assert not (away / CANARY).exists()


# What is small as a text and large as values. Each in a process of its own, forked from one that has imported the
# command, so that its time and memory are its own.


SECONDS, MEGABYTES = 5, 300  # 1 s and 200 MB are what is meant
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 11))])
FLOW = ", ".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 11))])
MERGED = "\n".join(
    [
        "a0: &a0 {x: 1}",
        *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}], y{i}: *a{i - 1}}}" for i in range(1, 11)),
    ]
)
WOVEN = "\n".join([*(f"k{i}: ${{k{i + 1}}}${{k{i + 1}}}" for i in range(30)), "k30: xxxxxxxx"])
STAIRS = "".join(f"{' ' * step}a:\n" for step in range(1000))
LONG = "# " + "x" * 10_000_000 + "\n"
ROWS = "\n".join(f"key{number}: {number}" for number in range(20_000))
WOVEN_KEYS = [f"problem.{name}" for name in ("goal", "today", "risk", "impact", "target")]
WOVEN_KEYS += ["runs_dir", "trainer.monitor", "data.name", "model._target_", "name"]
NINES = "9" * 100_000

BOMBS: dict[str, Case] = {}
for _name, _text in {
    "aliases": BOMB,
    "an alias of itself": "a: &a [*a]",
    "a mapping of itself": "a: &a {b: *a}",
    "merge keys": MERGED,
    "merge of itself": "a: &a {<<: *a}",
    "brackets": f"a: {DEEP}",
    "closed brackets": f"a: {DEEP}{']' * 100_000}",
    "braces": "a: " + "{a: " * 100_000,
    "stairs": STAIRS,
    "dashes": "a:\n" + "- " * 20_000,
    "questions": "? " * 20_000,
    "ten megabytes": LONG + "a: 1",
    "many keys": ROWS,
    "a long key": "x" * 500_000 + ": 1",
    "a huge number": f"a: {NINES}",
    "a huge sexagesimal number": "a: 1" + ":59" * 20_000,
    "a huge exponent": "a: 1e999999999",
    "a woven text": WOVEN,
    "nested interpolations": "a: " + "${" * 5_000 + "a" + "}" * 5_000,
}.items():
    BOMBS[f"{_name} in a group"] = own("model", f"{MLP}{_text}\n")
    BOMBS[f"{_name} in a saved card"] = Case(["check", "card.yaml"], {"card.yaml": f"{_text}\n"})
for _name in ("aliases", "brackets", "many keys", "a woven text", "a huge number"):
    _text = BOMBS[f"{_name} in a group"].files["conf/model/evil.yaml"].removeprefix(MLP)
    BOMBS[f"{_name} in an experiment"] = own("experiment", f"{GLOBAL}{_text}")
for _name, _text in {"aliases": BOMB, "brackets": f"a: {DEEP}"}.items():
    _files = {"conf/model/evil.yaml": f"{_text}\n"}
    BOMBS[f"{_name} in a file that is not chosen"] = Case(["check", "--config-dir", "conf"], _files)
for _name, _words in {
    "aliases typed": ["data.kinds={'é': {" + FLOW + "}}"],
    "brackets typed": [f"seed={DEEP}"],
    "closed brackets typed": [f"model.hidden={DEEP}{']' * 100_000}"],
    "braces typed": ["seed=" + "{a: " * 100_000],
    "quotes typed": ["seed='" + "\\'" * 50_000],
    "a deep key": [".".join(["a"] * 10_000) + "=1"],
    "a deep key to delete": ["~" + ".".join(["a"] * 10_000)],
    "a huge number typed": [f"seed={NINES}"],
    "a huge number in a list": [f"model.hidden=[{NINES}]"],
    "a huge number swept": ["-m", f"seed=1,{NINES}"],
    "a woven text typed": [*(f"k{i}=${{k{i + 1}}}${{k{i + 1}}}" for i in range(30)), "k30=xxxxxxxx"],
    "woven into what there is": [f"{key}={f'${{{other}}}' * 10}" for key, other in itertools.pairwise(WOVEN_KEYS)],
    "nested interpolations typed": ["seed=" + "${" * 5_000 + "a" + "}" * 5_000],
    "an endless range": ["-m", "seed=range(0,1e18)"],
    "a sorted endless range": ["-m", "seed=sort(range(0,10000000000))"],
    "a shuffled endless range": ["-m", "seed=shuffle(range(0,10000000000))"],
    "a range of tiny steps": ["-m", "optimizer.lr=range(1e-3,1,1e-300)"],
    "a pattern": ["-m", "model=glob(" + "*a" * 50 + ")"],
    "a key of many brackets": ["(" * 50_000 + "=1"],
    "many words": [f"key{number}={number}" for number in range(3_000)],
}.items():
    BOMBS[_name] = Case(["check", *_words])
# Files that name two others each, and these two others each.
_files = {f"conf/model/b{i}.yaml": f"defaults: [b{i + 1}@x, b{i + 1}@y]\n" for i in range(30)} | {
    "conf/model/b30.yaml": MLP
}
BOMBS["defaults that double"] = Case(["check", "model=b0", "--config-dir", "conf"], _files)
_files = {f"conf/model/b{i}.yaml": f"defaults: [b{i + 1}]\n" for i in range(2_000)} | {"conf/model/b2000.yaml": MLP}
BOMBS["defaults in a long row"] = Case(["check", "model=b0", "--config-dir", "conf"], _files)
_files = {f"conf/model/b{i}.yaml": "defaults: [b0, b1]\n" for i in range(2)}
BOMBS["defaults in a circle"] = Case(["check", "model=b0", "--config-dir", "conf"], _files)
# Files that never end, or that nobody writes to.
for _name in ("fifo", "endless"):
    BOMBS[f"{_name} as a saved card"] = Case(["check", f"{_name}.yaml"])
    BOMBS[f"{_name} as a group"] = Case(["check", "model=x", "--config-dir", f"conf-{_name}"])
    BOMBS[f"{_name} as trust"] = Case(
        ["check", "model._target_=my_package.Net"], {"pyproject.toml": f"link to {_name}"}
    )

FORKING = """
import json, os, resource, signal, sys, traceback
from runcard.cli import main as cli
import runcard.api, runcard.card.sweep, runcard.card.hydra_flags
cases, results = json.load(open(sys.argv[1])), {}
for name, case in cases.items():
    out = os.path.join(case["folder"], "said")
    child = os.fork()
    if not child:
        handle = os.open(out, os.O_CREAT | os.O_WRONLY)
        os.dup2(handle, 1), os.dup2(handle, 2)
        signal.alarm(60)  # for what is waited for
        resource.setrlimit(resource.RLIMIT_CPU, (6, 6))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        os.chdir(case["folder"])
        code = 99
        try:
            code = cli.run(case["words"])
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    _, status, used = os.wait4(child, 0)
    with open(out, "rb") as file:
        said = file.read(30_000).decode(errors="replace")
    results[name] = [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said]
json.dump(results, open(sys.argv[2], "w"))
"""


# A tenth, of which each place has some; the others are slow ones.
TYPICAL = [name for number, name in enumerate(BOMBS) if number % 10 == 0 or name.endswith("not chosen")]


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, list[Any]]:
    """Case → exit code, seconds, megabytes, what was said; of those that are asked for."""
    folder = tmp_path_factory.mktemp("bombs")
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    cases = {}
    for number, (name, case) in enumerate((name, case) for name, case in BOMBS.items() if name in asked):
        here = folder / str(number)
        here.mkdir()
        os.mkfifo(here / "fifo.yaml")
        (here / "endless.yaml").symlink_to("/dev/zero")
        for kind in ("fifo", "endless"):
            (here / f"conf-{kind}/model").mkdir(parents=True)
            (here / f"conf-{kind}/model/x.yaml").symlink_to(f"../../{kind}.yaml")
        for path, text in case.files.items():
            (here / path).parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("link to "):
                (here / path).symlink_to(f"{text.removeprefix('link to ')}.yaml")
            else:
                (here / path).write_text(text)
        cases[name] = {"folder": str(here), "words": case.words}
    (folder / "cases.json").write_text(json.dumps(cases))
    words = [sys.executable, "-c", FORKING, str(folder / "cases.json"), str(folder / "results.json")]
    subprocess.run(words, check=True, timeout=HANG_S * 5)
    found: dict[str, list[Any]] = json.loads((folder / "results.json").read_text())
    return found


@pytest.mark.parametrize(
    "name", [name if name in TYPICAL else pytest.param(name, marks=pytest.mark.slow) for name in BOMBS]
)
def test_a_bomb_does_not_go_off(name: str, bombs: dict[str, list[Any]]) -> None:
    code, seconds, megabytes, said = bombs[name]
    harmless = name.endswith("not chosen")
    assert code == (0 if harmless else 2), f"{code}: {said[:1000]}"
    assert harmless == ("Nobody chose the file" in said)
    assert "Traceback" not in said
    assert "a fault in Runcard" not in said
    assert len(said) < MOST_SAID
    assert seconds < SECONDS
    assert megabytes < MEGABYTES
