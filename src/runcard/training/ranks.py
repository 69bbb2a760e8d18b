"""Several processes that share each minibatch: how they find each other, and what each knows of itself.

Ours are children of the process that fits. They are given the run folder and nothing else, never ``sys.argv``, so that
a fit within a sweep or a notebook can have them. Processes that torchrun or SLURM started find the folder by asking
the first of them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from runcard.advice import advise
from runcard.errors import CardError, TrainingError
from runcard.interrupts import started_here
from runcard.training.surroundings import without_hints

# Set for the time of training, in this process and its children, and taken back.
VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "RANK")
PATIENCE_S = 10.0
# The end of a pipe by which a child says that it is about to meet the others.
READY = "RUNCARD_READY"


@dataclass(frozen=True)
class Rank:
    """One process among those that share each minibatch.

    Attributes:
        number: From 0; the first one writes.
        world: How many there are.
        environment: How Lightning finds the others; None where there are none.
    """

    number: int = 0
    world: int = 1
    environment: ClusterEnvironment | None = None

    @property
    def first(self) -> bool:
        """Whether this one writes the run."""
        return self.number == 0


def started_outside() -> ClusterEnvironment | None:
    """Who started this process as one of several: torchrun or SLURM; None: nobody."""
    with without_hints():
        if TorchElasticEnvironment.detect():
            return TorchElasticEnvironment()
        if SLURMEnvironment.detect() and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
            return SLURMEnvironment(auto_requeue=False)
        return None


def outside_rank(devices: int) -> Rank | None:
    """This process among those that torchrun or SLURM started.

    Args:
        devices: How many the card wants, on all machines.

    Raises:
        CardError: If another number was started.
    """
    environment = started_outside()
    if environment is None:
        return None
    if environment.world_size() != devices:
        raise CardError(
            f"trainer.devices: {devices} processes are wanted and {environment.world_size()} were started. "
            f"Set {advise(f'trainer.devices={environment.world_size()}')}."
        )
    return Rank(environment.global_rank(), environment.world_size(), environment)


def share(path: Path | None, rank: Rank) -> Path:
    """Tell the other processes, or ask the first, where the run is; Lightning goes on with the same group.

    Args:
        path: The run folder, in the first process.
        rank: Which process this is, started by torchrun or SLURM.
    """
    assert rank.environment is not None
    os.environ["MASTER_ADDR"] = rank.environment.main_address
    os.environ["MASTER_PORT"] = str(rank.environment.main_port)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    torch.distributed.init_process_group(backend, rank=rank.number, world_size=rank.world)
    told = [str(path)]
    torch.distributed.broadcast_object_list(told, src=0, device=torch.device("cpu"))
    return Path(told[0])


@contextlib.contextmanager
def children(run: Path, world: int) -> Iterator[Rank]:
    """The other processes of a fit on this machine, for as long as the context lasts.

    Args:
        run: The run folder, with its card.
        world: How many processes there are, with this one.

    Raises:
        TrainingError: If one dies before they meet; torch would wait for it for half an hour.
    """
    before = {name: os.environ.get(name) for name in VARIABLES}
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "NODE_RANK": "0"}
    processes: list[subprocess.Popen[bytes]] = []
    heard, told = os.pipe()
    try:
        for number in range(1, world):
            command = [sys.executable, "-P", "-m", "runcard.rank", str(run)]
            variables = os.environ | common | started_here() | {"LOCAL_RANK": str(number), READY: str(told)}
            processes.append(subprocess.Popen(command, env=variables, pass_fds=[told]))
        os.close(told)
        _wait_for(heard, world - 1)
        os.environ.update(common | {"LOCAL_RANK": "0"})
        yield Rank(0, world, LightningEnvironment())
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it has nothing more to give
                process.wait(PATIENCE_S)
    finally:
        os.close(heard)
        for process in processes:
            process.kill()
            process.wait()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _wait_for(heard: int, others: int) -> None:
    """Wait until each of the others has said that it is ready, or has ended."""
    while others:
        words = os.read(heard, others)
        if not words:
            raise TrainingError("another process of this training ended before it began; what it said is above")
        others -= len(words)


def ready() -> None:
    """Say that this process, started by ``children``, is about to meet the others."""
    told = os.environ.pop(READY, None)
    if told is not None:
        os.write(int(told), b".")
        os.close(int(told))


def child(world: int) -> Rank:
    """This process, started by ``children``."""
    return Rank(int(os.environ["LOCAL_RANK"]), world, LightningEnvironment())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
