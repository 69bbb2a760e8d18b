"""Weights & Biases: a run there, or one in the run folder that ``wandb sync`` sends later."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from runcard.card.naming.targets import build
from runcard.card.sections.loggers import WandbLogger
from runcard.errors import CardError
from runcard.training.trackers.base import Record, Tracker, earlier
from runcard.training.trackers.variables import AUTO

# A server out of reach must be given up within a minute. What is kept here must be on disk soon: a kill takes the rest.
SETTINGS = {"init_timeout": 30.0, "finish_timeout": 60.0, "x_transaction_log_flush_interval": 1.0}
EXIT_CODES = {"success": 0, "failed": 1, "stopped": 130}


class Wandb(Tracker):
    """A run at Weights & Biases, or one kept in the run folder until ``wandb sync``."""

    kind = "wandb"
    _tracked: Any = None

    def begin(self) -> None:
        """Open the run. One that is kept here is written anew, since wandb cannot add to its file."""
        super().begin()
        mine = Path(self._tracked.dir).parent
        for old in mine.parent.glob(f"offline-run-*-{self._tracked.id}"):
            # `wandb sync` looks for this beginning of a name, and would send the epochs twice.
            if old != mine and len(list(earlier(self.run, self.first_epoch))) == self.first_epoch:
                old.rename(old.with_name(f"replaced-{old.name}"))

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Add an epoch that wandb does not hold; it would refuse an older one, with a warning."""
        if epoch >= self._begins:
            # Lightning made this name the axis of all curves.
            self._tracked.log({**metrics, "trainer/global_step": epoch}, step=epoch)

    def log_final(self, metrics: Mapping[str, float], epochs: int) -> None:
        """Write them where wandb's table of runs looks."""
        self._tracked.summary.update(dict(metrics))

    def attach(self, path: Path) -> None:
        """Keep a file among those of the run."""
        # A copy, for wandb would link to the file, and warn of that.
        copy = shutil.copy(path, self._tracked.dir)
        self._tracked.save(copy, base_path=self._tracked.dir, policy="now")

    def close(self, status: str) -> None:
        """Finish with an exit code, which is what wandb calls a status."""
        self._tracked.finish(exit_code=EXIT_CODES[status])

    def abandon(self) -> None:
        """Finish, and where that fails, as when wandb's service was killed, make the process forget the run."""
        if self._tracked is None:
            return
        import wandb

        try:
            self._tracked.finish(exit_code=1)
        except Exception:
            with contextlib.suppress(Exception):
                wandb.teardown(exit_code=1)
            wandb.run = None

    def _open(self, record: Record) -> tuple[Logger, Record]:
        if getattr(sys.modules.get("wandb"), "run", None) is not None:
            raise CardError(
                "logger: this process already has a wandb run open; finish it first, it would be written into"
            )
        import wandb

        section = self._named()
        assert isinstance(self.card.logger, WandbLogger)
        with _without_entity(known=self.card.logger.entity != AUTO):
            logger = build(
                section,
                save_dir=self.run.path,
                **self._grouped(),
                mode="offline" if section.offline else "online",
                id=record.get("id"),
                resume=None if section.offline else "allow",  # offline it only warns
                settings={name: value for name, value in SETTINGS.items() if name in wandb.Settings.model_fields},
            )
            self._tracked = logger.experiment
        self._begins = self._tracked.step if record and not section.offline else 0
        # Where it can be found again by wandb's own interface; of a run that is kept here nothing can be.
        return logger, {"id": self._tracked.id, **({} if section.offline else {"place": self._tracked.path})}

    def _named(self) -> WandbLogger:
        """The section as wandb takes it: with the name that is shown, a trial's with its number."""
        section = self.card.logger
        assert isinstance(section, WandbLogger)
        # The card of a run of an older version lacks these keys.
        entity, name = (None if one == AUTO else one for one in (section.entity, section.name))
        if name is not None and self.study:
            name = f"{name}/{self.run.path.name}"
        return section.model_copy(update={"entity": entity, "name": name or self.name})

    def _grouped(self) -> dict[str, str]:
        """The study as a group; one that the environment names stays."""
        return {"group": self.study, "job_type": "trial"} if self.study and "WANDB_RUN_GROUP" not in os.environ else {}

    def _describe(self, *, known: bool) -> None:
        self._tracked.config.update(self.card.to_dict(), allow_val_change=True)


@contextlib.contextmanager
def _without_entity(*, known: bool) -> Iterator[None]:
    """Hide wandb's variable where the card knows whose the project is: wandb would ask it where that is null."""
    before = os.environ.pop("WANDB_ENTITY", None) if known else None
    try:
        yield
    finally:
        if before is not None:
            os.environ["WANDB_ENTITY"] = before
