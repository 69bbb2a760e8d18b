"""What a cluster would be given: kustomize's own steps, as far as our files take them."""

from __future__ import annotations

import base64
import copy
import hashlib
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


def read(path: Path) -> Any:
    """The one document of a file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rendered(folder: Path) -> list[Object]:
    """The objects of a kustomization, composed: resources, generated secrets, patches, labels, images, namespace.

    Raises:
        LookupError: If a file names something that is not there.
    """
    said = read(folder / "kustomization.yaml")
    objects: list[Object] = []
    for name in said["resources"]:
        objects += rendered(folder / name) if (folder / name).is_dir() else [read(folder / name)]
    secrets = {secret["name"]: _secret(secret, folder) for secret in said.get("secretGenerator", ())}
    for patch in said.get("patches", ()):
        _patch(objects, read(folder / patch["path"]))
    objects += secrets.values()
    for item in objects:
        _label(item, said.get("labels", ()))
        if "namespace" in said:
            _place(item, said["namespace"])
        for pod in _pods(item):
            _name_images(pod, said.get("images", ()))
            _name_secrets(pod, {name: secret["metadata"]["name"] for name, secret in secrets.items()})
    return objects


def one(objects: list[Object], kind: str) -> Object:
    """The only object of a kind."""
    (found,) = (item for item in objects if item["kind"] == kind)
    return found


def _pods(item: Object) -> list[Object]:
    return [item["spec"]["template"]["spec"]] if item["kind"] == "Deployment" else []


def _secret(said: Object, folder: Path) -> Object:
    data = {}
    for file in said["files"]:
        key, _, name = file.partition("=")
        data[key] = base64.b64encode((folder / name).read_bytes()).decode()
    # Kustomize hashes otherwise; what counts is that another token has another name.
    digest = hashlib.sha256(repr(data).encode()).hexdigest()[:10]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": f"{said['name']}-{digest}"},
        "data": data,
    }


def _patch(objects: list[Object], patch: Object) -> None:
    def key(item: Object) -> tuple[str, str, str]:
        return item["apiVersion"], item["kind"], item["metadata"]["name"]

    place = next((at for at, item in enumerate(objects) if key(item) == key(patch)), None)
    if place is None:
        raise LookupError(f"nothing to patch: {key(patch)}")
    objects[place] = _merged(objects[place], patch)


def _merged(old: Any, new: Any) -> Any:
    """A strategic merge: mappings key by key, lists of what has names by the name, other lists as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: _merged(old[key], value) if key in old else value for key, value in new.items()}}
    if isinstance(old, list) and all(isinstance(item, dict) and "name" in item for item in [*old, *new]):
        changes = {item["name"]: item for item in new}
        kept = [_merged(item, changes.pop(item["name"], {})) for item in old]
        return [*kept, *changes.values()]
    return copy.deepcopy(new)


def _label(item: Object, labels: Any) -> None:
    for said in labels:
        assert not said["includeSelectors"]
        templates = [item["spec"]["template"]] if item["kind"] == "Deployment" and said["includeTemplates"] else []
        for owner in (item, *templates):
            owner["metadata"].setdefault("labels", {}).update(said["pairs"])


def _place(item: Object, namespace: str) -> None:
    item["metadata"]["name" if item["kind"] == "Namespace" else "namespace"] = namespace


def _name_images(pod: Object, images: Any) -> None:
    for said in images:
        for container in pod["containers"]:
            if container["image"] == said["name"]:
                tail = f"@{said['digest']}" if "digest" in said else f":{said['newTag']}"
                container["image"] = said["newName"] + tail


def _name_secrets(pod: Object, names: dict[str, str]) -> None:
    for volume in pod["volumes"]:
        if "secret" in volume:
            name = volume["secret"]["secretName"]
            volume["secret"]["secretName"] = names.get(name, name)
