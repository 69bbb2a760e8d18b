"""What a deployment may be called, and what names an image: refused here, where a cluster would refuse it later."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runcard.advice import advise
from runcard.errors import CardError

MAX_NAME = 63  # of a service and of a label's value
# What a Kubernetes Service may be called; everything else may be called so too.
NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# YAML reads these words as values.
VALUES = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
# The grammar of the registries: a host, a path, and what tells one image of that path from another.
HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?"
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
IMAGE = re.compile(
    rf"(?P<name>(?:{HOST}/)?{PART}(?:/{PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    flags=re.ASCII,
)
MAX_IMAGE = 255


@dataclass(frozen=True)
class Image:
    """The name of an image.

    Attributes:
        name: Where it lies and what it is called.
        tag: A word for one image of that name; None if the digest stands alone.
        digest: What no other image has, ``sha256:…``; None if it is not known.
    """

    name: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return f"{self.name}{tag}" + ("" if self.digest is None else f"@{self.digest}")

    @property
    def called(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def version(self) -> str:
        """What tells it from others of its name, as short as a label may be."""
        return (self.tag or str(self.digest).removeprefix("sha256:")[:12])[:MAX_NAME].strip("._-")

    @property
    def local(self) -> bool:
        """Whether it is called as on the machine where it was made, without a registry."""
        return "/" not in self.name


def image_of(text: str) -> Image:
    """The parts of an image's name.

    Raises:
        CardError: If it is no such name, or does not say which image of that name.
    """
    found = IMAGE.fullmatch(text[: 2 * MAX_IMAGE])
    if found is None or len(text) > 2 * MAX_IMAGE or len(found["name"]) > MAX_IMAGE:
        raise CardError(f"--image {text}: an image is named REGISTRY/NAME:TAG, NAME in small letters and digits")
    if found["digest"] is None and found["tag"] in (None, "latest"):
        said = "latest is another image each time" if found["tag"] else "it names many images"
        named = advise("--image", f"{found['name']}:TAG")
        raise CardError(f"--image {text}: {said}; say {named} with the tag that was pushed")
    return Image(found["name"], found["tag"], found["digest"])


def checked_name(name: str) -> str:
    """A name as it was typed.

    Raises:
        CardError: If a cluster would not take it; the message names the nearest that it would.
    """
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        near = made_name(name)
        form = f"small letters, digits and - are allowed, at most {MAX_NAME}, a letter first"
        raise CardError(f"--name {name}: {form}" + (f", such as {advise('--name', near)}" if near else ""))
    if why := taken(name):
        raise CardError(f"--name {name}: {why}; choose another, such as {advise('--name', f'{name}-model')}")
    return name


def name_from(text: str) -> str:
    """A name made from what a bundle or an image is called.

    Raises:
        CardError: If nothing is left of it, or it is taken.
    """
    name = made_name(text)
    if why := taken(name) if name else "it holds no letter and no digit":
        raise CardError(f"{text!r} cannot name a deployment: {why}; choose a name with {advise('--name', 'NAME')}")
    return name


def made_name(text: str) -> str:
    """The nearest name that a cluster takes; empty if there is none."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (f"model-{name}" if name[:1].isdigit() else name)[:MAX_NAME].rstrip("-")


def taken(name: str) -> str:
    """Why a name that is right in form will not do; empty if it will."""
    if name in VALUES:
        return "YAML reads it as a value"
    # The deployment makes a namespace of its name, and deleting the one deletes the other.
    return "it is a namespace of the cluster's own" if name == "default" or name.startswith("kube-") else ""
