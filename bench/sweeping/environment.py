"""The environment of hydra-optuna-sweeper as released, which needs an Optuna of 2022: made once, kept beside this."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "bench" / ".envs" / "hydra-optuna-sweeper"
RELEASED = ["hydra-optuna-sweeper==1.3.0", "optuna==2.10.1", "hydra-joblib-launcher"]
# What a fit imports; the rest of what Runcard is made of has no part in it.
FIT = ["hydra-core", "jinja2", "matplotlib", "packaging", "polars", "pydantic", "pytorch-lightning", "pyyaml", "rich"]
FIT += ["safetensors", "scikit-learn", "threadpoolctl", "torchmetrics"]
OTHER = ("optuna", "alembic", "cmaes")  # what comes in other versions here


def python() -> Path:
    """Its interpreter, after a minute or two if it was not there; the versions are ours wherever they can be."""
    program, complete = PLACE / "bin" / "python", PLACE / "complete"
    if not complete.exists():
        print(f"installing {RELEASED[0]} into {PLACE.relative_to(ROOT)} (once)", file=sys.stderr, flush=True)
        versions = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
        torch = next(line for line in versions if line.startswith("torch=="))
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.write("\n".join(line for line in versions if line.partition("==")[0] not in OTHER))
            constraints.flush()
            _run([sys.executable, "-m", "venv", "--clear", str(PLACE)])
            install = [str(program), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
            _run([*install, torch])  # alone: pulled in by another package it may come in another build
            _run([*install, "--constraint", constraints.name, *RELEASED, *FIT])
            _run([*install, "--no-deps", "--editable", str(ROOT)])
        complete.touch()
    return program


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
