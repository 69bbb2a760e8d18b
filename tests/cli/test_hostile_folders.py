"""Run and study folders from strangers: whatever lies in them is read to an end, or refused in words."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from runcard.evaluation.predictor import Run
from tests.conftest import TINY, Command

pytestmark = pytest.mark.usefixtures("undrawn")

MOST_MB = 300
HANG_S = 60
DEEP = "[" * 100_000
Spoil = Callable[[Path], object]


def text(content: str) -> Spoil:
    return lambda file: file.write_text(content)


def becomes(content: bytes) -> Spoil:
    return lambda file: file.write_bytes(content)


def pipe(file: Path) -> None:
    os.mkfifo(file)


def device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def itself(file: Path) -> None:
    file.symlink_to(file)


def folder(file: Path) -> None:
    file.mkdir()


def holes(file: Path) -> None:
    """A terabyte that takes no room."""
    file.touch()
    os.truncate(file, 2**40)


def parquet(**columns: pl.Series) -> Spoil:
    def write(file: Path) -> None:
        pl.DataFrame(columns).write_parquet(file)

    return write


def unfolds(name: str) -> Spoil:
    """A hundred kilobytes that hold 60 million rows."""

    def write(file: Path) -> None:
        content = io.BytesIO()
        one = pl.Series("row", np.zeros(60_000_000, dtype=np.int8))
        pl.DataFrame({"row": one, name: one}).write_parquet(content, compression="zstd")
        assert len(content.getvalue()) < 300_000
        file.write_bytes(content.getvalue())

    return write


SPECIAL: dict[str, Spoil] = {"a pipe": pipe, "a device": device, "a link to itself": itself, "a folder": folder}
SPECIAL |= {"a terabyte of holes": holes, "nothing": becomes(b"")}
READ = ("card.yaml", "data.json", "metrics.json", "split.parquet", "predictions.parquet", "checkpoints/best.ckpt")
RUNS: dict[str, tuple[str, Spoil]] = {
    f"{name}: {what}": (name, spoil) for name in READ for what, spoil in SPECIAL.items()
}
RUNS |= {f"{name}: brackets": (name, text(DEEP)) for name in READ[:3]}
RUNS |= {f"{name}: a list": (name, text("[1, 2]")) for name in READ[:3]}
RUNS |= {f"{name}: bytes": (name, becomes(b"\xff\xfe\x00" * 1000)) for name in READ}
RUNS |= {
    "metrics.json: an endless number": ("metrics.json", text('{"best_epoch": 1e999}')),
    "metrics.json: digits": ("metrics.json", text('{"best_epoch": %s}' % ("9" * 100_000))),
    "split.parquet: 60 million rows": ("split.parquet", unfolds("part")),
    "predictions.parquet: 60 million rows": ("predictions.parquet", unfolds("probability_class_0")),
    "split.parquet: an unknown part": ("split.parquet", parquet(row=pl.Series([0]), part=pl.Series(["all"]))),
    "split.parquet: no part": ("split.parquet", parquet(row=pl.Series([0]), part=pl.Series([None], dtype=pl.String))),
    "split.parquet: numbers": ("split.parquet", parquet(row=pl.Series(["a"]), part=pl.Series([1.5]))),
    "split.parquet: lists": ("split.parquet", parquet(row=pl.Series([[1]]), part=pl.Series([["train"]]))),
    "predictions.parquet: texts": ("predictions.parquet", parquet(row=pl.Series(["a"]), prediction=pl.Series(["b"]))),
    "data.json: no columns": ("data.json", text('{"signature": {"features": []}}')),
    "origin.json: a pipe": ("origin.json", pipe),
    "environment.json: a device": ("environment.json", device),
}
STUDIES: dict[str, tuple[str, Spoil]] = {
    f"{name}: {what}": (name, spoil)
    for name in ("study.json", "plan.json", "study.db")
    for what, spoil in SPECIAL.items()
}
STUDIES |= {f"{name}: brackets": (name, text(DEEP)) for name in ("study.json", "plan.json")}
STUDIES |= {
    f"{name}: bytes": (name, becomes(b"\xff\xfe\x00" * 1000)) for name in ("study.json", "plan.json", "study.db")
}
STUDIES |= {"0: a pipe": ("0", pipe), "0/card.yaml: a device": ("0/card.yaml", device)}


@contextlib.contextmanager
def to_an_end() -> Iterator[None]:
    """Fail where something is waited for, or takes much memory."""

    def give_up(*_: object) -> None:
        raise AssertionError("it does not end")

    before, peak = signal.signal(signal.SIGALRM, give_up), memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert memory("VmHWM") - peak <= MOST_MB


def memory(name: str) -> float:
    (found,) = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found) / 1024


def spoilt(there: Path, name: str, spoil: Spoil) -> None:
    file = there / name
    if file.is_dir():
        shutil.rmtree(file)
    file.unlink(missing_ok=True)
    spoil(file)


def check(command: Command, *words: str) -> None:
    with to_an_end():
        said = command(*words)
    assert said.code in (0, 2, 3, 4), (words, said.err)
    assert "Traceback" not in said.err
    assert "a fault in Runcard" not in said.err


# Others look at the same readers one by one.
BRIEF = ("card.yaml: a device", "split.parquet: a pipe", "checkpoints/best.ckpt: a terabyte of holes")


@pytest.mark.parametrize(
    "name", [*BRIEF, *(pytest.param(name, marks=pytest.mark.slow) for name in RUNS if name not in BRIEF)]
)
def test_a_run(name: str, wine_run: Run, command: Command) -> None:
    run = Path(shutil.copytree(wine_run.path, "runs/wine-mlp/one"))
    spoilt(run, *RUNS[name])
    Path("rows.json").write_text(json.dumps([]))
    for words in (["evaluate"], ["resume"], ["package", "--no-http"], ["compare", str(wine_run.path)]):
        check(command, *words, str(run))
    check(command, "predict", str(run), "rows.json")
    check(command, "ls")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two trials; tests copy it."""
    from runcard import load_sweep, sweep

    there = tmp_path_factory.mktemp("studies")
    sweep(load_sweep(["data=wine", "seed=1,2", *TINY, "sweep.name=one", f"sweep.studies_dir={there}"]))
    return there / "one"


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study(name: str, study: Path, command: Command) -> None:
    copy = Path(shutil.copytree(study, "studies/one"))
    spoilt(copy, *STUDIES[name])
    for words in (["ls", "--runs-dir", "studies"], ["package", "--no-http", str(copy)], ["resume", str(copy)]):
        check(command, *words)
