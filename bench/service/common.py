"""What the parts share: models to serve, services, and values beside what they should be."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.service.running import Running, free_port, running

BIN = Path(sys.executable).parent
Found = dict[str, Any]


@dataclass(frozen=True)
class Packed:
    """A model that can be served.

    Attributes:
        tag: Of its bundle.
        bundle: The bundle's folder.
        run: The run's.
        rows: Its test rows, to ask.
    """

    tag: str
    bundle: Path
    run: Path
    rows: list[dict[str, Any]]


def digits() -> Packed:
    """A perceptron that reads digits."""
    return packed("digits", "experiment=digits_mlp", "trainer.max_epochs=3")


def packed(name: str, *words: str) -> Packed:
    """Fit and package a model."""
    import runcard

    card = runcard.load_card([*words, f"name={name}", "report=false", f"runs_dir={os.environ['BENTOML_HOME']}"])
    run = runcard.fit(card)
    bundle = runcard.package(run.path, http=False, accept=True)
    return Packed(bundle.tag, bundle.path, run.path, runcard.tested_rows(run.path)[0])


@contextlib.contextmanager
def ours(tag: str, *words: str) -> Iterator[Running]:
    """``runcard serve``."""
    port = free_port()
    with running([str(BIN / "runcard"), "serve", tag, *words, "--port", str(port)], port) as service:
        yield service


@contextlib.contextmanager
def others(model: Packed) -> Iterator[dict[str, Running]]:
    """The bare route and the stock service."""
    bare, stock = free_port(), free_port()
    bento = [sys.executable, "-m", "bentoml", "serve", "bench.service.stock:Stock", "--host", "127.0.0.1"]
    with (
        running([sys.executable, "-m", "bench.service.bare", str(model.bundle), str(bare)], bare) as one,
        running([*bento, "--port", str(stock)], stock, RUN=str(model.run)) as other,
    ):
        yield {"bare": one, "stock": other}


def judged(values: dict[str, tuple[float, str, float]]) -> Found:
    """Print values beside what they should be."""
    missed = []
    for name, (value, sign, target) in values.items():
        good = value >= target if sign == ">=" else value <= target
        print(f"  {name:32} {value:10.3g}  asked {sign} {target:g}{'' if good else '   MISSED'}", flush=True)
        if not good:
            missed.append(f"{name} {value:.3g}")
    return {"values": {name: value[0] for name, value in values.items()}, "missed": missed}
