"""Import torchmetrics without what only its metrics of sound and language need, so that a fit starts a quarter sooner.

Its package imports SciPy's signal processing to add a name that another library misses, and transformers for metrics
that fetch a model. Lightning imports torchmetrics, so every fit would wait for both. While torchmetrics is imported,
a stand-in takes the place of each. Afterwards both are imported as ever by whoever asks for them, and the names that
torchmetrics took from transformers lead to the real classes when they are used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class _Deferred(type):
    """A class of transformers that is imported when it is used."""

    @property
    def _real(cls) -> Any:
        return getattr(importlib.import_module("transformers"), cls.__name__)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of every class, as whether it is abstract
            raise AttributeError(name)
        return getattr(cls._real, name)

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls._real(*arguments, **named)

    def __instancecheck__(cls, instance: Any) -> bool:
        return "transformers" in sys.modules and isinstance(instance, cls._real)


class _Transformers(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Deferred(name, (), {})


@contextmanager
def _stand_ins() -> Iterator[None]:
    signal = ModuleType("scipy.signal")
    signal.hamming = None  # type: ignore[attr-defined]  # what torchmetrics would add if it were missing
    ours = {each.__name__: each for each in (signal, _Transformers("transformers")) if each.__name__ not in sys.modules}
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name, each in ours.items():
            if sys.modules.get(name) is each:
                del sys.modules[name]


class _TorchmetricsFinder(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Python's own answer for torchmetrics, to be executed beside the stand-ins; none for all else."""
        spec = PathFinder.find_spec(name, path) if name == "torchmetrics" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_lightly(module: ModuleType) -> None:
            with _stand_ins():
                execute(module)

        spec.loader.exec_module = execute_lightly  # type: ignore[method-assign]
        return spec


def defer() -> None:
    """Have torchmetrics imported lightly, once it is."""
    if not any(isinstance(each, _TorchmetricsFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, _TorchmetricsFinder())


defer()
