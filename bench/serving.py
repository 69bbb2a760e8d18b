"""The service: how fast, how steady, how soon ready, and what becomes of it under too much and under what means harm.

    python -m bench.serving [race] [start] [batch] [overload] [killed] [hostile] [crowd]
                            [--rounds 4] [--quick] [--json FILE]

``race``: one row of digits for a perceptron, by wrk over 1 and 32 connections, all defaults on (ids, warnings,
validation, limits, metrics), against a bare Starlette route around the same ONNX session under the same uvicorn, and
against a stock BentoML service with the same network in torch; rounds go there and back. ``start``: seconds to ready,
memory, and its growth in a minute of load. ``batch``: rows of 20 numbers as Arrow. ``overload``: four times what can be
answered. ``killed``: a worker by SIGKILL, the service by SIGTERM. ``hostile``: a client beside one that means harm;
``crowd``: beside many that send slowly, do not read, or send as much as is taken.
It takes `apt install wrk`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from bench.reporting import add_arguments, measure


def main() -> None:
    """Run the parts that are named, each with a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=4, help="of race and hostile; an even number is fair")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENTOML_HOME"] = folder  # before BentoML is imported
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(Path(folder) / "counts")
        from bench.service.crowd import crowd
        from bench.service.faults import hostile, killed, overload
        from bench.service.parts import batch, race, start

        parts = {each.__name__: each for each in (race, start, batch, overload, killed, hostile, crowd)}
        measure(parser, arguments, parts)


if __name__ == "__main__":
    main()
