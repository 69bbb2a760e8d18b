"""What benches of many parts share: running those that are named, and saying what was measured and what missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

Part = Callable[[argparse.Namespace], dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every such bench."""
    parser.add_argument("parts", nargs="*", help="all if none is named")
    parser.add_argument("--quick", action="store_true", help="little and short: shows that all runs, not how fast")
    parser.add_argument("--json", metavar="FILE", help="what was measured")


def measure(parser: argparse.ArgumentParser, arguments: argparse.Namespace, parts: Mapping[str, Part]) -> NoReturn:
    """Run the parts that are named, each with a table; leave with what was missed."""
    unknown = [part for part in arguments.parts if part not in parts]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(parts)}")
    found: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0]}
    missed: list[str] = []
    for part in arguments.parts or parts:
        print(f"\n{part}", flush=True)
        started = time.perf_counter()
        found[part] = parts[part](arguments)
        missed += found[part].get("missed", [])
        print(f"({time.perf_counter() - started:.0f} s)", flush=True)
        if arguments.json:
            Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(f"missed: {'; '.join(missed)}" if missed and not arguments.quick else 0)
