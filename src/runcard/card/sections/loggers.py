"""The section ``logger``: who is told of a run while it trains."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from runcard.card.sections.parts import OWN, SHIPPED, OwnPart, Part, Text, kind_of_part

CSV = "runcard.training.csvlog.CsvLogger"


class CsvLogger(Part):
    """One line an epoch in the run folder."""

    target_class: Literal["runcard.training.csvlog.CsvLogger"] = Field(alias="_target_")


class Keeping(Part):
    """A tracker that can keep files of a run: ``artifacts`` is for Runcard, not for the tracker's class."""

    def arguments(self) -> dict[str, Any]:
        """As ``Part.arguments``, without the files."""
        return {name: value for name, value in super().arguments().items() if name != "artifacts"}


class WandbLogger(Keeping):
    """Weights & Biases."""

    target_class: Literal["pytorch_lightning.loggers.WandbLogger"] = Field(alias="_target_")
    project: Text
    """The project at Weights & Biases; auto: the variable WANDB_PROJECT, else runcard."""
    offline: bool | Literal["auto"]
    """true: kept in the run folder, nothing leaves the machine; false: sent while training; auto: as the variable
    WANDB_MODE says, else true."""
    entity: Text | None = "auto"
    """The user or team whose project it is; null: your own; auto: the variable WANDB_ENTITY, else null."""
    name: Text | None = "auto"
    """What the run is called there, a trial with its number behind it; null: as its card and folder are called; auto:
    the variable WANDB_NAME, else null."""
    artifacts: tuple[Literal["card", "report"], ...] = ()
    """Which files of the run are kept there too: card, report, or none; a report names classes, and shows how the test
    rows were answered."""


class TensorBoardLogger(Part):
    """Event files for TensorBoard."""

    target_class: Literal["pytorch_lightning.loggers.TensorBoardLogger"] = Field(alias="_target_")


class MlflowLogger(Keeping):
    """MLflow, with a file or a server."""

    target_class: Literal["pytorch_lightning.loggers.MLFlowLogger"] = Field(alias="_target_")
    tracking_uri: Text
    """sqlite:///FILE, http://HOST:PORT, https://HOST or postgresql://...; a password does not belong here. auto: the
    variable MLFLOW_TRACKING_URI, else sqlite:///mlflow.db."""
    experiment_name: Text
    """What MLflow lists the runs under; made if it is not there. auto: the variable MLFLOW_EXPERIMENT_NAME, else
    runcard."""
    artifacts: tuple[Literal["card", "report", "bundle"], ...] = ()
    """What of the run is kept there too: card, report, and bundle, when it is packaged, or none; a report names
    classes, and shows how the test rows were answered."""


class NoLogger(Part):
    """Nothing is written while training."""

    target_class: Literal["pytorch_lightning.loggers.logger.DummyLogger"] = Field(alias="_target_")


class OwnLogger(OwnPart):
    """A logger of the user's own, one of Lightning's: told the card, each epoch, and the final numbers."""


ShippedLogger = CsvLogger | WandbLogger | TensorBoardLogger | MlflowLogger | NoLogger
AnyLogger = Annotated[
    Annotated[ShippedLogger, Field(discriminator="target_class"), Tag(SHIPPED)] | Annotated[OwnLogger, Tag(OWN)],
    Discriminator(kind_of_part),
]
