"""What a card leaves to a tracker's own environment variables: each is obeyed, said, and kept in the run's card.

Where a card says a value, the variable is not used, and that is said too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runcard.card import check as judge
from runcard.card.origins import SETTLED
from runcard.card.schema import Card
from runcard.card.sections.loggers import CSV, MlflowLogger, WandbLogger
from runcard.card.sections.parts import Section
from runcard.card.values import Composed
from runcard.errors import CardError, Mistake
from runcard.hiding import note

AUTO = "auto"
# How wandb writes that nothing is sent, or all: it has two words for each.
OFFLINE = {"offline": True, "dryrun": True, "online": False, "run": False}
DISABLED = "disabled"


@dataclass(frozen=True)
class Variable:
    """What a key on ``auto`` is read from.

    Attributes:
        name: Of the variable.
        default: The value where it is not set.
        read: Makes the key's value of the variable's.
    """

    name: str
    default: Any
    read: Callable[[str], Any] = str

    @property
    def value(self) -> str:
        """What it holds; empty if it is not set, as where it holds nothing."""
        return os.environ.get(self.name, "")


def _offline(mode: str) -> bool:
    if mode not in OFFLINE:
        hint = f"It is one of {', '.join(OFFLINE)} and {DISABLED}."
        raise CardError([Mistake("logger.offline", f"WANDB_MODE is {mode!r}, which wandb does not know", "", hint)])
    return OFFLINE[mode]


VARIABLES: dict[type[Section], dict[str, Variable]] = {
    MlflowLogger: {
        "tracking_uri": Variable("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"),
        "experiment_name": Variable("MLFLOW_EXPERIMENT_NAME", "runcard"),
    },
    WandbLogger: {
        "project": Variable("WANDB_PROJECT", "runcard"),
        "offline": Variable("WANDB_MODE", True, _offline),
        "entity": Variable("WANDB_ENTITY", None),
        "name": Variable("WANDB_NAME", None),
    },
}


def obey(card: Card) -> Card:
    """The card with nothing of its tracker left on ``auto``.

    An address that may hold a password is kept as a reference to its variable.

    Raises:
        CardError: If a variable holds what the tracker cannot take.
    """
    left = {key: one for key, one in _of(card).items() if getattr(card.logger, key) == AUTO}
    if not left:
        return card
    values, origins, secrets = card.values(), card.origins, card.secrets
    if "offline" in left and left["offline"].value == DISABLED:
        origins = {key: place for key, place in origins.items() if not key.startswith("logger.")}
        values["logger"], origins["logger._target_"] = {"_target_": CSV}, f"{SETTLED}the variable WANDB_MODE"
        return judge.judge(Composed(values, origins, secrets=secrets))
    for key, one in left.items():
        values["logger"][key] = one.read(one.value) if one.value else one.default
        origins[f"logger.{key}"] = f"{SETTLED}{f'the variable {one.name}' if one.value else _place(origins, key)}"
        if key == "tracking_uri" and one.value and not is_plain(one.value):
            secrets["logger", key] = f"${{oc.env:{one.name},{AUTO}}}"
            note(one.value, secrets["logger", key])
    return judge.judge(Composed(values, origins, secrets=secrets))


def say(asked: Card, card: Card) -> Iterator[str]:
    """What was taken from the environment, and what was not although it is there.

    Args:
        asked: The card before ``obey``.
        card: The card after it.
    """
    if type(asked.logger) is not type(card.logger):
        yield f"WANDB_MODE={DISABLED}: nothing goes to wandb, only into the run folder"
        return
    for key, one in _of(asked).items():
        if not one.value:
            continue
        if getattr(asked.logger, key) != AUTO:
            if getattr(asked.logger, key) != _read(one):
                yield f"logger.{key} is given, so the variable {one.name} is not used"
        elif ("logger", key) in card.secrets:
            yield f"logger.{key}: from the variable {one.name}, which is not written out: it may hold a password"
        else:
            yield f"logger.{key}={getattr(card.logger, key)}: from the variable {one.name}"


def is_plain(address: str) -> bool:
    """Whether an address is a file of SQLite, or a scheme with host and port at most, where no password can be."""
    if address.startswith("sqlite:///") or address == "databricks":
        return "?" not in address
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return "@" not in parts.netloc and not any((parts.path.strip("/"), parts.query, parts.fragment))


def _of(card: Card) -> dict[str, Variable]:
    return VARIABLES.get(type(card.logger), {})


def _read(one: Variable) -> Any:
    try:
        return one.read(one.value)
    except CardError:
        return None


def _place(origins: dict[str, str], key: str) -> str:
    return origins.get(f"logger.{key}", "").removeprefix(SETTLED)
