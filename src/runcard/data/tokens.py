"""Texts → token ids: by the tokenizer of a ready-made network, kept whole, so that nothing else is needed to answer.

Used by training and by serving. The package tokenizers, small and without torch, is imported only where there is text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runcard.advice import advise
from runcard.data.signature import Array
from runcard.errors import CardError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Encoder

# A length is a multiple of it, as far as the network reads so far: processors like it, and data that grows a little
# then makes no other network.
MULTIPLE = 8
# Of a text no more characters a token are looked at: no language needs so many, and a request of 10 MB would take the
# service five seconds to cut up, for the few hundred tokens that are read.
CHARACTERS = 100


@dataclass(frozen=True)
class Tokenizer:
    """What a network wants its texts cut up with.

    Attributes:
        content: The text of a ``tokenizer.json``.
        limit: Tokens that the network reads at most.
        pad: The token that stands for nothing.
    """

    content: str
    limit: int
    pad: int


@dataclass(frozen=True)
class TextStep:
    """How the one feature of text becomes token ids.

    Attributes:
        name: The feature.
        tokenizer: The text of a ``tokenizer.json``.
        length: Ids a row; what is longer is cut at its end, what is shorter is filled up.
        pad: What it is filled up with.
    """

    name: str
    tokenizer: str
    length: int
    pad: int

    def apply(self, values: Array) -> NDArray[np.int64]:
        """Token ids ``(rows, length)`` of texts ``(rows,)``; a text that is missing is an empty one."""
        ids = np.full((len(values), self.length), self.pad, dtype=np.int64)
        for row, value in enumerate(values):
            # One after the other: threads of the package's own would not survive the fork of a sweep's trial.
            tokens = self._encoder.encode(_beginning(value, self.length)).ids
            ids[row, : len(tokens)] = tokens
        return ids

    @cached_property
    def _encoder(self) -> Encoder:
        encoder = opened(self.tokenizer)
        encoder.enable_truncation(self.length)
        return encoder


def fit_text(name: str, values: Array, tokenizer: Tokenizer) -> TextStep:
    """As long as the longest training text, and no longer than the network reads.

    Args:
        name: The feature.
        values: The training rows' texts, ``(rows,)``.
        tokenizer: Of the network.
    """
    encoder = opened(tokenizer.content)
    longest = max((len(encoder.encode(_beginning(value, tokenizer.limit)).ids) for value in values), default=0)
    length = min(tokenizer.limit, max(1, -(-longest // MULTIPLE)) * MULTIPLE)
    return TextStep(name, tokenizer.content, length, tokenizer.pad)


def _beginning(text: str | None, tokens: int) -> str:
    return (text or "")[: tokens * CHARACTERS]


def opened(content: str) -> Encoder:
    """A tokenizer that neither cuts nor fills up.

    Args:
        content: The text of a ``tokenizer.json``.

    Raises:
        CardError: If it is no tokenizer, or the package is not installed.
    """
    try:
        from tokenizers import Tokenizer as Encoder
    except ImportError as error:
        raise CardError(
            f"text needs a package that is not installed: {advise('pip', 'install', 'runcard[transformers]')}, or, to "
            f"answer rows with a bundle, {advise('pip', 'install', 'tokenizers')}"
        ) from error
    try:
        encoder = Encoder.from_str(content)
    except Exception as error:  # the package raises nothing more precise
        reason = str(error).partition("\n")[0]
        raise CardError(f"model: the tokenizer.json of this network cannot be read: {reason}") from error
    encoder.no_padding()
    encoder.no_truncation()
    return encoder
