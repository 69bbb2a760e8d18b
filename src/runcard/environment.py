"""What this machine and this checkout are: kept with each run, shown by ``runcard doctor``. Imports nothing heavy."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What a result can depend on. A package that is not installed is left out.
PACKAGES = (
    "runcard",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "numpy",
    "scikit-learn",
    "polars",
    "optuna",
    "onnx",
    "onnxruntime",
    "bentoml",
    "hydra-core",
    "omegaconf",
    "pydantic",
    "matplotlib",
    "mlflow-skinny",
    "tensorboard",
    "tokenizers",
    "transformers",
    "wandb",
)

# What a processor can do by which libraries choose how they compute, and so how they round: wider registers add other
# numbers first. Hosts of virtual machines give different processors one name.
WIDE = re.compile(r"avx\w*|fma4?|f16c|amx_\w+|asimd\w*|sve\w*|sme\d?\w*(?<!smep)|bf16|i8mm")
# Its make: on x86, and on ARM. Sums are cut into blocks by the sizes of its caches.
MAKES = ("cpu family", "model", "CPU implementer", "CPU part")

# How many cores a process may use, where several work side by side.
CORES = "RUNCARD_CORES"


@functools.cache
def versions() -> Mapping[str, str]:
    """Name → version of the installed packages that a result can depend on, as they were when first asked for."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, Any]:
    """Python, packages, hardware, and the commit of the working directory's checkout, as plain values."""
    commit = _said_by("git", "-c", "core.fsmonitor=false", "rev-parse", "HEAD")
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": _processor(),
        "instructions": _instructions(),
        "cores": usable_cores(),
        "memory_gb": round(memory_bytes() / 2**30, 1),
        "packages": dict(versions()),
        "commit": commit,
        "uncommitted_diff": None if commit is None else _uncommitted(),
    }


def usable_cores() -> int:
    """The cores that this process may run on; fewer if it has been told to leave some to others."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get(CORES, "")
    return min(cores, max(1, int(told))) if told.isdecimal() else cores


def memory_bytes() -> int:
    """Physical memory, in bytes; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _processor() -> str:
    return _cpuinfo().get("model name") or platform.processor()


def _instructions() -> str:
    """Such as ``avx avx2 f16c fma, family 25, model 1``; empty where the system does not tell."""
    known = _cpuinfo()
    able = (known.get("flags") or known.get("Features") or "").split()
    words = " ".join(sorted(word for word in able if WIDE.fullmatch(word)))
    made = [f"{name.removeprefix('cpu ').lower()} {known[name]}" for name in MAKES if name in known]
    return ", ".join([*filter(None, [words]), *made])


@functools.cache
def _cpuinfo() -> Mapping[str, str]:
    """What Linux says of the first processor."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _uncommitted() -> str | None:
    """How the working directory differs from its last commit; None where git fails.

    A checkout that somebody unpacked here brings settings of its own, some of which name programs: none is run.
    """
    filters = _said_by("git", "config", "--name-only", "--get-regexp", r"^filter\.") or ""
    blank = [f"{name}=" for name in filters.splitlines() if not name.endswith(".required")]
    blank += [f"{name}=false" for name in filters.splitlines() if name.endswith(".required")]
    settings = [word for setting in ("core.fsmonitor=false", *blank) for word in ("-c", setting)]
    return _said_by("git", *settings, "diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules", "HEAD")


def _said_by(*command: str) -> str | None:
    settings = os.environ | {"GIT_ALLOW_PROTOCOL": "", "GIT_NO_LAZY_FETCH": "1"}  # a promised object is not fetched
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, env=settings)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
