"""The judge: composed values in, a frozen card or every mistake out. Reads no data and imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from runcard.card.compose import compose, compose_file
from runcard.card.explain import explain
from runcard.card.metrics import METRICS, metrics_of
from runcard.card.origins import Origins, place_of
from runcard.card.schema import Card, Cnn, MlflowLogger, Sgd, TableData
from runcard.card.spelling import suggest
from runcard.card.values import Composed
from runcard.errors import CardError, Mistake
from runcard.runs import flatten


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
    return judge(compose(overrides, config_dir))


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
    card = _with_absolute_path(card)
    card._origins = dict(composed.origins)
    return card


def resolved(card: Card, *, task: str, metric: str, accelerator: str) -> Card:
    """The card with all that may be ``auto`` settled.

    Raises:
        CardError: If what was settled contradicts the rest of the card.
    """
    values = card.to_dict()
    values["problem"] |= {"task": task, "metric": metric}
    values["trainer"] |= {"accelerator": accelerator}
    return judge(Composed(values, card.origins))


def _not_given(composed: Composed) -> list[Mistake]:
    unread = tuple(mistake.key.partition("=")[0] for mistake in composed.mistakes)
    values = flatten(composed.values).items()
    missing = [key for key, value in values if value == "???" and key not in unread]
    return [Mistake(key, "must be given", place_of(composed.origins, key), f"Add {key}=VALUE.") for key in missing]


def _with_absolute_path(card: Card) -> Card:
    if not isinstance(card.data, TableData) or "://" in card.data.path:
        return card
    path = str(Path(card.data.path).expanduser().absolute())
    return card.model_copy(update={"data": card.data.model_copy(update={"path": path})})


def _contradictions(card: Card, origins: Origins) -> list[Mistake]:
    return [
        Mistake(key, message, place_of(origins, key), hint)
        for key, message, hint in (
            *_metric_contradictions(card),
            *_model_contradictions(card),
            *_trainer_contradictions(card),
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
    if card.data.split.validation + card.data.split.test >= 1:
        yield "data.split", "validation and test together leave no rows for training", "Keep their sum below 1."


def _model_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    if isinstance(card.model, Cnn) and not card.data.has_images:
        yield "model", "a convolutional network needs images, and this data has columns", "Choose model=mlp."
    if isinstance(card.optimizer, Sgd) and card.optimizer.nesterov and card.optimizer.momentum == 0:
        yield "optimizer.nesterov", "needs a momentum above 0", "Set optimizer.nesterov=false."


def _trainer_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    trainer = card.trainer
    half = trainer.precision == "16-mixed"
    if half and trainer.accelerator == "cpu":
        yield "trainer.precision", "'16-mixed' needs a GPU", "Choose trainer=gpu, or trainer.precision=bf16-mixed."
    if half and trainer.gradient_clip_norm is not None and card.optimizer.fused:
        yield "optimizer.fused", "a fused optimizer cannot clip in 16-mixed", "Set optimizer.fused=false."


def _logger_contradictions(card: Card) -> Iterator[tuple[str, str, str]]:
    if not isinstance(card.logger, MlflowLogger):
        return
    uri = card.logger.tracking_uri
    # MLflow keeps runs no more in a folder of files.
    if uri.startswith("file:") or not (uri == "databricks" or "://" in uri):
        hint = "Choose sqlite:///mlflow.db, or a server such as http://localhost:5000."
        yield "logger.tracking_uri", f"{uri!r} is no place that MLflow can keep runs in", hint
