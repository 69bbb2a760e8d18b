"""Cards side by side: the keys in which they differ, section by section."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from runcard import files, leaves, runs, studies
from runcard.cli.terminal import Row, inline, style, table_text, width_of
from runcard.cli.text import shown_path
from runcard.errors import CardError, RunError
from runcard.visible import one_line

# A card is a few kilobytes; a network's description in one may be some hundred.
MAX_BYTES = 4 * 2**20
# They say where a run lies, not what it is.
LAST = ("runs_dir", "name")
CLASS = "_target_"
HEAD, KEY, NONE = "bold", "cyan", "dim"
ABSENT = object()


@dataclass(frozen=True)
class Compared:
    """Cards and where they differ.

    Attributes:
        files: The file of each card.
        cards: The values of each, by their dotted keys.
        keys: Those that are not the same in all, section by section.
    """

    files: list[Path]
    cards: list[dict[str, Any]]
    keys: list[str]

    @property
    def data(self) -> dict[str, Any]:
        """For machines; None stands for null, and for a key that a card lacks."""
        differs = {key: [_plain(card.get(key)) for card in self.cards] for key in self.keys}
        return {"cards": [str(path) for path in self.files], "differs": differs}

    @property
    def other_classes(self) -> list[str]:
        """The sections that are not of the same class in all cards."""
        return [key.removesuffix(f".{CLASS}") for key in self.keys if key.endswith(f".{CLASS}")]


def compare(paths: Sequence[str]) -> Compared:
    """Read cards, unchecked, and find where they differ.

    Args:
        paths: Run folders, the folders of a study's trials, or files of cards.

    Raises:
        CardError: If there are fewer than two.
        RunError: If one cannot be read or is no card.
    """
    if len(paths) < 2:
        raise CardError("--cards: two or more are compared; name run folders, trials of a study, or card.yaml files")
    found, cards = zip(*map(_found, paths), strict=True)
    keys = leaves.differing_keys(list(cards), absent=ABSENT)
    sections = ["", *dict.fromkeys(filter(None, map(_section, keys)))]
    ordered = sorted(keys, key=lambda key: (LAST.index(key) + 1 if key in LAST else 0, sections.index(_section(key))))
    return Compared(list(found), [leaves.flatten(card) for card in cards], ordered)


def compared_text(compared: Compared, stream: TextIO) -> str:
    """The keys that differ, with the values of all cards beside each other."""
    if not compared.keys:
        return "the cards are the same"
    names = [_letter(place) for place in range(len(compared.files))]
    places = [path.parent if path.name == "card.yaml" else path for path in compared.files]
    legend = [f"{name}  {one_line(shown_path(place))}" for name, place in zip(names, places, strict=True)]
    rows: list[Row] = [[("", ""), *((name, HEAD) for name in names)], *_rows(compared)]
    table = table_text(rows, width_of(stream), range(1, len(rows[0])))
    return "\n".join([*legend, "", table, "", _verdict(compared)])


def _found(path: str) -> tuple[Path, dict[str, Any]]:
    try:
        place = _card_file(path)
        return place, _read(place)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error


def _card_file(path: str) -> Path:
    """The file of a card: what was named, or what the run holds that was named."""
    place = Path(path).expanduser().absolute()
    if place.suffix in (".yaml", ".yml") and place.is_file():
        return place
    if studies.is_study(place):
        folder = place.parent if place.is_file() else place
        raise RunError(f"{folder} is a study, which has many cards: name its trials, such as {folder / '0'}")
    return runs.open_any(place).card


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise RunError(f"{path} is not a card: it has more than {MAX_BYTES // 2**20} MB")
    card = files.read_yaml(path)
    if "version" not in card:
        raise RunError(f"{path} is not a card: it holds no key version, with which every card begins")
    return card


def _rows(compared: Compared) -> Iterator[Row]:
    """A row for each key, below the name of its section."""
    above = ""
    for key in compared.keys:
        section, name = _section(key), key
        if section:
            name = f"  {key.removeprefix(f'{section}.')}"
            if section != above:
                note = ", another class" if section in compared.other_classes else ""
                yield [(one_line(f"{section}{note}"), f"{HEAD} {KEY}"), *[("", "")] * len(compared.cards)]
        above = section
        values = (card.get(key, ABSENT) for card in compared.cards)
        yield [
            (one_line(name), KEY),
            *(("-", NONE) if value is ABSENT else (inline(value), style(value)) for value in values),
        ]


def _verdict(compared: Compared) -> str:
    count = len(compared.keys)
    classes = (
        f"; of another class: {', '.join(map(one_line, compared.other_classes))}" if compared.other_classes else ""
    )
    return f"the cards differ in {count} {'keys' if count > 1 else 'key'}{classes}"


def _section(key: str) -> str:
    return key.partition(".")[0] if "." in key else ""


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def _plain(value: Any) -> Any:
    """A value as JSON knows it; a card edited by hand may hold a date."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    odd = isinstance(value, float) and not math.isfinite(value)
    return str(value) if odd or not isinstance(value, str | int | float | None) else value
