"""How a ready-made network reads text: its tokenizer, how many tokens, and which one stands for nothing."""

from __future__ import annotations

import json
from typing import Any

from runcard.data.tokens import Tokenizer, opened
from runcard.errors import CardError

# Where a description sets no limit: what is usual, and what attention can afford.
USUAL_LIMIT = 512
# They number positions from behind that of the padding, which so many positions are lost to.
OFFSET = {"camembert", "data2vec-text", "ibert", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm"}
OFFSET |= {"xlm-roberta", "xlm-roberta-xl", "xmod"}


def tokenizer(content: str, config: Any, name: str, size: int | None) -> Tokenizer:
    """A network's tokenizer.

    Args:
        content: The text of its ``tokenizer.json``.
        config: The network's description.
        name: The network's, for the error.
        size: Tokens that a text is cut to; None: as many as the network reads.

    Raises:
        CardError: If it is another network's, or the network does not read so many tokens.
    """
    encoder = opened(content)
    largest, words = max(encoder.get_vocab().values(), default=0), getattr(config, "vocab_size", None)
    if words is not None and largest >= words:
        raise CardError(f"model: the tokenizer of {name} has tokens up to {largest}, and its network knows {words}")
    pad = _pad(content, config)
    most = _limit(config, pad)
    # What frames every text leaves room for one token of it.
    least = len(encoder.encode("").ids) + 1
    if size is not None and not least <= size <= most:
        raise CardError(f"model.size: {name} reads {least} to {most} tokens, and not {size}. Set it to null.")
    return Tokenizer(content, size or most, pad)


def _limit(config: Any, pad: int) -> int:
    most = getattr(config, "max_position_embeddings", None)
    if not isinstance(most, int) or most < 1:
        return USUAL_LIMIT
    return most - pad - 1 if config.model_type in OFFSET else most


def _pad(content: str, config: Any) -> int:
    padding = json.loads(content).get("padding")
    candidates = [padding["pad_id"] if padding else None]
    candidates += [getattr(config, name, None) for name in ("pad_token_id", "eos_token_id")]
    return next((found for found in candidates if isinstance(found, int)), 0)
