"""What ``fit`` and ``resume`` say at their end when a card asks: can it learn, what takes time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runcard.evaluation.predictor import Run

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# The loss went down by less than this share of it: the rate is the first suspect.
HARDLY = 0.1


def learned(run: Run) -> bool | None:
    """Whether the few rows were learned by heart; None if that was not asked."""
    value = run.metrics.get("overfit/learned")
    return None if value is None else value == 1


def overfit_text(run: Run) -> str:
    """The verdict; where it is bad, each suspect with what was seen of it."""
    numbers = {name.removeprefix("overfit/"): value for name, value in run.metrics.items() if "overfit/" in name}
    count, steps = int(numbers["rows"]), int(numbers["steps"])
    rows = f"{WORDS[count] if count < len(WORDS) else count} row{'s' if count > 1 else ''}"
    if numbers["learned"] == 1:
        return f"the model can learn: {rows} by heart after {steps} steps"
    name = "accuracy" if "accuracy" in numbers else "r2"
    score = f"{name} {numbers[name]:.4g}" if name in numbers else f"{name} not defined on these rows"
    return "\n".join(
        [
            f"the model can NOT learn: {rows} are not known by heart after {steps} steps",
            f"  loss           {numbers['first_loss']:.4g} at first, {numbers['loss']:.4g} at last; {score}",
            f"  learning rate  optimizer.lr={run.card.optimizer.rate:g}; {_rate_advice(numbers)}",
            f"  frozen layers  {numbers['frozen']:.0%} of the weights do not learn",
            f"  dead ReLU      {numbers['dead']:.0%} of the units of the worst layer answer 0 to all of the rows",
            f"  labels         {int(numbers['alike'])} of the rows equal one that has another target",
        ]
    )


def _rate_advice(numbers: Mapping[str, float]) -> str:
    before, after = numbers["first_loss"], numbers["loss"]
    if after > before:
        return "the loss rose: try a tenth of it"
    if after > (1 - HARDLY) * before:
        return "the loss hardly moved: try ten times as much"
    return "the loss fell: try three times as much, or more steps with trainer.max_epochs"


def profile_text(profile: Mapping[str, Any], trace: str) -> str:
    """Where the time of training went."""
    seconds: Mapping[str, float] = profile["seconds"]
    total = sum(seconds.values())
    lines = [f"where the time went: {profile['steps']} steps in {total:.2f} s"]
    lines += [f"  {name:<22}{value:>9.3f} s {_share(value, total)}" for name, value in seconds.items()]
    operators = profile["operators"]
    lines.append(f"the {len(operators)} most costly operators of {profile['traced_steps']} more steps")
    lines += [f"  {item['name']:<44.44}{item['calls']:>6} calls {item['share']:>5.0%}" for item in operators]
    return "\n".join([*lines, f"trace   {trace}  (open it at ui.perfetto.dev or chrome://tracing)"])


def _share(value: float, total: float) -> str:
    return f"{value / total:>5.0%}" if total else "    -"
