"""Hydra's own Optuna sweeper as released, with its defaults but for the sampler: a grid, so that all try the same.

    python -m bench.sweeping.hydra_optuna -m KEY=CHOICES … hydra.sweeper.n_trials=40

Runs in an environment of its own, see ``environment.py``.
"""

from __future__ import annotations

from typing import Any

import hydra
from bench.sweeping.trial import fitted, prepared
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

CONFIG: dict[str, Any] = {
    "defaults": ["_self_", {"override hydra/sweeper": "optuna"}, {"override hydra/sweeper/sampler": "grid"}],
    "hydra": {"sweeper": {"direction": "maximize"}},
    "optimizer": {"lr": 1e-3},
    "trainer": {"max_epochs": 10},
}
ConfigStore.instance().store("config", CONFIG)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(config: DictConfig) -> float:
    """One trial."""
    plan, _, _ = prepared()
    return fitted({key.key: OmegaConf.select(config, key.key) for key in plan.space}).value


if __name__ == "__main__":
    main()
