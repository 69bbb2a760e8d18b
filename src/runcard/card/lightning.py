"""``trainer.lightning``: which arguments of Lightning's Trainer a card may pass on, and who sets the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runcard.advice import advise
from runcard.card.spelling import suggest

# Argument → what its value may be: types, or the values themselves.
PASSED: dict[str, tuple[Any, ...]] = {
    "benchmark": (bool,),
    "detect_anomaly": (bool,),
    "enable_model_summary": (bool,),
    "inference_mode": (bool,),
    "num_nodes": (int,),
    "sync_batchnorm": (bool,),
}
# Argument → the key that says the same here.
ELSEWHERE = {
    "accelerator": "trainer.accelerator",
    "strategy": "trainer.strategy",
    "devices": "trainer.devices",
    "precision": "trainer.precision",
    "logger": "logger=NAME",
    "max_epochs": "trainer.max_epochs",
    "limit_train_batches": "trainer.limit_batches",
    "accumulate_grad_batches": "trainer.accumulate",
    "gradient_clip_val": "trainer.gradient_clip_norm",
    "deterministic": "trainer.deterministic",
    "fast_dev_run": "debug=fast",
    "overfit_batches": "debug=overfit",
    "default_root_dir": "runs_dir",
    "enable_checkpointing": "checkpoint.every_s",
    "profiler": "debug=profile",
}


def mistakes_in(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint for each argument that cannot be passed on."""
    for name, value in values.items():
        key = f"trainer.lightning.{name}"
        if name in ELSEWHERE:
            way = ELSEWHERE[name]
            yield key, "is not passed on", f"Set it with {advise(way) if '=' in way else way}."
        elif name not in PASSED:
            yield key, "is not an argument that can be passed on", suggest(name, PASSED)
        elif not _fits(value, PASSED[name]):
            yield key, f"must be {_said(PASSED[name])}, not {value!r}", ""


def _fits(value: Any, allowed: tuple[Any, ...]) -> bool:
    if isinstance(allowed[0], type):
        return type(value) in allowed and (type(value) is not int or value > 0)
    return value in allowed


def _said(allowed: tuple[Any, ...]) -> str:
    words = {bool: "true or false", int: "a whole number of 1 or more"}
    return " or ".join(words.get(item, repr(item)) for item in allowed)
