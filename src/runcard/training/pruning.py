"""Training that is not worth going on with: someone is told of each epoch and may end it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytorch_lightning import Callback, LightningModule, Trainer

from runcard.files import write_json
from runcard.runs import RunFolder
from runcard.training.task import Task

# An epoch, from 0, and its numbers in; whether training is not worth going on with out.
Report = Callable[[int, Mapping[str, float]], bool]


class Pruning(Callback):
    """Tells of each epoch; stands behind all that may end training, for what ends anyway is not pruned.

    Args:
        report: Who is told; None: nobody, or of several processes another one's.
        run: Where it is noted, before anything else can come between, that training was ended.

    Attributes:
        pruned: Whether ``report`` has ended training before its own end.
    """

    def __init__(self, report: Report | None, run: RunFolder) -> None:
        self.report = report
        self.run = run
        self.pruned = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell of the epoch that was closed; of several processes, all end if one is to."""
        assert isinstance(pl_module, Task)
        numbers, together = pl_module.state.history[-1], pl_module.together
        unwanted = self.report is not None and self.report(int(numbers["epoch"]), numbers)
        if together is not None:
            unwanted = together.agreed(unwanted, pl_module.device)
        self.pruned = unwanted and not trainer.should_stop
        trainer.should_stop = trainer.should_stop or self.pruned
        if self.pruned and self.report is not None:
            note_pruned(self.run, pl_module.state.epoch)


def note_pruned(run: RunFolder, epochs: int) -> None:
    """Note in a run's folder that it was ended after so many epochs."""
    write_json(run.pruned, {"epochs": epochs})
