"""Whether a sweep comes to its end whatever dies: workers, their parent, everything, or the storage for 30 s.

    python -m bench.chaos [sqlite] [postgresql] [cut] [--seed 0] [--quick]

``sqlite``, ``postgresql``: 40 trials by 4 workers and 10 ``kill -9``: of a trial's process, of what forks them, of the
parent and of all at once, in an order and at moments drawn by ``--seed``. After each death of the parent the same
command is started again, at once. ``cut``: nobody is killed, and PostgreSQL stops answering for 30 s in the middle.
Needs a PostgreSQL server's binaries for all but the first: apt-get install postgresql.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.sweeping.checks import check
from bench.sweeping.killing import KINDS, Sweep
from bench.sweeping.measuring import RefusedError, Targets
from tests.postgres import postgres

SCENES = ("sqlite", "postgresql", "cut")
MAX_DELAY_S = 2.0  # after as many trials as a kill waits for


@dataclass(frozen=True)
class Scale:
    """How much is tried.

    Attributes:
        trials: In all.
        kills: As many, spread over the trials.
        cut_s: How long the storage does not answer.
    """

    trials: int
    kills: int
    cut_s: float


def storm(scale: Scale, storage: str | None, rng: random.Random, folder: Path) -> dict[str, Any]:
    """Kill and start again until the sweep is done; what was found."""
    kinds = [KINDS[number % len(KINDS)] for number in range(scale.kills)]
    rng.shuffle(kinds)
    with Sweep(folder, scale.trials, storage) as sweep:
        for number, kind in enumerate(kinds):
            sweep.wait(until=(number + 1) * scale.trials // (scale.kills + 2))
            sweep.pause(rng.uniform(0, MAX_DELAY_S))
            done = sweep.finished
            sweep.kill(kind, rng)
            print(f"  {sweep.seconds:6.1f} s  {done:2} of {scale.trials} done  kill -9 of {kind}", flush=True)
        sweep.wait()
    return _checked(sweep, scale, storage)


def cut(scale: Scale, folder: Path) -> dict[str, Any]:
    """Stop the storage while the sweep goes on; what was found."""
    with postgres() as server, Sweep(folder, scale.trials, server.url) as sweep:
        sweep.wait(until=scale.trials // 2)
        server.stop("immediate")
        before = sweep.finished
        time.sleep(scale.cut_s)
        print(f"  {before} done before, {sweep.finished} after {scale.cut_s:.0f} s without the storage", flush=True)
        server.start()
        sweep.wait()
        return _checked(sweep, scale, server.url)


def _checked(sweep: Sweep, scale: Scale, storage: str | None) -> dict[str, Any]:
    targets = Targets()
    check(sweep, scale.trials, storage, targets)
    return {"seconds": round(sweep.seconds, 1), "starts": sweep.starts, "missed": targets.missed}


def scene(name: str, scale: Scale, rng: random.Random) -> dict[str, Any]:
    """One of them; in a folder of its own, which stays if something is wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"runcard-chaos-{name}-"))
    if name == "cut":
        found = cut(scale, folder)
    elif name == "postgresql":
        with postgres() as server:
            found = storm(scale, server.url, rng, folder)
    else:
        found = storm(scale, None, rng, folder)
    if found["missed"]:
        print(f"  see {folder}")
    else:
        shutil.rmtree(folder)
    return found


def main() -> None:
    """Play the scenes that are named, each with a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", help=f"of {', '.join(SCENES)}; all if none is named")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of what is killed when")
    parser.add_argument("--quick", action="store_true", help="12 trials, 4 kills")
    parser.add_argument("--json", metavar="FILE", help="what was found")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenes if name not in SCENES]
    if unknown:
        parser.error(f"there is no scene {unknown[0]}; there are {', '.join(SCENES)}")
    scale = Scale(12, 4, 8.0) if arguments.quick else Scale(40, 10, 30.0)
    print(f"--seed {arguments.seed}")
    found: dict[str, Any] = {"seed": arguments.seed}
    for name in arguments.scenes or SCENES:
        print(f"\n{name}", flush=True)
        try:
            found[name] = scene(name, scale, random.Random(arguments.seed))
        except unittest.SkipTest as reason:
            print(f"  skipped: {reason}")
        except RefusedError as error:
            print(f"  {error}")
            found[name] = {"missed": [f"{name} came to no end"]}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")
    missed = [line for name in SCENES for line in found.get(name, {}).get("missed", [])]
    sys.exit(f"missed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
