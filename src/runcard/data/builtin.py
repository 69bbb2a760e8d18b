"""Real data that comes with scikit-learn: small, always at hand, no download."""

from __future__ import annotations

import numpy as np

from runcard.data.signature import Kind, Rows, TaskOrAuto
from runcard.errors import CardError, Mistake
from runcard.files import sha256

# What each data set is about; the card's problem must be about the same.
TARGETS = {"digits": "digit", "breast_cancer": "diagnosis", "wine": "cultivar", "diabetes": "progression"}


class Builtin:
    """One of scikit-learn's data sets.

    Args:
        name: ``digits``, ``breast_cancer``, ``wine`` or ``diabetes``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def check_columns(self, target: str) -> None:
        """Compare the target that the card names with the one that the data has.

        Raises:
            CardError: If they differ.
        """
        if target != TARGETS[self.name]:
            message = f"the data set {self.name} has no target {target!r}"
            raise CardError([Mistake("problem.target", message, hint=f"It has {TARGETS[self.name]!r}.")])

    def read(self, target: str, task: TaskOrAuto) -> Rows:
        """All rows; the task is the data's own, whatever is asked for.

        Raises:
            CardError: If the data has no such target.
        """
        self.check_columns(target)
        # Imported here: reading a table needs no scikit-learn.
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{self.name}")()
        kinds: dict[str, Kind]
        if self.name == "digits":
            columns = {"image": bunch.images[:, np.newaxis].astype(np.float32)}
            kinds = {"image": "image"}
        else:
            columns = {str(name): bunch.data[:, i] for i, name in enumerate(bunch.feature_names)}
            kinds = dict.fromkeys(columns, "number")
        fingerprint = sha256([bunch.data.tobytes(), bunch.target.tobytes()])
        if self.name == "diabetes":
            truth = bunch.target.astype(np.float64)
            return Rows(columns, kinds, truth, target, "regression", (), fingerprint)
        classes = tuple(str(name) for name in bunch.target_names)
        truth = np.array(classes, dtype=object)[bunch.target]
        return Rows(columns, kinds, truth, target, "classification", classes, fingerprint)
