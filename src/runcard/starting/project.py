"""A project around a card: its files made, tried, and put in their place together or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from runcard import __version__
from runcard.advice import advise
from runcard.card import check
from runcard.card.groups import SCHEMAS, shipped_conf
from runcard.card.help.editor import write_schemas
from runcard.card.sections.data import Ragged, TableData
from runcard.card.sections.parts import is_encoding
from runcard.data.dataset import load_dataset
from runcard.data.survey import Survey, survey
from runcard.errors import CardError
from runcard.files import write_text
from runcard.folders import check_free, put_in_place
from runcard.starting import cards
from runcard.starting.names import package_name

# Template → its place in the project. Names that say "test" or end in .py would be taken for Runcard's own.
PLACES = {
    "README.md": "README.md",
    "pyproject.toml.txt": "pyproject.toml",
    "gitignore": ".gitignore",
    "own.yaml": "conf/model/own.yaml",
    "models.py.txt": "{package}/models.py",
    "card.py.txt": "tests/test_card.py",
}


@dataclass(frozen=True)
class Started:
    """A project that has just been made.

    Attributes:
        path: Its folder.
        files: Its files, below it.
        survey: What its rows seem to be; None for the digits.
    """

    path: Path
    files: tuple[str, ...]
    survey: Survey | None


def start(
    folder: str,
    data: str | None = None,
    target: str | None = None,
    *,
    encoding: str = "auto",
    ragged: Ragged = "refuse",
) -> Started:
    """Make a project folder whose card can be fitted at once.

    Args:
        folder: Where; its last part is the project's name. There may be an empty folder already.
        data: A file of rows; None: handwritten digits.
        target: The column to predict.
        encoding: Of a CSV that is not UTF-8, as Python names it.
        ragged: What becomes of a line of a CSV that lacks its last fields.

    Raises:
        CardError: If the name, the folder or the target will not do; nothing was written.
        DataError: If the rows cannot be learned from; nothing was written.
        RunError: If the folder cannot be written; nothing was left.
    """
    path = Path(os.path.abspath(Path(folder).expanduser()))
    package = package_name(path.name)
    check_free(path)
    if data is None and target is not None:
        raise CardError(f"--target: names a column of the rows, which are not given; say {advise('--data', 'FILE')}")
    if encoding != "auto" and not is_encoding(encoding):
        ways = " or ".join(advise("--encoding", one) for one in ("cp1252", "shift_jis"))
        raise CardError(f"--encoding: Python knows no {encoding!r}; name one, such as {ways}")
    found = None if data is None else survey(data, target, encoding=encoding, ragged=ragged)
    files = _files(path.name, package, found)
    with put_in_place(path) as draft:
        for name, text in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(draft / name, text)
        _try(draft, path.name, found)
        conf = draft / "conf"
        schemas = [str(file.relative_to(draft)) for file in write_schemas(conf / SCHEMAS, [shipped_conf(), conf])]
    return Started(path, (*files, *schemas), found)


def _files(name: str, package: str, found: Survey | None) -> dict[str, str]:
    """Place in the project → text."""
    own = cards.of_digits(name) if found is None else cards.of_table(name, found)
    words = {"name": name, "package": package, "version": __version__, "what": cards.what(found)}
    words["data_row"] = (
        "" if found is None else f"| `conf/data/{name}.yaml` | the file of rows, and what each column is |\n"
    )
    about = f'"""What the card of {name} may name beside Runcard\'s own: networks, sources of rows, and others."""\n'
    texts = {f"{package}/__init__.py": about, **{f"conf/{place}": text for place, text in own.items()}}
    templates = resources.files("runcard.starting") / "templates"
    for template, place in PLACES.items():
        text = (templates / template).read_text(encoding="utf-8")
        texts[place.format(package=package)] = Template(text).substitute(words)
    return dict(sorted(texts.items()))


def _try(draft: Path, name: str, found: Survey | None) -> None:
    """Compose the card and read its rows: what cannot be fitted is said before there is a folder.

    Raises:
        CardError: If a name in the file of rows cannot be written into a card.
        DataError: If the rows cannot be learned from.
    """
    words = [f"experiment={name}"]
    if found is None:
        check.load(words, draft / "conf")
        return
    kinds = {column: look.kind for column, look in found.looks.items()}
    try:
        card = check.load(words, draft / "conf")
        assert isinstance(card.data, TableData)
        same = (card.data.kinds, card.data.path, card.problem.target) == (kinds, found.path, found.truth.name)
    except CardError as error:
        raise CardError(f"{found.path} has a column that no card can name; rename it. {error}") from error
    if not same:
        raise CardError(f"{found.path} has a column whose name a card would change; rename it")
    load_dataset(card)
