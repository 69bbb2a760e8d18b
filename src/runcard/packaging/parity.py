"""Whether a bundle answers as its run did: test rows and further ones, odd rows, all at once and one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runcard.data.dataset import Dataset
from runcard.data.fields import to_columns, to_fields
from runcard.data.signature import Array, Columns
from runcard.errors import ParityError, RunError
from runcard.evaluation.evaluate import read_predictions
from runcard.evaluation.predictor import Run
from runcard.packaging.bundle import TOLERANCE, Bundle
from runcard.packaging.made import make_rows

# So many are compared if the data has them: all test rows, and where these are fewer, others that the run answers now.
ROWS = 1000
MAX_ODD = 200
UNSEEN = "\N{REPLACEMENT CHARACTER} never seen"
# Rows of each sort; they are answered at every start of the service, and what holds many numbers is long as JSON.
REFERENCE_ROWS = 32
REFERENCE_NUMBERS = 2**17
# Of each sort, what is answered one at a time and over HTTP too: up to ROWS, and what takes a few seconds, by the
# numbers that rows hold and the weights that each of them meets.
AGAIN_NUMBERS = 2**21
AGAIN_WEIGHTS = 2**30

# Columns, and how the run answers them.
Batch = tuple[dict[str, Array], NDArray[np.float64]]


@dataclass(frozen=True)
class Compared:
    """What a bundle was compared on.

    Attributes:
        count: How many rows.
        deviation: The largest difference, in the unit of ``TOLERANCE``.
        rows: Those that were answered one at a time too.
        answers: How the run answered these, as of ``Run.answer``.
        reference: Rows, with the run's answers, that are answered at every start, and how many of them come first that
            are like those of the data; for JSON.
    """

    count: int
    deviation: float
    rows: list[dict[str, Any]]
    answers: NDArray[np.float64]
    reference: dict[str, Any]


def compare(bundle: Bundle, run: Run, data: Dataset, *, real: bool = False) -> Compared:
    """Compare a bundle with its run.

    Args:
        bundle: As it would be written.
        run: A finished run.
        data: Its rows with its split.
        real: Whether the reference rows are rows of the data, and not made ones.

    Raises:
        ParityError: If an answer differs by more than ``TOLERANCE``, or is another class; or if the run itself answers
            a row otherwise alone than beside others.
        RunError: If the run's stored predictions are damaged.
    """
    width = math.prod(run.transforms.input_shape(run.signature))
    few = min(REFERENCE_ROWS, max(2, REFERENCE_NUMBERS // width))
    weights = sum(weight.numel() for weight in run.model.parameters())
    again = max(few, min(ROWS, AGAIN_NUMBERS // width, AGAIN_WEIGHTS // max(1, weights)))
    parts = [_part(bundle, run, batches, few, again) for batches in (_ordinary(run, data), _odd_of_tested(run, data))]
    shown = parts if real else [_part(bundle, run, [batch], few, few) for batch in _made(bundle, run, data, few)]
    apart = max(part.deviation for part in (*parts, *shown))
    if apart > TOLERANCE:
        raise ParityError(
            f"the bundle would not answer as the run {run.path} did: {differs(apart)}. Nothing was packaged."
        )
    return Compared(
        sum(part.count for part in parts),
        apart,
        [row for part in parts for row in part.rows],
        np.concatenate([part.answers for part in parts]),
        {
            **{name: [one for part in shown for one in part.reference[name]] for name in ("rows", "answers")},
            "ordinary": len(shown[0].reference["rows"]),
        },
    )


def differs(apart: float) -> str:
    """What to say of a deviation that is too large."""
    further = f"answers up to {apart:.2g} apart, and {TOLERANCE:g} is the most"
    return "another class, or an answer that is no number" if math.isinf(apart) else further


def _part(bundle: Bundle, run: Run, batches: Iterable[Batch], few: int, again: int) -> Compared:
    """Compare rows of one sort, the first of them one at a time too.

    Raises:
        ParityError: If the run answers a row otherwise alone.
    """
    count, apart = 0, 0.0
    rows: list[dict[str, Any]] = []
    answers: list[NDArray[np.float64]] = []
    for columns, expected in batches:
        _check_alone(bundle, run, _first(columns, few - len(rows)), expected)
        given = bundle.answer(columns)
        some = to_fields(bundle.signature, _first(columns, again - len(rows)))
        # As requests come.
        one_by_one = [bundle.answer(to_columns(bundle.signature, [row])) for row in some]
        alone = np.concatenate([given[:0], *one_by_one])
        for one, other in ((given, expected), (alone, expected[: len(some)]), (alone, given[: len(some)])):
            if apart <= TOLERANCE:  # of two answers that are no numbers the difference would be none
                apart = max(apart, bundle.deviation(one, other))
        count += len(expected)
        rows += some
        answers.append(expected[: len(some)])
    known = np.concatenate(answers)
    return Compared(count, apart, rows, known, {"rows": rows[:few], "answers": known[:few].tolist()})


def _check_alone(bundle: Bundle, run: Run, columns: Columns, together: NDArray[np.float64]) -> None:
    """Let the run answer rows one at a time: a network may look at the rows beside one.

    Raises:
        ParityError: If an answer is another than it was beside others.
    """
    count = len(next(iter(columns.values())))
    if not count:
        return
    one_by_one = [run.answer({name: values[row : row + 1] for name, values in columns.items()}) for row in range(count)]
    apart = bundle.deviation(np.concatenate(one_by_one), together[:count])
    if apart > TOLERANCE:
        raise ParityError(
            f"the run {run.path} answers a row otherwise alone than beside others: {differs(apart)}. A service answers "
            "rows in any company, so its network may not look at the batch. Nothing was packaged."
        )


def _ordinary(run: Run, data: Dataset) -> Iterator[Batch]:
    """The test rows, as the run answered them when it was evaluated; if they are few, others as it does now.

    Raises:
        RunError: If the stored predictions are damaged.
    """
    rows, expected = read_predictions(run, len(data.indices("test")))
    if not np.array_equal(rows, data.indices("test")):
        raise RunError(f"{run.folder.predictions} is damaged: it does not hold the run's test rows")
    done = 0
    for part in data.stretches(rows):
        yield data.rows.pick(part), expected[done : done + len(part)]
        done += len(part)
    others = np.concatenate([data.indices("validation"), data.indices("train")])[: max(0, ROWS - len(rows))]
    for part in data.stretches(others):
        columns = data.rows.pick(part)
        yield columns, run.answer(columns)


def _odd_of_tested(run: Run, data: Dataset) -> Iterator[Batch]:
    """Odd rows, made of test rows."""
    test = data.indices("test")
    count = 1 + len(_changes(run))
    yield _odd(run, data.rows.pick(np.resize(test, count)))


def _made(bundle: Bundle, run: Run, data: Dataset, count: int) -> Iterator[Batch]:
    """Rows that are nobody's, and odd ones of them."""
    made = make_rows(bundle.signature, data, count)
    yield made, run.answer(made)
    places = np.resize(np.arange(count), 1 + len(_changes(run)))
    yield _odd(run, {name: values[places] for name, values in made.items()})


def _changes(run: Run) -> list[tuple[str, Any]]:
    """A feature, and the value that it has in an odd row: each missing, each category or text unseen."""
    features = run.signature.features
    changes: list[tuple[str, Any]] = [(feature.name, None) for feature in features]
    changes += [(feature.name, UNSEEN) for feature in features if feature.kind in ("category", "text")]
    return changes[: MAX_ODD - 1]


def _odd(run: Run, odd: dict[str, Array]) -> Batch:
    """Rows as training may never have had them; of the last all is missing.

    Args:
        run: It answers them.
        odd: One row for each change, and one more.
    """
    for row, (name, value) in enumerate(_changes(run)):
        odd[name][row] = _filled(odd[name], value)
    for values in odd.values():
        values[-1] = _filled(values, None)
    return odd, run.answer(odd)


def _filled(values: Array, value: Any) -> Any:
    return np.nan if value is None and values.dtype != object else value


def _first(columns: Columns, count: int) -> dict[str, Array]:
    return {name: values[: max(0, count)] for name, values in columns.items()}
