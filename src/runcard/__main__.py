"""``runcard`` and ``python -m runcard``: the command, in a process that is its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import NoReturn

from runcard.cli.main import main as command
from runcard.garbage import look_seldom
from runcard.interrupts import SIGNALS


def main() -> NoReturn:
    """Run the command line and leave the process."""
    _leave_working_directory()
    look_seldom()
    try:
        command()
    finally:
        for signum in SIGNALS:  # all is done and said: a signal that comes now changes neither
            signal.signal(signum, signal.SIG_IGN)
        gc.freeze()  # else Python goes through all of them twice more before it ends: most of a second


def _leave_working_directory() -> None:
    """Import nothing from where the user happens to stand, as ``python -m`` would: a file there may have any name."""
    here, package = os.getcwd(), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if entry not in ("", here) or here == package]


if __name__ == "__main__":
    main()
