"""Files that run an image of a bundle, on Kubernetes or with Docker Compose: templates filled in, a fresh token."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Any

from runcard import __version__
from runcard.advice import advise
from runcard.card import project
from runcard.card.sections.serve import DEFAULTS, FILES, MOST
from runcard.deploying.names import Image, checked_name, image_of, name_from
from runcard.errors import BundleError, CardError
from runcard.files import write_text
from runcard.folders import check_free, put_in_place
from runcard.packaging import bentos, store
from runcard.packaging import bundle as layout

# Where the token lies, and who may read it. Kubernetes hands it on by itself. Compose shows the container the file as
# it is here, and the service is another user: the folder keeps others out instead.
TOKENS = {"kubernetes": ("overlays/production/token.txt", 0o600), "compose": ("secret/token.txt", 0o644)}
TOKEN_BYTES = 32
PRIVATE = "secret"  # a folder that only its owner may enter
GITIGNORE = "gitignore"  # within the package the dot would hide it
# MiB: what the service takes, and each worker; and a worker at most, while it reads the longest body that is let in.
BASE_MB, WORKER_MB, WORKER_MOST_MB = 100, 200, 600
TORCH_MB = 200  # more, of each process, if the network is one for torch
# Processes and threads, far above what was seen.
BASE_PROCESSES, WORKER_PROCESSES = 64, 128
# Where the container finds the token.
TOKEN_FILES = {"kubernetes": "/run/secrets/runcard/token", "compose": "/run/secrets/token"}
# Seconds to end after the last request in flight, with those that Kubernetes waits before it asks.
GRACE_S = {"kubernetes": 15, "compose": 10}
# How a container is told whose classes a bundle may name; a line more, for the few bundles that name one.
TRUST = {
    "kubernetes": """
            - name: RUNCARD_TRUST # the network is of this package, which the image has to hold
              value: {packages}""",
    "compose": """
      RUNCARD_TRUST: {packages} # the network is of this package, which the image has to hold""",
}
BUILD = """# bundle and code → a Bento
runcard deploy {bundle} --target bento -o bento
RUNCARD_BUNDLE={bundle} bentoml build bento"""


@dataclass(frozen=True)
class Deployed:
    """Files that have just been written.

    Attributes:
        path: Their folder.
        files: Their places in it.
        target: ``kubernetes`` or ``compose``.
        name: What the service, and all that belongs to it, is called.
        image: What runs.
        bundle: What the image has to hold; None if this machine knows no bundle.
        assumed: Whether nobody said that the image holds it: the newest was taken.
        notes: Sentences, one for each of the project's settings that the files do not hold.
    """

    path: Path
    files: tuple[str, ...]
    target: str
    name: str
    image: Image
    bundle: str | None
    assumed: bool
    notes: tuple[str, ...] = ()

    @property
    def token(self) -> Path:
        """The file that holds the token."""
        return self.path / TOKENS[self.target][0]


def deploy(
    target: str, bundle: str | None, image: str | None, name: str | None, folder: str | None, workers: int | None
) -> Deployed:
    """Write the files.

    Args:
        target: ``kubernetes`` or ``compose``.
        bundle: What the image holds; None: the newest.
        image: What to run; None: the newest Bento of the bundle, as ``bentoml containerize`` names its image.
        name: Of the service; None: that of the bundle.
        folder: Where; None: the target's name. There may be an empty folder already.
        workers: Processes in one container that answer, 1…256; None: as many as the project says, or 1.

    Raises:
        BundleError: If there is no such bundle.
        CardError: If the image, the name or the folder will not do; nothing was written.
        RunError: If the folder cannot be written; nothing was left.
    """
    path = Path(os.path.abspath(Path(folder or target).expanduser()))
    check_free(path)
    chosen = project.find().serve
    if workers is None:
        workers = int({**DEFAULTS, **chosen}["workers"])
    if not 1 <= workers <= MOST["workers"]:
        raise CardError(f"--workers {workers}: 1 to {MOST['workers']} processes")
    given = None if image is None else image_of(image)
    tag, about = find_bundle(bundle) if given is None else _known_bundle(bundle)
    bento = None if tag is None else bentos.newest_holding(tag)
    runs = given or _image_of(tag, bento)
    called = checked_name(name) if name is not None else name_from(tag.partition(":")[0] if tag else runs.called)
    words = _words(called, runs, tag, bento, workers) | _needs(about, workers, target)
    words |= _serve({**chosen, "workers": workers}, target)
    texts = {place: Template(text).substitute(words) for place, text in _templates(target)}
    with put_in_place(path) as draft:
        for place, text in texts.items():
            _make_folders(draft, Path(place).parent)
            write_text(draft / place, text)
        _write_token(draft, *TOKENS[target])
    files = tuple(sorted([*texts, TOKENS[target][0]]))
    assumed = bundle is None and given is not None
    return Deployed(path, files, target, called, runs, tag, assumed, _notes(chosen))


def find_bundle(bundle: str | None) -> tuple[str, dict[str, Any]]:
    """A bundle's full tag, and what it says of itself.

    Args:
        bundle: ``name:version`` or ``name``; None: the newest.

    Raises:
        BundleError: If there is none, or it is damaged.
    """
    tag, path = store.find(bundle)
    about: dict[str, Any] = json.loads(layout.verify(path, layout.ABOUT)[layout.ABOUT])
    return tag, about


def _known_bundle(bundle: str | None) -> tuple[str | None, dict[str, Any]]:
    """Likewise, where an image is named; None if there is no bundle, as on a machine that only deploys."""
    try:
        return find_bundle(bundle)
    except BundleError:
        if bundle is None:
            return None, {}
        raise


def _image_of(bundle: str | None, bento: str | None) -> Image:
    if bento is None:
        folder = advise("runcard", "deploy", "--target", "bento")
        raise CardError(
            f"which image? No Bento here holds {bundle}: `{folder}` writes the folder that makes one, and its "
            f"README.md says how; or name an image with {advise('--image', 'REGISTRY/NAME:TAG')}"
        )
    return image_of(bento)


def _words(name: str, image: Image, bundle: str | None, bento: str | None, workers: int) -> dict[str, str]:
    """What stands in the templates."""
    which = f'digest: "{image.digest}"' if image.digest else f'newTag: "{image.tag}"'
    return {
        "name": name,
        "image": str(image),
        "image_name": image.name,
        "image_which": which,
        "pushed": f"{image.name}:{image.tag or 'TAG'}",
        "holds": f"the bundle `{bundle}`" if bundle else "a bundle, of which nothing was to be seen here",
        # A Bento that is there need not be built again, and would then have another tag.
        "build": "" if bento else f"{BUILD.format(bundle=bundle or 'NAME:VERSION')}\n",
        "bento": bento or "runcard-service:latest",
        "version": bundle.rpartition(":")[2] if bundle else image.version,
        "workers": str(workers),
        "half_cores": f"{500 * workers}m",
        "cores": str(workers),
        "processes": str(BASE_PROCESSES + WORKER_PROCESSES * workers),
        "runcard": __version__,
    }


def _serve(chosen: Mapping[str, Any], target: str) -> dict[str, str]:
    """How the container serves: as the project says, but for files, which are the container's own."""
    timeout_s = {**DEFAULTS, **chosen}["timeout_s"]
    serve = {key: value for key, value in chosen.items() if key not in FILES}
    serve |= {"timeout_s": timeout_s, "token_file": TOKEN_FILES[target]}
    grace = math.ceil(timeout_s) + GRACE_S[target]
    return {"serve": json.dumps(serve), "timeout": f"{timeout_s:g}", "grace": str(grace)}


def _notes(chosen: Mapping[str, Any]) -> tuple[str, ...]:
    if chosen.get("public_key") is None:
        return ()
    key = chosen["public_key"]
    return (f"the container does not ask for a signature: {key} lies here; mount it, and name it in RUNCARD_SERVE",)


def _needs(about: Mapping[str, Any], workers: int, target: str) -> dict[str, str]:
    """The memory that a bundle takes, and the packages whose code it runs."""
    more = TORCH_MB if layout.runtime_of(about) == layout.TORCH else 0
    packages = ",".join(about.get("trust", ()))
    return {
        "memory": str(BASE_MB + more + (WORKER_MB + more) * workers),
        "most_memory": str(BASE_MB + more + (WORKER_MOST_MB + more) * workers),
        "trust": TRUST[target].format(packages=packages) if packages else "",
    }


def _templates(target: str) -> Iterator[tuple[str, str]]:
    """Place in the folder and text of each file."""
    waiting = [("", resources.files("runcard.deploying") / "templates" / target)]
    while waiting:
        place, here = waiting.pop()
        if here.is_dir():
            waiting += [(f"{place}/{_real_name(item)}".lstrip("/"), item) for item in here.iterdir()]
        else:
            yield place, here.read_text(encoding="utf-8")


def _real_name(item: Traversable) -> str:
    return f".{GITIGNORE}" if item.name == GITIGNORE else item.name


def _make_folders(draft: Path, folder: Path) -> None:
    for part in (*reversed(folder.parents), folder):
        (draft / part).mkdir(exist_ok=True, mode=0o700 if part.name == PRIVATE else 0o777)


def _write_token(draft: Path, place: str, mode: int) -> None:
    with open(os.open(draft / place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secrets.token_urlsafe(TOKEN_BYTES)}\n")
        os.fchmod(file.fileno(), mode)  # whatever is masked here
        file.flush()
        os.fsync(file.fileno())
