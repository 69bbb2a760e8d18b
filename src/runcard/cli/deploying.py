"""What ``deploy`` takes and says."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runcard.advice import advise
from runcard.cli.text import shown_path
from runcard.errors import CardError

if TYPE_CHECKING:
    from runcard.deploying.bento import BentoFolder
    from runcard.deploying.deploy import Deployed

BENTO = "bento"
TARGETS = (BENTO, "compose", "kubernetes")
# Words of the line that say nothing of a Bento.
OF_CONTAINERS = ("image", "name", "workers")


def add_deploy(parser: argparse.ArgumentParser) -> None:
    """The words of its line."""
    bundle = "what the image holds, name:version or name; default: the newest bundle"
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help=bundle)
    target = "what shall run it; bento: the folder that BentoML builds a Bento from"
    parser.add_argument("--target", required=True, choices=TARGETS, help=target)
    image = "REGISTRY/NAME:TAG; default: the image that `bentoml containerize` makes of the bundle's newest Bento"
    parser.add_argument("--image", metavar="IMAGE", help=image)
    parser.add_argument("--name", help="of the service and all that belongs to it; default: the bundle's")
    workers = "processes in one container that answer; default: the project's, or 1, for a container is watched and a "
    workers += "worker is not"
    parser.add_argument("--workers", type=int, metavar="N", help=workers)
    parser.add_argument("-o", "--output", metavar="DIR", help="the folder to make; default: as the target is called")


def _next(target: str, folder: str) -> str:
    if target == "kubernetes":
        return advise("kubectl", "apply", "-k", f"{folder}/overlays/production")
    return advise("docker", "compose", "-f", f"{folder}/compose.yaml", "up", "-d", "--wait")


def deployed_text(deployed: Deployed) -> str:
    """For people."""
    folder = shown_path(deployed.path)
    lines = [f"files    {len(deployed.files)} in {folder}; README.md there says how to go on"]
    lines.append(f"image    {deployed.image}")
    if deployed.bundle is not None:
        doubt = ", the newest: is it what the image holds?" if deployed.assumed else ""
        lines.append(f"bundle   {deployed.bundle}{doubt}")
    lines.append(f"token    {shown_path(deployed.token)}, made anew and kept out of git")
    if deployed.target == "kubernetes" and deployed.image.local:
        image = advise("--image", "REGISTRY/NAME:TAG")
        lines.append(f"note     the image names no registry, and a cluster gets it only from there: {image}")
    lines += [f"note     {note}" for note in deployed.notes]
    return "\n".join([*lines, f"next     {_next(deployed.target, folder)}"])


def check_words(arguments: argparse.Namespace) -> None:
    """Refuse what a Bento has nothing of.

    Raises:
        CardError: If an option is given that the target does not take.
    """
    given = [f"--{name}" for name in OF_CONTAINERS if getattr(arguments, name) is not None]
    if arguments.target == BENTO and given:
        raise CardError(f"{given[0]}: a Bento has none; it is for the targets compose and kubernetes")


def bento_text(folder: BentoFolder) -> str:
    """For people."""
    from runcard.deploying.bento import advise_build

    shown = shown_path(folder.path)
    lines = [f"files    {len(folder.files)} in {shown}; README.md there says how to go on", f"bundle   {folder.bundle}"]
    lines += [f"note     {note}" for note in folder.notes]
    return "\n".join([*lines, f"next     {advise_build(folder.bundle, shown)}"])


def bento_data(folder: BentoFolder) -> dict[str, Any]:
    """For machines."""
    said = {"folder": str(folder.path), "files": list(folder.files), "target": BENTO, "bundle": folder.bundle}
    return {**said, "warnings": list(folder.notes)}


def deployed_data(deployed: Deployed) -> dict[str, Any]:
    """For machines; the token itself stays in its file."""
    return {
        "folder": str(deployed.path),
        "files": list(deployed.files),
        "target": deployed.target,
        "name": deployed.name,
        "image": str(deployed.image),
        "bundle": deployed.bundle,
        "token_file": str(deployed.token),
        "warnings": list(deployed.notes),
    }
