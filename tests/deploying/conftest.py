"""BentoML's stores as they are on a machine where nothing was packaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bentoml._internal.configuration.containers import BentoMLContainer


@pytest.fixture
def no_bundle(tmp_path: Path) -> Iterator[None]:
    """There is no bundle."""
    BentoMLContainer.model_store_dir.set(str(tmp_path / "models"))
    yield
    BentoMLContainer.model_store_dir.reset()


@pytest.fixture
def bentos(tmp_path: Path) -> Iterator[Path]:
    """Where Bentos would be; there is none."""
    BentoMLContainer.bento_store_dir.set(str(tmp_path / "bentos"))
    yield tmp_path / "bentos"
    BentoMLContainer.bento_store_dir.reset()
