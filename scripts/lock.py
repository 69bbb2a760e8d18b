"""Write the exact versions and hashes of all that the image of a Bento installs.

python -m scripts.lock

Reads ``requirements/serve.in`` and ``constraints.txt``, asks the package index, and writes ``requirements/serve.txt``;
``bentoml build`` then asks nobody. Run it after either file has changed. A wheel is listed if one of ``PYTHONS`` takes
it on one of ``MACHINES``, and each of these is given one of every package; nothing is built from source.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[1]
WANTED, LOCK = ROOT / "requirements" / "serve.in", ROOT / "requirements" / "serve.txt"
PYTHONS = ((3, 11), (3, 12), (3, 13))
MACHINES = ("x86_64", "aarch64")
LINUX = "sys_platform == 'linux' and implementation_name == 'cpython'"
GLIBC = range(5, 37)  # 2.5 to 2.36, that of Debian 12
HEAD = """\
# Written by `python -m scripts.lock` from serve.in and constraints.txt: all that the image of a Bento installs, on
# Linux with glibc, x86_64 and aarch64, Python 3.11 to 3.13. pip refuses whatever has another hash.
--only-binary :all:
"""


def main() -> None:
    """Write the file; nothing is written if a package has no wheel for one of the machines."""
    packages = resolved()
    lines = [line for package in packages for line in _lines(package)]
    LOCK.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(packages)} packages in {LOCK}")


def resolved() -> list[dict[str, Any]]:
    """All packages that the wanted ones bring along, each with its version and wheels, by name."""
    lines = [line.partition(" #")[0] for line in WANTED.read_text(encoding="utf-8").splitlines()]
    wanted = [line for line in lines if line and line[0] != "#"]
    words = ["pip", "compile", "pyproject.toml", "--constraint", f"{ROOT}/constraints.txt", "--universal", "--quiet"]
    words += ["--only-binary", ":all:", "--python-version", "3.11", "--format", "pylock.toml", "-o", "pylock.toml"]
    with tempfile.TemporaryDirectory() as folder:
        text = f'[project]\nname = "serve"\nversion = "0"\ndependencies = {wanted}\n'
        text += f'[tool.uv]\nenvironments = ["{LINUX}"]\n'
        Path(folder, "pyproject.toml").write_text(text, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "uv", *words], cwd=folder, check=True)
        return list(tomllib.loads(Path(folder, "pylock.toml").read_text(encoding="utf-8"))["packages"])


def _lines(package: Mapping[str, Any]) -> Iterator[str]:
    hashes = sorted(set(_hashes(package)))
    yield f"{package['name']}=={package['version']} \\"
    yield from (f"    --hash=sha256:{digest}" + " \\" * (digest != hashes[-1]) for digest in hashes)


def _hashes(package: Mapping[str, Any]) -> Iterator[str]:
    """Of the wheels that are taken somewhere.

    Raises:
        SystemExit: If a machine takes none.
    """
    wheels = [(wheel, _tags(wheel)) for wheel in package.get("wheels", ())]
    for python in PYTHONS:
        for machine in MACHINES:
            taken = [wheel for wheel, tags in wheels if tags & _taken(python, machine)]
            if not taken:
                sys.exit(f"{package['name']} {package['version']} has no wheel for Python {python} on {machine}")
            yield from (str(wheel["hashes"]["sha256"]) for wheel in taken)


def _tags(wheel: Mapping[str, Any]) -> frozenset[Tag]:
    return parse_wheel_filename(wheel.get("name") or wheel["url"].rpartition("/")[2])[3]


@functools.cache
def _taken(python: tuple[int, int], machine: str) -> set[Tag]:
    """The tags of wheels that a Python takes."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
    platforms += [f"{name}_{machine}" for name in ("manylinux1", "manylinux2010", "manylinux2014")]
    interpreter = f"cp{''.join(map(str, python))}"
    return {*cpython_tags(python, platforms=platforms), *compatible_tags(python, interpreter, platforms)}


if __name__ == "__main__":
    main()
