"""Values of a card that are right one by one and do not go together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from runcard.advice import advise
from runcard.card import lightning
from runcard.card.metrics import METRICS, metrics_of
from runcard.card.origins import Origins, place_of
from runcard.card.schema import Card
from runcard.card.sections.data import ArraysData, TableData
from runcard.card.sections.learning import Mixup, OwnScheduler, Sgd
from runcard.card.sections.loggers import MlflowLogger, WandbLogger
from runcard.card.sections.networks import AnyNetwork, Cnn, Lstm, MobileNet, Pretrained, ResNet, Transformer
from runcard.card.sections.parts import AbsentValue
from runcard.card.spelling import suggest
from runcard.errors import Mistake
from runcard.leaves import flatten

RANGES: dict[str, tuple[float | None, float | None]] = {
    **dict.fromkeys(("accuracy", "balanced_accuracy", "f1", "roc_auc"), (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "rmse", "mae"), (0.0, None)),
    "r2": (None, 1.0),
}
REMOTE = ("trust_remote_code", "auto_map", "code_revision")
# Networks that cannot read columns.
NEEDS: dict[type[AnyNetwork], str] = {
    Cnn: "a convolutional network needs images",
    ResNet: "a residual network needs images",
    MobileNet: "MobileNet needs images",
    Pretrained: "a ready-made classifier needs text or images",
    Lstm: "an LSTM needs sequences or images",
    Transformer: "a transformer needs sequences or images",
}


def contradictions(card: Card, origins: Origins, *, whole: bool = True) -> Iterator[Mistake]:
    """What in a card does not go together.

    Args:
        card: The card.
        origins: Where each value came from.
        whole: Whether all of the card is there; else a look ends at the first value that is absent.
    """
    for look in (
        _metric_contradictions,
        _data_contradictions,
        _model_contradictions,
        _hub_contradictions,
        _text_contradictions,
        _optimizer_contradictions,
        _trainer_contradictions,
        _device_contradictions,
        _lightning_contradictions,
        _logger_contradictions,
    ):
        with contextlib.suppress(*() if whole else (AbsentValue,)):
            for key, message, hint in look(card):
                yield Mistake(key, message, place_of(origins, key), hint)


def _metric_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    task, metric, monitor = card.problem.task, card.problem.metric, card.trainer.monitor
    if task != "auto" and metric != "auto" and METRICS[metric].task != task:
        yield "problem.metric", f"{metric!r} does not fit {task}", f"There are: {', '.join(metrics_of(task))}."
    low, high = RANGES.get(metric, (None, None))
    for name in ("today_value", "least_value"):
        value = getattr(card.problem, name)
        if value is not None and ((low is not None and value < low) or (high is not None and value > high)):
            yield f"problem.{name}", f"{value:g} is no {metric}, which is {METRICS[metric].meaning}", ""
    logged = [f"val/{name}" for name in ["loss", *(METRICS if task == "auto" else metrics_of(task))]]
    if monitor not in logged and not card.trainer.callbacks:  # whose numbers nobody knows before they are logged
        yield "trainer.monitor", f"nobody logs {monitor!r}", suggest(monitor, logged)


def _data_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    files = {"inputs": card.data.inputs, "targets": card.data.targets} if isinstance(card.data, ArraysData) else {}
    for name, path in files.items():
        if not path.endswith(".npy"):
            yield f"data.{name}", f"{path!r} is no .npy file", "numpy.save writes one."
    split = card.data.split
    if split.validation + split.test >= 1:
        larger = "validation" if split.validation > split.test else "test"
        message = "validation and test together leave no rows for training"
        yield f"data.split.{larger}", message, "Keep their sum below 1."


def _model_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    model = card.model
    if type(model) in NEEDS and not card.data.has_images and not card.data.texts:
        text = isinstance(model, Pretrained) and isinstance(card.data, TableData)
        column = f", or say which column is text: {advise('data.kinds={COLUMN: text}')}" if text else ""
        hint = f"Choose {advise('model=mlp')}{column}."
        yield "model", f"{NEEDS[type(model)]}, and this data has columns", hint
    if isinstance(model, ResNet) and len(model.blocks) != len(model.channels):
        yield (
            "model.blocks",
            f"{len(model.blocks)} numbers for the {len(model.channels)} stages of model.channels",
            "Give one a stage.",
        )
    if isinstance(model, Transformer) and model.width % model.heads:
        yield (
            "model.heads",
            f"{model.heads} heads do not divide a width of {model.width}",
            "Give a divisor of model.width.",
        )


def _hub_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    """What would have transformers fetch code and run it."""
    config = (card.model.config or {}) if isinstance(card.model, Pretrained) else {}
    for key, value in flatten(config).items():
        name = key.rpartition(".")[2]
        if name in REMOTE or "auto_map" in key.split(".") or ("attn_implementation" in name and "/" in str(value)):
            yield f"model.config.{key}", "would run code from elsewhere", "Leave it out."


def _text_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    texts = card.data.texts
    if not texts or not isinstance(card.data, TableData):
        return
    others = [name for name, kind in card.data.kinds.items() if kind != "ignore" and name != texts[0]]
    if others:
        yield f"data.kinds.{others[0]}", f"{texts[0]!r} is text, which is read alone", "Set it to ignore."
    if not isinstance(card.model, Pretrained):
        message = f"{type(card.model).__name__} cannot read text, and {texts[0]!r} is text"
        yield (
            "model",
            message,
            f"Choose {advise('model=pretrained', 'model.name=NAME')}, where NAME is a text classifier.",
        )
    if isinstance(card.augment, Mixup):
        yield "augment", "words cannot be blended as numbers can", f"Choose {advise('augment=none')}."


def _optimizer_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    if isinstance(card.optimizer, Sgd) and card.optimizer.nesterov and card.optimizer.momentum == 0:
        yield "optimizer.nesterov", "needs a momentum above 0", f"Set {advise('optimizer.nesterov=false')}."
    if isinstance(card.scheduler, OwnScheduler) and card.scheduler.arguments().get("cycle_momentum"):
        yield "scheduler.cycle_momentum", "a schedule changes the learning rate only", "Set it to false."


def _trainer_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    if trainer.precision == "16-mixed" and trainer.accelerator == "cpu":
        hint = f"Choose {advise('trainer=gpu')}, or {advise('trainer.precision=bf16-mixed')}."
        yield "trainer.precision", "'16-mixed' needs a GPU", hint
    if trainer.label_smoothing and card.problem.task == "regression":
        yield (
            "trainer.label_smoothing",
            "numbers have no labels to smooth",
            f"Set {advise('trainer.label_smoothing=0.0')}.",
        )
    if trainer.channels_last is True and not card.data.has_images:
        yield "trainer.channels_last", "only images have channels", f"Set {advise('trainer.channels_last=auto')}."


def _device_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    if trainer.strategy == "fsdp":
        yield from _sharding_contradictions(card)
    if trainer.strategy == "single" and trainer.devices > 1:
        yield (
            "trainer.devices",
            f"{trainer.devices} devices need a strategy",
            f"Choose {advise('trainer.strategy=ddp')}.",
        )
    if trainer.strategy != "single" and trainer.overfit_rows is not None:
        yield "trainer.overfit_rows", "a few rows are learned by one process", f"Set {_one_process()}."
    if trainer.strategy != "single" and trainer.profile:
        yield "trainer.profile", "one process can be profiled", f"Set {_one_process()}."
    if trainer.strategy != "single" and trainer.nonfinite == "skip":
        yield "trainer.nonfinite", "'skip' is for one device", f"Set {advise('trainer.nonfinite=stop')}."
    if trainer.strategy != "single" and trainer.steps_per_execution not in ("auto", 1):
        yield "trainer.steps_per_execution", "several processes share one minibatch at a time", "Set it to auto."
    if trainer.strategy != "single" and card.data.batch_size != "auto" and card.data.batch_size < trainer.devices:
        yield "data.batch_size", f"is less than the {trainer.devices} devices that share it", "Make it larger."


def _one_process() -> str:
    return advise("trainer.strategy=single", "trainer.devices=1")


def _lightning_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    yield from lightning.mistakes_in(card.trainer.lightning)


def _sharding_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    if trainer.accelerator == "cpu":
        ways = advise("trainer.strategy=ddp"), advise("trainer.accelerator=gpu")
        hint = f"Set {ways[0]}, or {ways[1]} on a machine with GPUs."
        yield "trainer.strategy", "'fsdp' needs GPUs, and trainer.accelerator is 'cpu'", hint
    if trainer.devices == 1:
        hint = f"Give 2 or more, or {advise('trainer.strategy=single')}."
        yield "trainer.devices", "'fsdp' divides a model among several devices", hint
    if trainer.precision == "16-mixed":
        yield "trainer.precision", "'16-mixed' is not for 'fsdp'", f"Set {advise('trainer.precision=bf16-mixed')}."
    if trainer.average.method is not None:
        hint = f"Set it to null, or {advise('trainer.strategy=ddp')}."
        yield "trainer.average.method", "no average is kept of a divided model", hint
    if trainer.compile:
        hint = f"Set {advise('trainer.compile=false')}, or {advise('trainer.strategy=ddp')}."
        yield "trainer.compile", "a divided model is not compiled", hint
    if trainer.lightning.get("inference_mode"):
        yield "trainer.lightning.inference_mode", "a divided model learns nothing after it", "Leave it out."


def _logger_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    if isinstance(card.logger, MlflowLogger | WandbLogger) and "report" in card.logger.artifacts and not card.report:
        yield "logger.artifacts", "there is no report to keep, for report is false", f"Set {advise('report=true')}."
    if not isinstance(card.logger, MlflowLogger):
        return
    uri = card.logger.tracking_uri
    # MLflow keeps runs no more in a folder of files.
    if uri.startswith("file:") or not (uri in ("auto", "databricks") or "://" in uri):
        hint = "Choose sqlite:///mlflow.db, or a server such as http://localhost:5000."
        yield "logger.tracking_uri", f"{uri!r} is no place that MLflow can keep runs in", hint
