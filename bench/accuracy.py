"""How good the shipped experiments are: mean test score of seeds 1, 2, 3 beside the linear baseline on the same rows.

    python bench/accuracy.py [--split-seed 0] [EXPERIMENT ...]

Prints a Markdown table. Other split seeds show how much of a difference is the luck of the test rows.
"""

from __future__ import annotations

import argparse
import tempfile

import runcard
from runcard.card.compose import group_choices

SEEDS = (1, 2, 3)


def row(experiment: str, split_seed: int) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = [f"experiment={experiment}", f"data.split.seed={split_seed}", f"runs_dir={folder}"]
        numbers = [runcard.fit(runcard.load_card([*fixed, f"seed={seed}"])).metrics for seed in SEEDS]
        metric = runcard.load_card(fixed).problem.metric
    names = [metric] if metric == "r2" else list(dict.fromkeys([metric, "accuracy"]))
    return "\n".join(
        f"| {experiment} | {name} | {sum(n[f'test/{name}'] for n in numbers) / len(SEEDS):.4f} "
        f"| {min(n[f'test/{name}'] for n in numbers):.4f} to {max(n[f'test/{name}'] for n in numbers):.4f} "
        f"| {numbers[0][f'baseline/linear/{name}']:.4f} |"
        for name in names
    )


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", default=group_choices()["experiment"])
    parser.add_argument("--split-seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| experiment | metric | mean of 3 seeds | from, to | linear baseline |\n|---|---|---|---|---|")
    for experiment in arguments.experiments:
        print(row(experiment, arguments.split_seed), flush=True)


if __name__ == "__main__":
    main()
