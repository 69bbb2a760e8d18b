"""What a message tells to type: all through one function, so that a test finds it, types it, and sees it work."""

from __future__ import annotations

import shlex


def advise(*words: str) -> str:
    """Words as they are typed in a shell: ``trainer=cpu``, ``--encoding cp1252``, ``runcard resume 'runs/a run'``.

    A word in capitals stands for what its reader fills in, as in ``sweep.name=NAME``. It is called where a message is
    made, never while a module is imported: so each call can be held against the mistake that leads to it.

    Args:
        words: Each as the program takes it; what a shell would read otherwise is quoted here.
    """
    return shlex.join(words)
