"""``python -m runcard.rank RUN``: one of the processes that share each minibatch of a run; it writes nothing.

Started by the process that fits; all it needs lies in the run folder.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from runcard.garbage import look_seldom

if __name__ == "__main__":
    look_seldom()  # before all the imports

from runcard.fitting import follow
from runcard.interrupts import SIGNALS, end_with_parent
from runcard.runs import RunFolder
from runcard.training.ranks import child


def main() -> None:
    """Train with the others until they end."""
    for signum in SIGNALS:  # the first process says what happened
        signal.signal(signum, lambda *_: os._exit(0))
    end_with_parent(signal.SIGKILL)  # in a GPU's collective it would notice late
    logging.getLogger("runcard").setLevel(logging.ERROR)
    folder = RunFolder(Path(sys.argv[1]))
    follow(folder, child(int(folder.read_card()["trainer"]["devices"])))
    # Not by way of Python's own end: a thread of gloo may still give back a tensor, and would abort there.
    os._exit(0)


if __name__ == "__main__":
    main()
