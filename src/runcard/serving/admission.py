"""Whether a bundle may be served, and how: settled once, before a port is opened, and handed on to the workers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runcard.card.sections.serve import Serve
from runcard.errors import BundleError
from runcard.packaging import store
from runcard.packaging.bundle import ABOUT, CARD, TORCH, check_runtime, runtime_of, verify
from runcard.packaging.manifest import digest_of
from runcard.packaging.trial import Trial
from runcard.serving.access import read_token
from runcard.serving.settings import settle

# JSON of what was admitted, for the process that starts the workers and for the workers.
ADMITTED = "RUNCARD_ADMITTED"
# Of bundles from before there were made rows.
SHOWS_ROWS = (
    "an earlier version made this bundle: its page and description show rows of its data; packaged again, made ones"
)


@dataclass(frozen=True)
class Admitted:
    """A bundle that was tried out, and how it is served.

    Attributes:
        tag: Its full tag.
        path: Its folder.
        digest: That of what was tried, and signed if a signature is asked for; workers load nothing else.
        serve: How it is served.
        warnings: Sentences: keys of its card that do not hold, and rows of people that it shows.
        variables: What its workers take besides, to find and trust the class of a network for torch.
    """

    tag: str
    path: Path
    digest: str
    serve: Serve
    warnings: tuple[str, ...]
    variables: Mapping[str, str]

    def hand_on(self) -> dict[str, str]:
        """Variables by which this process, and those that it starts, take it as it is."""
        content = {**vars(self), "path": str(self.path), "serve": self.serve.model_dump(), "by": os.getpid()}
        return {**self.variables, store.BUNDLE: self.tag, ADMITTED: json.dumps(content)}


def handed_on(environment: Mapping[str, str] = os.environ) -> Admitted | None:
    """What this process or its parent has admitted; None: neither has."""
    content = json.loads(environment.get(ADMITTED) or "{}")
    if content.pop("by", None) not in (os.getpid(), os.getppid()):
        return None
    made = {"path": Path(content["path"]), "serve": Serve(**content["serve"]), "warnings": tuple(content["warnings"])}
    return Admitted(**{**content, **made})


def admit(name: str | None, chosen: Mapping[str, Any]) -> Admitted:
    """Look whether a bundle can be served, all but its address.

    Args:
        name: Its tag, or its folder; None: the newest bundle.
        chosen: What whoever starts the service has chosen.

    Raises:
        BundleError: If there is no such bundle, it is damaged, not signed as it has to be, or cannot be loaded here.
        CardError: If what is chosen will not do.
    """
    tag, path = store.find_any(name)
    digest = digest_of(path)
    content = verify(path, CARD, ABOUT, digest=digest)
    about = json.loads(content[ABOUT])
    runtime = runtime_of(about)
    check_runtime(runtime)
    settled = settle(content[CARD], chosen, tag)
    _check_signature(path, settled.serve, digest)
    variables = _variables(runtime)
    trial = Trial(path, threads=settled.serve.threads, provider=settled.serve.provider, environment=variables)
    try:
        read_token(settled.serve.token_file)
        _check_same(path, digest, trial.wait())
    finally:
        trial.stop()
    warnings = settled.ignored if "examples" in about else (*settled.ignored, SHOWS_ROWS)
    return Admitted(tag, path, digest, settled.serve, warnings, variables)


def _check_signature(path: Path, serve: Serve, digest: str) -> None:
    if serve.public_key is not None:
        from runcard.packaging.signing import verify_signature

        verify_signature(path, Path(serve.public_key).expanduser(), digest)


def _variables(runtime: str) -> dict[str, str]:
    if runtime != TORCH:
        return {}
    from runcard.card.naming.trust import passed_on

    return passed_on()


def _check_same(path: Path, digest: str, tried: str) -> None:
    if tried != digest:
        raise BundleError(f"the bundle {path} was replaced while it was looked at")
