"""When a sweep ends though trials are left: time is over, the target is reached, or too much fails."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from runcard.card.metrics import reaches
from runcard.errors import TrainingError

# Before so many have ended, a rate of failures says nothing.
LEAST_FOR_A_RATE = 5


@dataclass
class Budget:
    """When to begin no more trials, though some are left.

    Attributes:
        metric: What decides.
        timeout_s: Seconds from the beginning of this command; None: as long as it takes.
        target_value: What the best trial must reach; None: as good as it gets.
        max_failure_rate: The share of ended trials that may have failed, 0 to 1.
        began: When the command did, by the monotonic clock.
    """

    metric: str
    timeout_s: float | None
    target_value: float | None
    max_failure_rate: float
    began: float = field(default_factory=time.monotonic)

    def spent(self, values: list[float], failed: list[str]) -> str | None:
        """Why no more are begun; None: go on.

        Args:
            values: Of the trials that were finished.
            failed: Why the others failed.

        Raises:
            TrainingError: If too many have failed.
        """
        ended = len(values) + len(failed)
        if ended >= LEAST_FOR_A_RATE and len(failed) > self.max_failure_rate * ended:
            raise TrainingError(
                f"{len(failed)} of {ended} trials failed, more than sweep.max_failure_rate={self.max_failure_rate:g} "
                f"allows; the last: {failed[-1]}"
            )
        target = self.target_value
        if target is not None and any(reaches(self.metric, value, target) for value in values):
            return f"sweep.target_value={target:g} is reached"
        if self.timeout_s is not None and time.monotonic() - self.began >= self.timeout_s:
            return f"sweep.timeout_s={self.timeout_s:g} is over"
        return None
