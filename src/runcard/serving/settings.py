"""How a bundle is served: what its card says, and what the command that starts the service changes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from runcard.card.sections.serve import DEFAULTS, Serve
from runcard.card.spelling import nearest
from runcard.card.wording import expected, must_be
from runcard.errors import BundleError, CardError

# JSON of what the command changed; for its workers too, and for those that are started anew.
CHANGES = "RUNCARD_SERVE"
FILES = ("token_file", "public_key")


def read(card: bytes, environment: Mapping[str, str] = os.environ) -> Serve:
    """What holds for a bundle.

    Args:
        card: The text of its ``card.yaml``.
        environment: Holds what was changed.

    Raises:
        BundleError: If a change is wrong, or the card is.
    """
    try:
        changes = json.loads(environment.get(CHANGES) or "{}")
        if not isinstance(changes, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise BundleError(f'{CHANGES} must be JSON such as {{"workers": 2}}: {error}') from None
    try:
        content = yaml.safe_load(card).get("serve", DEFAULTS)
        return Serve.model_validate({**content, **changes})
    except ValidationError as error:
        raise BundleError(f"{CHANGES} or the bundle's card: {said(error)}") from None
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise BundleError(f"the bundle's card cannot be read: {str(error).splitlines()[0]}") from None


def changed(typed: Iterable[str], content: Mapping[str, Any] = DEFAULTS) -> dict[str, Any]:
    """Settings as they are typed, ``serve.workers=2``.

    Args:
        typed: One each.
        content: What they change.

    Raises:
        CardError: If one is no setting, or its value is none for it.
    """
    changes: dict[str, Any] = {}
    for text in typed:
        key, sign, value = text.partition("=")
        name = key.removeprefix("serve.")
        if not sign or name == key:
            raise CardError(f"{text}: a change is written serve.KEY=VALUE, such as serve.workers=2")
        try:
            changes[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise CardError(f"{text}: the value cannot be read") from None
        if name in FILES and isinstance(changes[name], str):
            changes[name] = str(Path(changes[name]).expanduser().absolute())
    try:
        Serve.model_validate({**content, **changes})
    except ValidationError as error:
        raise CardError(said(error)) from None
    return changes


def check_signature(path: Path, settings: Serve) -> None:
    """Look who has signed a bundle, if that is asked for.

    Raises:
        BundleError: If the owner of the key ``public_key`` has not.
        CardError: If the key cannot be read.
    """
    if settings.public_key is not None:
        from runcard.packaging.signing import verify_signature

        verify_signature(path, Path(settings.public_key).expanduser())


def said(error: ValidationError) -> str:
    """The first mistake, in one line."""
    found = error.errors(include_url=False)[0]
    key = ".".join(map(str, found["loc"]))
    if found["type"] == "extra_forbidden":
        near = nearest(key, DEFAULTS)
        return f"serve.{key}: there is no such key" + (f"; did you mean serve.{near[0]}?" if near else "")
    return f"serve.{key}: {must_be(expected(found), found['input'])}"
