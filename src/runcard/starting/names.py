"""What a project may be called: its folder, its package and its card bear one name, and each must be free."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.machinery import PathFinder

from runcard.card.groups import shipped_conf
from runcard.errors import CardError

FORM = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,48}[A-Za-z0-9])?")
# The groups in which a project has a file of its name; Hydra would pass over one that is shipped too.
GROUPS = ("data", "problem", "model", "experiment")
# What else lies in the folder of a project.
FOLDERS = {"conf", "data", "docs", "own", "runs", "src", "studies", "tests"}
# As the choice of a group these are values, and no names.
VALUES = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan", "none"}


def package_name(name: str) -> str:
    """The package of a project: ``my-project`` has ``my_project``.

    Raises:
        CardError: If a project cannot bear this name; it says why.
    """
    if not FORM.fullmatch(name):
        raise CardError(
            f"{name!r} cannot be the name of a project: letters without accents, digits, _ and - are allowed, at most "
            "50, with a letter first and no _ or - last. Such as my_project."
        )
    package = name.lower().replace("-", "_")
    if taken := _taken(name, package):
        raise CardError(f"{name!r} cannot be the name of a project: {taken}. Choose another, such as my_{package}.")
    return package


def _taken(name: str, package: str) -> str:
    shipped = {file.stem for group in GROUPS for file in (shipped_conf() / group).glob("*.yaml")}
    if name in shipped:
        return "Runcard ships a choice of this name"
    if package in FOLDERS:
        return "a folder within the project has it"
    if name.lower() in VALUES or keyword.iskeyword(package):
        return "YAML or Python reads it as something else"
    return f"there is a Python package {package!r} already" if _importable(package) else ""


def _importable(package: str) -> bool:
    # On Python's path alone: what another project's card has named may still be found in that project.
    found = PathFinder.find_spec(package)
    # A folder without code is taken for a package too, be it the one that is about to be filled.
    return package in sys.stdlib_module_names or (found is not None and found.origin is not None)
