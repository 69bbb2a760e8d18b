"""What is learned and how it is judged: loss, minibatches, and the numbers of an epoch, for classes and for numbers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from runcard.advice import advise
from runcard.data.loader import Batch, Chunk
from runcard.data.transforms import TargetStep
from runcard.errors import TrainingError
from runcard.training.augment import Unchanged
from runcard.training.metrics import score
from runcard.training.noise import reseed
from runcard.training.state import State
from runcard.training.stepper import Stepper
from runcard.training.together import Together

# The card's word → the type that a forward pass computes in while the weights stay whole.
MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


Augment = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


class Task(LightningModule):
    """A network with what it needs to learn.

    Args:
        model: ``(batch, ...)`` → ``(batch, outputs)``.
        target: How truth becomes what is learned, and outputs become answers.
        metrics: What to compute on the validation rows after each epoch.
        make_stepper: From the task, when its weights are where they will be trained, to what changes them.
        state: Where training stands.
        rows: Of each minibatch of an epoch.
        seed: Noise is a pure function of it and the number of minibatches done.
        precision: The card's.
        channels_last: Whether images are laid out pixel by pixel, which convolutions may be faster with.
        label_smoothing: Share of the truth that is spread over all classes, 0 to below 1.
        augment: From inputs, targets and the number of classes to what is learned; None: the rows as they are.
        skip: Whether a minibatch whose loss is no number is passed over; else it ends training.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        target: TargetStep,
        metrics: Sequence[str],
        make_stepper: Callable[[Task], Stepper],
        state: State,
        rows: Sequence[int],
        seed: int = 0,
        precision: str | int = 32,
        channels_last: bool = False,
        label_smoothing: float = 0.0,
        augment: Augment | None = None,
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.layout = torch.channels_last if channels_last else torch.preserve_format
        self.kind = torch.bfloat16 if precision == "bf16-true" else torch.float32
        self.model = model.to(self.kind).to(memory_format=self.layout)  # type: ignore[call-overload]  # it is there
        self.target = target
        self.metrics = list(metrics)
        self.make_stepper = make_stepper
        self.state = state
        self.rows = list(rows)
        self.minibatches = len(self.rows)
        self.seed = seed
        self.mixed = MIXED.get(str(precision))
        self.smoothing = label_smoothing
        self.augment = augment or Unchanged()
        self.skip = skip
        # The latest validation.
        self.validated: dict[str, float] = {}
        # Called after each minibatch, with the state whole: where training can stop.
        self.between: Callable[[], None] = lambda: None
        self.stepper: Stepper
        # The other processes that share each minibatch; None: there are none.
        self.together: Together | None = None
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._waiting: list[Tensor] = []

    @property
    def judged(self) -> nn.Module:
        """The model whose answers count: with averaged weights, if an average is kept."""
        average = self.stepper.average
        return self.model if average is None else average.model

    @property
    def whole(self) -> bool:
        """Whether the loss of every minibatch that was learned is known, and was a number."""
        return len(self.state.losses) == self.state.epoch * self.minibatches + self.state.minibatch

    def configure_optimizers(self) -> Optimizer:
        """Make the stepper; Lightning only has to know its optimizer."""
        self.stepper = self.make_stepper(self)
        if self.together is not None:
            self.stepper.backward = self.manual_backward  # Lightning's, which averages gradients
        return self.stepper.optimizer

    def on_train_epoch_start(self) -> None:
        """Note the learning rate of the epoch's first step."""
        if self.state.minibatch == 0:
            self.state.rate = self.stepper.rate

    def training_step(self, chunk: Chunk, index: int) -> None:
        """Learn each minibatch of a chunk.

        Raises:
            TrainingError: If a loss is no number.
        """
        for inputs, targets in chunk.minibatches:
            reseed(self.seed, len(self.state.losses) + len(self._waiting), self.global_rank)
            self._learn(inputs, targets)
            self.state.minibatch += 1
            if self.state.minibatch == self.minibatches and self.stepper.average is not None:
                self.stepper.average.after_epoch(self.state.epoch)
            self.between()
        self.settle()

    def _learn(self, inputs: Tensor, targets: Tensor) -> None:
        inputs, targets = self._ready(inputs), targets.to(self.device, non_blocking=True)
        inputs, targets = self.augment(inputs, targets, len(self.target.classes))
        loss = self._loss(self._outputs(self.model, inputs), targets, self.smoothing)
        if self.together is not None:
            self._learn_together(loss, len(inputs))
            return
        last = self._ends_group
        if self.device.type != "cpu" and not self.skip:
            # A look at the value would make the processor wait for the device; so it waits until the chunk is done.
            self._waiting.append(loss.detach())
        elif not self._is_number(loss.item()):
            if last:  # what the group's other minibatches taught
                self.stepper.update()
            return
        self.stepper.learn(loss, last=last)

    @property
    def _ends_group(self) -> bool:
        """Whether the minibatch at hand is the last of those that change the weights together."""
        number = self.state.minibatch + 1
        return number % self.stepper.accumulate == 0 or number == self.minibatches

    def _learn_together(self, loss: Tensor, rows: int) -> None:
        """Learn a share of a minibatch, so that the mean of all gradients is that of the whole minibatch."""
        assert self.together is not None
        processes, whole = self.together.world, self.rows[self.state.minibatch]
        loss = loss * (rows * processes / whole if whole >= processes else 1.0)
        if self._is_number(self.together.mean(loss.detach())):
            self.stepper.learn(loss, last=self._ends_group)

    def _is_number(self, value: float) -> bool:
        """Note a loss; whether it can be learned from.

        Raises:
            TrainingError: If it cannot, and the card does not say to pass over it.
        """
        if math.isfinite(value):
            self.state.losses.append(value)
            return True
        if not self.skip:
            number, epoch, minibatch = len(self.state.losses), self.state.epoch, self.state.minibatch
            raise NotANumberError(
                f"the loss became {value} at step {number} (epoch {epoch}, minibatch {minibatch}). {lower_rate()}"
            )
        self.state.losses.append(math.nan)
        self.state.skipped += 1
        return False

    def settle(self) -> None:
        """Note the losses that are still on the device.

        Raises:
            TrainingError: If one is no number.
        """
        if self._waiting:
            values = torch.stack(self._waiting).float().tolist()
            self._waiting.clear()
            for value in values:
                self._is_number(value)

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep the outputs; the epoch's end scores them all at once."""
        inputs, targets = batch
        model = self.judged.eval()
        self._seen.append((self._outputs(model, self._ready(inputs)).float(), targets))
        self.between()

    def on_validation_epoch_end(self) -> None:
        """Compute the loss and the metrics of all validation rows.

        Raises:
            TrainingError: If the outputs are no longer numbers.
        """
        outputs = torch.cat([outputs for outputs, _ in self._seen])
        targets = torch.cat([targets for _, targets in self._seen])
        self._seen.clear()
        loss = float(self._loss(outputs, targets))
        if not math.isfinite(loss):
            raise NotANumberError(f"the validation loss is {loss} after epoch {self.state.epoch}. {lower_rate()}")
        answers = self.target.decode(outputs.cpu().numpy())
        values = score(self.metrics, answers, self._truth(targets))
        self.validated = {"val/loss": loss, **{f"val/{name}": value for name, value in values.items()}}
        if self.together is not None:  # running statistics are each process's own: the first one's count
            self.validated = self.trainer.strategy.broadcast(self.validated)

    def _ready(self, inputs: Tensor) -> Tensor:
        # Token ids are names: they stay whole numbers, and bfloat16 could not hold them.
        kind = self.kind if inputs.is_floating_point() else inputs.dtype
        return inputs.to(self.device, kind, non_blocking=True, memory_format=self.layout)

    def _outputs(self, model: nn.Module, inputs: Tensor) -> Tensor:
        context = torch.autocast(self.device.type, self.mixed) if self.mixed else contextlib.nullcontext()
        with context:
            outputs: Tensor = model(inputs)
        return outputs

    def _loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        if self.target.classes:
            return nn.functional.cross_entropy(outputs.float(), targets, label_smoothing=smoothing)
        return nn.functional.mse_loss(outputs[:, 0].float(), targets.float())

    def _truth(self, targets: Tensor) -> Any:
        if self.target.classes:
            return targets.cpu().numpy()
        return self.target.decode(targets.float().cpu().numpy()[:, None])


def lower_rate() -> str:
    """What to do where numbers grow beyond all bounds."""
    return f"Lower optimizer.lr, or set {advise('trainer.gradient_clip_norm=1.0')}."


class NotANumberError(TrainingError):
    """A loss is infinite or no number; the weights before it may still be good."""
