"""A Bento as in its image, without a container engine: its own packages alone, and nothing that it can write to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import free_port

USER = 1034  # of BentoML's images
INSTALL_S = 900
# The root of a process, made of parts of this machine's: for a moment it can be written, then only /tmp can.
# $1: an empty folder; $2 …: what is seen there besides, up to "--"; then the command.
ROOT = """
set -e
root=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -m 755 "$root/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for part in /usr /bin /lib /lib64 /etc; do
  [ ! -L "$part" ] || { cp -P "$part" "$root$part"; continue; }
  [ ! -d "$part" ] || { mkdir "$root$part"; mount --rbind "$part" "$root$part"; mount -o remount,bind,ro "$root$part"; }
done
for part in /proc /dev; do mkdir "$root$part"; mount --rbind "$part" "$root$part"; done
while [ "$1" != -- ]; do
  mkdir -p "$root$1"; mount --bind "$1" "$root$1"; mount -o remount,bind,ro "$root$1"; shift
done
shift
mount -o remount,ro "$root"
exec chroot --userspec=USER:USER "$root" "$@"
""".replace("USER", str(USER))


class Image:
    """A Bento and the packages that it asks for.

    Args:
        bento: The unpacked Bento.
        folder: An empty folder.
    """

    def __init__(self, bento: Path, folder: Path) -> None:
        self.bento, self.environment, self._root = bento, folder / "environment", folder / "root"
        self._root.mkdir()
        self._install()
        self.is_apart = os.geteuid() == 0 and not subprocess.run(["unshare", "--mount", "true"]).returncode
        # The image's user owns the Bento; only that the root is read-only keeps it as it is.
        change = ["chown", f"{USER}:{USER}"] if self.is_apart else ["chmod", "a-w"]
        subprocess.run([*change, "--recursive", bento], check=True)

    def _install(self) -> None:
        """What the image's Dockerfile does, but with pip, which takes no package without a hash."""
        subprocess.run([sys.executable, "-m", "venv", self.environment], check=True)
        words = [self.python, "-m", "pip", "install", "--quiet", "--require-hashes"]
        words += ["--requirement", str(self.bento / "env" / "python" / "requirements.txt")]
        done = subprocess.run(words, env=_outside(), capture_output=True, text=True, timeout=INSTALL_S)
        if done.returncode:
            last = "".join(done.stderr.strip().splitlines()[-1:])
            what = (
                f"pip cannot install the Bento's packages: {last}. Can it reach its index? `pip config list` names it."
            )
            pytest.fail(what, pytrace=False)

    @property
    def refuses(self) -> str | None:
        """What is said to who writes into the Bento; None: root can, and no root of its own was to be had."""
        return "Read-only file system" if self.is_apart else "Permission denied" if os.geteuid() else None

    @property
    def python(self) -> str:
        """Its Python."""
        return str(self.environment / "bin" / "python")

    def words(self, *command: str) -> list[str]:
        """A command as it is run within the image.

        As root, with the user and the read-only root of a container; where that cannot be had, as who runs the test,
        and the Bento has no write bits.
        """
        inner = ["env", "-i", "HOME=/tmp", "PATH=/usr/bin:/bin", "BENTOML_HOME=/tmp/bentoml", *command]
        if not self.is_apart:
            return [word.replace("/tmp/bentoml", f"{self._root}/bentoml") for word in inner]
        seen = [str(place) for place in (sys.base_prefix, self.environment, self.bento)]
        return ["unshare", "--mount", "sh", "-c", ROOT, "sh", str(self._root), *seen, "--", *inner]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command within the image to its end."""
        return subprocess.run(self.words(*command), cwd="/", capture_output=True, text=True, timeout=INSTALL_S)

    def serve(self) -> tuple[list[str], int]:
        """What starts the service, and the port that it will listen on."""
        port = free_port()
        words = [str(self.environment / "bin" / "bentoml"), "serve", str(self.bento)]
        return self.words(*words, "--host", "127.0.0.1", "--port", str(port)), port

    def megabytes(self) -> dict[str, int]:
        """The folders of what is installed, the largest first; pip and setuptools come with the environment."""
        (place,) = self.environment.glob("lib/python*/site-packages")
        sizes = {folder.name: _size(folder) >> 20 for folder in place.iterdir()}
        sizes = {
            name: size for name, size in sizes.items() if size and name not in ("pip", "setuptools", "pkg_resources")
        }
        return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _outside() -> dict[str, str]:
    """This process's environment without the project's code."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())
