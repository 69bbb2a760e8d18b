"""What this machine has, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from runcard import environment
from runcard.advice import advise

Finding = dict[str, str]
EXTRAS = ("mlflow", "tensorboard", "transformers", "wandb")


def examine(runs_dir: Path) -> list[Finding]:
    """Look at Python, packages, processor, GPU, disk and the runs folder.

    Returns:
        Mappings of ``what``, ``state`` (``ok``, ``missing``, ``note``) and ``is``, which says what to do if missing.
    """
    return [
        _python(),
        *_packages(),
        _finding(
            "processor", "ok", f"{environment.usable_cores()} cores, {environment.memory_bytes() / 2**30:.1f} GB memory"
        ),
        _gpu(),
        _writable(runs_dir),
        _git(),
    ]


def _python() -> Finding:
    version = sys.version.split()[0]
    sound = sys.version_info >= (3, 11)
    return _finding("Python", "ok" if sound else "missing", version if sound else f"{version}; install 3.11 or newer")


def _packages() -> list[Finding]:
    needed = [Requirement(text) for text in importlib.metadata.requires("runcard") or []]
    always = [_package(item) for item in needed if "extra" not in str(item.marker)]
    named = {finding["what"] for finding in always}
    by_choice = [
        _package(item, extra)
        for extra in EXTRAS
        for item in needed
        if str(item.marker) == f'extra == "{extra}"' and item.name not in named
    ]
    return always + by_choice


def _package(requirement: Requirement, extra: str = "") -> Finding:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        todo = advise("pip", "install", f"runcard[{extra}]" if extra else "runcard")
        return _finding(requirement.name, "note" if extra else "missing", f"not installed; {todo}")
    if version.partition("+")[0] not in requirement.specifier:
        command = advise("pip", "install", f"{requirement.name}{requirement.specifier}")
        todo = f"{version}; Runcard needs {requirement.specifier}: {command}"
        return _finding(requirement.name, "missing", todo)
    return _finding(requirement.name, "ok", version)


def _gpu() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return _finding("GPU", "missing", f"torch cannot be imported: {error}; reinstall it")
    if not torch.cuda.is_available():
        return _finding(
            "GPU",
            "note",
            f"none that torch can use; {advise('trainer=cpu')} works, {advise('trainer=auto')} falls back to it",
        )
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return _finding("GPU", "ok", f"{', '.join(names)}; use {advise('trainer=gpu')}")


def _writable(runs_dir: Path) -> Finding:
    place = runs_dir.expanduser().absolute()
    while not place.exists():
        place = place.parent
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        todo = f"{place} cannot be written ({error.strerror}); choose another with {advise('runs_dir=FOLDER')}"
        return _finding("runs folder", "missing", todo)
    free = shutil.disk_usage(place).free / 2**30
    return _finding("runs folder", "ok" if free > 1 else "note", f"{runs_dir} can be written, {free:.1f} GB free")


def _git() -> Finding:
    found = shutil.which("git")
    return _finding("git", "ok" if found else "note", found or "not found; runs will not record the commit")


def _finding(what: str, state: str, text: str) -> Finding:
    return {"what": what, "state": state, "is": text}
