"""A terminal for tests: a pseudo terminal of a given width, and what a command wrote to it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence

from tests.conftest import HANG_S

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


# Commands one after the other in one process, which takes longer to start than they take; each ends with a mark.
END = "\x1e"
MANY = f"""
import json, sys
from runcard.cli.main import run
for words in json.loads(sys.argv[1]):
    run(words)
    print({END!r}, end="", flush=True)
"""


def in_terminal(*words: str, columns: int = 80, **variables: str) -> str:
    """What ``runcard`` shows on a terminal, escape codes and all."""
    return _shown(["-m", "runcard", *words], columns, variables)


def each_in_terminal(*commands: Sequence[str], columns: int = 80) -> list[str]:
    """What each command shows, one after the other."""
    *shown, _ = _shown(["-c", MANY, json.dumps(commands)], columns, {}).split(END)
    return shown


def _shown(program: list[str], columns: int, variables: Mapping[str, str]) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"TERM": "xterm-256color", **variables}
    with subprocess.Popen(
        [sys.executable, *program], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        process.wait(timeout=HANG_S)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def without_codes(text: str) -> str:
    return ESCAPES.sub("", text)


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""
