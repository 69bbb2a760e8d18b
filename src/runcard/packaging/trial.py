"""A bundle is tried out in a process of its own, before this one loads it.

A graph of 150 bytes may take gigabytes, or never end, and ONNX Runtime computes parts of a graph while it loads it. A
bundle may come from a stranger, so it is verified and answers its reference rows first where memory and time are
limited and nothing else dies with it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from runcard.errors import BundleError
from runcard.interrupts import end_with_parent, started_here

# MiB that a bundle may take beside ``SIZES`` times its files, and each thread's stack.
MEMORY_MB, SIZES, THREAD_MB = 512, 5, 16
BLOCK_BYTES = 512  # of ``st_blocks``, on every system
# Seconds; importing torch takes ten on a slow machine.
TIMEOUT_S = 90.0
CHILD = "from runcard.packaging.trial import main; main()"


class Trial:
    """A bundle being tried out; other work can be done until ``wait``.

    Args:
        path: The bundle's folder.
        threads: Processor threads of one answer.
        provider: ``cpu`` or ``cuda``; the memory of a GPU is not limited.
        environment: Variables that the process takes besides.
    """

    def __init__(
        self, path: Path, *, threads: int = 1, provider: str = "cpu", environment: dict[str, str] | None = None
    ) -> None:
        self._path = path
        told = json.dumps({"path": str(path), "threads": threads, "provider": provider})
        # The package's own folder: within a Bento no installation knows it.
        places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        own = {"PYTHONPATH": os.pathsep.join(filter(None, places)), **(environment or {})}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", CHILD, told],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **own, **started_here()},
            )
        except OSError as error:
            raise BundleError(f"the bundle {path} cannot be tried out: {error.strerror or error}") from error

    def wait(self) -> str:
        """Wait until it has answered.

        Returns:
            The bundle's digest: of its manifest, and so of every file that was tried.

        Raises:
            BundleError: If it cannot be served here, takes too much, or too long.
        """
        try:
            written, _ = self._process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise BundleError(f"the bundle {self._path} does not answer within {TIMEOUT_S:g} s") from None
        finally:
            self.stop()
        said = _last(written)
        if "digest" in said:
            return str(said["digest"])
        # Who runs out of memory may not be able to say so.
        how = str(said.get("error", "")) or f"the bundle {self._path} cannot be loaded here: {self._ended()}"
        raise BundleError(how)

    def stop(self) -> None:
        """End it, if it has not ended."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ended(self) -> str:
        return f"the process that tried it ended with {self._process.returncode}, as where memory is short"


def try_out(path: Path, *, threads: int = 1, provider: str = "cpu") -> str:
    """Try a bundle out, and wait for it: ``Trial`` and ``Trial.wait`` at once."""
    return Trial(path, threads=threads, provider=provider).wait()


def main() -> None:
    """Verify and load the bundle that the command names, have it answer, and write what comes of it as one line."""
    end_with_parent(signal.SIGKILL)
    told = json.loads(sys.argv[1])
    try:
        said = {"digest": _opened(Path(told["path"]), told["threads"], told["provider"])}
    except MemoryError:
        said = {"error": f"the bundle {told['path']} takes more memory than its size allows"}
    except BundleError as error:
        said = {"error": str(error)}
    sys.stdout.write(f"\n{json.dumps(said)}\n")
    sys.stdout.flush()
    os._exit(0)  # nothing that it has loaded is asked to end well


def _opened(path: Path, threads: int, provider: str) -> str:
    from runcard.packaging import bundle, manifest

    _limit_seconds(math.ceil(TIMEOUT_S) * threads)
    digest = manifest.digest_of(path)
    if bundle.is_with_torch(path):
        import runcard.packaging.torch_graph  # noqa: F401  # before memory is counted
    if provider == "cpu":
        size = sum(map(_size, (path / name for name in manifest.read_manifest(path))))
        _limit_memory((MEMORY_MB + THREAD_MB * threads) * 2**20 + SIZES * size)
    bundle.open_bundle(path, threads=threads, provider=provider, digest=digest)
    return digest


def _limit_seconds(most: int) -> None:
    """Let this process compute for so many seconds, whoever waits for it or has forgotten it."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _size(file: Path) -> int:
    """Bytes that a file takes on the disk, where holes take none; one that is missing is missed later, by name."""
    try:
        found = file.stat()
    except OSError:
        return 0
    return min(found.st_size, found.st_blocks * BLOCK_BYTES)


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has; where the system does not say how many, all it wants."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        (has,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmData:"))
        most = int(has) * 1024 + more
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _last(written: bytes) -> dict[str, object]:
    """The last line, if it is what ``main`` writes."""
    try:
        said = json.loads(written.splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
