"""Sweeps side by side: how soon many trials are done, and what of that the sweeper itself takes.

    python -m bench.sweep [race] [overhead] [pruning] [ask] [--rounds 1] [--quick] [--json FILE]

``race``: a small convolutional network on digits with one thread, 5 lengths of 1 to 3 s on this machine times 8
learning rates, the same 40 points for everybody, trained by the same code: Runcard's ``fit_card``. Against
hydra-optuna-sweeper as released, and against the loop that one would write by hand; rounds go there and back, and
ratios are of sums. ``overhead``: from a trial's start to the next one's, less its fit alone in a warm process.
``pruning``: epochs trained with and without, by several seeds of the sampler. ``ask``: a warm ask in a study of 1,000
trials against one in an empty study.

Time counts from when the first run folder was begun to when the last one was finished, by the files' times. The others'
processes have by then imported all, read card and rows, and fitted a little; that is in it for none of them.
"""

from __future__ import annotations

import argparse

from bench.reporting import Part, add_arguments, measure
from bench.sweeping.parts import ask, overhead, pruning
from bench.sweeping.racing import race

PARTS: dict[str, Part] = {
    "race": race,
    "overhead": overhead,
    "pruning": pruning,
    "ask": ask,
}


def main() -> None:
    """Run the parts that are named, each with a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=1, help="of race (2 or 4 are fair: there and back) and overhead")
    parser.add_argument("--pruner", default="median", help="what prunes in race and pruning")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the sampler in pruning")
    measure(parser, parser.parse_args(), PARTS)


if __name__ == "__main__":
    main()
