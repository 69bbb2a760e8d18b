"""A folder from which ``bentoml build`` packs a bundle with the code that answers: for machines without a checkout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

import yaml

import runcard
from runcard.advice import advise
from runcard.deploying.deploy import find_bundle
from runcard.files import write_text
from runcard.folders import check_free, put_in_place
from runcard.packaging import bundle as layout

TARGET = "bento"
BENTOFILE, REQUIREMENTS, PAGE = "bentofile.yaml", "requirements/serve.txt", "README.md"
PACKAGE = "src/runcard"
NEEDS_TORCH = (
    "the bundle is served with torch: bentofile.yaml says which files, packages and variable its Bento needs besides"
)


@dataclass(frozen=True)
class BentoFolder:
    """What ``bentoml build`` reads, just written.

    Attributes:
        path: The folder.
        files: Their places in it.
        bundle: What the Bento is to hold, by its full tag.
        notes: Sentences: what is to be done besides.
    """

    path: Path
    files: tuple[str, ...]
    bundle: str
    notes: tuple[str, ...] = ()


def write_bento_folder(bundle: str | None, folder: str | None) -> BentoFolder:
    """Write the folder.

    Args:
        bundle: What the Bento is to hold; None: the newest.
        folder: Where; None: ``bento``. There may be an empty folder already.

    Raises:
        BundleError: If there is no such bundle.
        CardError: If the folder will not do; nothing was written.
        RunError: If the folder cannot be written; nothing was left.
    """
    path = Path(os.path.abspath(Path(folder or TARGET).expanduser()))
    check_free(path)
    tag, about = find_bundle(bundle)
    with put_in_place(path) as draft:
        for place, source in _sources():
            (draft / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, draft / place)
        write_text(draft / PAGE, _page(tag))
        files = tuple(sorted(str(file.relative_to(draft)) for file in draft.rglob("*") if file.is_file()))
    notes = (NEEDS_TORCH,) if layout.runtime_of(about) == layout.TORCH else ()
    return BentoFolder(path, files, tag, notes)


def advise_build(bundle: str, folder: str) -> str:
    """The line that makes the Bento of a bundle."""
    return f"RUNCARD_BUNDLE={bundle} {advise('bentoml', 'build', folder)}"


def _page(tag: str) -> str:
    text = (resources.files("runcard.deploying") / "templates" / TARGET / PAGE).read_text(encoding="utf-8")
    name, _, version = tag.partition(":")
    build = advise_build(tag, ".")
    return Template(text).substitute(
        runcard=runcard.__version__, holds=f"the bundle `{tag}`", build=build, name=name, version=version
    )


def _sources() -> Iterator[tuple[str, Path]]:
    """Place in the folder → the file that is copied there."""
    bentofile = _shipped(BENTOFILE)
    yield BENTOFILE, bentofile
    yield REQUIREMENTS, _shipped(REQUIREMENTS)
    package = Path(runcard.__file__).parent
    for pattern in yaml.safe_load(bentofile.read_text(encoding="utf-8"))["include"]:
        within = pattern.removeprefix(f"{PACKAGE}/").removesuffix("/*")
        found = [package / within] if (package / within).is_file() else sorted((package / within).rglob("*"))
        for file in found:
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{PACKAGE}/{file.relative_to(package)}", file


def _shipped(name: str) -> Path:
    """A file of the checkout, which travels in the wheel."""
    package = Path(runcard.__file__).parent
    inside = package / "deploying" / "templates" / TARGET / name
    return inside if inside.is_file() else package.parents[1] / name
