"""What earlier versions wrote: where it lies, a copy of it for a test, and what tells whether bits can be the same."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard import environment, files
from runcard.fitting import moved
from runcard.training.checkpoint import load

KEPT = Path(__file__).parent
VERSIONS = sorted(path.parent.name for path in KEPT.glob("*/expected.json"))
SUMS = "SHA256SUMS"
# What holds the folder that all was made in as text. A bundle's files are sealed, and none of them is looked for there.
TEXTS = (".yaml", ".json")
# What the processor could that 94e1fbd ran on, which did not write it down: on one of the same name that cannot, an
# LSTM's and a convolution's answers differ in the last bit.
UNRECORDED = "avx512f"


@dataclass(frozen=True)
class Kept:
    """A copy of all that a version wrote, in a folder that it may be changed in."""

    folder: Path

    @property
    def expected(self) -> dict[str, Any]:
        """What came of it when it was made."""
        return files.read_json(self.folder / "expected.json")

    def run(self, name: str) -> Path:
        """The folder of a run."""
        (path,) = (self.folder / "runs" / name).iterdir()
        return path

    def study(self, name: str) -> Path:
        """The folder of a study."""
        return self.folder / "studies" / name

    def bundle(self, kind: str) -> Path:
        """The folder of a bundle."""
        return self.folder / "bundles" / kind


def copy_kept(version: str, folder: Path) -> Kept:
    """Copy what a version wrote, as if it had been written there."""
    made_in = str(files.read_json(KEPT / version / "expected.json")["made_in"])
    shutil.copytree(KEPT / version, folder)
    for path in folder.rglob("*"):
        if path.suffix in TEXTS and not path.is_relative_to(folder / "bundles"):
            path.write_text(path.read_text(encoding="utf-8").replace(made_in, str(folder)), encoding="utf-8")
    for path in folder.glob("studies/*/study.db"):
        with sqlite3.connect(path) as database:
            for table in ("study_user_attributes", "trial_user_attributes"):
                database.execute(f"UPDATE {table} SET value_json = replace(value_json, ?, ?)", (made_in, str(folder)))
        database.close()
    return Kept(folder)


def same_machine(run: Path) -> bool:
    """Whether bits can be the same as when a run was made; Runcard itself may be newer."""
    then, now = files.read_json(run / "environment.json"), environment.describe()
    then.setdefault("instructions", now["instructions"] if UNRECORDED in now["instructions"].split() else "")
    return set(moved(then, now)) <= {"runcard"}


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that a version wrote."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    own = (path for path in paths if "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in own}


def weights_digest(run: Path) -> dict[str, str]:
    """SHA-256 of the weights of a run's best and last epoch, tensor by tensor in order of their names."""
    found = {}
    for name in ("best", "last"):
        digest = hashlib.sha256()
        for key, tensor in sorted(load(run / "checkpoints" / f"{name}.ckpt")["state_dict"].items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        found[name] = digest.hexdigest()
    return found
