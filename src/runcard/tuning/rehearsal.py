"""What a new process would do slowly because it does it for the first time, done once in the process that forks it.

Python and PyTorch remember what they have looked up: which classes are mappings, how an operator is composed of
others. A trial inherits that. Nothing is computed for it, no device is touched and no code of a user's is imported: of
a card that names any, nothing is rehearsed, and its trials are right, and a few hundredths of a second slower.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from runcard.card import check
from runcard.data.dataset import Dataset
from runcard.leaves import flatten
from runcard.settling import work

# Classes that do nothing by being imported, nor by being made.
OURS = ("runcard.", "torch.optim.")
NETWORKS = ("runcard.models.cnn.", "runcard.models.linear.", "runcard.models.mlp.")


def rehearse(values: Mapping[str, Any], origins: Mapping[str, str], data: Dataset) -> None:
    """Judge a card and lay out its network, as each trial will; whatever is wrong with it, a trial will say.

    Args:
        values: The card's, as ``Card.saved`` gave them.
        origins: Where each came from.
        data: Its rows.
    """
    if not harmless(values):
        return
    with contextlib.suppress(Exception):
        work(check.load_content(values, dict(origins)), data)


def harmless(values: Mapping[str, Any]) -> bool:
    """Whether a card names no code but what is known to compute nothing by being looked at."""
    named = {key: str(name) for key, name in flatten(dict(values)).items() if key.rpartition(".")[2] == "_target_"}
    # A list may hold more of them, where nobody has looked.
    all_seen = json.dumps(values, default=str).count('"_target_"') == len(named)
    ours = all(name.startswith(OURS) for name in named.values())
    return all_seen and ours and named.get("model._target_", "").startswith(NETWORKS)
