"""The section ``logger``: who is told of a run while it trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runcard.card.sections.parts import Part, Text


class CsvLogger(Part):
    """One line an epoch in the run folder."""

    target_class: Literal["runcard.training.csvlog.CsvLogger"] = Field(alias="_target_")


class WandbLogger(Part):
    """Weights & Biases."""

    target_class: Literal["pytorch_lightning.loggers.WandbLogger"] = Field(alias="_target_")
    project: Text
    """The project at Weights & Biases."""
    offline: bool
    """true: kept in the run folder, nothing leaves the machine; false: sent while training."""


class TensorBoardLogger(Part):
    """Event files for TensorBoard."""

    target_class: Literal["pytorch_lightning.loggers.TensorBoardLogger"] = Field(alias="_target_")


class MlflowLogger(Part):
    """MLflow, with a file or a server."""

    target_class: Literal["pytorch_lightning.loggers.MLFlowLogger"] = Field(alias="_target_")
    tracking_uri: Text
    """sqlite:///FILE, http://HOST:PORT, https://HOST or postgresql://...; a password does not belong here."""
    experiment_name: Text
    """What MLflow lists the runs under; made if it is not there."""


class NoLogger(Part):
    """Nothing is written while training."""

    target_class: Literal["pytorch_lightning.loggers.logger.DummyLogger"] = Field(alias="_target_")


AnyLogger = CsvLogger | WandbLogger | TensorBoardLogger | MlflowLogger | NoLogger
