"""Categories that a model knows and does not name: digests stand in their place. Imports nothing but hashlib.

A rare category can be somebody's: a bundle holds SHA-256 of a salt and the text, by which it knows the text again when
it is asked about it. Who guesses a text can try it, so it is no secret; but nobody reads it there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

DIGITS = 32  # of a digest; two texts of a million then share one by a chance of 10^-27


@dataclass(frozen=True)
class Withheld:
    """Categories of one feature by their digests.

    Attributes:
        salt: Hashed before each text.
        digests: One for each category.
        plain: Likewise, of the categories as ``by_value`` writes them; empty: they are found by themselves alone.
    """

    salt: str
    digests: tuple[str, ...]
    plain: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Withheld:
        """What ``dataclasses.asdict`` made of one, also after a trip through JSON."""
        return cls(str(content["salt"]), tuple(content["digests"]), tuple(content["plain"]))


def digest_of(salt: str, text: str) -> str:
    """What stands in the place of a text."""
    return hashlib.sha256(f"{salt}\0{text}".encode(errors="surrogatepass")).hexdigest()[:DIGITS]


class SaltedSet:
    """Texts, of some of which there are digests only.

    Args:
        texts: Texts and digests.
        salt: Of the digests.
    """

    def __init__(self, texts: Collection[str | None], salt: str) -> None:
        self._texts, self._salt = frozenset(texts), salt

    def __contains__(self, text: object) -> bool:
        return text in self._texts or (isinstance(text, str) and digest_of(self._salt, text) in self._texts)


class SaltedDict(dict[Any, Any]):
    """What belongs to texts, of some of which there are digests only; ``get`` finds them by the texts.

    Args:
        content: By texts and digests.
        salt: Of the digests.
    """

    def __init__(self, content: Mapping[Any, Any], salt: str) -> None:
        super().__init__(content)
        self._salt = salt

    def get(self, key: Any, default: Any = None) -> Any:
        """What belongs to a text or a digest."""
        found = super().get(key, self)
        if found is self and isinstance(key, str):
            found = super().get(digest_of(self._salt, key), self)
        return default if found is self else found
