"""BentoML's store of Bentos, which `bentoml build` fills: which of them holds a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from bentoml._internal.configuration.containers import BentoMLContainer

DESCRIPTION = "bento.yaml"  # BentoML's own, of every Bento


def newest_holding(bundle: str) -> str | None:
    """The tag of the newest Bento that holds a bundle, ``name:version``; its image bears the same name.

    Args:
        bundle: The full tag of the bundle.

    Returns:
        None if no Bento holds it.
    """
    found = {
        str(said.get("creation_time")): f"{folder.parent.name}:{folder.name}"
        for folder, said in _described()
        if bundle in _bundles(said)
    }
    return found[max(found)] if found else None


def _described() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each Bento with what it says of itself; one that is damaged is passed over, for no image comes of it."""
    for file in Path(BentoMLContainer.bento_store_dir.get()).glob(f"*/*/{DESCRIPTION}"):
        try:
            said = yaml.safe_load(file.read_bytes())
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(said, dict):
            yield file.parent, said


def _bundles(said: Mapping[str, Any]) -> set[str]:
    services = [service for service in said.get("services") or () if isinstance(service, dict)]
    models = [model for owner in (said, *services) for model in owner.get("models") or ()]
    return {str(model["tag"]) for model in models if isinstance(model, dict) and "tag" in model}
