"""What the image of a Bento installs: the versions that are tested, with hashes, and all that the service imports."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers import ROOT
from tests.test_layers import imports

# Of extras, which a Bento does without: signatures are checked by who asks for that, with a package more.
NOT_IN_THE_BENTO = {"model-signing"}
LINUX: dict[str, str] = {**default_environment(), "sys_platform": "linux", "platform_system": "Linux"}  # type: ignore[dict-item]


def packed() -> dict[str, object]:
    """What ``bentofile.yaml`` says of Python."""
    return dict(yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))["python"])


def versions(name: str) -> dict[str, str]:
    """Package → version, of a file of exact requirements."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.M)
    return {canonicalize_name(package): version for package, version in found}


def locked() -> dict[str, str]:
    """The same, of the file that ``bentofile.yaml`` names."""
    return versions(str(packed()["requirements_txt"]))


def wanted() -> list[str]:
    """The requirements that are locked, without comments."""
    lines = (ROOT / "requirements" / "serve.in").read_text(encoding="utf-8").splitlines()
    return [line.partition(" #")[0] for line in lines if line and line[0] != "#"]


def test_building_asks_no_package_index() -> None:
    assert packed()["lock_packages"] is False
    assert "packages" not in packed(), "BentoML reads one of the two"


def test_each_is_one_version_with_hashes_of_wheels() -> None:
    text = (ROOT / "requirements" / "serve.txt").read_text(encoding="utf-8")
    option, *entries = re.sub(r"^#.*\n|\\\n", "", text, flags=re.M).splitlines()
    assert option == "--only-binary :all:"
    assert len(entries) == len(locked()) > 50
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==\S+( +--hash=sha256:[0-9a-f]{64})+", entry), entry


def test_the_versions_are_those_that_are_tested() -> None:
    tested = versions("constraints.txt")
    assert {name: tested.get(name) for name in locked()} == locked()


def test_nothing_that_trains_is_installed() -> None:
    heavy = {
        "torch",
        "pytorch-lightning",
        "torchmetrics",
        "hydra-core",
        "optuna",
        "scikit-learn",
        "scipy",
        "matplotlib",
    }
    assert not heavy & set(locked())


def test_what_is_wanted_is_wanted_of_runcard_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(wanted()) <= {*project["dependencies"], *project["optional-dependencies"]["transformers"]}


def test_all_that_the_wanted_ones_bring_along_is_there() -> None:
    open_ones, seen = {canonicalize_name(Requirement(text).name) for text in wanted()}, set[str]()
    while open_ones - seen:
        name = (open_ones - seen).pop()
        seen.add(name)
        needed = map(Requirement, metadata.requires(name) or ())
        open_ones |= {canonicalize_name(one.name) for one in needed if one.marker is None or one.marker.evaluate(LINUX)}
    assert not seen - set(locked()), "run python -m scripts.lock"


def test_all_that_the_packed_files_import_is_there() -> None:
    included = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))["include"]
    files: set[Path] = {path for pattern in included for path in ROOT.glob(pattern) if path.suffix == ".py"}
    modules = {name.partition(".")[0] for path in files for name in imports(path)}
    owners = metadata.packages_distributions()
    found = {canonicalize_name(owners[name][0]) for name in modules - sys.stdlib_module_names - {"runcard"}}
    assert {"onnxruntime", "bentoml", "polars"} <= found
    assert found - set(locked()) == NOT_IN_THE_BENTO
