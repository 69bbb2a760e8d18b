"""The judge: composed values in, a frozen card or every mistake out. Reads no data and imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runcard.card import lightning, project
from runcard.card.compose import compose, compose_file
from runcard.card.explain import explain
from runcard.card.metrics import METRICS, metrics_of
from runcard.card.origins import Origins, place_of
from runcard.card.schema import Card
from runcard.card.sections.data import ArraysData, Data, TableData
from runcard.card.sections.learning import Mixup, Sgd
from runcard.card.sections.loggers import MlflowLogger
from runcard.card.sections.networks import AnyNetwork, Cnn, Lstm, MobileNet, Pretrained, ResNet, Transformer
from runcard.card.spelling import suggest
from runcard.card.values import Composed
from runcard.errors import CardError, Mistake
from runcard.runs import flatten

# Networks that cannot read columns.
NEEDS: dict[type[AnyNetwork], str] = {
    Cnn: "a convolutional network needs images",
    ResNet: "a residual network needs images",
    MobileNet: "MobileNet needs images",
    Pretrained: "a ready-made classifier needs text or images",
    Lstm: "an LSTM needs sequences or images",
    Transformer: "a transformer needs sequences or images",
}


def load(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> Card:
    """Compose and judge a card.

    Args:
        overrides: ``group=choice`` and ``key=value``; the first may be a saved ``card.yaml`` instead.
        config_dir: A folder of the user's own groups.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    if overrides and is_saved_card(overrides[0]):
        if config_dir is not None:
            raise CardError("--config-dir: a saved card holds values, so no groups are looked up for it")
        return load_saved(Path(overrides[0]), overrides[1:])
    return judge(compose(project.find().words(overrides), config_dir))


def is_saved_card(word: str) -> bool:
    """Whether what was typed is the name of a card's file, and no override."""
    return word.endswith((".yaml", ".yml")) and ("=" not in word or Path(word).is_file())


def load_saved(path: Path, overrides: Sequence[str] = ()) -> Card:
    """Judge a saved card.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    return judge(compose_file(path, overrides))


def judge(composed: Composed) -> Card:
    """Check every key and value.

    Raises:
        CardError: If anything is wrong; it holds every mistake.
    """
    mistakes = [*composed.mistakes, *_not_given(composed)]
    try:
        # As JSON, for pydantic's strict mode then takes a list for a tuple and still no text for a number.
        card = Card.model_validate_json(json.dumps(composed.values, default=str))
    except ValidationError as error:
        raise CardError([*mistakes, *explain(error, composed.origins)]) from None
    mistakes += _contradictions(card, composed.origins)
    if mistakes:
        raise CardError(mistakes)
    card = card.model_copy(update={"data": _with_absolute_paths(card.data)})
    card._origins = dict(composed.origins)
    return card


def settled(card: Card, section: str, **found: object) -> Card:
    """The card with values of a section in place of ``auto``; what is not on ``auto`` stays.

    Raises:
        CardError: If what was settled contradicts the rest of the card.
    """
    there = card.to_dict()[section]
    return replaced(card, section, {name: value for name, value in found.items() if there[name] == "auto"})


def replaced(card: Card, section: str, values: Mapping[str, Any]) -> Card:
    """The card with other values in a section.

    Raises:
        CardError: If they contradict the rest of the card.
    """
    content = card.to_dict()
    content[section] |= values
    return judge(Composed(content, card.origins))


def _not_given(composed: Composed) -> list[Mistake]:
    unread = tuple(mistake.key.partition("=")[0] for mistake in composed.mistakes)
    values = flatten(composed.values).items()
    missing = [key for key, value in values if value == "???" and key not in unread]
    return [Mistake(key, "must be given", place_of(composed.origins, key), f"Add {key}=VALUE.") for key in missing]


def _with_absolute_paths(data: Data) -> Data:
    names = {TableData: ["path"], ArraysData: ["inputs", "targets"]}.get(type(data), [])
    paths = {name: getattr(data, name) for name in names}
    local = {name: path for name, path in paths.items() if "://" not in path}
    return data.model_copy(update={name: str(Path(path).expanduser().absolute()) for name, path in local.items()})


def _contradictions(card: Card, origins: Origins) -> list[Mistake]:
    return [
        Mistake(key, message, place_of(origins, key), hint)
        for key, message, hint in (
            *_metric_contradictions(card),
            *_data_contradictions(card),
            *_model_contradictions(card),
            *_text_contradictions(card),
            *_optimizer_contradictions(card),
            *_trainer_contradictions(card),
            *_device_contradictions(card),
            *lightning.mistakes_in(card.trainer.lightning),
            *_logger_contradictions(card),
        )
    ]


def _metric_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    task, metric, monitor = card.problem.task, card.problem.metric, card.trainer.monitor
    if task != "auto" and metric != "auto" and METRICS[metric].task != task:
        yield "problem.metric", f"{metric!r} does not fit {task}", f"There are: {', '.join(metrics_of(task))}."
    logged = [f"val/{name}" for name in ["loss", *(METRICS if task == "auto" else metrics_of(task))]]
    if monitor not in logged:
        yield "trainer.monitor", f"nobody logs {monitor!r}", suggest(monitor, logged)


def _data_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    files = {"inputs": card.data.inputs, "targets": card.data.targets} if isinstance(card.data, ArraysData) else {}
    for name, path in files.items():
        if not path.endswith(".npy"):
            yield f"data.{name}", f"{path!r} is no .npy file", "numpy.save writes one."
    if card.data.split.validation + card.data.split.test >= 1:
        yield "data.split", "validation and test together leave no rows for training", "Keep their sum below 1."


def _model_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    model = card.model
    if type(model) in NEEDS and not card.data.has_images and not card.data.texts:
        text = isinstance(model, Pretrained) and isinstance(card.data, TableData)
        hint = "Choose model=mlp" + (", or say which column is text: 'data.kinds={COLUMN: text}'." if text else ".")
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


def _text_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    texts = card.data.texts
    if not texts or not isinstance(card.data, TableData):
        return
    others = [name for name, kind in card.data.kinds.items() if kind != "ignore" and name != texts[0]]
    if others:
        yield f"data.kinds.{others[0]}", f"{texts[0]!r} is text, which is read alone", "Set it to ignore."
    if not isinstance(card.model, Pretrained):
        message = f"{type(card.model).__name__} cannot read text, and {texts[0]!r} is text"
        yield "model", message, "Choose model=pretrained, and in model.name a text classifier."
    if isinstance(card.augment, Mixup):
        yield "augment", "words cannot be blended as numbers can", "Choose augment=none."


def _optimizer_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    if isinstance(card.optimizer, Sgd) and card.optimizer.nesterov and card.optimizer.momentum == 0:
        yield "optimizer.nesterov", "needs a momentum above 0", "Set optimizer.nesterov=false."


def _trainer_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    if trainer.precision == "16-mixed" and trainer.accelerator == "cpu":
        yield "trainer.precision", "'16-mixed' needs a GPU", "Choose trainer=gpu, or trainer.precision=bf16-mixed."
    if trainer.label_smoothing and card.problem.task == "regression":
        yield "trainer.label_smoothing", "numbers have no labels to smooth", "Set trainer.label_smoothing=0.0."
    if trainer.channels_last is True and not card.data.has_images:
        yield "trainer.channels_last", "only images have channels", "Set trainer.channels_last=auto."


def _device_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    if trainer.strategy == "fsdp":
        yield from _sharding_contradictions(card)
    if trainer.strategy == "single" and trainer.devices > 1:
        yield "trainer.devices", f"{trainer.devices} devices need a strategy", "Choose trainer=ddp."
    if trainer.strategy != "single" and trainer.overfit_rows is not None:
        yield "trainer.overfit_rows", "a few rows are learned by one process", "Choose trainer=cpu."
    if trainer.strategy != "single" and trainer.profile:
        yield "trainer.profile", "one process can be profiled", "Choose trainer=cpu."
    if trainer.strategy != "single" and trainer.nonfinite == "skip":
        yield "trainer.nonfinite", "'skip' is for one device", "Set trainer.nonfinite=stop."
    if trainer.strategy != "single" and trainer.steps_per_execution not in ("auto", 1):
        yield "trainer.steps_per_execution", "several processes share one minibatch at a time", "Set it to auto."
    if trainer.strategy != "single" and card.data.batch_size != "auto" and card.data.batch_size < trainer.devices:
        yield "data.batch_size", f"is less than the {trainer.devices} devices that share it", "Make it larger."


def _sharding_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    if trainer.accelerator == "cpu":
        hint = "Choose trainer=ddp, or trainer.accelerator=gpu on a machine with GPUs."
        yield "trainer.strategy", "'fsdp' needs GPUs, and trainer.accelerator is 'cpu'", hint
    if trainer.devices == 1:
        yield "trainer.devices", "'fsdp' divides a model among several devices", "Give 2 or more, or trainer=gpu."
    if trainer.precision == "16-mixed":
        yield "trainer.precision", "'16-mixed' is not for 'fsdp'", "Set trainer.precision=bf16-mixed."
    if trainer.average.method is not None:
        yield "trainer.average.method", "no average is kept of a divided model", "Set it to null, or trainer=ddp."
    if trainer.compile:
        yield "trainer.compile", "a divided model is not compiled", "Set trainer.compile=false, or trainer=ddp."
    if trainer.lightning.get("inference_mode"):
        yield "trainer.lightning.inference_mode", "a divided model learns nothing after it", "Leave it out."


def _logger_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    if not isinstance(card.logger, MlflowLogger):
        return
    uri = card.logger.tracking_uri
    # MLflow keeps runs no more in a folder of files.
    if uri.startswith("file:") or not (uri == "databricks" or "://" in uri):
        hint = "Choose sqlite:///mlflow.db, or a server such as http://localhost:5000."
        yield "logger.tracking_uri", f"{uri!r} is no place that MLflow can keep runs in", hint
