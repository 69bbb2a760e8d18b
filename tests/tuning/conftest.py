"""What the tests of sweeps share."""

from __future__ import annotations

import pytest

from runcard.tuning import report

# Here plots are looked at; the README's sweeps and those of the shipped files draw theirs too.
DRAWN = ("test_report", "test_timeline", "test_scales")


@pytest.fixture(autouse=True)
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study's report without its plots, which take as long as all of its trials."""
    if request.module.__name__.rpartition(".")[2] not in DRAWN:
        monkeypatch.setattr(report, "_pictures", lambda *_: {})
