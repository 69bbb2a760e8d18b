"""The run folder: the one file that knows its layout.

A run is ``<runs_dir>/<name>/<id>/``. ``metrics.json`` is written when all else but the report is there, so a folder
that has it is a finished run and one that lacks it is not; the report can be made again. Files are written beside
their place and moved there.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runcard.errors import RunError


@dataclass(frozen=True)
class RunFolder:
    """One training and the folder that holds all it made."""

    path: Path

    @property
    def card(self) -> Path:
        """The resolved card; fitting this file again gives this run."""
        return self.path / "card.yaml"

    @property
    def origin(self) -> Path:
        """Where each value of the card came from."""
        return self.path / "origin.json"

    @property
    def environment(self) -> Path:
        """Versions, commit, uncommitted difference, hardware, threads."""
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        """Fingerprint of the data, hash of the split, signature, fitted transforms."""
        return self.path / "data.json"

    @property
    def split(self) -> Path:
        """Which row of the data is in which part."""
        return self.path / "split.parquet"

    @property
    def best(self) -> Path:
        """Weights of the epoch that validated best."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """Weights of the last epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def history(self) -> Path:
        """One line an epoch; absent with ``logger=none``."""
        return self.path / "metrics.csv"

    @property
    def metrics(self) -> Path:
        """The final numbers; its presence says that the run is finished."""
        return self.path / "metrics.json"

    @property
    def predictions(self) -> Path:
        """The answers to the test rows."""
        return self.path / "predictions.parquet"

    @property
    def report(self) -> Path:
        """One page for people; needs no network."""
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        """What happened, in time order."""
        return self.path / "run.log"

    @property
    def finished(self) -> bool:
        """Whether training and evaluation came to their end."""
        return self.metrics.is_file()

    def read_card(self) -> dict[str, Any]:
        """The card as plain values, unchecked.

        Raises:
            RunError: If the file is missing or is no YAML mapping.
        """
        return _read(self.card, parse_yaml)

    def read_json(self, path: Path) -> dict[str, Any]:
        """The content of one of this run's JSON files.

        Raises:
            RunError: If the file is missing or is no JSON object.
        """
        return _read(path, json.loads)


def create(runs_dir: str | Path, name: str) -> RunFolder:
    """Make a new, empty run folder that no other process has.

    Raises:
        RunError: If the folder cannot be made.
    """
    parent = Path(runs_dir).expanduser().absolute() / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
            path = parent / f"{moment}-{secrets.token_hex(3)}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                (path / "checkpoints").mkdir()
                return RunFolder(path)
    except OSError as error:
        raise RunError(
            f"cannot make a run folder in {parent}: {error.strerror or error}. "
            "Choose another place with runs_dir=FOLDER, or mend its permissions."
        ) from error


def open_run(path: str | Path) -> RunFolder:
    """The finished run that a folder holds.

    Args:
        path: The run folder, or any file directly in it.

    Raises:
        RunError: If the folder is missing, is no run folder, or is unfinished.
    """
    folder = Path(path).absolute()
    if folder.is_file():
        folder = folder.parent
    run = RunFolder(folder)
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}. `runcard ls` lists the runs.")
    if not run.card.is_file():
        raise RunError(f"{folder} is not a run folder: it holds no card.yaml. `runcard ls` lists the runs.")
    if not run.finished:
        raise RunError(
            f"the run {folder} is not finished: it holds no metrics.json. "
            f"Fit it again with `runcard fit {run.card}`; run.log says what happened."
        )
    return run


def find(runs_dir: str | Path) -> list[RunFolder]:
    """All runs below ``runs_dir``, newest first."""
    cards = Path(runs_dir).expanduser().glob("*/*/card.yaml")
    # The id tells the second; within it, the card's own time.
    return sorted((RunFolder(card.parent) for card in cards), key=_moment, reverse=True)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path → leaf, for nested mappings."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differing_keys(cards: list[dict[str, Any]]) -> list[str]:
    """The dotted keys whose values are not the same in all cards, in the order of the cards."""
    flats = [flatten(card) for card in cards]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    return [key for key in keys if len({json.dumps(flat.get(key), sort_keys=True, default=str) for flat in flats}) > 1]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, also after a power cut.

    Raises:
        RunError: If the file cannot be written; what was there before is still there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as ``write_bytes`` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON as ``write_bytes`` does; NaN is refused, for other languages cannot read it."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(parts: Iterable[bytes]) -> str:
    """The SHA-256 of the parts in order, as hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def parse_yaml(text: str) -> Any:
    """Plain values from YAML. Aliases are refused: a few lines of them can fill the memory.

    Raises:
        yaml.YAMLError: If the text is no such YAML.
    """
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def dump_yaml(content: Any) -> str:
    """YAML that ``parse_yaml``, and any newer reader, reads as the same values."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            parser: Any = self
            raise yaml.YAMLError(f"line {parser.get_event().start_mark.line + 1}: aliases are not allowed")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Writes out what stands twice, and quotes a text that looks like a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _class in (_Loader, _Dumper):
    # YAML 1.1, and so PyYAML, reads 3e-3 as a text; YAML 1.2, Hydra and people read a number.
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )


def _moment(run: RunFolder) -> tuple[str, int]:
    return run.path.name[:15], run.card.stat().st_mtime_ns


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.parent} is not a whole run: {path.name} is missing") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: a mapping was expected")
    return content
