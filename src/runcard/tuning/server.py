"""``python -m runcard.tuning.server FD``: a process that has imported all that a trial needs, and forks one on request.

Importing torch and Lightning takes seconds and forking milliseconds, so each trial can have a process of its own, and
what it does to itself costs no other. The server never computes and never touches a GPU: a process that was forked
from one that did may hang in the first thing that it computes. For the same reason it reads no data; rows that the
driver has read come as bytes, see ``sharing.py``. Its only threads beside its own are those with which Polars, once
imported, tidies up memory and spilled files: they sleep, hold nothing that a child needs, and are not in a child.

Requests come as messages of JSON: ``{"trial": number}`` with two files beside, the trial's end of a conversation with
the driver and where its output goes; ``{"data": key}`` with a file that holds rows, and a card to rehearse with;
``{"data": null}``: let go of all rows. Answers are ``{"ready": gpus}``, ``{"pid": ..., "trial": ...}`` and
``{"ended": pid, "status": ...}``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any, NoReturn

from runcard.garbage import look_seldom

if __name__ == "__main__":
    look_seldom()  # before all the imports; the trials' processes inherit it

from runcard import environment
from runcard.data.dataset import Dataset
from runcard.tuning.forkserver import MAX_MESSAGE
from runcard.tuning.rehearsal import rehearse
from runcard.tuning.sharing import taken
from runcard.tuning.worker import work

# Else each process imports them for itself.
PRELOADED = (
    "polars",
    "sklearn.dummy",
    "sklearn.linear_model",
    "psutil",
    "torch.profiler",
    "torch.utils.serialization",
    "encodings.utf_8_sig",
    "runcard.data.loader",
    "runcard.models.cnn",
    "runcard.models.linear",
    "runcard.models.mlp",
)
MAX_FILES = 2


def main() -> None:
    """Serve until the driver is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the driver, which tells each trial
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)
    environment.versions()  # in memory from now on
    # What is there now stays, and is not copied by a child's look for garbage.
    gc.freeze()
    _say(control, {"ready": _gpus()})
    Server(control).serve()


class Server:
    """Forks a process for each trial and says how it ended.

    Args:
        control: The connection to the driver, which keeps the borders of messages.
    """

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.data: dict[str, Dataset] = {}
        self.children: set[int] = set()
        self.woken, waker = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker)

    def serve(self) -> None:
        """Answer requests until the driver closes the connection or dies."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(self.woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self.woken in ready:
                    self._reap()
                if self.control in ready and not self._answer():
                    return

    def _answer(self) -> bool:
        """One request; whether the driver is still there."""
        try:
            message, files, *_ = socket.recv_fds(self.control, MAX_MESSAGE, MAX_FILES)
        except ConnectionResetError:  # it died with something of ours unread
            message, files = b"", []
        if not message:
            return False
        request = json.loads(message)
        if "trial" not in request:
            self._hold(request, files)
        else:
            self._fork(request, files)
        for file in files:
            os.close(file)
        return True

    def _hold(self, request: dict[str, Any], files: list[int]) -> None:
        key = request["data"]
        if key is None:
            self.data = {}
        else:
            self.data[key] = taken(files[0])
            if "card" in request:
                rehearse(request["card"], request["origins"], self.data[key])
        gc.freeze()

    def _fork(self, request: dict[str, Any], files: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(*files)
        self.children.add(pid)
        _say(self.control, {"pid": pid, "trial": request["trial"]})

    def _become(self, conversation: int, output: int) -> NoReturn:
        """Be the trial's own process, and never come back."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.control.close()
            os.dup2(output, 1)
            os.dup2(output, 2)
            work(socket.socket(fileno=conversation), self.data)
            code = 0
        finally:
            # Not by way of Python's own end, which would tidy up what the server has imported.
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.woken, MAX_MESSAGE)
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.children.discard(pid)
                _say(self.control, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _say(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the driver is gone, and we shall hear of it
        control.send(json.dumps(message).encode())


def _gpus() -> int:
    """How many GPUs there are, as a process says that may touch them."""
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        import torch

        os.write(told, bytes([min(torch.cuda.device_count(), 255)]))
        os._exit(0)
    os.close(told)
    answer = os.read(heard, 1)
    os.close(heard)
    os.waitpid(pid, 0)
    return answer[0] if answer else 0


if __name__ == "__main__":
    main()
