"""The network of a saved card, alone: for who serves it, and needs nothing else that the card names."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError

from runcard.card.naming.judging import judge_targets
from runcard.card.sections.networks import AnyNetwork, Network
from runcard.card.values import Template
from runcard.card.versions import brought_up
from runcard.errors import CardError, Mistake
from runcard.yamltext import YamlError, parse_yaml


def saved_network(text: bytes) -> Network:
    """Judge the section ``model`` of a saved card, and import what it names.

    Args:
        text: The card.

    Raises:
        CardError: If it is no card, or its network is wrong or not allowed here; in one line.
    """
    try:
        values = brought_up(parse_yaml(text.decode("utf-8")), "its card")
        composed = Template({"model": values["model"]}, {}, "card").with_values([])
    except (YamlError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CardError(f"its card is no card: {error!r}") from error
    mistakes = [*composed.mistakes, *judge_targets(composed.values, composed.origins)]
    if mistakes:
        raise CardError("; ".join(map(_line, mistakes)))
    try:
        # As JSON, for pydantic's strict mode then takes a list for a tuple and still no text for a number.
        network: Network = TypeAdapter(AnyNetwork).validate_json(json.dumps(composed.values["model"]))
    except ValidationError as error:
        raise CardError(f"the network of its card is wrong: {error.errors(include_url=False)[0]['msg']}") from error
    return network


def _line(mistake: Mistake) -> str:
    return " ".join(f"{mistake.key}: {mistake.message}. {mistake.hint}".split())
