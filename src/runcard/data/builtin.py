"""Real data that comes with scikit-learn: small, always at hand, no download."""

from __future__ import annotations

import numpy as np

from runcard.data.signature import Kind, Rows
from runcard.runs import sha256


class Builtin:
    """One of scikit-learn's data sets.

    Args:
        name: ``digits``, ``breast_cancer``, ``wine`` or ``diabetes``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, target: str, task: str) -> Rows:
        """All rows; the name of the target is the card's, the task is the data's own."""
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
