"""What one step is: loss, optimizer, schedule and the numbers of an epoch, for classes and for numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from runcard.data.loader import Batch
from runcard.data.transforms import TargetStep
from runcard.errors import TrainingError
from runcard.training.metrics import score


class Task(LightningModule):
    """A network with what it needs to learn.

    Args:
        model: ``(batch, ...)`` → ``(batch, outputs)``.
        target: How truth becomes what is learned, and outputs become answers.
        metrics: What to compute on the validation rows after each epoch.
        optimizer: From parameters to an optimizer.
        schedule: From the share of the steps done, 0 to 1, to the factor of the learning rate.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        target: TargetStep,
        metrics: Sequence[str],
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        schedule: Callable[[float], float],
    ) -> None:
        super().__init__()
        self.model = model
        self.target = target
        self.metrics = list(metrics)
        self.make_optimizer = optimizer
        self.schedule = schedule
        self.loss = nn.functional.cross_entropy if target.classes else _squared_error
        # The latest validation, exactly; what Lightning logs is rounded to float32.
        self.validated: dict[str, float] = {}
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._loss_sum = torch.zeros(())
        self._rows = 0
        self._lr = 0.0

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The mean loss of a batch."""
        inputs, targets = batch
        loss = self.loss(self.model(inputs), targets)
        # Summed where it is: a look at the value would make the processor wait for the device.
        self._loss_sum = self._loss_sum + loss.detach().float() * len(targets)
        self._rows += len(targets)
        return loss

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's sums anew, and note the learning rate of its first step."""
        self._lr = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        self._loss_sum = torch.zeros((), device=self.device)
        self._rows = 0

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss and the learning rate that it began with.

        Raises:
            TrainingError: If the loss is no longer a number.
        """
        loss = float(self._loss_sum) / max(self._rows, 1)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {self.current_epoch}. "
                "Lower optimizer.lr, or set trainer.gradient_clip_norm=1.0."
            )
        self.log_dict({"train/loss": loss, "lr": self._lr})

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the outputs; the epoch's end scores them all at once."""
        inputs, targets = batch
        self._seen.append((self.model(inputs), targets))

    def on_validation_epoch_end(self) -> None:
        """Log the loss and the metrics of all validation rows.

        Raises:
            TrainingError: If the outputs are no longer numbers.
        """
        outputs = torch.cat([outputs for outputs, _ in self._seen]).float()
        targets = torch.cat([targets for _, targets in self._seen])
        self._seen.clear()
        loss = float(self.loss(outputs, targets))
        if not math.isfinite(loss):
            raise TrainingError(
                f"the validation loss is {loss} in epoch {self.current_epoch}. "
                "Lower optimizer.lr, or set trainer.gradient_clip_norm=1.0."
            )
        answers = self.target.decode(outputs.cpu().numpy())
        values = score(self.metrics, answers, self._truth(targets))
        self.validated = {"val/loss": loss, **{f"val/{name}": value for name, value in values.items()}}
        self.log_dict(self.validated)

    def configure_optimizers(self) -> Any:
        """The optimizer, its rate set before every step."""
        optimizer = self.make_optimizer(self.model.parameters())
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        # The first step is step 1: at step 0 a warm-up would multiply by 0 and learn nothing.
        scheduler = LambdaLR(optimizer, lambda step: self.schedule((step + 1) / (steps + 1)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _truth(self, targets: Tensor) -> Any:
        if self.target.classes:
            return targets.cpu().numpy()
        return self.target.decode(targets.float().cpu().numpy()[:, None])


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.mse_loss(outputs[:, 0].float(), targets.float())
