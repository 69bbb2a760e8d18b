"""Trials on this machine, each in a process of its own, forked from a server that has everything imported."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
from pathlib import Path
from typing import IO

from runcard.card.schema import Card
from runcard.data.dataset import Dataset
from runcard.environment import CORES, usable_cores
from runcard.errors import RunError
from runcard.tuning import forkserver
from runcard.tuning.events import Event, Report
from runcard.tuning.task import Task
from runcard.tuning.trialprocess import TrialProcess


class Pool:
    """Runs trials in processes of this machine.

    Args:
        slots: How many at once, 1 or more; each has its share of the cores and of the GPUs.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.outputs = Path("output")
        self._workers: dict[int, TrialProcess] = {}
        self._data: dict[str, tuple[Dataset, Card]] = {}
        self._selector = selectors.DefaultSelector()
        self._listened = self._closed = False
        self._have_server()

    @property
    def free(self) -> bool:
        """Whether there is room for one more; a trial that was stopped has its place until it has ended."""
        return len(self._workers) < self.slots

    def share(self, key: str, data: Dataset, card: Card) -> None:
        """Give rows that are read already to the trials whose task names the key; ``card``: such as they will have."""
        self._data[key] = data, card

    def ready(self, outputs: Path) -> Pool:
        """The pool, when trials can begin at once.

        Args:
            outputs: A folder for what trials print, made when the first one begins.

        Raises:
            RuncardError: If the process that starts them does not come up.
        """
        self.outputs = outputs
        self.warm_up()
        return self

    def warm_up(self) -> None:
        """Wait until trials can begin at once.

        Raises:
            RuncardError: If the process that starts them does not come up.
        """
        self._server.wait_until_up()
        if not self._listened:  # only now: what it says first is that it is up
            self._selector.register(self._server.control, selectors.EVENT_READ, None)
            self._listened = True
        for key in self._data.keys() - self._shared:
            self._server.share(key, *self._data[key])
            self._shared.add(key)

    def start(self, task: Task) -> str:
        """Begin a trial, or go on with it; the number of its slot."""
        slot = min(set(range(self.slots)) - {worker.slot for worker in self._workers.values()})
        ours, theirs = socket.socketpair()
        output = self.outputs / f"{task.number}.txt"
        with theirs, _written(output) as file:
            self._fork(task.number, [theirs.fileno(), file.fileno()])
        self._workers[task.number] = TrialProcess(task, slot, ours, output)
        self._selector.register(ours, selectors.EVENT_READ, task.number)
        variables = dict(os.environ) | self._variables(slot)
        begin = {"variables": variables, "folder": os.getcwd(), "task": task.to_dict()}
        with contextlib.suppress(OSError):  # it has died already, and we shall hear of it
            ours.sendall(json.dumps(begin).encode() + b"\n")
        return str(slot)

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened; waits so long for the first thing that does."""
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._hear_server()
            else:
                self._hear(self._workers[key.data])
        return [event for worker in list(self._workers.values()) for event in self._events(worker)]

    def answer(self, number: int, *, stop: bool) -> None:
        """Let a trial that reported go on, or end it."""
        with contextlib.suppress(OSError, KeyError):  # it has died meanwhile; we shall hear of it, or have
            self._workers[number].conversation.sendall(json.dumps(stop).encode() + b"\n")

    def stop(self, number: int) -> None:
        """Ask a trial to save what it has and to end."""
        if number in self._workers:
            self._workers[number].unwanted = True
            self._workers[number].end()

    def close(self) -> None:
        """End whatever still runs."""
        if self._closed:
            return
        self._closed = True
        for worker in self._workers.values():
            worker.conversation.close()
        self._selector.close()
        if self._workers or not self._server.alive:
            self._server.close()
        else:
            forkserver.left(self._server)
        self._workers = {}

    def _have_server(self) -> None:
        self._server = forkserver.taken()
        self._shared: set[str] = set()
        self._listened = False

    def _renew_server(self) -> None:
        """Have another; the trials that the old one forked go on, and the new one does not know how they end."""
        if self._listened:
            self._selector.unregister(self._server.control)
        self._server.close()
        self._have_server()
        for worker in self._workers.values():
            worker.orphan = True

    def _fork(self, number: int, files: list[int]) -> None:
        self.warm_up()
        try:
            self._server.fork(number, files)
        except OSError:
            self._renew_server()
            self.warm_up()
            self._server.fork(number, files)

    def _variables(self, slot: int) -> dict[str, str]:
        """A worker's share of the machine."""
        cores = str(max(1, usable_cores() // self.slots))
        found = {CORES: cores}
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = visible.split(",") if visible else [str(number) for number in range(self._server.gpus)]
        if gpus and self.slots > 1:
            each = max(1, len(gpus) // self.slots)
            first = slot * each % len(gpus)
            found["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[first : first + each])
        return found

    def _hear_server(self) -> None:
        said = self._server.heard()
        if said is None:
            self._renew_server()
        elif "ended" in said:
            for worker in self._workers.values():
                if worker.pid == said["ended"]:
                    worker.status = said["status"]
        elif said["trial"] in self._workers:
            worker = self._workers[said["trial"]]
            worker.pid = said["pid"]
            if worker.unwanted:
                worker.end()

    def _hear(self, worker: TrialProcess) -> None:
        worker.listen()
        if worker.silent:
            self._selector.unregister(worker.conversation)

    def _events(self, worker: TrialProcess) -> list[Event]:
        events = worker.events()
        if events and not isinstance(events[-1], Report):
            self._forget(worker)
        return events

    def _forget(self, worker: TrialProcess) -> None:
        if not worker.silent:
            self._selector.unregister(worker.conversation)
        worker.close()
        del self._workers[worker.task.number]


def _written(output: Path) -> IO[bytes]:
    """A file for what a trial prints.

    Raises:
        RunError: If it cannot be written.
    """
    try:
        output.parent.mkdir(exist_ok=True)
        return open(output, "ab")
    except OSError as error:
        raise RunError(f"cannot write {output}: {error.strerror or error}") from error
