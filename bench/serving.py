"""The service: how fast, how steady, how soon ready, and what becomes of it under too much and under what means harm.

    python -m bench.serving [race] [start] [batch] [overload] [killed] [hostile] [--rounds 4] [--quick] [--json FILE]

``race``: one row of digits for a perceptron, by wrk over 1 and 32 connections, all defaults on (ids, warnings,
validation, limits, metrics), against a bare Starlette route around the same ONNX session under the same uvicorn, and
against a stock BentoML service with the same network in torch; rounds go there and back. ``start``: seconds to ready,
memory, and its growth in a minute of load. ``batch``: rows of 20 numbers as Arrow. ``overload``: four times what can be
answered. ``killed``: a worker by SIGKILL, the service by SIGTERM. ``hostile``: a client beside one that means harm.
It takes `apt install wrk`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Run the parts that are named, each with a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="all if none is named")
    parser.add_argument("--rounds", type=int, default=4, help="of race; an even number is fair")
    parser.add_argument("--quick", action="store_true", help="short: shows that all runs, not how fast")
    parser.add_argument("--json", metavar="FILE", help="what was measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENTOML_HOME"] = folder  # before BentoML is imported
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(Path(folder) / "counts")
        from bench.service.faults import hostile, killed, overload
        from bench.service.parts import batch, race, start

        parts = {each.__name__: each for each in (race, start, batch, overload, killed, hostile)}

        unknown = [part for part in arguments.parts if part not in parts]
        if unknown:
            parser.error(f"there is no part {unknown[0]}; there are {', '.join(parts)}")
        found: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": os.getloadavg()[0]}
        for part in arguments.parts or parts:
            print(f"\n{part}", flush=True)
            found[part] = parts[part](arguments)
            if arguments.json:
                Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")
    measured = [part for part in found.values() if isinstance(part, dict)]
    missed = [line for part in measured for line in part["missed"] if not arguments.quick]
    sys.exit(f"missed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
